// The battle page: one round from the first prompt to the reveal, over one socket.
import { copyText } from "../js/code.js";
import { Composer } from "../js/composer.js";
import { keys } from "../js/keys.js";
import { recall, remember } from "../js/memory.js";
import { PageSocket } from "../js/socket.js";
import { errorWords, word } from "../js/words.js";
import { ArenaView } from "./arena_view.js";
import { SIDES, TurnView } from "./turn_view.js";

// With both answers this long silent the connection is made anew; the answers continue where they were.
const SILENCE_MS = 25_000;

const view = new ArenaView(document.querySelector(".arena"));
const composer = new Composer(document.querySelector(".composer"), { onSend: ask, onStop: stop });
let battleId = recall("battle", "sessionStorage");
let turns = [];
let pendingPrompt = null; // sent, and not yet acknowledged
let verdict = null;
let isVoting = false;
let silence = 0;
const healing = new Set(); // sides that were asked for again

const socket = new PageSocket("/ws/battle/", {
  onOpen: catchUp,
  onEvent: handle,
  onLost: (isLost) => view.showLost(isLost),
});

function lastTurn() {
  return turns.at(-1);
}

/** After every connect: pick the battle up, or send the prompt that met a closed door. */
function catchUp() {
  isVoting = false; // a vote that arrived shows in the state, one that did not is to be given again
  if (battleId) {
    socket.send({ type: "resume", battle: battleId, seq: lastTurn()?.position ?? 0 });
  } else if (pendingPrompt !== null) {
    socket.send({ type: "prompt", text: pendingPrompt });
  }
}

function ask(text) {
  if (verdict) startRound();
  addTurn(text);
  pendingPrompt = text;
  composer.fill("");
  view.showError(null);
  socket.send({ type: "prompt", text }); // a closed socket sends it when it opens
  update();
}

function addTurn(prompt) {
  const turn = new TurnView(prompt, { onRetry: regenerate });
  turns.push(turn);
  view.addTurn(turn.element);
}

function stop() {
  socket.send({ type: "stop" });
}

function regenerate() {
  if (!lastTurn()?.isFinished || verdict) return;
  if (socket.send({ type: "regenerate" })) view.showError(null);
}

function vote(winner) {
  if (isVoting || verdict || !lastTurn()?.isComplete) return;
  isVoting = socket.send({ type: "vote", winner });
  update();
}

/** Leave the round for an empty page. */
function startRound() {
  if (battleId) socket.send({ type: "new" });
  forget();
  composer.field.focus();
}

function forget() {
  battleId = null;
  remember("battle", null, "sessionStorage");
  turns = [];
  pendingPrompt = null;
  verdict = null;
  isVoting = false;
  view.clear();
  update();
}

function handle(event) {
  switch (event.type) {
    case "battle":
      adopt(event);
      break;
    case "accepted":
      accept(event.sides);
      break;
    case "delta":
      if (lastTurn() && !lastTurn().answers[event.side].push(event)) heal(event.side);
      break;
    case "done":
      finish(event.side, (answer) => answer.finish(event.finish_reason));
      break;
    case "voted":
      reveal(event);
      break;
    case "error":
      fail(event);
      break;
  }
  update();
}

/** The server has stored the prompt, or the wish for other answers on some sides. */
function accept(sides) {
  if (pendingPrompt === null) for (const side of sides) lastTurn().answers[side].restart();
  pendingPrompt = null;
}

/** Bring the page to the battle's state: after the first prompt, a lost connection or a reload. */
function adopt({ id, turns: known, winner, models }) {
  battleId = id;
  remember("battle", id, "sessionStorage");
  if (!known) {
    pendingPrompt = null;
    return;
  }
  while (turns.length < known.length) addTurn(known[turns.length].prompt);
  known.forEach((turn, index) => turns[index].adopt(turn));
  if (pendingPrompt !== null && turns.length > known.length) {
    socket.send({ type: "prompt", text: pendingPrompt });
  } else {
    pendingPrompt = null;
  }
  if (winner && models) reveal({ winner, models });
}

/** Ask for what is missing of one side, from the token it waits for. */
function heal(side) {
  const { position } = lastTurn();
  if (healing.has(side)) lastTurn().answers[side].restart();
  healing.add(side);
  socket.send({ type: "resume", battle: battleId, seq: { ...position, [side]: lastTurn().answers[side].nextSeq } });
}

function finish(side, end) {
  const answer = lastTurn()?.answers[side];
  if (!answer || answer.isFinished) return;
  end(answer);
  healing.delete(side);
  view.announce(answer.summary(word(`side-${side}`)));
}

function fail(error) {
  isVoting = false;
  if (error.side) {
    finish(error.side, (answer) => answer.fail(error));
    // The stream broke, and yet the answer may be stored whole: the state tells.
    if (error.code === "interrupted") socket.send({ type: "resume", battle: battleId, seq: lastTurn().position });
  } else if (error.code === "battle_not_found") {
    forget();
    view.showError(errorWords(error));
  } else {
    takeBack();
    view.showError(errorWords(error));
  }
}

/** A prompt that was refused goes back into the box. */
function takeBack() {
  if (pendingPrompt === null) return;
  composer.fill(pendingPrompt);
  pendingPrompt = null;
  turns.pop().element.remove();
}

async function copyAnswers() {
  if (!lastTurn()) return;
  await copyText(SIDES.map((side) => lastTurn().answers[side].text).join("\n\n"));
  view.announce(word("copied"));
}

function reveal({ winner, models }) {
  isVoting = false;
  verdict = winner;
  for (const turn of turns) turn.reveal(models, winner);
  view.showVerdict(winner, models);
}

function update() {
  const turn = lastTurn();
  const isRunning = Boolean(turn) && !turn.isFinished;
  if (!turn) view.setState("idle");
  else if (verdict) view.setState("voted");
  else if (isRunning) view.setState("running");
  else view.setState(turn.isComplete ? "ready" : "failed");
  view.setVotable(Boolean(turn?.isComplete) && !verdict && !isVoting);
  composer.setRunning(isRunning);
  composer.setCanSend(!turn || Boolean(verdict) || turn.isComplete);
  clearTimeout(silence);
  if (isRunning) silence = setTimeout(() => socket.reconnect(), SILENCE_MS);
}

view.onVote(vote);
view.onNewRound(startRound);
view.onRegenerate(regenerate);
view.onSuggestion((text) => ask(text));
keys({
  1: () => vote("a"),
  2: () => vote("b"),
  3: () => vote("tie"),
  4: () => vote("both_bad"),
  r: regenerate,
  n: startRound,
  c: copyAnswers,
});
update();
