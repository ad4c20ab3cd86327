// The list of chats beside the conversation: the drawer on phones, keys, the entry of a new chat.
import { keys } from "../js/keys.js";

/** Wire the drawer's button and the keys that move between chats. */
export function setUpHistory(root) {
  const list = root.querySelector(".history");
  const button = root.querySelector(".history-button");
  const close = list.querySelector(".history-close");
  const show = (isOpen) => {
    list.classList.toggle("is-open", isOpen);
    button.setAttribute("aria-expanded", String(isOpen));
    (isOpen ? close : button).focus();
  };
  button.addEventListener("click", () => show(true));
  close.addEventListener("click", () => show(false));
  keys({
    n: () => location.assign(list.querySelector(".new-chat").href),
    j: () => step(list, 1),
    k: () => step(list, -1),
  });
}

function step(list, by) {
  const links = [...list.querySelectorAll(".history-link")];
  const here = links.findIndex((link) => link.ariaCurrent === "page");
  const next = here < 0 && by < 0 ? undefined : links[here + by];
  if (next) location.assign(next.href);
}

/** Show that a conversation has begun: its address, its title, its entry in the list. */
export function showNewConversation({ root, id, title, model }) {
  const address = `/chat/${id}/`;
  history.replaceState(null, "", address);
  const head = root.querySelector(".talk-head");
  head.querySelector(".talk-settings")?.remove();
  head.append(element("h1", "talk-title", title), element("span", "badge talk-model", model));
  const link = element("a", "history-link", "");
  link.href = address;
  link.ariaCurrent = "page";
  link.append(element("span", "history-title", title), element("span", "history-model", model));
  const entry = document.createElement("li");
  entry.append(link);
  root.querySelector(".history-list").prepend(entry);
}

function element(name, className, text) {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}
