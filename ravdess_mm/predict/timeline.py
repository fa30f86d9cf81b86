"""A clip over time as a picture: what the voice says in windows of a second, the face frame by frame, both together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from markupsafe import Markup

from ravdess_mm.arrays import Floats
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.errors import InputError, printable
from ravdess_mm.predict.prediction import Prediction, Segment, clock
from ravdess_mm.predict.recordings import Recording
from ravdess_mm.predict.voice_over_time import score_windows
from ravdess_mm.report import formatting as words
from ravdess_mm.report.page import render
from ravdess_mm.report.svg import drawing, element, ticks
from ravdess_mm.store import whole_file, write_text

if TYPE_CHECKING:
    from ravdess_mm.predict.predictor import Predictor

ENDINGS: Final = (".html", ".png")
MOST_BARS: Final = 240
"""Bars of a row; where there are more answers, a bar is the mean of several."""
ROW_PX: Final = 110
PNG_PX: Final = 1600
"""Width of the image."""
STRIP_PX: Final = 22
PRINT_COLOURS: Final = {
    "neutral": "#959357",
    "calm": "#4f9d8b",
    "happy": "#d67d0f",
    "sad": "#3d6fb4",
    "angry": "#c0392b",
    "fearful": "#8d64a8",
    "disgust": "#5b7d2b",
    "surprised": "#2ba3b8",
}


@dataclass(frozen=True)
class TimelineRow:
    """One source over time.

    Attributes
    ----------
    name : str
        ``voice``, ``face`` or ``both``.
    starts_s, ends_s : numpy.ndarray [shape=(n,)]
        What each answer stands for, rising and apart.
    probabilities : numpy.ndarray [shape=(n, 8)]
        In the order of `EMOTIONS`; rows sum to 1.
    """

    name: str
    starts_s: Floats
    ends_s: Floats
    probabilities: Floats

    def at_most(self, n: int) -> TimelineRow:
        """Return the same in no more than `n` bars, each the mean of several."""
        if len(self.starts_s) <= n:
            return self
        parts = np.array_split(np.arange(len(self.starts_s)), n)
        return TimelineRow(
            self.name,
            np.array([self.starts_s[part[0]] for part in parts]),
            np.array([self.ends_s[part[-1]] for part in parts]),
            np.array([self.probabilities[part].mean(axis=0) for part in parts]),
        )


@dataclass(frozen=True)
class Timeline:
    """A clip over time.

    Attributes
    ----------
    prediction : Prediction
        The answer for the clip and its segments.
    rows : tuple of TimelineRow
        Those of voice, face and both that there are.
    duration_s : float
        How long it is.
    """

    prediction: Prediction
    rows: tuple[TimelineRow, ...]
    duration_s: float


def make_timeline(predictor: Predictor, path: Path, *, in_segments: bool | None = None) -> Timeline:
    """Answer for a clip over time.

    The voice is heard in overlapping windows (`ravdess_mm.predict.voice_over_time.WINDOW_S`) in which somebody speaks;
    the face is that which counts, in every frame that is looked at; both are fused window by window, as for a clip.

    Raises
    ------
    MediaError
        As `Predictor.predict`.
    """
    prediction = predictor.predict(path, in_segments=in_segments)
    recording = Recording.open(path, branches=predictor.recipe.models)
    voice = score_windows(predictor, recording.signal, name=path.name)
    times_s = np.array([moment.time_s for moment in prediction.moments])
    faces = np.array([[moment.probabilities[name] for name in EMOTIONS] for moment in prediction.moments])
    step_s = float(np.median(np.diff(times_s))) if len(times_s) > 1 else 1.0
    ends = [float(voice.times_s[-1] + voice.hop_s / 2)] if len(voice.times_s) else []
    ends += [float(times_s[-1]) + step_s] if len(times_s) else []
    duration_s = prediction.duration_s if prediction.duration_s > 0 else max(ends)
    rows = []
    if len(voice.times_s):
        rows.append(_row("voice", voice.times_s, voice.hop_s, voice.probabilities))
    if len(times_s):
        rows.append(
            TimelineRow("face", times_s, np.minimum(np.append(times_s[1:], ends[-1]), times_s + 2 * step_s), faces)
        )
    if len(rows) == 2:
        fused = []
        for time_s, heard in zip(voice.times_s, voice.probabilities, strict=True):
            near = np.abs(times_s - time_s) <= voice.hop_s
            answers = {"audio": heard, **({"video": faces[near].mean(axis=0)} if near.any() else {})}
            fused.append(predictor.recipe.apply(answers))
        rows.append(_row("both", voice.times_s, voice.hop_s, np.array(fused)))
    return Timeline(prediction, tuple(rows), max(duration_s, *ends, 1e-3))


def _row(name: str, middles_s: Floats, hop_s: float, probabilities: Floats) -> TimelineRow:
    return TimelineRow(name, middles_s - hop_s / 2, middles_s + hop_s / 2, probabilities)


def write_timeline(timeline: Timeline, path: Path) -> Path:
    """Write the picture as a page that loads nothing from anywhere, or as an image for print.

    Raises
    ------
    InputError
        If the path ends otherwise than in ``.html`` or ``.png``.
    """
    if path.suffix.lower() not in ENDINGS:
        raise InputError(f"{path}: allowed are the endings {' and '.join(ENDINGS)}")
    if path.suffix.lower() == ".png":
        _write_png(timeline, path)
    else:
        write_text(path, render_timeline(timeline))
    return path


def render_timeline(timeline: Timeline) -> str:
    """Return the page as HTML."""
    rows = [row.at_most(MOST_BARS) for row in timeline.rows]
    return render(
        "timeline.html.j2",
        prediction=timeline.prediction,
        name=timeline.prediction.path.name,
        rows=[
            (row.name, len(full.starts_s), _drawn(row, timeline)) for row, full in zip(rows, timeline.rows, strict=True)
        ],
        strip=_segments(timeline) if timeline.prediction.segments else None,
        emotions=EMOTIONS,
        percent=words.percent,
        clock=clock,
        sentence=words.sentence,
    )


def _drawn(row: TimelineRow, timeline: Timeline) -> Markup:
    """Return one bar an answer, in which every emotion takes the share of its probability."""
    marks = []
    for start_s, end_s, answer in zip(row.starts_s, row.ends_s, row.probabilities, strict=True):
        top = 0.0
        shown = sorted(zip(EMOTIONS, answer, strict=True), key=lambda item: -item[1])[:2]
        said = ", ".join(f"{emotion} {words.percent(float(share), digits=0)}" for emotion, share in shown)
        bars = [element("title", f"{clock(start_s)}: {said}")]
        for emotion, share in zip(EMOTIONS, answer, strict=True):
            height = float(share) * ROW_PX
            place = {"x": _percent(start_s, timeline), "width": _percent(end_s - start_s, timeline)}
            bars.append(element("rect", y=top, height=height, class_=f"bar e-{emotion}", **place))
            top += height
        marks.append(element("g", *bars))
    label = (
        f"What the {row.name} says over time" if row.name != "both" else "What voice and face say together over time"
    )
    return drawing(*marks, *_axis(timeline, ROW_PX), label=label, height=ROW_PX + 20)


def _segments(timeline: Timeline) -> Markup:
    """Return a strip with each segment, in the colour of its emotion, and who speaks in it."""
    marks = []
    for segment in timeline.prediction.segments:
        place = {"x": _percent(segment.start_s, timeline), "width": _percent(segment.end_s - segment.start_s, timeline)}
        said = element("title", f"{clock(segment.start_s)} - {clock(segment.end_s)}: {_said(segment)}")
        marks.append(element("rect", said, y=0, height=STRIP_PX, class_=f"bar e-{segment.label}", **place))
        if segment.speaker is not None:
            middle = _percent((segment.start_s + segment.end_s) / 2, timeline)
            marks.append(
                element("text", str(segment.speaker), x=middle, y=STRIP_PX + 14, text_anchor="middle", class_="tick")
            )
    return drawing(*marks, label="The segments, in the colour of their emotion, and who speaks", height=STRIP_PX + 18)


def _said(segment: Segment) -> str:
    share = words.percent(segment.probabilities[segment.label], digits=0)
    return f"{segment.label} {share}" + (f", speaker {segment.speaker}" if segment.speaker is not None else "")


def _axis(timeline: Timeline, top_px: int) -> Sequence[Markup]:
    return [
        element("text", clock(time_s), x=_percent(time_s, timeline), y=top_px + 15, text_anchor="middle", class_="tick")
        for time_s in ticks(0.0, timeline.duration_s)
        if 0.02 < time_s / timeline.duration_s < 0.98
    ]


def _percent(time_s: float, timeline: Timeline) -> str:
    return f"{100 * float(time_s) / timeline.duration_s:.3f}%"


def _write_png(timeline: Timeline, path: Path) -> None:
    """Draw the picture on white, twice as large as it is written, so that edges are smooth."""
    import cv2

    left, width, gap, height = 210, 2 * PNG_PX - 270, 60, 2 * ROW_PX
    rows: list[TimelineRow | None] = [*([None] if timeline.prediction.segments else []), *timeline.rows]
    image = np.full((140 + len(rows) * (height + gap) + 140, 2 * PNG_PX, 3), 255, np.uint8)

    def text(words: str, x: float, y: float, scale: float = 1.2) -> None:
        shown = words.encode("ascii", "replace").decode()
        place = (round(x), round(y))
        cv2.putText(image, shown, place, cv2.FONT_HERSHEY_SIMPLEX, scale, (40, 40, 40), 2, cv2.LINE_AA)

    def across(time_s: float) -> int:
        return left + round(float(time_s) / timeline.duration_s * width)

    prediction = timeline.prediction
    share = words.percent(prediction.probabilities[prediction.label], digits=0)
    text(f"{printable(prediction.path.name)}: {prediction.label} {share}".replace("\u00a0", " "), left, 80, 1.6)
    top = 140
    for row in rows:
        text("segments" if row is None else row.name, 10, top + height / 2)
        if row is None:
            for one in prediction.segments:
                corners = (across(one.start_s), top), (across(one.end_s), top + height)
                cv2.rectangle(image, *corners, _bgr(one.label), -1)
                text(one.label[:9], across(one.start_s) + 4, top + height / 2, 0.8)
                if one.speaker is not None:
                    text(f"speaker {one.speaker}", across(one.start_s) + 4, top + height / 2 + 40, 0.8)
        else:
            bars = row.at_most(MOST_BARS)
            for start_s, end_s, answer in zip(bars.starts_s, bars.ends_s, bars.probabilities, strict=True):
                edges = top + np.rint(np.append(0, np.cumsum(answer)) * height).astype(int)
                for emotion, upper, lower in zip(EMOTIONS, edges, edges[1:], strict=False):
                    corners = (across(start_s), int(upper)), (across(end_s), int(lower))
                    cv2.rectangle(image, *corners, _bgr(emotion), -1)
        cv2.rectangle(image, (left, top), (left + width, top + height), (120, 120, 120), 2)
        top += height + gap
    for time_s in ticks(0.0, timeline.duration_s):
        text(clock(time_s), across(time_s) - 40, top - gap + 44, 1.0)
    for number, emotion in enumerate(EMOTIONS):
        x = left + number * width // len(EMOTIONS)
        cv2.rectangle(image, (x, top + 40), (x + 30, top + 70), _bgr(emotion), -1)
        text(emotion, x + 42, top + 68, 1.0)
    small = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    with whole_file(path) as temporary:
        temporary.write_bytes(cv2.imencode(".png", small)[1].tobytes())


def _bgr(emotion: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(PRINT_COLOURS[emotion][1:])
    return blue, green, red
