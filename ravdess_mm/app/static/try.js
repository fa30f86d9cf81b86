// A clip of one's own: choose, drop or record it, read the answer, keep it.

import { ask, bars, capital, find, formOf, EMOTIONS, make, people, percent, record, recordingName, save, speakerFile, state, verdict } from "./common.js";

let running = null;
let recording = null;
let clipAddress = "";

export function setUp() {
  find("file").addEventListener("change", (event) => event.target.files[0] && take(event.target.files[0], event.target.files[0].name));
  find("cancel").addEventListener("click", () => running?.abort());
  find("record-film").addEventListener("click", () => startRecording(true));
  find("record-sound").addEventListener("click", () => startRecording(false));
  find("record-stop").addEventListener("click", () => recording?.stop());
  find("is-speaker").addEventListener("change", () => state.clip && answer());
  const drop = find("input");
  for (const kind of ["dragenter", "dragover"]) {
    drop.addEventListener(kind, (event) => { event.preventDefault(); find("drop").classList.add("over-it"); });
  }
  drop.addEventListener("dragleave", () => find("drop").classList.remove("over-it"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    find("drop").classList.remove("over-it");
    const file = event.dataTransfer.files[0];
    if (file) take(file, file.name);
  });
}

async function startRecording(camera) {
  find("trouble").textContent = "";
  setRecording(true);
  try {
    recording = await record({ camera, video: find("recording"), onTick: (s) => { find("elapsed").textContent = `${Math.floor(s)} s`; } });
    find("trouble").textContent = recording.missing;
    find("record-stop").focus();
    const blob = await recording.done;
    setRecording(false);
    take(blob, recordingName(blob));
  } catch (error) {
    setRecording(false);
    find("trouble").textContent = error.message;
  }
}

function setRecording(is) {
  find("recorder").hidden = !is;
  for (const id of ["record-film", "record-sound", "file"]) find(id).disabled = is;
}

function take(blob, name) {
  state.clip = { blob, name };
  if (clipAddress) URL.revokeObjectURL(clipAddress);
  clipAddress = URL.createObjectURL(blob);
  const tag = blob.type.startsWith("video") ? "video" : blob.type.startsWith("audio") ? "audio" : null;
  const player = tag && make(tag, { src: clipAddress, controls: true, preload: "metadata", "aria-label": `Your clip, ${name}` });
  find("clip").replaceChildren(...[player, make("p", { className: "note", textContent: name })].filter(Boolean));
  find("clip").hidden = false;
  answer();
}

// Ask, and say meanwhile how many come first.
async function waited(path, form, doing) {
  running?.abort();
  const own = (running = new AbortController());
  const ticket = crypto.randomUUID?.() ?? String(Math.random());
  find("trouble").textContent = "";
  find("status").textContent = doing;
  find("waiting").hidden = false;
  const timer = setInterval(async () => {
    const { ahead } = await ask(`/api/queue/${ticket}`).catch(() => ({ ahead: null }));
    if (own === running && ahead !== null) find("status").textContent = ahead > 0 ? `In line: ${ahead} before you.` : doing;
  }, 1000);
  try {
    const found = await ask(path, { form, signal: own.signal, ticket });
    find("status").textContent = "The answer is there.";
    return found;
  } catch (error) {
    if (own !== running) return null;
    find("status").textContent = error.name === "AbortError" ? "Cancelled." : "";
    if (error.name !== "AbortError") find("trouble").textContent = error.message;
    return null;
  } finally {
    clearInterval(timer);
    if (own === running) find("waiting").hidden = true;
  }
}

const withSpeaker = () => (state.speaker && find("is-speaker").checked ? { speaker: speakerFile() } : {});

export async function answer() {
  const { blob, name } = state.clip;
  if (state.info && blob.size > 1e6 * state.info.max_mb) {
    find("trouble").textContent = `${name} has ${Math.ceil(blob.size / 1e6)} MB; allowed: ${state.info.max_mb} MB.`;
    return;
  }
  const found = await waited("/api/predict", formOf(blob, name, { ...withSpeaker(), details: "true" }), "Listening and looking…");
  if (found) show(found);
}

