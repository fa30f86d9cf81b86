"""Pitch of a voice, from men's lowest to women's highest, in one pass.

Candidates are the peaks of each frame's autocorrelation, divided by that of the window; the path through them is the
cheapest under costs for octaves, jumps and changes of voicing: Boersma P (1993), Proceedings of the Institute of
Phonetic Sciences 17: 97-110. The range is wide enough for both sexes, and the octave cost, not the range, settles
which of two candidates an octave apart is meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from ravdess_mm.arrays import Floats, Integers, Singles

FLOOR_HZ: Final = 60.0
CEILING_HZ: Final = 600.0
NEUTRAL_LOG2_HZ: Final = 7.5
"""Stands for the pitch (181 Hz, between men's and women's) of a clip in which no frame is voiced."""

N_CANDIDATES: Final = 6
MIN_PEAK: Final = 0.2
UNVOICED_STRENGTH: Final = 0.45
OCTAVE_COST: Final = 0.03
JUMP_COST: Final = 0.6
VOICING_COST: Final = 0.14


@dataclass(frozen=True)
class PitchTrack:
    """Pitch of each frame.

    Attributes
    ----------
    log2_hz : numpy.ndarray [shape=(n,)]
        Fundamental frequency in octaves above 1 Hz; interpolated where a frame is not voiced.
    voiced : numpy.ndarray of bool [shape=(n,)]
        Whether the frame is voiced.
    strength : numpy.ndarray [shape=(n,)]
        Height of the autocorrelation peak, 0 (unvoiced) to about 1 (periodic).
    """

    log2_hz: Floats
    voiced: npt.NDArray[np.bool_]
    strength: Floats


def track_pitch(autocorrelation: Singles, window: Singles, sr: int) -> PitchTrack:
    """Follow the pitch through a clip.

    Parameters
    ----------
    autocorrelation : numpy.ndarray [shape=(n, lags)]
        Of each windowed frame, from lag 0; reaches beyond ``sr / FLOOR_HZ``.
    window : numpy.ndarray [shape=(n_window,)]
        The window that the frames were multiplied by.
    sr : int
        Sampling rate, in Hz.
    """
    longest = int(sr / FLOOR_HZ) + 2
    energy = np.maximum(autocorrelation[:, :1], 1e-9)
    periodicity = autocorrelation[:, :longest] / (energy * _window_autocorrelation(window.tobytes(), longest))
    pitch, strength = _candidates(periodicity.astype(np.float64), sr)
    path = _cheapest_path(pitch, strength)
    frames = np.arange(len(path))
    voiced = path < N_CANDIDATES
    if not voiced.any():
        return PitchTrack(np.full(len(path), NEUTRAL_LOG2_HZ), voiced, np.zeros(len(path)))
    found = pitch[frames, path]
    log2_hz = np.interp(frames, frames[voiced], found[voiced])
    return PitchTrack(log2_hz, voiced, np.where(voiced, strength[frames, path], 0.0))


@lru_cache(maxsize=4)
def _window_autocorrelation(window: bytes, lags: int) -> Singles:
    samples = np.frombuffer(window, dtype=np.float32)
    power = np.abs(np.fft.rfft(samples, 2 * len(samples))) ** 2
    autocorrelation = np.fft.irfft(power)[:lags]
    return np.asarray(autocorrelation / autocorrelation[0], dtype=np.float32)


def _candidates(periodicity: Floats, sr: int) -> tuple[Floats, Floats]:
    """Return pitch and strength of the best peaks [shape=(n, N_CANDIDATES + 1)]; the last column means unvoiced."""
    shortest = int(sr / CEILING_HZ)
    lags = np.arange(shortest, periodicity.shape[1] - 1)
    here, before, after = periodicity[:, lags], periodicity[:, lags - 1], periodicity[:, lags + 1]
    is_peak = (here > before) & (here >= after) & (here > MIN_PEAK)
    worth = np.where(is_peak, here - OCTAVE_COST * np.log2(lags / shortest), -np.inf)
    best = np.argpartition(-worth, N_CANDIDATES, axis=1)[:, :N_CANDIDATES]
    values, left, right = (np.take_along_axis(part, best, axis=1) for part in (here, before, after))
    # the top of the parabola through the three values around a peak
    curvature = np.minimum(left - 2 * values + right, -1e-12)
    shift = np.clip(0.5 * (left - right) / curvature, -0.5, 0.5)
    found = np.isfinite(np.take_along_axis(worth, best, axis=1))
    pitch = np.where(found, np.log2(sr / (lags[best] + shift)), NEUTRAL_LOG2_HZ)
    strength = np.where(found, values - 0.25 * (left - right) * shift, -np.inf)
    last = np.zeros((len(pitch), 1))
    return np.hstack([pitch, last + NEUTRAL_LOG2_HZ]), np.hstack([strength, last + UNVOICED_STRENGTH])


def _cheapest_path(pitch: Floats, strength: Floats) -> Integers:
    """Return which candidate each frame takes [shape=(n,)] (Viterbi)."""
    octaves = np.log2(CEILING_HZ) - pitch
    # a candidate costs less the higher it is: of a period and its multiples, the period is meant
    reward = strength - OCTAVE_COST * octaves
    reward[:, -1] = UNVOICED_STRENGTH
    jumps = JUMP_COST * np.abs(pitch[:-1, :, np.newaxis] - pitch[1:, np.newaxis, :])
    jumps[:, -1, :] = VOICING_COST
    jumps[:, :, -1] = VOICING_COST
    jumps[:, -1, -1] = 0.0
    n_frames, n_states = pitch.shape
    came_from = np.zeros((n_frames, n_states), dtype=np.int64)
    total = reward[0]
    for frame in range(1, n_frames):
        options = total[:, np.newaxis] - jumps[frame - 1]
        came_from[frame] = options.argmax(axis=0)
        total = options.max(axis=0) + reward[frame]
    path = np.zeros(n_frames, dtype=np.int64)
    path[-1] = total.argmax()
    for frame in range(n_frames - 1, 0, -1):
        path[frame - 1] = came_from[frame, path[frame]]
    return path
