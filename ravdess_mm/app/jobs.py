"""What the child process does: answer for an upload, explain it, get to know a speaker, answer for a moment.

Every function takes and returns plain values. Uploads are hostile until they are shown not to be: this code runs where
a crash costs one answer.
"""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from ravdess_mm.bundles.pretrained import PRETRAINED_DIR
from ravdess_mm.corpus.probe import probe_media
from ravdess_mm.errors import InputError, MediaError, RavdessError
from ravdess_mm.predict.annotation import annotate_film
from ravdess_mm.predict.enrolment import enrol_voice, is_enrolment, save_enrolment
from ravdess_mm.predict.explanation import Explanation, explain_clip, render_explanation
from ravdess_mm.predict.pictures import FPS
from ravdess_mm.predict.prediction import FrameScores, Prediction, named
from ravdess_mm.predict.predictor import Predictor
from ravdess_mm.predict.run_models import RunModels
from ravdess_mm.predict.timeline import make_timeline, render_timeline
from ravdess_mm.report.frame_images import data_uri, evenly
from ravdess_mm.store import plain

if TYPE_CHECKING:
    from ravdess_mm.arrays import Singles
    from ravdess_mm.video.faces import Detector

SHOWN_FRAMES: Final = 8
SHOWN_PX: Final = 160
BARS: Final = 240
"""Most bars of the face over time."""
IMAGES_UP_TO_S: Final = 300
"""Of longer recordings no frames are kept to be shown."""
MOST_PIXELS: Final = 4_000_000
"""Of a picture from a camera."""
BLACK: Final = 12
"""A picture none of whose pixels is brighter, 0-255, is black."""
SAMPLE_RATES: Final = (8_000, 192_000)
"""Lowest and highest of a microphone, in Hz."""


def predict(
    path: str, name: str, *, run: str = "", speaker: str = "", max_s: float, in_detail: bool = False
) -> dict[str, Any]:
    """Answer for an upload.

    Parameters
    ----------
    path : str
        Where the upload is.
    name : str
        What its owner calls it; said in the answer, never used as a path.
    run : str
        Folder of a run; empty for the models that ship.
    speaker : str
        The content of an enrolment; empty where nobody is enrolled.
    max_s : float
        Longest recording, in seconds.
    in_detail : bool
        Whether to add what a page shows and keeps: the face over time, frames, a table, a page.

    Returns
    -------
    dict
        What ``predict --json`` prints; in detail also ``face``, ``frames``, ``csv`` and ``html``.
    """
    try:
        _check_length(path, max_s)
        keeps_images = in_detail and not probe_media(path).duration_s > IMAGES_UP_TO_S
        prediction, seen = _predictor(run, speaker).answer(path, keep_images=keeps_images)
    except MediaError as error:
        raise InputError(f"{name}: {error}") from error
    prediction = replace(prediction, path=Path(name))
    answer: dict[str, Any] = plain(prediction.to_dict())
    return {**answer, **_details(prediction, seen)} if in_detail else answer


def _details(prediction: Prediction, seen: FrameScores | None) -> dict[str, Any]:
    times_s = seen.times_s if seen is not None else ()
    rows = [named(row) for row in seen.probabilities] if seen is not None else []
    shown = evenly(len(rows), min(BARS, len(rows))) if rows else []
    page = render_explanation(Explanation(prediction, times_s, tuple(rows), (), "", ""))
    frames = evenly(len(rows), min(SHOWN_FRAMES, len(rows))) if seen is not None and len(seen.images) else []
    return {
        "face": [{"time_s": times_s[row], "probabilities": rows[row]} for row in shown],
        "frames": [
            {
                "time_s": times_s[row],
                "probabilities": rows[row],
                "image": data_uri(seen.images[row], size_px=SHOWN_PX) if seen is not None else "",
            }
            for row in frames
        ],
        "csv": prediction.to_frame().to_csv(index=False),
        "html": page,
    }


