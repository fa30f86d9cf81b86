// What the parts of the page share: asking the server, making elements, bars of probabilities.

export const state = { run: "", speaker: null, clip: null, info: null };
export const EMOTIONS = ["neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"];
export const find = (id) => document.getElementById(id);
export const percent = (share) => `${Math.round(100 * share)} %`;
export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
export const people = (sources) => sources.replace("audio", "voice").replace("video", "face").replace("+", " and ");

export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const KEY = "ravdess-mm-token";

export function takeToken() {
  const address = new URL(location.href);
  const token = address.searchParams.get("token");
  if (!token) return;
  sessionStorage.setItem(KEY, token);
  address.searchParams.delete("token");
  history.replaceState(null, "", address);
}

export function keepToken(token) {
  sessionStorage.setItem(KEY, token);
}

// Ask the server; what it refuses is thrown as an Error whose message is for people.
export async function ask(path, { form, signal, ticket } = {}) {
  const headers = {};
  const token = sessionStorage.getItem(KEY);
  if (token) headers.Authorization = `Bearer ${token}`;
  if (ticket) headers["X-Ticket"] = ticket;
  let response;
  try {
    response = await fetch(path, { method: form ? "POST" : "GET", body: form, headers, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer; is the command still running?");
  }
  if (response.headers.get("content-type")?.startsWith("video/")) return response.blob();
  const answer = await response.json().catch(() => ({ error: `the server said ${response.status}` }));
  if (response.status === 401) find("token-form").hidden = false;
  if (!response.ok) throw new Error(capital(answer.error ?? `the server said ${response.status}`));
  return answer;
}

export function formOf(file, name, more = {}) {
  const form = new FormData();
  form.append("file", file, name);
  if (state.run) form.append("run", state.run);
  for (const [field, value] of Object.entries(more)) form.append(field, value);
  return form;
}

export const speakerFile = () => new Blob([JSON.stringify(state.speaker)], { type: "application/json" });

// Eight bars under a heading; given a list of before, its bars move instead.
export function bars(title, probabilities, before = null) {
  const item = before ?? make("li", {}, make("h2", { className: "small", textContent: title }));
  const first = Object.entries(probabilities).sort((one, other) => other[1] - one[1])[0][0];
  if (!before) {
    for (const emotion of EMOTIONS) {
      const label = make("span", {}, make("span", { className: `dot e-${emotion}` }), emotion);
      item.append(make("p", { className: "answer" }, make("span", { className: "amount" }), label, make("span")));
    }
  }
  item.querySelectorAll(".answer").forEach((bar, place) => {
    const emotion = EMOTIONS[place];
    bar.classList.toggle("hit", emotion === first);
    bar.firstChild.style.width = `${(100 * probabilities[emotion]).toFixed(1)}%`;
    bar.lastChild.textContent = percent(probabilities[emotion]);
  });
  return item;
}

export function verdict(probabilities) {
  const [first, second] = Object.entries(probabilities).sort((one, other) => other[1] - one[1]);
  const sure = first[1] >= 0.7 ? "Quite sure" : first[1] >= 0.45 ? "Fairly sure" : "Not sure";
  return { label: first[0], share: first[1], words: `${sure}; next comes ${second[0]} with ${percent(second[1])}.` };
}

export function save(name, content, type) {
  const link = make("a", { href: URL.createObjectURL(new Blob([content], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// Open camera and microphone; where one of them is not there, the other goes on and `missing` says so.
export async function openDevices({ camera, microphone }) {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new Error("The browser lends camera and microphone only to pages of this machine (http://127.0.0.1) or of https.");
  }
  const wanted = { video: camera && { width: { ideal: 640 }, facingMode: "user" }, audio: microphone };
  try {
    return { stream: await navigator.mediaDevices.getUserMedia(wanted), missing: "" };
  } catch (error) {
    if (!(camera && microphone) || error.name === "NotAllowedError") throw new Error(deviceTrouble(error, camera));
  }
  for (const [one, other] of [["audio", "camera"], ["video", "microphone"]]) {
    const stream = await navigator.mediaDevices.getUserMedia({ [one]: wanted[one] }).catch(() => null);
    if (stream) return { stream, missing: `The ${other} cannot be used; the other goes on.` };
  }
  throw new Error("Neither camera nor microphone can be used.");
}

function deviceTrouble(error, camera) {
  const what = camera ? "camera or microphone" : "microphone";
  if (error.name === "NotAllowedError") return `The browser was not allowed to use ${what}; its address bar can allow it.`;
  if (error.name === "NotFoundError") return `No ${what} is found.`;
  return `The ${what} cannot be used (${error.message || error.name}); another program may hold it.`;
}

export const close = (stream) => stream?.getTracks().forEach((track) => track.stop());

// Record until `stop` is called or a minute is over; the promise is the recording.
export async function record({ camera, video, onTick }) {
  const { stream, missing } = await openDevices({ camera, microphone: true });
  const recorder = new MediaRecorder(stream);
  const parts = [];
  recorder.ondataavailable = (event) => event.data.size && parts.push(event.data);
  video.srcObject = stream.getVideoTracks().length ? stream : null;
  video.hidden = !video.srcObject;
  if (video.srcObject) video.play().catch(() => {});
  const begun = performance.now();
  const timer = setInterval(() => {
    const elapsed = (performance.now() - begun) / 1000;
    onTick(elapsed);
    if (elapsed >= 60 && recorder.state === "recording") recorder.stop();
  }, 500);
  const done = new Promise((resolve) => {
    recorder.onstop = () => {
      clearInterval(timer);
      close(stream);
      video.srcObject = null;
      resolve(new Blob(parts, { type: recorder.mimeType }));
    };
  });
  recorder.start(1000);
  return { stop: () => recorder.state === "recording" && recorder.stop(), done, missing };
}

export function recordingName(blob) {
  const suffix = blob.type.includes("mp4") ? "mp4" : blob.type.includes("ogg") ? "ogg" : "webm";
  return `recording.${suffix}`;
}
