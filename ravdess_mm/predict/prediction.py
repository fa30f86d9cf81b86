"""What is said about a clip of your own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ravdess_mm.arrays import Floats
from ravdess_mm.corpus.identifier import EMOTIONS

if TYPE_CHECKING:
    import pandas as pd

    from ravdess_mm.video.faces import Box


def named(probabilities: Floats) -> dict[str, float]:
    """Return probabilities [shape=(8,)] by the emotion they are of."""
    return {emotion: float(value) for emotion, value in zip(EMOTIONS, probabilities, strict=True)}


def clock(time_s: float) -> str:
    """Return a place in a recording as ``1:02.5``, in minutes and seconds."""
    tenths = round(10 * time_s)
    return f"{tenths // 600}:{tenths % 600 / 10:04.1f}"


@dataclass(frozen=True)
class Moment:
    """What one frame shows.

    Attributes
    ----------
    time_s : float
        From the start of the clip.
    probabilities : dict of str to float
        Emotion to probability; they sum to 1.
    face : int or None
        Which of the clip's faces it is of, where faces are looked for.
    """

    time_s: float
    probabilities: dict[str, float]
    face: int | None = None

    @property
    def top(self) -> tuple[tuple[str, float], tuple[str, float]]:
        """The two most probable emotions and their probabilities."""
        first, second = sorted(self.probabilities.items(), key=lambda item: -item[1])[:2]
        return first, second


class Answer:
    """What an answer says, by what it holds: ``probabilities`` by emotion, ``branches`` by name."""

    probabilities: dict[str, float]
    branches: dict[str, dict[str, float]]

    @property
    def label(self) -> str:
        """The most probable emotion."""
        return max(self.probabilities, key=lambda emotion: self.probabilities[emotion])

    @property
    def sources(self) -> str:
        """The branches the answer rests on, such as ``audio+video``."""
        return "+".join(self.branches)

    @property
    def audio(self) -> dict[str, float] | None:
        """What the voice alone answers, by emotion; None where it does not."""
        return self.branches.get("audio")

    @property
    def video(self) -> dict[str, float] | None:
        """What the face alone answers, by emotion; None where it does not."""
        return self.branches.get("video")


@dataclass(frozen=True)
class Segment(Answer):
    """The answer for a segment of a long recording.

    Attributes
    ----------
    start_s, end_s : float
        From the start of the recording.
    probabilities : dict of str to float
        Emotion to probability; they sum to 1.
    branches : dict of str to dict
        The same from each branch alone, by branch name.
    notes : tuple of str
        What a reader must know about this segment.
    speaker : int or None
        Who speaks, from 1 in the order of first words, where speakers were told apart.
    face : int or None
        Which of the clip's faces counts, where one was found.
    """

    start_s: float
    end_s: float
    probabilities: dict[str, float]
    branches: dict[str, dict[str, float]]
    notes: tuple[str, ...] = ()
    speaker: int | None = None
    face: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return what ``predict --json`` prints for this segment."""
        return {
            "start_s": round(self.start_s, 3),
            "end_s": round(self.end_s, 3),
            "speaker": self.speaker,
            "face": self.face,
            "label": self.label,
            "probabilities": self.probabilities,
            "sources": self.sources,
            "branches": self.branches,
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class FrameScores:
    """The sampled frames of a clip, and what the network of the face says about each.

    Attributes
    ----------
    times_s : tuple of float
        From the start of the clip.
    images : numpy.ndarray [shape=(n, height, width), dtype=uint8]
        The frames as the network takes them, gray.
    answer : numpy.ndarray [shape=(8,)]
        Of the face for the whole clip, in the order of `EMOTIONS`.
    probabilities : numpy.ndarray [shape=(n, 8)]
        Of each frame.
    outputs : tuple of str
        The emotion of each output of the network.
    boxes : tuple of Box
        Where the face is in each frame, in pixels; empty where whole frames are looked at.
    n_found : int
        In how many of them it was found, not carried over.
    faces : tuple of int
        Whose face each frame shows; empty where whole frames are looked at.
    """

    times_s: tuple[float, ...]
    images: npt.NDArray[np.uint8]
    answer: Floats
    probabilities: Floats
    outputs: tuple[str, ...]
    boxes: tuple[Box, ...] = ()
    n_found: int = 0
    faces: tuple[int, ...] = ()

    @property
    def moments(self) -> tuple[Moment, ...]:
        """What each frame shows."""
        rows = zip(self.times_s, self.probabilities, self.faces or (None,) * len(self.times_s), strict=True)
        return tuple(Moment(time_s, named(row), face) for time_s, row, face in rows)


@dataclass(frozen=True)
class FaceTrack:
    """One face of a clip over time.

    Attributes
    ----------
    face : int
        Its identity: 1, 2, ... in the order in which faces appear, the largest first.
    is_fused : bool
        Whether it is the one that counts in any segment.
    speaks : bool
        Whether its mouth moves with the voice in any segment; where there is one face only, that is not asked.
    times_s : tuple of float
        When it was seen, from the start of the clip.
    boxes : tuple of Box
        Where, in pixels.
    scores : numpy.ndarray [shape=(n, 8)]
        The network's probabilities for each frame, in the order of `EMOTIONS`.
    """

    face: int
    is_fused: bool
    speaks: bool
    times_s: tuple[float, ...]
    boxes: tuple[Box, ...]
    scores: Floats

    @property
    def probabilities(self) -> dict[str, float]:
        """Emotion to probability, the mean over its frames."""
        return named(self.scores.mean(axis=0))

    def rows(self) -> list[dict[str, Any]]:
        """Return a row a frame: ``time_s``, ``face``, ``box`` (left, top, width, height), ``probabilities``."""
        return [
            {
                "time_s": round(time_s, 3),
                "face": self.face,
                "box": [round(side) for side in (box.x, box.y, box.width, box.height)],
                "probabilities": named(row),
            }
            for time_s, box, row in zip(self.times_s, self.boxes, self.scores, strict=True)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return what ``predict --json`` prints for this face."""
        probabilities = self.probabilities
        return {
            "face": self.face,
            "fused": self.is_fused,
            "speaks": self.speaks,
            "label": max(probabilities, key=lambda emotion: probabilities[emotion]),
            "probabilities": probabilities,
            "frames": self.rows(),
        }


def mean_answer(segments: Sequence[Segment], branch: str | None = None) -> dict[str, float]:
    """Return the mean of what segments answer, or of what one branch of them does, by their length."""
    answers = [segment.probabilities if branch is None else segment.branches[branch] for segment in segments]
    if len(answers) == 1:  # whose length may be unknown
        return answers[0]
    values = np.array([list(answer.values()) for answer in answers])
    return named(np.average(values, axis=0, weights=[segment.end_s - segment.start_s for segment in segments]))


@dataclass(frozen=True)
class Prediction(Answer):
    """The answer for one clip.

    Attributes
    ----------
    path : Path
        The clip.
    probabilities : dict of str to float
        Emotion to probability; they sum to 1.
    branches : dict of str to dict
        The same from each branch alone, by branch name.
    moments : tuple of Moment
        The face over time; empty without video.
    notes : tuple of str
        What a reader must know: a branch that could not answer, and why.
    speaker_clips : int
        By how many clips of the speaker the voice's answer was adapted; 0 where it is plain.
    face_clips : int
        The same of the face's answer.
    segments : tuple of Segment
        A long recording segment by segment, in the order of time; empty where there is one answer for all of it.
    faces : tuple of FaceTrack
        Everybody's face over time, the one that is seen most and largest first.
    duration_s : float
        Length of the clip; NaN where its file does not say.
    """

    path: Path
    probabilities: dict[str, float]
    branches: dict[str, dict[str, float]]
    moments: tuple[Moment, ...] = ()
    notes: tuple[str, ...] = field(default=())
    speaker_clips: int = 0
    face_clips: int = 0
    segments: tuple[Segment, ...] = ()
    faces: tuple[FaceTrack, ...] = ()
    duration_s: float = math.nan

    @property
    def adapted_by(self) -> str:
        """What was adapted to the speaker, and by how much: ``voice by 8 clips, face by 3 clips``; or nothing."""
        clips = {"voice": self.speaker_clips, "face": self.face_clips}
        return ", ".join(f"{what} by {n} clips" for what, n in clips.items() if n)

    @property
    def by_speaker(self) -> dict[int, tuple[Segment, ...]]:
        """The segments of each speaker, by number; empty where speakers were not told apart."""
        numbers = sorted({segment.speaker for segment in self.segments if segment.speaker is not None})
        return {number: tuple(segment for segment in self.segments if segment.speaker == number) for number in numbers}

    def to_dict(self) -> dict[str, Any]:
        """Return what ``predict --json`` prints for this clip."""
        return {
            "path": self.path,
            "duration_s": None if math.isnan(self.duration_s) else round(self.duration_s, 3),
            "label": self.label,
            "probabilities": self.probabilities,
            "sources": self.sources,
            "speaker_adapted": self.speaker_clips + self.face_clips > 0,
            "speaker_clips": self.speaker_clips,
            "face_clips": self.face_clips,
            "branches": self.branches,
            "segments": [segment.to_dict() for segment in self.segments],
            "speakers": [
                {
                    "speaker": number,
                    "segments": len(own),
                    "seconds": round(sum(segment.end_s - segment.start_s for segment in own), 3),
                    "probabilities": mean_answer(own),
                }
                for number, own in self.by_speaker.items()
            ],
            "moments": [{"time_s": moment.time_s, "top": [list(top) for top in moment.top]} for moment in self.moments],
            "faces": [track.to_dict() for track in self.faces],
            "notes": list(self.notes),
        }

    @property
    def whole_or_segments(self) -> tuple[Segment, ...]:
        """The segments; of a clip that is answered whole, one that stands for all of it."""
        if self.segments:
            return self.segments
        face = next((track.face for track in self.faces if track.is_fused), None)
        return (Segment(0.0, self.duration_s, self.probabilities, self.branches, self.notes, face=face),)

    def to_frame(self) -> pd.DataFrame:
        """Return the answer as a table: one row a segment of a long recording, else one row.

        Returns
        -------
        pandas.DataFrame
            ``path``, ``start_s`` and ``end_s`` (seconds from the start of the clip), ``speaker`` (missing where
            speakers were not told apart), ``face`` (missing without one), ``label``, the probabilities ``p_neutral``
            ... ``p_surprised``, ``sources`` (what the answer rests on, such as ``audio+video``) and ``notes``.
        """
        import pandas as pd

        return pd.DataFrame(self.segment_rows()).astype({"speaker": "Int64", "face": "Int64"})

    def segment_rows(self) -> list[dict[str, Any]]:
        """Return the rows of :meth:`to_frame`."""
        return [
            {
                "path": str(self.path),
                "start_s": segment.start_s,
                "end_s": segment.end_s,
                "speaker": segment.speaker,
                "face": segment.face,
                **labelled(segment.probabilities),
                "sources": segment.sources,
                "notes": "; ".join(segment.notes),
            }
            for segment in self.whole_or_segments
        ]


def labelled(probabilities: dict[str, float]) -> dict[str, Any]:
    """Return probabilities as the columns of a row: the label, then ``p_neutral`` ... ``p_surprised``."""
    label = max(probabilities, key=lambda emotion: probabilities[emotion])
    return {"label": label, **{f"p_{emotion}": probabilities[emotion] for emotion in EMOTIONS}}
