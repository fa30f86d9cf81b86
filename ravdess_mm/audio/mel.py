"""Mel filter banks, on Slaney's scale: linear up to 1 kHz, logarithmic above."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

_HZ_A_MEL: Final = 200.0 / 3
_LINEAR_HZ: Final = 1000.0
_LOG_STEP: Final = np.log(6.4) / 27


def mel_filters(sr: int, *, n_fft: int, n_mels: int) -> npt.NDArray[np.float32]:
    """Return triangles of equal area from 0 Hz to half the sampling rate, as ``librosa.filters.mel`` does.

    Parameters
    ----------
    sr : int
        Sampling rate, Hz.
    n_fft : int
        Samples of a frame.
    n_mels : int
        Bands.

    Returns
    -------
    ndarray
        Weights [shape=(n_mels, n_fft // 2 + 1)], those of a band 2 / its width in Hz at the tip.

    References
    ----------
    Slaney M (1998). Auditory Toolbox, version 2. Interval Research Corporation, technical report 1998-010.
    """
    first_log = _LINEAR_HZ / _HZ_A_MEL
    highest = first_log + np.log(sr / 2 / _LINEAR_HZ) / _LOG_STEP
    mels = np.linspace(0, highest, n_mels + 2)
    hz = np.where(mels < first_log, _HZ_A_MEL * mels, _LINEAR_HZ * np.exp(_LOG_STEP * (mels - first_log)))
    ramps = np.subtract.outer(hz, np.fft.rfftfreq(n_fft, 1 / sr))
    widths = np.diff(hz)[:, None]
    triangles: npt.NDArray[np.float32]
    triangles = np.maximum(0, np.minimum(-ramps[:-2] / widths[:-1], ramps[2:] / widths[1:])).astype(np.float32)
    triangles *= (2 / (hz[2:] - hz[:-2]))[:, None]
    return triangles
