// What surrounds the answers of a battle: vote bar, verdict, notices, the switch of sides on phones.
import { followEnd } from "../js/follow.js";
import { word } from "../js/words.js";

/** The `.arena` element and its parts. */
export class ArenaView {
  constructor(root) {
    this.root = root;
    this.find = (selector) => root.querySelector(selector);
    this.turns = this.find(".turns");
    this.voteBar = this.find(".vote-bar");
    this.verdict = this.find(".verdict");
    this.switch = this.find(".sides-switch");
    this.switch.addEventListener("click", ({ target }) => this.showSide(target.closest("button")?.value));
    this.showSide("a");
    this.follow = followEnd(root);
  }

  onVote(action) {
    this.find(".vote-buttons").addEventListener("click", ({ target }) => {
      const button = target.closest("button");
      if (button) action(button.value);
    });
  }

  onNewRound(action) {
    for (const button of this.root.querySelectorAll(".new-round")) button.addEventListener("click", action);
  }

  onRegenerate(action) {
    this.find(".regenerate").addEventListener("click", action);
  }

  onSuggestion(action) {
    this.find(".suggestions").addEventListener("click", ({ target }) => {
      const chip = target.closest(".chip");
      if (chip) action(chip.textContent.trim());
    });
  }

  /** Show one of: idle, running, ready (to vote), failed (on a side), voted. */
  setState(state) {
    if (this.root.dataset.state === state) return;
    this.root.dataset.state = state;
    const isOpen = state === "running" || state === "ready" || state === "failed";
    this.voteBar.hidden = !isOpen;
    this.switch.hidden = state === "idle";
    const question = { ready: "vote-now", failed: "vote-after-retry" }[state] ?? "vote-later";
    this.find(".vote-question").textContent = word(question);
    this.find(".regenerate").disabled = state === "running";
    const ask = { idle: "ask-first", voted: "ask-anew" }[state] ?? "ask-more";
    this.find("textarea").placeholder = word(ask);
  }

  setVotable(isVotable) {
    for (const button of this.voteBar.querySelectorAll(".vote-buttons button")) button.disabled = !isVotable;
  }

  addTurn(element) {
    this.turns.append(element);
    this.follow();
  }

  showSide(side) {
    if (!side) return;
    this.root.dataset.shown = side;
    for (const button of this.switch.children) {
      button.setAttribute("aria-pressed", String(button.value === side));
    }
  }

  showVerdict(winner, models) {
    this.find("#verdict-title").textContent = word(`won-${winner}`);
    for (const [side, name] of Object.entries(models)) {
      const entry = this.verdict.querySelector(`[data-side="${side}"]`);
      entry.querySelector("dd").textContent = name;
      entry.classList.toggle("is-winner", side === winner);
    }
    this.verdict.hidden = false;
    this.follow();
    this.announce(`${word(`won-${winner}`)}. A: ${models.a}. B: ${models.b}.`);
  }

  showLost(isLost) {
    this.find(".connection-lost").hidden = !isLost;
  }

  /** Show a sentence about what went wrong; null takes it away. */
  showError(sentence) {
    const notice = this.find(".refusal");
    notice.hidden = !sentence;
    notice.querySelector("p").textContent = sentence ?? "";
  }

  announce(sentence) {
    this.find(".arena-status").textContent = sentence;
  }

  clear() {
    this.turns.replaceChildren();
    this.verdict.hidden = true;
    this.showError(null);
    scrollTo({ top: 0 });
  }
}
