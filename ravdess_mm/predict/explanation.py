"""One clip explained: what voice and face answer, frame by frame, and which part of the face spoke.

The page is one HTML file that loads nothing from anywhere, in the looks of the report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from markupsafe import Markup

from ravdess_mm.arrays import Singles
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.corpus.probe import probe_media
from ravdess_mm.errors import InputError, MediaError
from ravdess_mm.predict.prediction import Prediction, clock
from ravdess_mm.predict.predictor import Predictor
from ravdess_mm.report import formatting as words
from ravdess_mm.report.frame_images import data_uri, evenly, overlay
from ravdess_mm.report.page import render
from ravdess_mm.report.svg import drawing, element
from ravdess_mm.store import write_text

SHOWN_PX: Final = 224
"""Width and height of a picture on the page."""
TOP: Final = 3
"""Emotions that are named under a frame."""
TIMELINE_PX: Final = 180
BARS: Final = 240
"""Most bars of the picture of a face over time; the page of an hour would hold a hundred thousand parts else."""


@dataclass(frozen=True)
class ExplainedFrame:
    """One frame, the network's answer, and where in it the answer came from.

    Attributes
    ----------
    time_s : float
        From the start of the clip.
    probabilities : dict of str to float
        Emotion to probability.
    about : str
        The emotion that the heat speaks for.
    heat : numpy.ndarray [shape=(height, width)]
        0-1; see :func:`ravdess_mm.video.gradcam.heat_maps`.
    plain_uri, heat_uri : str
        The frame, and the frame under its heat, as ``data:`` addresses.
    """

    time_s: float
    probabilities: dict[str, float]
    about: str
    heat: Singles
    plain_uri: str
    heat_uri: str

    @property
    def top(self) -> list[tuple[str, float]]:
        """The most probable emotions, `TOP` of them."""
        return sorted(self.probabilities.items(), key=lambda item: -item[1])[:TOP]

    @property
    def hottest(self) -> tuple[float, float] | None:
        """Where the heat is greatest: shares of width and height from the upper left; None where there is none."""
        if self.heat.max() <= 0:
            return None
        row, column = np.unravel_index(int(self.heat.argmax()), self.heat.shape)
        height, width = self.heat.shape
        return round((float(column) + 0.5) / width, 3), round((float(row) + 0.5) / height, 3)


@dataclass(frozen=True)
class Explanation:
    """What `ravdess-mm explain` knows about a clip.

    Attributes
    ----------
    prediction : Prediction
        The answer of the run's models, and of each branch.
    times_s : tuple of float
        Of all sampled frames.
    probabilities : tuple of dict
        Emotion to probability, for each of `times_s`.
    frames : tuple of ExplainedFrame
        The frames that are shown, in the order of time.
    method : str
        How heat was computed.
    layer : str
        Of the network, whose map it was.
    """

    prediction: Prediction
    times_s: tuple[float, ...]
    probabilities: tuple[dict[str, float], ...]
    frames: tuple[ExplainedFrame, ...]
    method: str
    layer: str

    def to_dict(self) -> dict[str, Any]:
        """Return what ``explain --json`` prints, without the pictures."""
        told = self.prediction.to_dict()
        del told["moments"]
        return {
            **told,
            "method": self.method,
            "layer": self.layer,
            "frames": [
                {
                    "time_s": frame.time_s,
                    "probabilities": frame.probabilities,
                    "heat_is_about": frame.about,
                    "hottest": frame.hottest,
                }
                for frame in self.frames
            ],
        }


def explain_clip(
    predictor: Predictor, path: str | Path, *, method: str = "grad-cam", about: str | None = None, n_frames: int = 12
) -> Explanation:
    """Explain the answer for one clip.

    Parameters
    ----------
    predictor : Predictor
        The models of a run.
    path : str or Path
        A clip with a picture.
    method : {"grad-cam", "hires-cam"}
        How heat is computed; see :class:`ravdess_mm.video.gradcam.Method`.
    about : str, optional
        The emotion whose evidence is shown; by default each frame's most probable one.
    n_frames : int
        Most frames to show, evenly spread over the clip.

    Raises
    ------
    InputError
        If there is no such file, `about` is no emotion, or the run has no network that looks at faces.
    MediaError
        If the clip has no picture or cannot be used.
    """
    from ravdess_mm.video.gradcam import Method, heat_maps, map_layer

    path = Path(path)
    _check(predictor, path, about)
    prediction, seen = predictor.answer(path, keep_images=True)
    if seen is None:
        raise MediaError("; ".join(prediction.notes))
    shown = np.array(evenly(len(seen.images), min(n_frames, len(seen.images))))
    if about is not None and about not in seen.outputs:
        raise InputError(f"emotion {about!r}: the network knows {', '.join(seen.outputs)}")
    known = np.array([EMOTIONS.index(emotion) for emotion in seen.outputs])
    asked = seen.probabilities[shown][:, known].argmax(axis=1)
    if about is not None:
        asked[:] = seen.outputs.index(about)
    classes = known[asked]
    network = predictor.face.keras_model()
    heats = heat_maps(network, seen.images[shown, ..., None], asked, method=Method(method))
    answers = tuple(dict(zip(EMOTIONS, map(float, row), strict=True)) for row in seen.probabilities)
    frames = [
        ExplainedFrame(
            time_s=seen.times_s[row],
            probabilities=answers[row],
            about=EMOTIONS[number],
            heat=heat,
            plain_uri=data_uri(seen.images[row], size_px=SHOWN_PX),
            heat_uri=data_uri(overlay(seen.images[row], heat), size_px=SHOWN_PX),
        )
        for row, number, heat in zip(shown.tolist(), classes.tolist(), heats, strict=True)
    ]
    return Explanation(prediction, seen.times_s, answers, tuple(frames), method, map_layer(network))


def _check(predictor: Predictor, path: Path, about: str | None) -> None:
    if about is not None and about not in EMOTIONS:
        raise InputError(f"emotion {about!r}; allowed: {', '.join(EMOTIONS)}")
    if "video" not in predictor.recipe.models:
        raise InputError(f"{predictor.face.models_dir.parent}: this run has no network that looks at faces")
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if not probe_media(path).has_video:
        raise MediaError("no picture in this clip, so no face to explain; `ravdess-mm predict` answers for sound")


def write_explanation(explanation: Explanation, page_path: Path) -> Path:
    """Write the page about a clip; whole or not at all, the same bytes for the same explanation."""
    write_text(page_path, render_explanation(explanation))
    return page_path


def render_explanation(explanation: Explanation) -> str:
    """Return the page about a clip as HTML; without frames it has the answer alone."""
    prediction = explanation.prediction
    answers = {"fused": prediction.probabilities} if len(prediction.branches) > 1 else {}
    answers |= {{"audio": "voice", "video": "face"}.get(name, name): own for name, own in prediction.branches.items()}
    return render(
        "explain.html.j2",
        name=prediction.path.name,
        prediction=prediction,
        explanation=explanation,
        answers=answers,
        emotions=EMOTIONS,
        percent=words.percent,
        clock=clock,
        count=words.count,
        sentence=words.sentence,
        timeline=_timeline(*_at_most(BARS, explanation.times_s, explanation.probabilities))
        if explanation.times_s
        else "",
        several_a_bar=len(explanation.times_s) > BARS,
    )


def _at_most(
    n_bars: int, times_s: Sequence[float], answers: Sequence[dict[str, float]]
) -> tuple[list[float], list[dict[str, float]]]:
    """Return times and answers as they are, or, where they are more, the means of `n_bars` stretches of them."""
    stretches = np.array_split(np.arange(len(times_s)), min(n_bars, len(times_s)))
    means = [
        {emotion: float(np.mean([answers[row][emotion] for row in rows])) for emotion in EMOTIONS} for rows in stretches
    ]
    return [times_s[rows[0]] for rows in stretches], means


def _timeline(times_s: Sequence[float], answers: Sequence[dict[str, float]]) -> Markup:
    """Return a bar a frame, in which every emotion takes the share of its probability."""
    width = 100 / len(times_s)
    marks = []
    for place, (time_s, answer) in enumerate(zip(times_s, answers, strict=True)):
        top = 0.0
        for emotion in EMOTIONS:
            height = answer[emotion] * TIMELINE_PX
            said = element("title", f"{time_s:.2f} s: {emotion} {words.percent(answer[emotion], digits=0)}")
            marks.append(
                element(
                    "rect",
                    said,
                    x=f"{place * width:.3f}%",
                    width=f"{width * 0.94:.3f}%",
                    y=top,
                    height=height,
                    class_=f"bar e-{emotion}",
                )
            )
            top += height
    for place in evenly(len(times_s), min(5, len(times_s))):
        at = f"{(place + 0.47) * width:.3f}%"
        text = f"{times_s[place]:.1f} s"
        marks.append(element("text", text, x=at, y=TIMELINE_PX + 16, text_anchor="middle", class_="tick"))
    label = f"What the face says in {words.count(len(times_s), 'frame')} over time; the figures are under the frames"
    return drawing(*marks, label=label, height=TIMELINE_PX + 20)
