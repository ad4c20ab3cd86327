// The prompt box: grows with its text, counts towards the limit, sends on Enter, never mid-composition.
import { isComposing, keys } from "./keys.js";
import { word } from "./words.js";

const SHOW_COUNTER_FROM = 0.8; // of the limit
const format = new Intl.NumberFormat(document.documentElement.lang);

/** Wires a `form.composer`; the page decides when sending is possible. */
export class Composer {
  /**
   * @param {HTMLFormElement} form with a textarea, `.send`, `.stop` and `.counter`
   * @param {{onSend: (text: string) => void, onStop: () => void}} handlers
   */
  constructor(form, { onSend, onStop }) {
    this.field = form.querySelector("textarea");
    this.sendButton = form.querySelector(".send");
    this.stopButton = form.querySelector(".stop");
    this.counter = form.querySelector(".counter");
    this.limit = Number(form.dataset.maxChars);
    this.canSend = true;
    this.onSend = onSend;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    this.stopButton.addEventListener("click", onStop);
    this.field.addEventListener("input", () => this.edited());
    this.field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || isComposing(event)) return;
      event.preventDefault();
      this.submit();
    });
    keys({
      "/": () => this.field.focus(),
      Escape: () => (this.stopButton.hidden ? this.field.blur() : onStop()),
    });
    this.edited();
  }

  get text() {
    return this.field.value.trim();
  }

  /** Show Stop instead of Send while answers are written. */
  setRunning(isRunning) {
    this.sendButton.hidden = isRunning;
    this.stopButton.hidden = !isRunning;
    this.update();
  }

  /** Allow or forbid sending, whatever the box holds. */
  setCanSend(canSend) {
    this.canSend = canSend;
    this.update();
  }

  /** Put a text into the box. */
  fill(text) {
    this.field.value = text;
    this.edited();
  }

  submit() {
    if (this.sendButton.disabled || this.sendButton.hidden) return;
    this.onSend(this.text);
  }

  edited() {
    this.update();
    // Measuring lays the whole page out, so it is done for new text alone, not for every delta.
    this.field.style.height = "auto";
    this.field.style.height = `${this.field.scrollHeight}px`;
  }

  update() {
    // Characters as the server counts them, not UTF-16 units.
    const count = [...this.text].length;
    const isOver = count > this.limit;
    this.sendButton.disabled = !this.canSend || count === 0 || isOver;
    this.counter.classList.toggle("is-over", isOver);
    this.counter.textContent =
      count > this.limit * SHOW_COUNTER_FROM
        ? word("counter", { count: format.format(count), limit: format.format(this.limit) })
        : "";
  }
}
