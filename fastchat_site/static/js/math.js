// Formulas between $…$, $$…$$, \(…\) and \[…\]: found while parsing, set by KaTeX when a block is finished.

const INLINE = [/^\$(?!\s)((?:\\.|[^$\\\n])+?)(?<!\s)\$(?!\d)/, /^\\\((.+?)\\\)/];
const DISPLAY = [/^\$\$([\s\S]+?)\$\$/, /^\\\[([\s\S]+?)\\\]/];
// A paragraph is cut only where a display formula has the line for itself.
const BEGIN = { inline: /\$|\\[[(]/, block: /(?<=\n)(?:\$\$|\\\[)/ };
const KATEX_OPTIONS = { trust: false, maxExpand: 1000, maxSize: 20, strict: "ignore" };
const MAX_FORMULA_CHARS = 4000;
let typesetter = null;

/** Return the parser extensions that recognise formulas. */
export function mathExtensions(escape) {
  const rule = (name, level, patterns, className) => ({
    name,
    level,
    start: (source) => {
      const at = source.search(BEGIN[level]);
      return at < 0 ? undefined : at;
    },
    tokenizer(source) {
      for (const pattern of patterns) {
        const match = pattern.exec(source);
        if (match) return { type: name, raw: match[0], text: match[1] };
      }
      return undefined;
    },
    renderer: ({ text }) => `<span class="${className}">${escape(text)}</span>`,
  });
  return [
    rule("formula-block", "block", DISPLAY, "tex tex-display"),
    rule("formula-display", "inline", DISPLAY, "tex tex-display"),
    rule("formula", "inline", INLINE, "tex"),
  ];
}

/** Set the formulas of a finished block; KaTeX and its stylesheet are fetched when the first one is due. */
export async function renderMath(block) {
  const formulas = [...block.querySelectorAll("span.tex")].filter(
    (element) => element.textContent.length <= MAX_FORMULA_CHARS,
  );
  if (!formulas.length) return;
  typesetter ??= loadKatex();
  await typesetter;
  for (const element of formulas) setFormula(element);
}

function setFormula(element) {
  const source = element.textContent;
  const displayMode = element.classList.contains("tex-display");
  try {
    window.katex.render(source, element, { ...KATEX_OPTIONS, displayMode });
  } catch {
    // KaTeX's own way of showing an error needs inline styles; the source says as much.
    element.textContent = source;
  }
}

async function loadKatex() {
  // The stylesheet's address may carry a hash, so the page says it.
  const sheet = document.createElement("link");
  sheet.rel = "stylesheet";
  sheet.href = document.getElementById("words").dataset.katexStyles;
  document.head.append(sheet);
  await import("../vendor/katex/katex.min.js");
}
