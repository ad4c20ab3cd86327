// Sentences of the interface: written, and translated, in the page's <template id="words">.

const template = document.getElementById("words");

/** Return a sentence with its `{placeholders}` filled in, or "" where the page has none of that name. */
export function word(name, values = {}) {
  const entry = template?.content.querySelector(`[data-word="${CSS.escape(name)}"]`);
  const text = entry ? entry.textContent.trim() : "";
  return text.replace(/\{(\w+)\}/g, (whole, key) => (key in values ? String(values[key]) : whole));
}

/** Say an error event in plain words; a code the page does not know falls back to the server's sentence. */
export function errorWords({ code, message, retry_after_s: seconds }) {
  return word(`error-${code}`, { seconds: seconds ?? "" }) || message || word("error");
}

/** Count words as people do: runs of letters, and each CJK character for itself. */
export function countWords(text) {
  const cjk = /[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]/g;
  const single = text.match(cjk)?.length ?? 0;
  const runs = text.replace(cjk, " ").match(/[\p{L}\p{N}]+/gu)?.length ?? 0;
  return single + runs;
}
