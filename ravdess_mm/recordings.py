"""A recording longer than the sentences that the models know, answered piece by piece."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ravdess_mm.arrays import Floats
from ravdess_mm.audio.decode import Samples
from ravdess_mm.audio.segmentation import Span, find_segments, windows
from ravdess_mm.audio.speech_activity import SpeechActivity
from ravdess_mm.clip_face import ClipFace
from ravdess_mm.clip_prediction import Look, Piece, named
from ravdess_mm.errors import MediaError
from ravdess_mm.progress import Bar, track

if TYPE_CHECKING:
    from ravdess_mm.diarization import SpeakerSpace

logger = logging.getLogger(__name__)


@dataclass
class PieceAnswers:
    """What the branches say of one piece, as far as they were asked.

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
        """Return the piece of the recording's samples."""
        start, stop = (int(edge_s * sr) for edge_s in self.span)
        return samples[start:stop]

    def fused(self, apply: Callable[[dict[str, Floats]], Floats]) -> Piece:
        """Return the piece with one answer; `apply` makes one of several branches'."""
        branches = {branch: named(values) for branch, values in self.answers.items()}
        return Piece(*self.span, named(apply(self.answers)), branches, tuple(self.notes), self.speaker)


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

    def find(self, pieces: Sequence[PieceAnswers], samples: Samples, sr: int, *, name: str) -> str:
        """Say of each piece of a recording who speaks, and return a note on how many there are."""
        found = name_speakers(pieces, samples, sr, space=self.space, n_speakers=self.n_speakers, name=name)
        if not found:
            return "speakers: not told apart, no piece has sound that can be used"
        listed = ", ".join(f"speaker {number} in {n} of the pieces" for number, n in enumerate(found, start=1))
        return f"told apart by voice: {listed}"


def cut_recording(samples: Samples | None, sr: int, duration_s: float) -> tuple[list[PieceAnswers], bool]:
    """Return the pieces of a recording, and whether anything is heard in them.

    They are where somebody speaks, or equal parts where there is no sound, or nobody speaks.
    """
    if samples is not None:
        activity = SpeechActivity.of(samples, sr)
        if spans := find_segments(activity):
            return [PieceAnswers(span, activity=activity.part(*span)) for span in spans], True
    return [PieceAnswers(span) for span in windows(duration_s)], False


def name_speakers(
    pieces: Sequence[PieceAnswers], samples: Samples, sr: int, *, space: SpeakerSpace, n_speakers: int, name: str
) -> list[int]:
    """Say of each piece who speaks in it.

    Returns
    -------
    list of int
        How many pieces each speaker has; a piece whose sound cannot be used is nobody's.
    """
    from ravdess_mm.audio.voice_features import EmbeddingFeatures

    features = EmbeddingFeatures()
    usable, vectors = [], []
    for piece in track(pieces, f"speakers of {name}", unit="piece"):
        try:
            vectors.append(features.extract(piece.cut(samples, sr), sr))
            usable.append(piece)
        except MediaError as error:
            logger.debug("%s: nobody's piece (%s)", name, error)
    if not usable:
        return []
    speakers = space.tell_apart(np.stack(vectors), n_speakers)
    for piece, speaker in zip(usable, speakers, strict=True):
        piece.speaker = int(speaker)
    return [int(number) for number in np.bincount(speakers)[1:]]


def hear_pieces(
    pieces: Sequence[PieceAnswers],
    samples: Samples,
    sr: int,
    *,
    hear: Callable[[Samples, int, SpeechActivity | None], tuple[Floats, list[str]]],
    name: str,
) -> None:
    """Add the voice's answer to each piece, or to its notes why there is none."""
    for piece in track(pieces, f"voice of {name}", unit="piece"):
        try:
            piece.answers["audio"], notes = hear(piece.cut(samples, sr), sr, piece.activity)
            piece.notes += [f"voice: {note}" for note in notes]
        except MediaError as error:
            piece.notes.append(f"voice: {error}")


def see_pieces(
    pieces: Sequence[PieceAnswers],
    path: Path,
    *,
    face: ClipFace,
    adapt: Callable[[Look], Look],
    duration_s: float,
    keep_images: bool,
) -> tuple[list[Look], str]:
    """Add the face's answer to each piece that shows one.

    Parameters
    ----------
    pieces : sequence of PieceAnswers
        In the order of time.
    path : Path
        The recording.
    face : ClipFace
        The model.
    adapt : callable
        Changes what it says to suit the speaker.
    duration_s : float
        For the progress bar.
    keep_images : bool
        Whether what is returned has the pictures, which fill the memory where a recording is long.

    Returns
    -------
    looks : list of Look
        All that was looked at, between the pieces as well.
    trouble : str
        Why not all of it could be; empty where it could.
    """
    looks: list[Look] = []
    spans = [piece.span for piece in pieces]
    try:
        with Bar(f"face of {path.name}", total=round(duration_s), unit="s") as shown:
            for place, seen in face.look_through(path, spans):
                look = adapt(seen)
                looks.append(look if keep_images else replace(look, images=look.images[:0]))
                if place is not None:
                    pieces[place].answers["video"] = look.answer
                shown.update(int(look.times_s[-1]) - shown.n)
    except MediaError as error:
        return looks, str(error)
    return looks, ""


def join_looks(looks: Sequence[Look]) -> Look | None:
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
