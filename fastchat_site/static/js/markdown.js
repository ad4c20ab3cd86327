// Markdown of models as safe DOM, cheap enough to be shown while it streams.
//
// Finished blocks are rendered once and frozen; only the last block is rendered again as it grows.
// Raw HTML is shown as text, images are never loaded, and DOMPurify has the last word on every block.
import "../vendor/dompurify/purify.min.js";
import { Marked } from "../vendor/marked/marked.esm.js";
import { decorateCode, highlightCode } from "./code.js";
import { mathExtensions, renderMath } from "./math.js";
import { word } from "./words.js";

const PLAIN_TAG = /^<\/?(?:br|sub|sup|kbd|b|i|u|em|strong|code|mark|del|s)\s*\/?>$/i;
const ALLOWED = {
  RETURN_DOM_FRAGMENT: true,
  ALLOWED_TAGS: [
    "p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "code",
    "em", "strong", "del", "s", "b", "i", "u", "mark", "sub", "sup", "kbd", "span",
    "table", "thead", "tbody", "tr", "th", "td", "a",
  ],
  ALLOWED_ATTR: ["href", "title", "class", "start", "align"],
  ALLOWED_URI_REGEXP: /^(?:https?:|mailto:)/i,
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
};
// What a later line may change in an earlier block: link definitions and display formulas.
const NEEDS_WHOLE_PARSE = /^ {0,3}\[[^\]\n]+\]:|\$\$|\\\[/m;

const escapes = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const escape = (text) => text.replace(/[&<>"']/g, (character) => escapes[character]);

const marked = new Marked({
  gfm: true,
  extensions: mathExtensions(escape),
  renderer: {
    html: ({ text }) => (PLAIN_TAG.test(text.trim()) ? text : escape(text)),
    checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
    image: ({ href, text }) =>
      `<a class="image-chip" href="${escape(href)}">${escape(word("image", { alt: text || href }))}</a>`,
  },
});

/** Turn markdown tokens into a sanitised fragment whose links are safe to follow. */
function toFragment(tokens) {
  const fragment = window.DOMPurify.sanitize(marked.parser(tokens), ALLOWED);
  for (const link of fragment.querySelectorAll("a[href]")) {
    link.target = "_blank";
    link.rel = "noopener noreferrer nofollow ugc";
    link.title = link.href; // in its normal form, so that look-alike letters show as punycode
  }
  decorateCode(fragment);
  return fragment;
}

/** Shows one growing markdown text inside an element. */
export class MarkdownView {
  constructor(element) {
    this.element = element;
    this.clear();
  }

  /** Forget the text. */
  clear() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    this.text = "";
    this.frozenChars = 0;
    this.live = null;
    this.element.replaceChildren();
  }

  /** Add text; it is painted with the next frame. */
  append(text) {
    // The parser drops carriage returns, so that positions would no longer agree.
    this.text += text.replaceAll("\r", "");
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.paint();
    });
  }

  /** Paint what is left, freeze it and colour its code and formulas. */
  finish() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    if (NEEDS_WHOLE_PARSE.test(this.text)) {
      this.frozenChars = 0;
      this.live = null;
      this.element.replaceChildren();
    }
    this.paint();
    if (this.live) polish(this.live);
    this.live = null;
    this.frozenChars = this.text.length;
  }

  paint() {
    const tokens = marked.lexer(this.text.slice(this.frozenChars));
    const last = tokens.findLastIndex((token) => token.type !== "space");
    tokens.forEach((token, index) => {
      if (index > last) return;
      if (token.type !== "space") {
        const block = this.live ?? this.element.appendChild(document.createElement("div"));
        this.live = index === last ? block : null;
        block.replaceChildren(toFragment([token]));
        if (index < last) polish(block);
      }
      if (index < last) this.frozenChars += token.raw.length;
    });
  }
}

/** Give a finished block what costs more: code colours and formulas. */
function polish(block) {
  highlightCode(block);
  renderMath(block);
}
