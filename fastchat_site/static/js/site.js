// What every page can do: theme, menu on phones, help sheet.
import { keys, isKeysEnabled, setKeysEnabled } from "./keys.js";
import { remember } from "./memory.js";

function toggleTheme() {
  const root = document.documentElement;
  const isDark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
  remember("theme", root.dataset.theme);
}

function setUpMenu() {
  const button = document.querySelector(".menu-button");
  const nav = document.querySelector(".site-nav");
  button.addEventListener("click", () => {
    const isOpen = nav.classList.toggle("is-open");
    button.setAttribute("aria-expanded", String(isOpen));
  });
}

function setUpHelp() {
  const sheet = document.querySelector(".help-sheet");
  const enabled = sheet.querySelector("input[name=keys]");
  enabled.checked = isKeysEnabled();
  enabled.addEventListener("change", () => setKeysEnabled(enabled.checked));
  const open = () => sheet.open || sheet.showModal();
  document.querySelector(".help-button").addEventListener("click", open);
  keys({ "?": open });
}

document.querySelector(".theme-toggle").addEventListener("click", toggleTheme);
keys({ t: toggleTheme });
setUpMenu();
setUpHelp();
