"""Sound as the encoder and the speech detector take it: one rate, no offset, no rumble.

Training and answers prepare sound alike, by `prepare`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from ravdess_mm.audio.decode import Samples

PREPARED_SR: Final = 16_000
"""Sampling rate of prepared sound, in Hz."""

HIGH_PASS_HZ: Final = 50.0
"""What is lower is rumble, or a microphone's offset; the deepest voices begin at about 75 Hz."""

HIGH_PASS_ORDER: Final = 2

BLOCK: Final = 2**20
"""Samples that are prepared at a time, so that hours need no memory but for the result."""


def prepare(y: npt.ArrayLike, sr: int) -> Samples:
    """Bring sound to 16 kHz without offset and rumble.

    Parameters
    ----------
    y : array-like [shape=(n,)]
        Mono samples, finite.
    sr : int
        Their sampling rate, in Hz.

    Returns
    -------
    numpy.ndarray [shape=(ceil(n * 16000 / sr),)], float32
        The samples less their mean, resampled (SoX, high quality), and high-passed (Butterworth, 50 Hz, second order,
        forward). The level is left as it is.

    See Also
    --------
    prepared_blocks : The same, piece by piece.
    """
    samples = np.asarray(y)
    prepared = np.empty(_prepared_length(len(samples), sr), dtype=np.float32)
    end = 0
    for block in prepared_blocks(samples, sr):
        prepared[end : end + len(block)] = block
        end += len(block)
    return prepared


def prepared_blocks(y: npt.ArrayLike, sr: int) -> Iterator[Samples]:
    """Yield what `prepare` returns in blocks of any length, holding one at a time."""
    from scipy.signal import butter, sosfilt

    samples = np.asarray(y)
    if not len(samples):
        return
    sections = butter(HIGH_PASS_ORDER, HIGH_PASS_HZ, "highpass", fs=PREPARED_SR, output="sos")
    state = np.zeros((len(sections), 2))
    for block in filter(len, _resampled_blocks(samples, sr)):
        filtered, state = sosfilt(sections, block, zi=state)
        yield filtered.astype(np.float32)


def _resampled_blocks(samples: npt.NDArray[np.generic], sr: int) -> Iterator[Samples]:
    """Yield the samples less their mean at 16 kHz, as many as `_prepared_length` says."""
    import soxr

    mean = samples.mean(dtype=np.float64)
    stream = soxr.ResampleStream(sr, PREPARED_SR, 1, dtype="float32", quality="HQ") if sr != PREPARED_SR else None
    missing = _prepared_length(len(samples), sr)
    for start in range(0, len(samples), BLOCK):
        block = (samples[start : start + BLOCK] - mean).astype(np.float32)
        if stream is not None:
            block = stream.resample_chunk(block, last=start + BLOCK >= len(samples))
        block = block[:missing]
        missing -= len(block)
        yield block
    if missing:
        yield np.zeros(missing, dtype=np.float32)


def _prepared_length(n: int, sr: int) -> int:
    return math.ceil(n * PREPARED_SR / sr)
