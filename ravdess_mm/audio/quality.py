"""How clean a recording is, from the energies of its frames alone."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ravdess_mm.errors import InputError

FRAME_S: Final = 0.025
HOP_S: Final = 0.010
NOISE_PERCENTILE: Final = 10.0
SPEECH_PERCENTILE: Final = 95.0
SNR_RANGE_DB: Final[tuple[float, float]] = (-10.0, 80.0)


def estimate_snr(y: npt.ArrayLike, sr: int) -> float:
    """Estimate the signal-to-noise ratio of a clip without knowing its noise.

    The quietest frames of a clip hold noise alone, the loudest speech and noise: the ratio of a high percentile of
    frame energies, less the noise, to a low one. It takes pauses for granted, and digital silence for no noise at all.

    Parameters
    ----------
    y : array-like [shape=(n,)]
        Mono samples; at least two frames of 25 ms.
    sr : int
        Samples a second.

    Returns
    -------
    float
        In dB, kept within `SNR_RANGE_DB`; the lower end where nothing stands out of the noise.

    Raises
    ------
    InputError
        If the clip is shorter than two frames.

    References
    ----------
    The signal-to-noise measure of the NIST Speech Quality Assurance package, which reads both levels off the histogram
    of frame energies.
    """
    samples = np.asarray(y, dtype=np.float64)
    frame, hop = round(FRAME_S * sr), round(HOP_S * sr)
    if len(samples) < frame + hop:
        raise InputError(f"{len(samples)} samples are too few to estimate noise; needed: {frame + hop}")
    sums = np.concatenate([[0.0], np.cumsum(samples**2)])
    starts = np.arange(0, len(samples) - frame + 1, hop)
    energies = (sums[starts + frame] - sums[starts]) / frame
    noise, loud = np.percentile(energies, [NOISE_PERCENTILE, SPEECH_PERCENTILE])
    low, high = SNR_RANGE_DB
    if loud <= noise:
        return low
    if noise <= 0:
        return high
    return float(np.clip(10 * np.log10((loud - noise) / noise), low, high))
