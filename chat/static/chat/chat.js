// The chat page: one conversation with one model, over one socket.
import { copyText } from "../js/code.js";
import { Composer } from "../js/composer.js";
import { followEnd } from "../js/follow.js";
import { keys } from "../js/keys.js";
import { PageSocket } from "../js/socket.js";
import { errorWords, word } from "../js/words.js";
import { ExchangeView } from "./exchange_view.js";
import { setUpHistory, showNewConversation } from "./history.js";

// An answer silent for so long gets a new connection; it continues where it was.
const SILENCE_MS = 25_000;

const root = document.querySelector(".chat");
const find = (selector) => root.querySelector(selector);
const composer = new Composer(find(".composer"), { onSend: ask, onStop: stop });
const goToEnd = followEnd(find(".talk"));
let conversationId = root.dataset.conversation;
let exchanges = [];
let pending = null; // the event of a prompt that is not yet acknowledged
let isHealing = false;
let silence = 0;

const socket = new PageSocket("/ws/chat/", {
  onOpen: catchUp,
  onEvent: handle,
  onLost: (isLost) => (find(".connection-lost").hidden = !isLost),
});

const last = () => exchanges.at(-1);

/** After every connect: pick the conversation up, or send the prompt that met a closed door. */
function catchUp() {
  if (conversationId) resume();
  else if (pending) socket.send(pending);
}

function resume() {
  socket.send({ type: "resume", conversation: conversationId, seq: last()?.answer.position ?? 0 });
}

function ask(text) {
  pending = { type: "prompt", text };
  if (conversationId) pending.conversation = conversationId;
  else Object.assign(pending, chosenSettings());
  addExchange(text);
  composer.fill("");
  refuse(null);
  socket.send(pending); // a closed socket sends it when it opens
  update();
}

/** Model and parameters of a new conversation; what the visitor left empty is the server's choice. */
function chosenSettings() {
  const form = find(".talk-settings");
  const params = {};
  for (const name of ["temperature", "top_p", "max_tokens"]) {
    const field = form.elements[name];
    if (field.value !== "") params[name] = field.valueAsNumber;
  }
  return { model: form.elements.model.value, params };
}

function addExchange(prompt) {
  const exchange = new ExchangeView(prompt, { onAgain: regenerate });
  exchanges.push(exchange);
  find(".said").append(exchange.element);
  goToEnd();
}

function stop() {
  socket.send({ type: "stop", conversation: conversationId });
}

function regenerate() {
  if (!conversationId || !last()?.answer.isFinished) return;
  if (socket.send({ type: "regenerate", conversation: conversationId })) refuse(null);
}

function handle(event) {
  const answer = last()?.answer;
  switch (event.type) {
    case "conversation":
      adopt(event);
      break;
    case "accepted":
      if (!pending) answer.restart(); // the wish for another answer is stored
      pending = null;
      break;
    case "delta":
      if (answer && !answer.push(event)) heal(answer);
      break;
    case "done":
      finish((finished) => finished.finish(event.finish_reason));
      break;
    case "error":
      fail(event);
      break;
  }
  update();
}

/** Bring the page to the conversation's state: after the first prompt, a lost connection, a reload. */
function adopt({ id, title, model, messages }) {
  const isNew = !conversationId;
  conversationId = id;
  if (isNew) showNewConversation({ root, id, title, model });
  if (!messages) {
    pending = null;
    return;
  }
  const prompts = messages.filter(({ role }) => role === "user");
  const answers = messages.filter(({ role }) => role === "assistant");
  while (exchanges.length < prompts.length) addExchange(prompts[exchanges.length].content);
  answers.forEach((answer, index) => exchanges[index].adopt(answer));
  if (pending && exchanges.length > prompts.length) socket.send(pending);
  else pending = null;
}

/** Ask for what is missing, and at the second time for everything. */
function heal(answer) {
  if (isHealing) answer.restart();
  isHealing = true;
  resume();
}

function finish(end) {
  const answer = last()?.answer;
  if (!answer || answer.isFinished) return;
  end(answer);
  isHealing = false;
  find(".talk-status").textContent = answer.summary(word("answer"));
}

function fail(error) {
  if (pending) takeBack();
  else if (last() && !last().answer.isFinished) return breakOff(error);
  refuse(errorWords(error));
}

function breakOff(error) {
  finish((answer) => answer.fail(error));
  // The stream broke, and yet the answer may be stored whole: the state tells.
  if (error.code === "interrupted") resume();
}

/** A prompt that was refused goes back into the box. */
function takeBack() {
  composer.fill(pending.text);
  pending = null;
  exchanges.pop().element.remove();
}

async function copyAnswer() {
  if (!last()) return;
  await copyText(last().answer.text);
  find(".talk-status").textContent = word("copied");
}

function refuse(sentence) {
  const notice = find(".refusal");
  notice.hidden = !sentence;
  notice.querySelector("p").textContent = sentence ?? "";
}

function update() {
  const isRunning = Boolean(last()) && !last().answer.isFinished;
  composer.setRunning(isRunning);
  composer.setCanSend(Boolean(conversationId || find(".talk-settings select")?.value));
  root.classList.toggle("has-said", exchanges.length > 0 || Boolean(conversationId));
  clearTimeout(silence);
  if (isRunning) silence = setTimeout(() => socket.reconnect(), SILENCE_MS);
}

setUpHistory(root);
keys({
  r: regenerate,
  c: copyAnswer,
});
update();
if (matchMedia("(pointer: fine)").matches) composer.field.focus();
