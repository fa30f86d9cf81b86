// Sections, colours, the token.

import { ask, find, keepToken, state, takeToken } from "./common.js";
import * as live from "./live.js";
import * as runs from "./runs.js";
import * as speaker from "./speaker.js";
import * as tryIt from "./try.js";

const SECTIONS = ["try", "live", "speaker", "runs"];
const THEME = "ravdess-mm-theme";

function showSection() {
  const asked = location.hash.slice(1);
  if (asked === "content") return;
  const shown = SECTIONS.includes(asked) ? asked : "try";
  for (const id of SECTIONS) find(id).hidden = id !== shown;
  for (const link of document.querySelectorAll(".tabs a")) {
    if (link.hash === `#${shown}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (shown !== "live") live.stop("");
  if (shown === "runs") runs.load();
  document.title = `${find(`${shown}-title`).textContent} · ravdess-mm`;
  scrollTo(0, 0);
}

function showTheme() {
  const chosen = document.documentElement.dataset.theme;
  const isDark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  find("theme").textContent = isDark ? "Light" : "Dark";
  find("theme").setAttribute("aria-label", `Switch to ${isDark ? "light" : "dark"} colours`);
  return isDark;
}

async function greet() {
  try {
    state.info = await ask("/api/info");
  } catch (error) {
    find("trouble").textContent = error.message;
    return;
  }
  find("token-form").hidden = true;
  find("trouble").textContent = "";
  find("version").textContent = state.info.version;
  const minutes = Math.round(state.info.max_seconds / 60);
  find("limits").textContent = `Up to ${state.info.max_mb} MB and ${minutes > 1 ? `${minutes} minutes` : `${state.info.max_seconds} s`}; of more than 20 s every sentence is answered.`;
}

takeToken();
document.documentElement.dataset.theme = localStorage.getItem(THEME) ?? "";
showTheme();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showTheme);
find("theme").addEventListener("click", () => {
  const next = showTheme() ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  localStorage.setItem(THEME, next);
  showTheme();
});
find("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  keepToken(find("token").value);
  greet();
});
for (const part of [tryIt, live, speaker]) part.setUp();
addEventListener("hashchange", showSection);
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => event.preventDefault());
showSection();
greet();
