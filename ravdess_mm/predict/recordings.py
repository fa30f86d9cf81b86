"""A recording longer than the sentences that the models know, answered segment by segment."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ravdess_mm.arrays import Floats
from ravdess_mm.audio.decoding import Samples
from ravdess_mm.audio.segmentation import Span, find_segments, windows
from ravdess_mm.audio.speech_activity import SpeechActivity
from ravdess_mm.errors import MediaError
from ravdess_mm.parallel.progress import Bar, track
from ravdess_mm.predict.prediction import FrameScores, Segment, named
from ravdess_mm.predict.video import VideoModel

if TYPE_CHECKING:
    from ravdess_mm.predict.diarization import SpeakerSpace

logger = logging.getLogger(__name__)


@dataclass
class SegmentScores:
    """What the branches say of one segment, as far as they were asked.

    Attributes
    ----------
    span : Span
        Where it is.
    answers : dict of str to numpy.ndarray [shape=(8,)]
        By branch name.
    notes : list of str
        What a reader must know.
    speaker : int or None
        Who speaks, where speakers were told apart.
    activity : SpeechActivity or None
        When somebody speaks in it, where it has sound.
    """

    span: Span
    answers: dict[str, Floats] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    speaker: int | None = None
    activity: SpeechActivity | None = None

    def cut(self, samples: Samples, sr: int) -> Samples:
        """Return the segment of the recording's samples."""
        start, stop = (int(edge_s * sr) for edge_s in self.span)
        return samples[start:stop]

    def fused(self, apply: Callable[[dict[str, Floats]], Floats]) -> Segment:
        """Return the segment with one answer; `apply` makes one of several branches'."""
        branches = {branch: named(values) for branch, values in self.answers.items()}
        return Segment(*self.span, named(apply(self.answers)), branches, tuple(self.notes), self.speaker)


@dataclass(frozen=True)
class People:
    """How many people speak in a recording, and what tells their voices apart.

    Attributes
    ----------
    n_speakers : int
        At least 1.
    space : SpeakerSpace
        Where their voices differ.
    """

    n_speakers: int
    space: SpeakerSpace

    def find(self, segments: Sequence[SegmentScores], samples: Samples, sr: int, *, name: str) -> str:
        """Say of each segment of a recording who speaks, and return a note on how many there are."""
        found = name_speakers(segments, samples, sr, space=self.space, n_speakers=self.n_speakers, name=name)
        if not found:
            return "speakers: not told apart, no segment has sound that can be used"
        listed = ", ".join(f"speaker {number} in {n} of the segments" for number, n in enumerate(found, start=1))
        return f"told apart by voice: {listed}"


def cut_recording(samples: Samples | None, sr: int, duration_s: float) -> tuple[list[SegmentScores], bool]:
    """Return the segments of a recording, and whether anything is heard in them.

    They are where somebody speaks, or equal parts where there is no sound, or nobody speaks.
    """
    if samples is not None:
        activity = SpeechActivity.of(samples, sr)
        if spans := find_segments(activity):
            return [SegmentScores(span, activity=activity.part(*span)) for span in spans], True
    return [SegmentScores(span) for span in windows(duration_s)], False


def name_speakers(
    segments: Sequence[SegmentScores], samples: Samples, sr: int, *, space: SpeakerSpace, n_speakers: int, name: str
) -> list[int]:
    """Say of each segment who speaks in it.

    Returns
    -------
    list of int
        How many segments each speaker has; a segment whose sound cannot be used is nobody's.
    """
    from ravdess_mm.audio.voice_features import EmbeddingFeatures

    features = EmbeddingFeatures()
    usable, vectors = [], []
    for segment in track(segments, f"speakers of {name}", unit="segment"):
        try:
            vectors.append(features.extract(segment.cut(samples, sr), sr))
            usable.append(segment)
        except MediaError as error:
            logger.debug("%s: nobody's segment (%s)", name, error)
    if not usable:
        return []
    speakers = space.tell_apart(np.stack(vectors), n_speakers)
    for segment, speaker in zip(usable, speakers, strict=True):
        segment.speaker = int(speaker)
    return [int(number) for number in np.bincount(speakers)[1:]]


def score_audio_segments(
    segments: Sequence[SegmentScores],
    samples: Samples,
    sr: int,
    *,
    hear: Callable[[Samples, int, SpeechActivity | None], tuple[Floats, list[str]]],
    name: str,
) -> None:
    """Add the voice's answer to each segment, or to its notes why there is none."""
    for segment in track(segments, f"voice of {name}", unit="segment"):
        try:
            segment.answers["audio"], notes = hear(segment.cut(samples, sr), sr, segment.activity)
            segment.notes += [f"voice: {note}" for note in notes]
        except MediaError as error:
            segment.notes.append(f"voice: {error}")


def score_video_segments(
    segments: Sequence[SegmentScores],
    path: Path,
    *,
    face: VideoModel,
    adapt: Callable[[FrameScores], FrameScores],
    duration_s: float,
    keep_images: bool,
) -> tuple[list[FrameScores], str]:
    """Add the face's answer to each segment that shows one.

    Parameters
    ----------
    segments : sequence of SegmentScores
        In the order of time.
    path : Path
        The recording.
    face : VideoModel
        The model.
    adapt : callable
        Changes what it says to suit the speaker.
    duration_s : float
        For the progress bar.
    keep_images : bool
        Whether what is returned has the pictures, which fill the memory where a recording is long.

    Returns
    -------
    looks : list of FrameScores
        All that was looked at, between the segments as well.
    trouble : str
        Why not all of it could be; empty where it could.
    """
    looks: list[FrameScores] = []
    spans = [segment.span for segment in segments]
    try:
        with Bar(f"face of {path.name}", total=round(duration_s), unit="s") as shown:
            for place, seen in face.score_spans(path, spans):
                look = adapt(seen)
                looks.append(look if keep_images else replace(look, images=look.images[:0]))
                if place is not None:
                    segments[place].answers["video"] = look.answer
                shown.update(int(look.times_s[-1]) - shown.n)
    except MediaError as error:
        return looks, str(error)
    return looks, ""


def concatenate_frame_scores(looks: Sequence[FrameScores]) -> FrameScores | None:
    """Return looks at one recording as one, whose answer is the mean of its frames'; None of none."""
    if not looks:
        return None
    probabilities = np.concatenate([look.probabilities for look in looks])
    return replace(
        looks[0],
        times_s=tuple(chain.from_iterable(look.times_s for look in looks)),
        images=np.concatenate([look.images for look in looks]),
        answer=probabilities.mean(axis=0),
        probabilities=probabilities,
    )