def explain(path: str, name: str, *, run: str = "", speaker: str = "", max_s: float) -> dict[str, Any]:
    """Say which part of the face spoke; arguments as for `predict`.

    Returns
    -------
    dict
        ``frames``, each with ``image``, ``heat``, ``about``, ``probabilities`` and ``time_s``; and the page, ``html``.
    """
    try:
        _check_length(path, max_s)
        found = explain_clip(_predictor(run, speaker), path, n_frames=SHOWN_FRAMES)
    except MediaError as error:
        raise InputError(f"{name}: {error}") from error
    found = replace(found, prediction=replace(found.prediction, path=Path(name)))
    frames = [
        {
            "time_s": frame.time_s,
            "probabilities": frame.probabilities,
            "about": frame.about,
            "image": frame.plain_uri,
            "heat": frame.heat_uri,
        }
        for frame in found.frames
    ]
    return {"frames": frames, "html": render_explanation(found)}


def timeline(path: str, name: str, *, run: str = "", speaker: str = "", max_s: float) -> dict[str, Any]:
    """Answer for voice, face and both over time; arguments as for `predict`.

    Returns
    -------
    dict
        ``duration_s``; ``rows``, each with ``name`` and ``bars`` (``start_s``, ``end_s``, ``probabilities``); and the
        page, ``html``.
    """
    try:
        _check_length(path, max_s)
        found = make_timeline(_predictor(run, speaker), Path(path))
    except MediaError as error:
        raise InputError(f"{name}: {error}") from error
    found = replace(found, prediction=replace(found.prediction, path=Path(name)))
    rows = [
        {
            "name": row.name,
            "bars": [
                {"start_s": float(start_s), "end_s": float(end_s), "probabilities": named(answer)}
                for start_s, end_s, answer in zip(row.starts_s, row.ends_s, row.probabilities, strict=True)
            ],
        }
        for row in (row.at_most(BARS) for row in found.rows)
    ]
    return {"duration_s": found.duration_s, "rows": rows, "html": render_timeline(found)}


def annotate(path: str, name: str, *, run: str = "", speaker: str = "", max_s: float) -> str:
    """Write a copy of a film with boxes and answers beside it, and return where; arguments as for `predict`."""
    try:
        _check_length(path, max_s)
        return str(annotate_film(_predictor(run, speaker), Path(path), Path(f"{path}-annotated.mp4")))
    except MediaError as error:
        raise InputError(f"{name}: {error}") from error


def enrol(paths: Sequence[str], names: Sequence[str], *, run: str = "", max_s: float) -> dict[str, Any]:
    """Get to know a speaker by clips, or read an enrolment that was saved before (one ``.json``).

    Returns
    -------
    dict
        ``enrolment`` (the content of its file), ``clips`` and ``faces`` (by how many it knows voice and face), and
        ``failed`` (the reason of each clip that could not be used, by name).
    """
    folder = _folder(run)
    if len(paths) == 1 and is_enrolment(Path(names[0])):
        text = Path(paths[0]).read_text("utf-8", errors="replace")
        known = _known(run, text, names[0]).enrolment
        voice, face = known.voice, known.face
        return {
            "enrolment": json.loads(text),
            "clips": voice.n_clips if voice is not None else 0,
            "faces": face.n_clips if face is not None else 0,
            "failed": {},
        }
    failed, usable = {}, {}
    for path, name in zip(paths, names, strict=True):
        try:
            _check_length(path, max_s)
            usable[Path(path)] = name
        except MediaError as error:
            failed[name] = str(error)
    if not usable:
        raise InputError("; ".join(f"{name}: {reason}" for name, reason in failed.items()))
    adapted, plain_models = RunModels.load_adapted(folder), RunModels.load(folder)
    features = adapted.audio.features
    heard, unheard = enrol_voice(usable, features=features, know=partial(adapted.audio.enrol, plain=plain_models.audio))
    seen_face, seen = adapted.video.shares_of(usable)
    failed |= {usable[path]: reason for path, reason in unheard.items() if path not in seen}
    if not heard.is_enough and seen_face is None:
        told = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
        raise InputError(f"too little to know a speaker by; two usable clips or more are needed. {told}".strip(". "))
    network = adapted.video.network_sha256 if seen_face is not None else None
    with tempfile.TemporaryDirectory() as kept:
        file = Path(kept) / "speaker.json"
        save_enrolment(file, heard, seen_face, features=features, network=network)
        content = json.loads(file.read_text("utf-8"))
    return {
        "enrolment": content,
        "clips": heard.n_clips,
        "faces": seen_face.n_clips if seen_face is not None else 0,
        "failed": failed,
    }


