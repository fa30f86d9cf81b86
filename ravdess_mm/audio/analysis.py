"""One pass over the part of a clip that holds a voice: its frames, and their pitch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from ravdess_mm.arrays import AnyFloats, Singles
from ravdess_mm.audio.pitch import PitchTrack, track_pitch

SR: Final = 22050
N_FFT: Final = 1024
HOP_LENGTH: Final = 256
FRAMES_PER_S: Final = SR / HOP_LENGTH

MIN_FRAMES: Final = 16
"""A clip, or what trimming leaves of it, has at least so many frames (186 ms)."""

BELOW_PEAK_DB: Final = 35.0
ABOVE_NOISE_DB: Final = 6.0
NOISE_CAP_DB: Final = 15.0
NOISE_PERCENTILE: Final = 10
SMOOTHING_FRAMES: Final = 5


@dataclass(frozen=True)
class Analysis:
    """The voice of a clip, frame by frame, silence at both ends trimmed.

    Attributes
    ----------
    frames : numpy.ndarray [shape=(n, N_FFT)]
        Samples of each frame, without window.
    pitch : PitchTrack
        Pitch of each frame.
    """

    frames: Singles
    pitch: PitchTrack

    @classmethod
    def of(cls, y: Singles) -> Analysis:
        """Analyse samples [shape=(n,)] at 22 050 Hz; clips under 186 ms are followed by zeros."""
        from scipy.fft import irfft, rfft

        missing = max(0, (MIN_FRAMES - 1) * HOP_LENGTH - len(y))
        padded = np.pad(y, (N_FFT // 2, N_FFT // 2 + missing))
        frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP_LENGTH]
        frames = frames[find_voice(_level(frames))]
        # zeros after each frame make the autocorrelation linear
        transform = rfft(frames * _window(), n=2 * N_FFT, axis=1)
        power = transform.real**2 + transform.imag**2
        autocorrelation = irfft(power, axis=1)[:, : N_FFT // 2]
        return cls(frames, track_pitch(autocorrelation, _window(), SR))


def find_voice(level: AnyFloats) -> slice:
    """Return the frames from the first to the last that hold a voice: an energy detector.

    A frame counts when its smoothed level is within 35 dB of the loudest and 6 dB above the noise (the tenth
    percentile of all frames), after Rabiner LR, Sambur MR (1975), Bell System Technical Journal 54(2): 297-315. Within
    15 dB of the loudest it always counts, because a clip without silence has no noise to measure. Pauses inside stay.
    Where fewer than sixteen frames count, all are kept.

    Parameters
    ----------
    level : numpy.ndarray [shape=(n,)]
        Root mean square of each frame.
    """
    decibels = 20 * np.log10(level.astype(np.float64) + 1e-7)
    kernel = np.full(SMOOTHING_FRAMES, 1 / SMOOTHING_FRAMES)
    smooth = np.convolve(np.pad(decibels, SMOOTHING_FRAMES // 2, mode="edge"), kernel, mode="valid")
    noise = np.percentile(smooth, NOISE_PERCENTILE)
    peak = smooth.max()
    threshold = max(peak - BELOW_PEAK_DB, min(noise + ABOVE_NOISE_DB, peak - NOISE_CAP_DB))
    active = np.flatnonzero(smooth > threshold)
    if len(active) < MIN_FRAMES:
        return slice(0, len(level))
    return slice(int(active[0]), int(active[-1]) + 1)


def _level(frames: Singles) -> Singles:
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", frames, frames) / N_FFT))


@lru_cache(maxsize=1)
def _window() -> Singles:
    from scipy.signal import get_window

    return np.asarray(get_window("hann", N_FFT), dtype=np.float32)
