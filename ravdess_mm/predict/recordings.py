"""A recording, whole or in segments, as the branches answer it: a whole one is one segment."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ravdess_mm.arrays import Floats
from ravdess_mm.audio.decoding import Samples
from ravdess_mm.audio.segmentation import Span, find_segments, windows
from ravdess_mm.audio.speech_activity import SpeechActivity
from ravdess_mm.corpus.probe import probe_media
from ravdess_mm.errors import MediaError
from ravdess_mm.parallel.progress import track
from ravdess_mm.predict.audio import AudioSignal
from ravdess_mm.predict.prediction import Segment, named

if TYPE_CHECKING:
    import numpy.typing as npt

    from ravdess_mm.video.decoding.frames import GrayFrame

IN_MEMORY: Final = Path("array")
"""Stands for the path of what is no file."""
WHOLE: Final[Span] = (0.0, math.inf)
"""The one segment of a recording that is not cut."""


@dataclass(frozen=True)
class Recording:
    """What is to be answered for: a file, or sound and pictures in memory.

    Attributes
    ----------
    path : Path
        Its file, or what stands for one.
    signal : AudioSignal
        Its sound, as far as it can be used.
    duration_s : float
        Length in seconds; NaN where it is not known.
    frames : callable or None
        Returns every n-th frame from the start, n being its argument; None where there is no picture.
    streams : str
        What it has, for a message: ``audio and video``.
    """

    path: Path
    signal: AudioSignal
    duration_s: float
    frames: Callable[[int], Iterable[GrayFrame]] | None
    streams: str

    @classmethod
    def open(cls, path: Path, *, branches: Iterable[str]) -> Recording:
        """Open a file for the branches that can answer.

        Raises
        ------
        MediaError
            If its header is unreadable or it has no stream that can be decoded.
        """
        from ravdess_mm.video.decoding.frames import iter_frames

        streams = probe_media(path)
        signal = AudioSignal.of_file(path) if streams.has_audio and "audio" in branches else AudioSignal()
        has_picture = streams.has_video and "video" in branches
        return cls(
            path,
            signal,
            signal.duration_s or streams.duration_s,
            (lambda frame_step: iter_frames(path, frame_step=frame_step)) if has_picture else None,
            " and ".join(name for name, has in (("audio", streams.has_audio), ("video", streams.has_video)) if has),
        )

    @classmethod
    def in_memory(
        cls,
        *,
        frames: Sequence[npt.ArrayLike] | npt.ArrayLike | None,
        fps: float,
        samples: npt.ArrayLike | None,
        sr: int,
        branches: Collection[str],
    ) -> Recording:
        """Take arrays for the branches that can answer; see `Predictor.predict_frames`.

        Raises
        ------
        InputError
            If frames, samples or a rate are of another shape, type or range.
        MediaError
            If no branch can answer for what is given.
        """
        signal = AudioSignal() if samples is None else AudioSignal.of_array(samples, sr)
        given = {"video": frames, "audio": samples}
        streams = [name for name, values in given.items() if values is not None]
        source, duration_s = None, signal.duration_s
        if frames is not None:
            from ravdess_mm.predict.pictures import frame_source

            source, length_s = frame_source(frames, fps)
            duration_s = max(duration_s, length_s)
        if not set(streams) & set(branches):
            names = " and ".join({"audio": "sound", "video": "pictures"}[stream] for stream in streams)
            raise MediaError(f"the models are for {' and '.join(branches)}, not for {names}")
        return cls(
            IN_MEMORY,
            signal if "audio" in branches else AudioSignal(),
            duration_s,
            source if "video" in branches else None,
            " and ".join(streams),
        )

    def cut(self, *, is_cut: bool) -> list[SegmentScores]:
        """Return its segments: where somebody speaks, or equal parts where there is no sound or nobody does.

        Parameters
        ----------
        is_cut : bool
            False makes one segment of it, with sound if there is any.
        """
        has_sound = self.signal.samples is not None
        if not is_cut:
            return [SegmentScores(WHOLE, is_heard=has_sound)]
        if self.signal.samples is not None:
            activity = SpeechActivity.of(self.signal.samples, self.signal.sr)
            if spans := find_segments(activity):
                return [SegmentScores(span, is_heard=True, activity=activity.part(*span)) for span in spans]
        return [SegmentScores(span) for span in windows(self.duration_s)]


@dataclass
class SegmentScores:
    """What the branches say of one segment, as far as they were asked.

    Attributes
    ----------
    span : Span
        Where it is.
    is_heard : bool
        Whether there is sound in which somebody may speak.
    answers : dict of str to numpy.ndarray [shape=(8,)]
        By branch name.
    notes : list of str
        What a reader must know.
    speaker : int or None
        Who speaks, where speakers were told apart.
    activity : SpeechActivity or None
        When somebody speaks in it, where that is known.
    face : int or None
        Whose face counts, where one was found.
    """

    span: Span
    is_heard: bool = False
    answers: dict[str, Floats] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    speaker: int | None = None
    activity: SpeechActivity | None = None
    face: int | None = None

    def cut(self, samples: Samples, sr: int) -> Samples:
        """Return the segment of the recording's samples."""
        start_s, end_s = self.span
        return samples[int(start_s * sr) : None if math.isinf(end_s) else int(end_s * sr)]

    def fused(self, apply: Callable[[dict[str, Floats]], Floats]) -> Segment:
        """Return the segment with one answer; `apply` makes one of several branches'."""
        branches = {branch: named(values) for branch, values in self.answers.items()}
        return Segment(*self.span, named(apply(self.answers)), branches, tuple(self.notes), self.speaker, self.face)


def score_audio_segments(
    segments: Sequence[SegmentScores],
    samples: Samples,
    sr: int,
    *,
    score: Callable[[Samples, int, SpeechActivity | None], tuple[Floats, list[str]]],
    name: str,
) -> None:
    """Add the voice's answer to each segment, or to its notes why there is none."""
    for segment in track(segments, f"voice of {name}", unit="segment") if len(segments) > 1 else segments:
        try:
            segment.answers["audio"], notes = score(segment.cut(samples, sr), sr, segment.activity)
            segment.notes += [f"voice: {note}" for note in notes]
        except MediaError as error:
            segment.notes.append(f"voice: {error}")
