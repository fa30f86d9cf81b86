// Camera and microphone, answered about twice a second.

import { ask, bars, capital, close, find, make, openDevices, percent, speakerFile, state, verdict } from "./common.js";

const EVERY_MS = 500;
const WINDOW_S = 3;
const WIDTH = 480;
const NAMES = { both: "Both together", voice: "Voice", face: "Face" };

let stream = null;
let context = null;
let heard = { samples: new Float32Array(0), sr: 0 };
let timer = 0;
let lists = {};
let smooth = {};
let isAsking = false;
let answered = [];

export function setUp() {
  find("live-start").addEventListener("click", start);
  find("live-stop").addEventListener("click", () => stop("Stopped."));
}

async function start() {
  find("live-trouble").textContent = "";
  const wanted = { camera: find("live-camera").checked, microphone: find("live-microphone").checked };
  if (!wanted.camera && !wanted.microphone) {
    find("live-trouble").textContent = "Choose camera, microphone, or both.";
    return;
  }
  find("live-start").disabled = true;
  try {
    const opened = await openDevices(wanted);
    stream = opened.stream;
    find("live-trouble").textContent = opened.missing;
    if (stream.getAudioTracks().length) await listen();
    const video = find("live-video");
    video.srcObject = stream.getVideoTracks().length ? stream : null;
    if (video.srcObject) await video.play();
    video.parentElement.hidden = !video.srcObject;
  } catch (error) {
    stop("");
    find("live-trouble").textContent = error.message;
    return;
  }
  for (const track of stream.getTracks()) {
    track.addEventListener("ended", () => {
      find("live-trouble").textContent = `The ${track.kind === "video" ? "camera" : "microphone"} was unplugged.`;
      if (stream?.getTracks().every((one) => one.readyState === "ended")) stop("Stopped.");
    });
  }
  [lists, smooth, answered] = [{}, {}, []];
  find("live-bars").replaceChildren();
  find("live-verdict").textContent = "…";
  find("live-view").hidden = false;
  find("live-start").hidden = true;
  find("live-stop").hidden = false;
  find("live-stop").focus();
  find("live-status").textContent = "Starting: the models are loaded…";
  timer = setInterval(tick, EVERY_MS);
}

export function stop(said) {
  clearInterval(timer);
  close(stream);
  context?.close();
  [stream, context, timer] = [null, null, 0];
  heard = { samples: new Float32Array(0), sr: 0 };
  find("live-view").hidden = true;
  find("live-start").hidden = find("live-start").disabled = false;
  find("live-stop").hidden = true;
  find("live-status").textContent = said;
}

async function listen() {
  context = new AudioContext();
  await context.audioWorklet.addModule("/static/capture.js");
  const node = new AudioWorkletNode(context, "capture");
  const most = WINDOW_S * context.sampleRate;
  heard = { samples: new Float32Array(0), sr: context.sampleRate };
  node.port.onmessage = ({ data }) => {
    const joined = new Float32Array(heard.samples.length + data.length);
    joined.set(heard.samples);
    joined.set(data, heard.samples.length);
    heard.samples = joined.slice(-most);
  };
  context.createMediaStreamSource(new MediaStream(stream.getAudioTracks())).connect(node);
}

async function tick() {
  if (isAsking || document.hidden) return;
  isAsking = true;
  const asked = performance.now();
  try {
    const form = new FormData();
    const picture = await snapshot();
    if (picture) form.append("picture", picture, "picture.jpg");
    if (heard.samples.length > heard.sr / 2) {
      form.append("sound", new Blob([Int16Array.from(heard.samples, (one) => 32767 * Math.max(-1, Math.min(1, one)))]), "sound");
      form.append("sr", String(Math.round(heard.sr)));
    }
    if (state.run) form.append("run", state.run);
    if (state.speaker) form.append("speaker", speakerFile(), "speaker.json");
    if (form.has("picture") || form.has("sound")) {
      const found = await ask("/api/live", { form });
      if (stream) show(found, performance.now() - asked);
    }
  } catch (error) {
    if (stream) find("live-status").textContent = error.message;
  } finally {
    isAsking = false;
  }
}

async function snapshot() {
  const video = find("live-video");
  if (stream?.getVideoTracks()[0]?.readyState !== "live" || !video.videoWidth) return null;
  const canvas = make("canvas", { width: WIDTH, height: Math.round((WIDTH * video.videoHeight) / video.videoWidth) });
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.85));
}

function show({ probabilities, box, notes }, latency) {
  for (const [name, title] of Object.entries(NAMES)) {
    const now = probabilities[name];
    if (!now) {
      lists[name]?.remove();
      delete lists[name];
      delete smooth[name];
      continue;
    }
    const before = smooth[name] ?? now;
    smooth[name] = Object.fromEntries(Object.entries(now).map(([emotion, share]) => [emotion, (share + before[emotion]) / 2]));
    if (lists[name]) bars(title, smooth[name], lists[name]);
    else {
      const names = Object.keys(NAMES);
      const next = names.slice(names.indexOf(name) + 1).map((one) => lists[one]).find(Boolean);
      find("live-bars").insertBefore((lists[name] = bars(title, smooth[name])), next ?? null);
    }
  }
  const words = find("live-verdict");
  if (smooth.both) {
    const { label, share } = verdict(smooth.both);
    words.replaceChildren(make("span", { className: `dot e-${label}` }), `${capital(label)}, ${percent(share)}`);
  } else words.textContent = "…";
  const frame = find("live-box");
  frame.hidden = !box;
  if (box) ["left", "top", "width", "height"].forEach((side, place) => { frame.style[side] = `${100 * box[place]}%`; });
  const now = performance.now();
  answered = [...answered.filter((time) => now - time < 10_000), now];
  const rate = answered.length > 1 ? (1000 * (answered.length - 1)) / (now - answered[0]) : 0;
  const speed = rate ? `${rate.toFixed(1)} answers a second, each after ${Math.round(latency)} ms` : "";
  const told = [speed, ...notes.map(capital)].filter(Boolean).join(". ");
  if (find("live-status").textContent !== told) find("live-status").textContent = told;
}
