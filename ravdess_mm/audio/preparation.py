"""Sound as the encoder and the speech detector take it: one rate, no offset, no rumble.

Training and answers prepare sound alike, by `prepare`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from ravdess_mm.arrays import Floats
from ravdess_mm.audio.decoding import Samples

PREPARED_SR: Final = 16_000
"""Sampling rate of prepared sound, in Hz."""

HIGH_PASS_HZ: Final = 50.0
"""What is lower is rumble, or a microphone's offset; the deepest voices begin at about 75 Hz."""

IMPULSE_LENGTH: Final = 2048
"""Samples after which the filter's response to an impulse is below 1e-12 of it."""

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
    samples = np.asarray(y)
    if not len(samples):
        return
    response = _impulse_response()
    before = np.zeros(IMPULSE_LENGTH - 1, dtype=np.float32)
    for block in filter(len, _resampled_blocks(samples, sr)):
        joined = np.concatenate([before, block])
        before = joined[len(block) :]
        # convolved by FFT, which takes a moment where importing scipy.signal for its filters takes most of a second
        size = 2 ** math.ceil(math.log2(len(joined)))
        spectrum = np.fft.rfft(joined.astype(np.float64), size) * np.fft.rfft(response, size)
        yield np.fft.irfft(spectrum, size)[IMPULSE_LENGTH - 1 : len(joined)].astype(np.float32)


@lru_cache(maxsize=1)
def _impulse_response() -> Floats:
    """Return what a second-order Butterworth high-pass at `HIGH_PASS_HZ` makes of an impulse [shape=(2048,)].

    The bilinear transform of s^2 / (s^2 + sqrt(2) s + 1).
    """
    warped = math.tan(math.pi * HIGH_PASS_HZ / PREPARED_SR)
    scale = 1 / (1 + math.sqrt(2) * warped + warped**2)
    first, second = 2 * scale * (warped**2 - 1), scale * (1 - math.sqrt(2) * warped + warped**2)
    response = np.zeros(IMPULSE_LENGTH)
    response[:3] = scale * np.array([1.0, -2.0, 1.0])
    response[1] -= first * response[0]
    for n in range(2, IMPULSE_LENGTH):
        response[n] -= first * response[n - 1] + second * response[n - 2]
    return response


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