function show(found) {
  const { label, share, words } = verdict(found.probabilities);
  const lasts = found.duration_s === null ? "" : ` · ${found.duration_s.toFixed(1)} s`;
  const adapted = found.speaker_adapted ? ", adapted to the speaker" : "";
  const lists = make("ul", { className: "pictures answers" });
  if (Object.keys(found.branches).length > 1) lists.append(bars("Both together", found.probabilities));
  if (found.branches.audio) lists.append(bars("Voice", found.branches.audio));
  if (found.branches.video) lists.append(bars("Face", found.branches.video));
  const more = found.branches.audio ? make("p", {}, button("show-timeline", "Show the voice over time", showTimeline)) : null;
  const rows = found.face.length > 1 ? faceOverTime(found.face) : [];
  const length = found.duration_s ?? found.face.at(-1)?.time_s ?? 0;
  const parts = [
    make("p", { className: "eyebrow", textContent: `${found.path}${lasts} · rests on ${people(found.sources)}${adapted}` }),
    make("p", { className: "verdict" }, make("span", { className: `dot e-${label}` }), `${capital(label)}, ${percent(share)}`),
    make("p", { className: "lead", textContent: `${words} It says what is shown; nobody can read from a clip what a person feels.` }),
    ...found.notes.map((note) => make("p", { className: "left-out", textContent: `${capital(note)}.` })),
    lists,
    more || found.face.length > 1 ? overTime(rows, length, more) : null,
    found.segments.length ? segments(found.segments) : null,
    found.frames.length ? frames(found.frames) : null,
    keep(found),
  ];
  find("answer").replaceChildren(...parts.filter(Boolean));
}

// One strip; in each bar an emotion fills the share of its probability.
function strip(name, bars, duration) {
  const space = "http://www.w3.org/2000/svg";
  const drawing = document.createElementNS(space, "svg");
  const said = `${capital(name)} over time, ${duration.toFixed(1)} s`;
  for (const [key, value] of Object.entries({ class: "time", viewBox: `0 0 ${duration} 1`, preserveAspectRatio: "none", role: "img", "aria-label": said })) drawing.setAttribute(key, value);
  for (const { start_s, end_s, probabilities } of bars) {
    let top = 0;
    for (const emotion of EMOTIONS) {
      const bar = document.createElementNS(space, "rect");
      const box = { x: start_s, y: top, width: 0.96 * (end_s - start_s), height: probabilities[emotion], class: `bar e-${emotion}` };
      for (const [key, value] of Object.entries(box)) bar.setAttribute(key, value);
      const title = document.createElementNS(space, "title");
      title.textContent = `${clock(start_s)}: ${emotion} ${percent(probabilities[emotion])}`;
      bar.append(title);
      drawing.append(bar);
      top += probabilities[emotion];
    }
  }
  return drawing;
}

function overTime(rows, duration, more) {
  const title = make("h2", { className: "small", textContent: "Over time" });
  if (!rows.length) return make("div", { className: "group", id: "time" }, title, more);
  const legend = make("ul", { className: "legend" }, ...EMOTIONS.map((emotion) => make("li", {}, make("span", { className: `dot e-${emotion}` }), emotion)));
  const ends = make("p", { className: "note", textContent: `0 to ${duration.toFixed(1)} s; in each bar an emotion fills the share of its probability.` });
  const strips = rows.flatMap(({ name, bars }) => [make("p", { className: "note", textContent: capital(name) }), strip(name, bars, duration)]);
  return make("div", { className: "group", id: "time" }, ...[title, ...strips, ends, legend, more].filter(Boolean));
}

function faceOverTime(face) {
  const step = face[1].time_s - face[0].time_s;
  const bars = face.map(({ time_s, probabilities }, place) => ({ start_s: time_s, end_s: face[place + 1]?.time_s ?? time_s + step, probabilities }));
  return [{ name: "face", bars }];
}

function button(id, text, action) {
  const made = make("button", { type: "button", id, textContent: text });
  made.addEventListener("click", action);
  return made;
}

