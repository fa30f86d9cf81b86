"""When somebody speaks: the probability of speech over time, by Silero's detector.

A recording is heard at two speeds, since the detector does not take a cry of 600 Hz for a voice: at its own, and slowed
down to two thirds, which lowers it. What sounds like speech in either is speech.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ravdess_mm.arrays import Singles
from ravdess_mm.audio.decoding import Samples
from ravdess_mm.audio.preparation import prepared_blocks
from ravdess_mm.audio.silero import DETECTOR_SR, FRAME, SpeechDetector

FRAME_S: Final = FRAME / DETECTOR_SR
"""Length of a frame, in seconds: 32 ms."""

SPEECH: Final = 0.5
"""Probability from which a frame is speech."""

SLOWED: Final = 1.5
"""How many times longer the sound is made for the second hearing."""

SILENCE_DB: Final = -119.0
"""Nothing at all is quieter."""

HEARD_DB: Final = -23.0
"""The level that the detector is given, in dB of full scale; RAVDESS has -36 with 7 dB of deviation.

It finds as many frames of speech from -10 to -40.
"""
LARGEST_GAIN_DB: Final = 40.0
"""How much a recording is amplified, or attenuated, at most."""
LOUD_PERCENTILE: Final = 95
ACTIVE_DB: Final = 25.0
"""Frames no more than this below the percentile make the level of a recording."""

MARGIN_S: Final = 0.2
"""What a span shows before and after the speech."""

PAUSE_S: Final = 0.2
"""Shorter pauses are inside of what is spoken."""
SOUNDING_DB: Final = 30.0
"""Sound within this of the loudest speech beside it belongs to it."""
QUIET_PERCENTILE: Final = 10
ABOVE_NOISE_DB: Final = 10.0
"""And only what is so far above the quietest."""


@dataclass(frozen=True)
class SpeechActivity:
    """When somebody speaks in a recording.

    Attributes
    ----------
    probability : numpy.ndarray [shape=(n_frames,)], float32
        Of speech, in frames of 32 ms; the last is filled up with silence.
    level_db : numpy.ndarray [shape=(n_frames,)], float32
        Of the prepared sound, in dB of full scale; -120 for silence.
    duration_s : float
        Length of the recording, in seconds.
    """

    probability: Singles
    level_db: Singles
    duration_s: float

    @classmethod
    def of(cls, y: npt.ArrayLike, sr: int) -> SpeechActivity:
        """Listen to a recording, block by block, in 6 ms of CPU for a second of sound.

        Parameters
        ----------
        y : array-like [shape=(n,)]
            Mono samples, finite; full scale is -1 to 1.
        sr : int
            Their sampling rate, in Hz.
        """
        samples = np.asarray(y)
        power = [np.square(frames, dtype=np.float64).mean(axis=1) for frames in _frames(prepared_blocks(samples, sr))]
        level_db = (10 * np.log10(np.concatenate([[], *power]) + 1e-12)).astype(np.float32)
        if not (level_db > SILENCE_DB).any():
            return cls(np.zeros_like(level_db), level_db, len(samples) / sr)
        gain = np.float32(10 ** (_gain_db(level_db) / 20))
        heard, heard_again = ((block * gain for block in prepared_blocks(samples, sr)) for _ in range(2))
        return cls(_probability(heard, heard_again), level_db, len(samples) / sr)

    @property
    def is_speech(self) -> npt.NDArray[np.bool_]:
        """Which frames are speech [shape=(n_frames,)]."""
        return self.probability >= SPEECH

    @property
    def share(self) -> float:
        """Share of the frames that are speech, 0 to 1; 0 of no frames."""
        return float(self.is_speech.mean()) if len(self.probability) else 0.0

    @property
    def speaking(self) -> list[tuple[int, int]]:
        """First frames and frames after the last, of the stretches in which somebody speaks.

        A stretch is what sounds about as loud as the speech does, with pauses shorter than `PAUSE_S` inside, and has a
        frame of speech in it: so it holds all of a cry of which the detector knew a part, and no click before it.
        """
        is_speech = self.is_speech
        if not is_speech.any():
            return []
        loud_db = np.percentile(self.level_db[is_speech], LOUD_PERCENTILE)
        quiet_db = np.percentile(self.level_db, QUIET_PERCENTILE)
        sounding = is_speech | (self.level_db >= max(loud_db - SOUNDING_DB, quiet_db + ABOVE_NOISE_DB))
        stretches = close_gaps(runs(sounding), math.ceil(PAUSE_S / FRAME_S))
        return [(start, stop) for start, stop in stretches if is_speech[start:stop].any()]

    def span(self, *, margin_s: float = MARGIN_S) -> tuple[float, float] | None:
        """Return start and end of what is spoken, in seconds, a margin around it; None where nobody speaks."""
        stretches = self.speaking
        if not stretches:
            return None
        start_s, end_s = stretches[0][0] * FRAME_S - margin_s, stretches[-1][1] * FRAME_S + margin_s
        return max(0.0, start_s), min(self.duration_s, end_s)

    def part(self, start_s: float, end_s: float) -> SpeechActivity:
        """Return the activity between two moments, in seconds from the start."""
        frames = slice(math.floor(start_s / FRAME_S), math.ceil(end_s / FRAME_S))
        return SpeechActivity(self.probability[frames], self.level_db[frames], end_s - start_s)


def speech_span(y: npt.ArrayLike, sr: int, *, margin_s: float = MARGIN_S) -> tuple[float, float] | None:
    """Return start and end of what is spoken, in seconds; None where nobody speaks. See `SpeechActivity.span`."""
    return SpeechActivity.of(y, sr).span(margin_s=margin_s)


def speech_probability(y: npt.ArrayLike, sr: int) -> Singles:
    """Return the probability of speech over time [shape=(n_frames,)], in frames of 32 ms; see `SpeechActivity.of`."""
    return SpeechActivity.of(y, sr).probability


def speech_share(y: npt.ArrayLike, sr: int) -> float:
    """Return the share of a recording in which somebody speaks, 0 to 1; see `SpeechActivity.of`."""
    return SpeechActivity.of(y, sr).share


def runs(flags: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return start and stop of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def close_gaps(stretches: list[tuple[int, int]], shorter_than: int) -> list[tuple[int, int]]:
    """Join stretches with a gap of fewer steps between them."""
    closed: list[tuple[int, int]] = []
    for start, stop in stretches:
        if closed and start - closed[-1][1] < shorter_than:
            closed[-1] = (closed[-1][0], stop)
        else:
            closed.append((start, stop))
    return closed


def _gain_db(level_db: Singles) -> float:
    """Return what brings the sounding frames to `HEARD_DB`, within bounds."""
    if not len(level_db):
        return 0.0
    active = level_db[level_db >= np.percentile(level_db, LOUD_PERCENTILE) - ACTIVE_DB]
    level = 10 * np.log10(np.mean(10 ** (active.astype(np.float64) / 10)))
    return float(np.clip(HEARD_DB - level, -LARGEST_GAIN_DB, LARGEST_GAIN_DB))


def _probability(heard: Iterable[Samples], heard_again: Iterable[Samples]) -> Singles:
    """Return the higher of the probabilities at both speeds, in the frames of the first."""
    own, slowed = _listen(heard), _listen(_slow_down(heard_again))
    if not len(own):
        return own
    middles = (np.arange(len(own)) + 0.5) * SLOWED
    return np.maximum(own, slowed[np.minimum(middles.astype(np.intp), len(slowed) - 1)])


def _listen(blocks: Iterable[Samples]) -> Singles:
    detect = SpeechDetector()
    return np.concatenate([np.empty(0, np.float32), *(detect(frames) for frames in _frames(blocks))])


def _slow_down(blocks: Iterable[Samples]) -> Iterator[Samples]:
    import soxr

    stream = soxr.ResampleStream(DETECTOR_SR, SLOWED * DETECTOR_SR, 1, dtype="float32", quality="HQ")
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.empty(0, np.float32), last=True)


def _frames(blocks: Iterable[Samples]) -> Iterator[Singles]:
    """Yield the samples of blocks as frames [shape=(n, 512)]; the last is filled up with silence."""
    rest = np.empty(0, np.float32)
    for block in blocks:
        joined = np.concatenate([rest, block])
        n = len(joined) // FRAME
        if n:
            yield joined[: n * FRAME].reshape(n, FRAME)
        rest = joined[n * FRAME :]
    if len(rest):
        yield np.pad(rest, (0, FRAME - len(rest)))[np.newaxis]
