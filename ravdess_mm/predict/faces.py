"""Whose face: what was seen of everybody in a recording, and which face is fused with the voice."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ravdess_mm.audio.segmentation import WHOLE_S, Span
from ravdess_mm.errors import MediaError
from ravdess_mm.parallel.progress import Bar
from ravdess_mm.predict.prediction import FaceTrack, FrameScores

if TYPE_CHECKING:
    from ravdess_mm.predict.audio import AudioSignal
    from ravdess_mm.video.decoding.frames import GrayFrame

FrameSource: TypeAlias = "Callable[[int], Iterable[GrayFrame]]"
"""Returns every n-th frame of a recording from the start, n being its argument."""

Part: TypeAlias = tuple[int | None, dict[int, FrameScores]]
"""The number of a segment, None between two of them, and what was seen of each face in it, by identity."""


@dataclass(frozen=True)
class SeenFaces:
    """What was seen of each face, part by part.

    Attributes
    ----------
    parts : tuple of Part
        In the order of time.
    trouble : str
        Why not all of the recording could be looked at; empty where it could.
    """

    parts: tuple[Part, ...]
    trouble: str = ""

    @property
    def faces(self) -> list[int]:
        """The identities of all faces, the one that is seen most and largest first."""
        areas: dict[int, float] = {}
        for face, scores in chain.from_iterable(part.items() for _, part in self.parts):
            areas[face] = areas.get(face, 0.0) + sum(box.area for box in scores.boxes)
        return sorted(areas, key=lambda face: (-areas[face], face))

    def of(self, face: int) -> FrameScores:
        """Return all that was seen of one face."""
        return concatenate([part[face] for _, part in self.parts if face in part])

    def fused(self, told: Sequence[int | None]) -> list[tuple[int | None, int]]:
        """Return the segment of each part and the face that counts in it: who is told to speak, else the largest."""
        chosen = []
        for number, part in self.parts:
            speaker = None if number is None else told[number]
            areas = {face: float(np.mean([box.area for box in one.boxes] or [0.0])) for face, one in part.items()}
            largest = max(part, key=lambda face: (areas[face], -face))
            chosen.append((number, speaker if speaker in part else largest))
        return chosen

    def tracks(self, told: Sequence[int | None]) -> tuple[FaceTrack, ...]:
        """Return each face over time, the one that is seen most and largest first."""
        fused = {face for _, face in self.fused(told)}
        tracks = []
        for face in self.faces:
            scores = self.of(face)
            if scores.boxes:
                tracks.append(
                    FaceTrack(face, face in fused, face in told, scores.times_s, scores.boxes, scores.probabilities)
                )
        return tuple(tracks)


def look_through(
    scored: Iterable[Part],
    *,
    adapt: Callable[[FrameScores], FrameScores] = lambda scores: scores,
    name: str = "",
    duration_s: float = math.nan,
    keep_images: bool = False,
) -> SeenFaces:
    """Take all that is scored; faces that are seen too seldom to be anybody's are left out.

    Parameters
    ----------
    scored : iterable of Part
        What :meth:`ravdess_mm.predict.video.VideoModel.score_spans` yields.
    adapt : callable
        Changes what the model says to suit the speaker.
    name : str
        Of the recording.
    duration_s : float
        For the progress bar.
    keep_images : bool
        Whether what is returned has the pictures, which fill the memory where a recording is long.
    """
    from ravdess_mm.video.tracking import steady_faces

    parts: list[Part] = []
    trouble = ""
    is_long = math.isfinite(duration_s) and duration_s > WHOLE_S
    try:
        with Bar(f"face of {name}", total=round(duration_s), unit="s") if is_long else nullcontext() as bar:
            for number, part in scored:
                adapted = {face: adapt(scores) for face, scores in part.items()}
                if not keep_images:
                    adapted = {face: replace(scores, images=scores.images[:0]) for face, scores in adapted.items()}
                parts.append((number, adapted))
                if bar is not None:
                    bar.update(int(max(scores.times_s[-1] for scores in part.values())) - bar.n)
    except MediaError as error:
        trouble = str(error)
    n_found: dict[int, int] = {}
    for face, scores in chain.from_iterable(part.items() for _, part in parts):
        n_found[face] = n_found.get(face, 0) + scores.n_found
    times = {time_s for _, part in parts for scores in part.values() for time_s in scores.times_s}
    steady = steady_faces(n_found, len(times))
    kept = ((number, {face: own for face, own in part.items() if face in steady}) for number, part in parts)
    return SeenFaces(tuple((number, part) for number, part in kept if part), trouble)


def find_speaking_faces(
    seen: SeenFaces, frames: FrameSource, signal: AudioSignal, spans: Sequence[Span]
) -> list[int | None]:
    """Return which face speaks in each segment; None where there is one face only, or it cannot be told.

    Parameters
    ----------
    seen : SeenFaces
        Of the recording.
    frames : callable
        Returns every n-th frame, n being its argument.
    signal : AudioSignal
        Its sound.
    spans : sequence of Span
        The segments.
    """
    unknown: list[int | None] = [None] * len(spans)
    faces = seen.faces
    if signal.samples is None or len(faces) < 2:
        return unknown
    from ravdess_mm.predict.active_speaker import BoxPath, find_speakers, measure_mouths

    paths = {face: BoxPath.of(scores.times_s, scores.boxes) for face in faces if (scores := seen.of(face)).boxes}
    try:
        movements = measure_mouths(frames(1), paths)
    except MediaError:  # damage that the look through sampled frames has named
        return unknown
    return find_speakers(movements, signal.samples, signal.sr, spans)


def note_on_faces(n_faces: int, told: Sequence[int | None], *, is_heard: bool) -> str:
    """Return what a reader must know where several faces were seen."""
    n_told = sum(face is not None for face in told)
    if not is_heard:
        how = "the largest counts"
    elif n_told == len(told):
        how = "the one whose mouth moves with the voice is fused with it"
    elif n_told:
        how = f"the one whose mouth moves with the voice counts in {n_told} of {len(told)} segments, else the largest"
    else:
        how = "which of them speaks cannot be told, and the largest is fused with the voice"
    return f"face: {n_faces} faces are seen; {how}"


def concatenate(parts: Sequence[FrameScores]) -> FrameScores:
    """Return what was seen in parts of one recording as one, whose answer is the mean of its frames'."""
    if len(parts) == 1:
        return parts[0]
    probabilities = np.concatenate([part.probabilities for part in parts])
    return replace(
        parts[0],
        times_s=tuple(chain.from_iterable(part.times_s for part in parts)),
        images=np.concatenate([part.images for part in parts]),
        answer=probabilities.mean(axis=0),
        probabilities=probabilities,
        boxes=tuple(chain.from_iterable(part.boxes for part in parts)),
        faces=tuple(chain.from_iterable(part.faces for part in parts)),
        n_found=sum(part.n_found for part in parts),
    )