def live(picture: bytes, sound: bytes, *, sr: int, run: str = "", speaker: str = "") -> dict[str, Any]:
    """Answer for a moment.

    Parameters
    ----------
    picture : bytes
        A JPEG; empty without a camera.
    sound : bytes
        The last seconds, mono samples of 16 bits, little-endian; empty without a microphone.
    sr : int
        Their sampling rate, in Hz.
    run, speaker
        As for `predict`.

    Returns
    -------
    dict
        ``probabilities`` by ``both``, ``voice`` and ``face``, as far as they answer; ``box`` of the face (left, top,
        width, height as shares of the picture); ``notes``.
    """
    notes: list[str] = []
    gray = samples = None
    try:
        gray = _read_picture(picture) if picture else None
    except MediaError as error:
        notes.append(f"face: {error}")
    try:
        samples = _read_sound(sound, sr) if sound else None
    except MediaError as error:
        notes.append(f"voice: {error}")
    answers: dict[str, dict[str, float]] = {}
    if gray is not None or samples is not None:
        predictor = _predictor(run, speaker)
        try:
            if gray is None:
                prediction = predictor.predict_samples(np.asarray(samples), sr)
            else:
                prediction = predictor.predict_frames([gray], FPS, samples=samples, sr=sr)
            named_answers = {"both": prediction.probabilities, "voice": prediction.audio, "face": prediction.video}
            answers = {name: answer for name, answer in named_answers.items() if answer is not None}
            notes += prediction.notes
        except MediaError as error:
            notes += str(error).split("; ")
    return {
        "probabilities": answers,
        "box": _box(gray) if gray is not None and "face" in answers else None,
        "notes": notes,
    }


def _read_sound(sound: bytes, sr: int) -> Singles:
    if not SAMPLE_RATES[0] <= sr <= SAMPLE_RATES[1]:
        raise MediaError(f"sampled at {sr} Hz; allowed: {SAMPLE_RATES[0]} to {SAMPLE_RATES[1]}")
    samples = np.frombuffer(sound[: len(sound) // 2 * 2], dtype="<i2").astype(np.float32) / np.float32(32_768)
    if not samples.any():
        raise MediaError("the microphone gives nothing; it may be muted")
    return samples


def _box(gray: npt.NDArray[np.uint8]) -> list[float] | None:
    faces = _detector()(gray)
    if not faces:
        return None
    face = max(faces, key=lambda box: box.area)
    height, width = gray.shape
    return [face.x / width, face.y / height, face.width / width, face.height / height]


@cache
def _detector() -> Detector:
    from ravdess_mm.video.faces import make_detector

    return make_detector("haar")


def _read_picture(picture: bytes) -> npt.NDArray[np.uint8]:
    from PIL import Image

    try:
        image = Image.open(io.BytesIO(picture), formats=("JPEG",))
        if image.width * image.height > MOST_PIXELS:
            raise MediaError(f"{image.width} x {image.height} pixels; allowed: {MOST_PIXELS} in all")
        gray = np.asarray(image.convert("L"))
    except (OSError, SyntaxError, ValueError) as error:
        raise MediaError("the picture is no JPEG that can be read") from error
    if gray.max() <= BLACK:
        raise MediaError("the camera's picture is black; it may be covered")
    return gray


def _check_length(path: str, max_s: float) -> None:
    duration_s = probe_media(path).duration_s
    if duration_s > max_s:
        raise MediaError(f"{duration_s:.0f} s long; allowed: {max_s:.0f} s")


def _folder(run: str) -> Path:
    return Path(run) if run else PRETRAINED_DIR


def _predictor(run: str, speaker: str) -> Predictor:
    return _known(run, speaker, "the enrolment") if speaker else _plain(run)


@lru_cache(maxsize=2)
def _plain(run: str) -> Predictor:
    return Predictor.from_run(_folder(run))


@lru_cache(maxsize=2)
def _known(run: str, speaker: str, name: str) -> Predictor:
    """Return the models of a run for the speaker of an enrolment."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speaker.json"
        path.write_text(speaker, "utf-8")
        try:
            predictor = Predictor.from_run(_folder(run), speaker=path)
            predictor.enrolment.face  # noqa: B018 - read while the file is there
        except RavdessError as error:
            raise InputError(str(error).replace(str(path), name)) from error
    return predictor
