// Finished runs: their pages, and which models answer.

import { ask, find, make, percent, state } from "./common.js";

export async function load() {
  find("runs-trouble").textContent = "";
  try {
    list(await ask("/api/runs"));
  } catch (error) {
    find("runs-trouble").textContent = error.message;
  }
}

function list(runs) {
  const rows = [row("", "The models that ship", null, []), ...runs.map((run) => row(run.name, run.name, run, run.pages))];
  if (!runs.length) rows.push(make("tr", {}, make("td", { colSpan: 3, className: "note", textContent: "No finished run yet: make, or make DATA=folder, makes one under artifacts/." })));
  find("runs-list").replaceChildren(...rows);
}

function row(value, text, run, pages) {
  const choice = make("input", { type: "radio", name: "run", value, checked: state.run === value });
  choice.addEventListener("change", () => {
    state.run = value;
    find("who-answers").textContent = value ? `The models of the run ${value} answer.` : "The models that ship answer.";
  });
  const badge = run?.synthetic ? make("span", { className: "flag", textContent: "synthetic" }) : null;
  const score = run?.accuracy?.value === undefined ? "–" : percent(run.accuracy.value);
  const range = run?.accuracy?.low ? make("span", { className: "interval", textContent: ` ${percent(run.accuracy.low)} to ${percent(run.accuracy.high)}` }) : null;
  const links = pages.flatMap((page) => [make("a", { href: page.address, target: "_blank", rel: "noopener", textContent: page.name === "index" ? "report" : page.name }), " "]);
  return make("tr", {}, make("td", {}, make("label", {}, choice, text), badge), make("td", {}, score, range), make("td", {}, ...(links.length ? links : ["–"])));
}