async function showTimeline() {
  const { blob, name } = state.clip;
  const found = await waited("/api/timeline", formOf(blob, name, withSpeaker()), "Listening window by window…");
  if (!found) return;
  const keepIt = button("keep-timeline", "Keep the timeline as one HTML file", () => save(`${stemOf(name)}-over-time.html`, found.html, "text/html"));
  find("time").replaceWith(overTime(found.rows, found.duration_s, make("p", {}, keepIt)));
}

async function annotated() {
  const { blob, name } = state.clip;
  const film = await waited("/api/annotate", formOf(blob, name, withSpeaker()), "Drawing into the film…");
  if (film) save(`${stemOf(name)}-annotated.mp4`, film, "video/mp4");
}

const stemOf = (name) => name.replace(/\.[^.]*$/, "");

const clock = (time) => `${Math.floor(time / 60)}:${(time % 60).toFixed(1).padStart(4, "0")}`;

function segments(all) {
  const rows = all.map((one) => make("tr", {},
    make("th", { scope: "row", textContent: `${clock(one.start_s)} – ${clock(one.end_s)}` }),
    make("td", {}, make("span", { className: `dot e-${one.label}` }), `${one.label}, ${percent(one.probabilities[one.label])}`),
    make("td", { textContent: [people(one.sources), ...one.notes].join("; ") })));
  const head = make("thead", {}, make("tr", {}, ...["When", "Emotion", "Rests on"].map((text) => make("th", { scope: "col", textContent: text }))));
  const table = make("table", {}, head, make("tbody", {}, ...rows));
  const box = make("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": "Table of the segments" }, table);
  return make("div", { className: "group" }, make("h2", { className: "small", textContent: "Segment by segment" }), box);
}

function frames(all) {
  const items = all.map((frame) => {
    const { label, share } = verdict(frame.probabilities);
    const at = `${frame.time_s.toFixed(1)} s`;
    const plain = make("img", { src: frame.image, alt: `The face at ${at}: ${label}`, width: 160, height: 160 });
    const picture = frame.heat
      ? make("span", { className: "pair" }, plain, make("img", { src: frame.heat, alt: `The same frame; colour marks what spoke for ${frame.about}`, width: 160, height: 160 }))
      : plain;
    return make("li", {}, picture, make("p", { textContent: `${at}: ${label}, ${percent(share)}` }));
  });
  const group = make("div", { className: "group", id: "frames" }, make("h2", { className: "small", textContent: "What the face network saw" }));
  const list = make("ul", { className: `pictures frames${all[0].heat ? " heated" : ""}` }, ...items);
  const told = all[0].heat ? make("p", { className: "note", textContent: "Bright colour marks where the picture raised the score of the named emotion (Grad-CAM). Where it lies beside the face, the network has learned something else." }) : null;
  group.append(...[told, list].filter(Boolean));
  if (!all[0].heat && state.info?.gradcam) {
    group.append(make("p", {}, button("why", "Show which part of the face spoke", () => explain(group))));
  }
  return group;
}

async function explain(group) {
  const { blob, name } = state.clip;
  const found = await waited("/api/explain", formOf(blob, name, withSpeaker()), "Asking the network; the first time takes a while…");
  if (!found) return;
  page = found.html;
  group.replaceWith(frames(found.frames));
}

let page = "";

function keep(found) {
  page = found.html;
  const stem = stemOf(found.path);
  const { face, frames: shown, csv, html, ...told } = found;
  const buttons = [
    button("keep-html", "One HTML file", () => save(`${stem}-answer.html`, page, "text/html")),
    button("keep-csv", "CSV", () => save(`${stem}-answer.csv`, csv, "text/csv")),
    button("keep-json", "JSON", () => save(`${stem}-answer.json`, `${JSON.stringify(told, null, 2)}\n`, "application/json")),
    found.branches.video ? button("keep-film", "Annotated film", annotated) : null,
  ].filter(Boolean);
  return make("div", { className: "group", id: "keep" }, make("h2", { className: "small", textContent: "Keep the answer" }), make("p", { className: "row" }, ...buttons));
}
