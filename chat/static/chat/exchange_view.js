// One exchange of a chat on the page: the prompt and the model's answer below it.
import { AnswerView } from "../js/answer.js";

/** A prompt with its answer. */
export class ExchangeView {
  /**
   * @param {string} prompt
   * @param {{onAgain: () => void}} handlers
   */
  constructor(prompt, { onAgain }) {
    const copy = document.getElementById("exchange").content.cloneNode(true);
    this.element = copy.querySelector(".exchange");
    this.element.querySelector(".prompt").textContent = prompt;
    this.answer = new AnswerView(this.element.querySelector(".answer"), { onRetry: onAgain });
    this.element.querySelector(".again").addEventListener("click", onAgain);
  }

  /** Bring the answer to what the server says, keeping text that is still arriving. */
  adopt({ content, finish_reason: reason, error }) {
    this.answer.adopt(content, reason, error);
  }
}
