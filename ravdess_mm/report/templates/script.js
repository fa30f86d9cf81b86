(() => {
  "use strict";
  const one = (selector, inside = document) => inside.querySelector(selector);
  const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];
  const make = (tag, options = {}, ...children) => {
    const { attributes = {}, ...properties } = options;
    const node = Object.assign(document.createElement(tag), properties);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  };

  // ---- light and dark: as the system says until the reader says otherwise
  const root = document.documentElement;
  const themeButton = one("#theme");
  const systemIsDark = matchMedia("(prefers-color-scheme: dark)");
  const remembered = (() => { try { return localStorage.getItem("ravdess-mm-theme"); } catch { return null; } })();
  if (remembered === "light" || remembered === "dark") root.dataset.theme = remembered;
  const isDark = () => (root.dataset.theme ?? (systemIsDark.matches ? "dark" : "light")) === "dark";
  const nameTheme = () => { themeButton.textContent = isDark() ? "Light" : "Dark"; themeButton.setAttribute("aria-label", `Switch to ${isDark() ? "light" : "dark"} colours`); };
  themeButton.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("ravdess-mm-theme", root.dataset.theme); } catch { /* private windows keep nothing */ }
    nameTheme();
  });
  systemIsDark.addEventListener("change", nameTheme);
  nameTheme();
  themeButton.hidden = false;

  // ---- contents: closed on a phone, and they show where the reader is
  if (!matchMedia("(min-width: 68rem)").matches) one(".contents").open = false;
  const links = new Map(all(".contents a").map((link) => [link.hash.slice(1), link]));
  const headings = all("h1[id], h2[id]").filter((heading) => links.has(heading.id));
  const showPlace = () => {
    const passed = headings.filter((heading) => heading.getBoundingClientRect().top < innerHeight * 0.3);
    const current = (passed.at(-1) ?? headings[0])?.id;
    links.forEach((link, id) => { if (id === current) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current"); });
  };
  let waiting = false;
  addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; showPlace(); });
  }, { passive: true });
  showPlace();

  // ---- sorting: numbers start with the largest, names with A
  for (const table of all("table.sortable")) {
    const headers = all("thead th", table);
    headers.forEach((header, column) => one("button", header)?.addEventListener("click", () => {
      const cell = (row) => row.cells[column].dataset.value;
      const rows = all("tbody tr", table);
      const numeric = rows.every((row) => cell(row) !== "" && !Number.isNaN(Number(cell(row))));
      const before = header.getAttribute("aria-sort");
      const order = before === "none" ? (numeric ? "descending" : "ascending") : before === "ascending" ? "descending" : "ascending";
      const sign = order === "ascending" ? 1 : -1;
      rows.sort((a, b) => sign * (numeric ? cell(a) - cell(b) : cell(a).localeCompare(cell(b), "en")));
      headers.forEach((other) => { if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", other === header ? order : "none"); });
      one("tbody", table).append(...rows);
    }));
  }

  // ---- switches: counts or recall, colours of the map
  const wire = (selector, key, prefix, target) => {
    const box = one(target);
    if (!box) return;
    const buttons = all(selector, box);
    buttons.forEach((button) => button.addEventListener("click", () => {
      buttons.forEach((other) => {
        other.setAttribute("aria-pressed", String(other === button));
        box.classList.toggle(prefix + other.dataset[key], other === button);
      });
    }));
  };
  wire("[data-show]", "show", "as-", "#matrices");
  wire("[data-by]", "by", "by-", "#feature-plot");
  for (const dot of all("#feature-plot circle")) {
    const actor = /actor-(\d+)/.exec(dot.getAttribute("class"))[1];
    dot.style.setProperty("--actor", `oklch(.66 .15 ${(actor * 105) % 360})`);
  }

  // ---- paper shows what is folded away
  let opened = [];
  addEventListener("beforeprint", () => { opened = all("main details:not([open])"); opened.forEach((d) => { d.open = true; }); });
  addEventListener("afterprint", () => { opened.forEach((d) => { d.open = false; }); opened = []; });

  // ---- take by take
  const source = one("#explorer-data");
  if (!source) return;
  const data = JSON.parse(source.textContent);
  const PER_PAGE = 12;
  const form = one(".filters");
  const percent = (thousandths) => `${(thousandths / 10).toFixed(thousandths < 995 && thousandths > 0 ? 1 : 0)} %`;
  const takes = data.takes.map((name, index) => {
    const [channel, emotion, intensity, statement, repetition, actor] = name.split("-");
    return {
      name, index, actor: Number(actor), emotion: Number(emotion) - 1,
      words: [`actor ${actor}`, data.emotions[emotion - 1], intensity === "02" ? "strong" : "normal"],
      sentence: `${channel === "02" ? "sung, " : ""}“${data.statements[statement]}”, ${repetition === "01" ? "first" : "second"} time`,
    };
  });
  const listed = data.models.map((model, place) => ({ ...model, place })).filter((model) => model.listed);
  let found = takes;
  let page = 0;
  let chosen = null;

  const answerCell = (take, model) => {
    const answer = data.answers[model.place][take.index];
    if (!answer) return make("td", { textContent: "–", attributes: { "aria-label": "no answer" } });
    const right = answer[0] === take.emotion;
    const cell = make("td", { className: right ? "" : "wrong" }, `${data.emotions[answer[0]]} `);
    cell.append(make("span", { textContent: right ? "✓" : "✗", attributes: { "aria-hidden": "true" } }), make("span", { className: "hidden", textContent: right ? "right" : "wrong" }));
    return cell;
  };

  const showList = () => {
    const pages = Math.max(1, Math.ceil(found.length / PER_PAGE));
    page = Math.min(page, pages - 1);
    const rows = found.slice(page * PER_PAGE, (page + 1) * PER_PAGE).map((take) => {
      const button = make("button", { type: "button", textContent: take.name, attributes: { "aria-pressed": String(take === chosen), "aria-label": `${take.name}: ${take.words.join(", ")}` } });
      button.addEventListener("click", () => { chosen = take; showTake(); all("#take-rows button").forEach((other) => other.setAttribute("aria-pressed", String(other === button))); });
      return make("tr", {}, make("th", { scope: "row" }, button), make("td", { textContent: data.emotions[take.emotion] }), ...listed.map((model) => answerCell(take, model)));
    });
    one("#take-rows").replaceChildren(...rows);
    one("#page-of").textContent = `page ${page + 1} of ${pages}`;
    one("#previous").disabled = page === 0;
    one("#next").disabled = page >= pages - 1;
  };

  const waveform = (bars, seconds) => {
    const svg = (tag, attributes) => {
      const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
      for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
      return node;
    };
    const drawing = svg("svg", { class: "wave", viewBox: `0 0 ${bars.length} 35`, preserveAspectRatio: "none", role: "img", "aria-label": `Waveform of the voice, ${seconds} s` });
    [...bars].forEach((bar, place) => {
      const height = Math.max(0.6, parseInt(bar, 36));
      drawing.append(svg("rect", { x: place + 0.15, y: (35 - height) / 2, width: 0.7, height }));
    });
    return make("div", { className: "sound" }, drawing, make("span", { className: "note", textContent: `${seconds} s` }));
  };

  const showTake = () => {
    const box = one("#take");
    if (!chosen) { box.replaceChildren(make("p", { className: "note", textContent: "No take is chosen." })); return; }
    const pictures = (data.pictures[chosen.index] ?? []).map((uri, place, own) => make("img", { src: uri, width: 80, height: 80, alt: `Frame ${place + 1} of ${own.length} shown of ${chosen.words.join(", ")}` }));
    const sound = data.sounds[chosen.index];
    const models = data.models.map((model, place) => ({ ...model, answer: data.answers[place][chosen.index] })).filter((model) => model.answer);
    const shade = (thousandths) => `q${Math.round(thousandths / 100)}`;
    const head = make("tr", {}, make("td"), ...data.emotions.map((emotion, place) => make("th", { scope: "col", className: place === chosen.emotion ? "expressed" : "" }, make("span", { className: "upright", textContent: emotion }), ...(place === chosen.emotion ? [make("span", { className: "hidden", textContent: " (expressed)" })] : []))));
    const body = models.map((model) => make("tr", {}, make("th", { scope: "row", textContent: model.label }), ...data.emotions.map((emotion, place) => {
      const share = model.answer[place + 1];
      const best = model.answer[0] === place;
      return make("td", { className: `${shade(share)}${best ? " best" : ""}`, title: `${model.label}, ${emotion}: ${percent(share)}`, textContent: String(Math.round(share / 10)) });
    })));
    const table = make("table", { className: "matrix" }, make("caption", { className: "note", textContent: "Probabilities in %. The expressed emotion is underlined, each model’s answer is outlined." }), make("thead", {}, head), make("tbody", {}, ...body));
    const [who, ...what] = chosen.words;
    box.replaceChildren(
      make("h3", { textContent: `${who[0].toUpperCase()}${who.slice(1)}: ${what.join(", ")}` }),
      make("p", { className: "note", textContent: `${chosen.name} · ${chosen.sentence}` }),
      ...(pictures.length ? [make("div", { className: "strip" }, ...pictures)] : []),
      ...(sound ? [waveform(...sound)] : []),
      make("div", { className: "scroll", tabIndex: 0, attributes: { role: "region", "aria-label": "Table of probabilities" } }, table),
    );
  };

  const filter = () => {
    const wanted = Object.fromEntries(new FormData(form));
    const answers = data.answers[Number(wanted.model)];
    found = takes.filter((take) => {
      const answer = answers[take.index];
      if (wanted.actor && take.actor !== Number(wanted.actor)) return false;
      if (wanted.expressed && data.emotions[take.emotion] !== wanted.expressed) return false;
      if (!wanted.answered && !wanted.result) return true;
      if (!answer) return false;
      if (wanted.answered && data.emotions[answer[0]] !== wanted.answered) return false;
      return !wanted.result || (wanted.result === "right") === (answer[0] === take.emotion);
    });
    if (wanted.order !== "take") {
      const sure = (take) => (answers[take.index] ? answers[take.index][answers[take.index][0] + 1] : -1);
      const sign = wanted.order === "sure" ? -1 : 1;
      found.sort((a, b) => sign * (sure(a) - sure(b)) || a.index - b.index);
    }
    const right = found.filter((take) => answers[take.index]?.[0] === take.emotion).length;
    const scored = found.filter((take) => answers[take.index]).length;
    one("#found").textContent = `${found.length} of ${takes.length} takes` + (scored ? `; ${data.models[Number(wanted.model)].label} is right in ${right} of ${scored}.` : ".");
    page = 0;
    if (!found.includes(chosen)) chosen = found[0] ?? null;
    showList();
    showTake();
  };

  form.addEventListener("change", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(filter));
  one("#previous").addEventListener("click", () => { page -= 1; showList(); });
  one("#next").addEventListener("click", () => { page += 1; showList(); });
  one("#explorer-off").remove();
  one("#explorer").hidden = false;
  filter();
})();
