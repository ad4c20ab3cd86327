// Code blocks: a head with language and copy button, and colours once a block is finished.
import { word } from "./words.js";

const MAX_COLOURED_CHARS = 40_000;
const COLOURS_ONLY = { RETURN_DOM_FRAGMENT: true, ALLOWED_TAGS: ["span"], ALLOWED_ATTR: ["class"] };
let highlighter = null;

/** Copy text, also where the clipboard interface is closed because the page came without TLS. */
export async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "visually-hidden";
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

/** Return a button that copies what `read` gives and says so for a moment. */
export function copyButton(read) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button quiet";
  button.textContent = word("copy");
  button.addEventListener("click", async () => {
    await copyText(read());
    button.textContent = word("copied");
    setTimeout(() => (button.textContent = word("copy")), 1500);
  });
  return button;
}

/** Put every code block of a fragment into its frame. */
export function decorateCode(fragment) {
  for (const pre of fragment.querySelectorAll("pre")) {
    const code = pre.querySelector("code");
    if (!code) continue;
    const frame = document.createElement("div");
    frame.className = "code-block";
    const head = document.createElement("div");
    head.className = "code-head";
    const label = document.createElement("span");
    label.textContent = languageOf(code);
    // The parser ends every fence with a newline that was not typed.
    head.append(label, copyButton(() => code.textContent.replace(/\n$/, "")));
    pre.tabIndex = 0; // long lines scroll sideways, also by keyboard
    pre.replaceWith(frame);
    frame.append(head, pre);
  }
}

/** Colour the code of a finished block; the highlighter is fetched when the first one is due. */
export async function highlightCode(block) {
  const codes = [...block.querySelectorAll("pre code")].filter(
    (code) => languageOf(code) && code.textContent.length <= MAX_COLOURED_CHARS,
  );
  if (!codes.length) return;
  highlighter ??= import("../vendor/highlight/highlight.min.js");
  const { default: hljs } = await highlighter;
  for (const code of codes) {
    const language = languageOf(code);
    if (!hljs.getLanguage(language)) continue;
    const { value } = hljs.highlight(code.textContent, { language, ignoreIllegals: true });
    code.replaceChildren(window.DOMPurify.sanitize(value, COLOURS_ONLY));
  }
}

function languageOf(code) {
  return /(?:^|\s)language-(\S+)/.exec(code.className)?.[1] ?? "";
}
