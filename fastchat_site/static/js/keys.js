// Single-key shortcuts: a table of key → action, silent in fields and where the visitor turned them off.
import { recall, remember } from "./memory.js";

const actions = new Map();

/** Whether shortcuts are on (they are, until the visitor turns them off in the help sheet). */
export function isKeysEnabled() {
  return recall("keys") !== "off";
}

/** Turn the shortcuts on or off, for later visits too. */
export function setKeysEnabled(isEnabled) {
  remember("keys", isEnabled ? null : "off");
}

/** Add shortcuts; `Escape` also works inside fields. */
export function keys(table) {
  for (const [key, action] of Object.entries(table)) actions.set(key, action);
}

/** Whether a key press belongs to an input method composing a character, as Chinese ones do. */
export function isComposing(event) {
  // 229 is what older engines report for every key an input method swallows.
  return event.isComposing || event.keyCode === 229;
}

function isField(element) {
  return element instanceof HTMLElement && element.closest("input, textarea, select, [contenteditable]");
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || isComposing(event)) return;
  if (event.key !== "Escape" && (isField(event.target) || !isKeysEnabled())) return;
  if (document.querySelector("dialog[open]")) return;
  const action = actions.get(event.key);
  if (!action) return;
  event.preventDefault();
  action();
});
