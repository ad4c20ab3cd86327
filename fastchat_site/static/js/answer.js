// One answer as it arrives: pieces put in order, its text shown, its end or failure said.
import { copyButton } from "./code.js";
import { MarkdownView } from "./markdown.js";
import { countWords, errorWords, word } from "./words.js";

/** Shows an answer inside an element with `.answer-body`, `.answer-status` and `.answer-tools`. */
export class AnswerView {
  /**
   * @param {HTMLElement} element
   * @param {{onRetry: () => void}} handlers
   */
  constructor(element, { onRetry }) {
    this.element = element;
    this.markdown = new MarkdownView(element.querySelector(".answer-body"));
    this.status = element.querySelector(".answer-status");
    this.tools = element.querySelector(".answer-tools");
    this.onRetry = onRetry;
    this.tools.append(copyButton(() => this.text));
    this.restart();
  }

  get text() {
    return this.markdown.text;
  }

  get isFinished() {
    return this.state !== "writing";
  }

  /** Whether the answer can be judged: it ended well, or was stopped with something to read. */
  get isComplete() {
    return this.state === "done" || (this.state === "stopped" && this.text.trim() !== "");
  }

  /** The token from which the server should go on. */
  get position() {
    return this.isFinished ? 0 : this.nextSeq;
  }

  /** Begin again with nothing. */
  restart() {
    this.markdown.clear();
    this.nextSeq = 0;
    this.setState("writing", word("thinking"));
  }

  /**
   * Add a delta of `count` tokens, the first of which is number `seq`.
   *
   * @returns {boolean} false where the delta leaves a gap or cuts through what is there, so that the
   *   answer must be asked for again from `nextSeq`
   */
  push({ seq, count, text }) {
    const end = seq + count;
    if (this.isFinished || end < this.nextSeq || (end === this.nextSeq && count > 0)) return true;
    if (seq !== this.nextSeq) return false;
    this.nextSeq = end;
    if (text) {
      this.status.textContent = "";
      this.markdown.append(text);
    }
    return true;
  }

  /**
   * Bring the answer to what the server keeps of it.
   *
   * @param {string} text
   * @param {string|null} finishReason null while it is written: then the text follows as deltas
   * @param {string} [code] why it failed, where it did
   */
  adopt(text, finishReason, code) {
    const hasFailed = finishReason === "error";
    // A broken answer may have shown more than was stored; that stays.
    const agrees = hasFailed ? this.state === "failed" : this.isFinished && this.text === text;
    if (!finishReason) {
      if (this.isFinished) this.restart();
    } else if (!agrees) {
      this.markdown.clear();
      this.markdown.append(text);
      if (hasFailed) this.fail({ code: code || "interrupted" });
      else this.finish(finishReason);
    }
  }

  /** Say how the answer ended. */
  finish(finishReason) {
    this.markdown.finish();
    const isStopped = finishReason === "cancelled";
    const note = { cancelled: word("stopped"), length: word("cut-off") }[finishReason] ?? "";
    this.setState(isStopped ? "stopped" : "done", note || (this.text ? "" : word("empty-answer")));
  }

  /** Say what went wrong and offer another try; what was written stays. */
  fail(error) {
    this.markdown.finish();
    this.setState("failed", errorWords(error));
    const retry = document.createElement("button");
    retry.type = "button";
    retry.className = "button retry";
    retry.textContent = word("retry");
    retry.addEventListener("click", () => this.onRetry());
    this.status.append(" ", retry);
  }

  /** Say the end in one line, for those who listen instead of look. */
  summary(name) {
    return word(this.state === "failed" ? "failed-line" : "finished-line", {
      name,
      count: countWords(this.text),
    });
  }

  setState(state, note) {
    this.state = state;
    this.element.dataset.state = state;
    this.element.setAttribute("aria-busy", String(state === "writing"));
    this.status.textContent = note;
    this.tools.hidden = state === "writing" || !this.text;
  }
}
