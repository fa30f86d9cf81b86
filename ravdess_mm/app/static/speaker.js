// Get to know a speaker by clips, see what it changes, keep it.

import { ask, bars, capital, find, formOf, make, record, recordingName, save, speakerFile, state } from "./common.js";

let clips = [];
let recording = null;
let number = 0;

export function setUp() {
  find("speaker-files").addEventListener("change", (event) => {
    add([...event.target.files].map((file) => ({ blob: file, name: file.name })));
    event.target.value = "";
  });
  find("speaker-record").addEventListener("click", startRecording);
  find("speaker-record-stop").addEventListener("click", () => recording?.stop());
  find("enrol").addEventListener("click", () => enrol(clips, "Getting to know them…"));
  find("speaker-load").addEventListener("change", (event) => {
    const file = event.target.files[0];
    event.target.value = "";
    if (file) enrol([{ blob: file, name: "enrolment.json" }], "Reading it…");
  });
}

function add(more) {
  clips = [...clips, ...more];
  list();
}

function list() {
  find("speaker-clips").replaceChildren(...clips.map((clip) => {
    const remove = make("button", { type: "button", textContent: "Remove", "aria-label": `Remove ${clip.name}` });
    remove.addEventListener("click", () => {
      clips = clips.filter((one) => one !== clip);
      list();
      find("speaker-record").focus();
    });
    return make("li", {}, clip.name, remove);
  }));
  find("enrol").disabled = clips.length === 0;
}

async function startRecording() {
  find("speaker-trouble").textContent = "";
  find("speaker-record").disabled = true;
  try {
    recording = await record({ camera: true, video: find("speaker-recording"), onTick: (s) => { find("speaker-status").textContent = `Recording, ${Math.floor(s)} s.`; } });
    find("speaker-trouble").textContent = recording.missing;
    find("speaker-record-stop").hidden = false;
    find("speaker-record-stop").focus();
    const blob = await recording.done;
    add([{ blob, name: recordingName(blob).replace(".", `-${++number}.`) }]);
    find("speaker-status").textContent = "Recorded.";
  } catch (error) {
    find("speaker-trouble").textContent = error.message;
  }
  find("speaker-record").disabled = false;
  find("speaker-record-stop").hidden = find("speaker-recording").hidden = true;
}

async function enrol(files, doing) {
  find("speaker-trouble").textContent = "";
  find("speaker-status").textContent = doing;
  find("enrol").disabled = true;
  const form = new FormData();
  for (const { blob, name } of files) form.append("files", blob, name);
  if (state.run) form.append("run", state.run);
  try {
    const found = await ask("/api/enrol", { form });
    state.speaker = found.enrolment;
    find("with-speaker").hidden = false;
    find("speaker-status").textContent = "Known.";
    await show(found);
  } catch (error) {
    find("speaker-status").textContent = "";
    find("speaker-trouble").textContent = error.message;
  }
  find("enrol").disabled = clips.length === 0;
}

function forget() {
  state.speaker = null;
  find("with-speaker").hidden = true;
  find("enrolment").replaceChildren(make("div", { className: "empty" }, make("p", { textContent: "Forgotten." })));
}

async function show(found) {
  const known = [found.clips && `the voice by ${found.clips} clips`, found.faces && `the face by ${found.faces}`].filter(Boolean).join(", ");
  const keep = make("button", { type: "button", className: "main", textContent: "Save the enrolment" });
  keep.addEventListener("click", () => save("speaker.json", JSON.stringify(found.enrolment), "application/json"));
  const drop = make("button", { type: "button", textContent: "Forget" });
  drop.addEventListener("click", forget);
  const change = make("div", { className: "group" });
  const failed = Object.entries(found.failed).map(([name, reason]) => make("p", { className: "left-out", textContent: `${name}: ${reason}` }));
  find("enrolment").replaceChildren(
    make("p", { className: "verdict", textContent: "The speaker is known" }),
    make("p", { className: "lead", textContent: `${capital(known) || "Too little is known"}. Try asks whether a clip is theirs; Live takes it that it is.` }),
    make("p", { className: "row" }, keep, drop), ...failed, change);
  const clip = state.clip ?? clips[0];
  if (clip) await compare(clip, change);
}

async function compare({ blob, name }, place) {
  place.replaceChildren(make("p", { role: "status", textContent: `What it changes for ${name}: answering twice…` }));
  try {
    const before = await ask("/api/predict", { form: formOf(blob, name) });
    const after = await ask("/api/predict", { form: formOf(blob, name, { speaker: speakerFile() }) });
    place.replaceChildren(
      make("h2", { className: "small", textContent: `What it changes for ${name}` }),
      make("ul", { className: "pictures answers" }, bars("Without the enrolment", before.probabilities), bars("With it", after.probabilities)));
  } catch (error) {
    place.replaceChildren(make("p", { className: "trouble", textContent: error.message }));
  }
}
