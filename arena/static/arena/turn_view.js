// One turn of a battle on the page: the prompt and the two answers below it.
import { AnswerView } from "../js/answer.js";

export const SIDES = ["a", "b"];

/** A prompt with its two answers. */
export class TurnView {
  /**
   * @param {string} prompt
   * @param {{onRetry: (side: string) => void}} handlers
   */
  constructor(prompt, { onRetry }) {
    const copy = document.getElementById("turn").content.cloneNode(true);
    this.element = copy.querySelector(".turn");
    this.prompt = prompt;
    this.element.querySelector(".prompt").textContent = prompt;
    this.answers = {};
    for (const side of SIDES) {
      const element = this.element.querySelector(`[data-side="${side}"]`);
      this.answers[side] = new AnswerView(element, { onRetry: () => onRetry(side) });
    }
  }

  get isFinished() {
    return SIDES.every((side) => this.answers[side].isFinished);
  }

  get isComplete() {
    return SIDES.every((side) => this.answers[side].isComplete);
  }

  /** The next token each side waits for. */
  get position() {
    return Object.fromEntries(SIDES.map((side) => [side, this.answers[side].position]));
  }

  /** Bring the answers to what the server says, keeping text that is still arriving. */
  adopt(turn) {
    for (const side of SIDES) {
      const { text, finish_reason: reason, error } = turn[side];
      this.answers[side].adopt(text, reason, error?.code);
    }
  }

  /** Write the models' names over the answers and mark the winner. */
  reveal(models, winner) {
    for (const side of SIDES) {
      const { element } = this.answers[side];
      element.querySelector(".model-name").textContent = models[side];
      element.classList.toggle("is-winner", side === winner);
    }
  }
}
