"""What the feature families share: one pass over the voiced part of a clip."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from ravdess_mm.arrays import AnyFloats, Floats, Singles
from ravdess_mm.audio.pitch import PitchTrack, track_pitch

SR: Final = 22050
N_FFT: Final = 1024
HOP_LENGTH: Final = 256
FRAMES_PER_S: Final = SR / HOP_LENGTH
N_MELS: Final = 40
N_MFCC: Final = 24
MEL_RANGE_HZ: Final = (50.0, 11000.0)
BIN_HZ: Final = SR / N_FFT
POWER_FLOOR: Final = 1e-8
LEVEL_FLOOR: Final = 1e-5

MIN_FRAMES: Final = 16
"""A clip, or what trimming leaves of it, has at least so many frames (186 ms)."""

BELOW_PEAK_DB: Final = 35.0
ABOVE_NOISE_DB: Final = 6.0
NOISE_CAP_DB: Final = 15.0
NOISE_PERCENTILE: Final = 10
SMOOTHING_FRAMES: Final = 5

MIN_VOICED_FRAMES: Final = 8


@dataclass(frozen=True)
class Analysis:
    """The voice of a clip, frame by frame, silence at both ends trimmed.

    Attributes
    ----------
    frames : numpy.ndarray [shape=(n, N_FFT)]
        Samples of each frame, without window.
    spectrum : numpy.ndarray [shape=(n, N_FFT // 2 + 1)]
        Power of each bin, from 0 to 11 025 Hz.
    pitch : PitchTrack
        Pitch of each frame.
    """

    frames: Singles
    spectrum: Singles
    pitch: PitchTrack

    @classmethod
    def of(cls, y: Singles) -> Analysis:
        """Analyse samples [shape=(n,)] at 22 050 Hz; clips under 186 ms are followed by zeros."""
        from scipy.fft import irfft, rfft

        missing = max(0, (MIN_FRAMES - 1) * HOP_LENGTH - len(y))
        padded = np.pad(y, (N_FFT // 2, N_FFT // 2 + missing))
        frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP_LENGTH]
        frames = frames[find_voice(_level(frames))]
        # zeros after each frame make the autocorrelation linear; every other bin is the plain spectrum's
        transform = rfft(frames * _window(), n=2 * N_FFT, axis=1)
        power = transform.real**2 + transform.imag**2
        autocorrelation = irfft(power, axis=1)[:, : N_FFT // 2]
        return cls(frames, np.ascontiguousarray(power[:, ::2]), track_pitch(autocorrelation, _window(), SR))

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return len(self.frames)

    @cached_property
    def level(self) -> Floats:
        """Natural logarithm of the root mean square of each frame [shape=(n,)]."""
        return np.asarray(np.log(_level(self.frames) + LEVEL_FLOOR), dtype=np.float64)

    @cached_property
    def log_spectrum(self) -> Singles:
        """Natural logarithm of the power spectrum [shape=(n, N_FFT // 2 + 1)]."""
        return np.log(np.maximum(self.spectrum, np.float32(1e-9)))

    @cached_property
    def log_mel(self) -> Floats:
        """Natural logarithm of the power in each mel band [shape=(n, N_MELS)]."""
        return np.asarray(np.log(np.maximum(self.spectrum @ _mel_bank(), POWER_FLOOR)), dtype=np.float64)

    @cached_property
    def mfcc(self) -> Floats:
        """Mel-frequency cepstral coefficients, orthonormal, from the zeroth [shape=(n, N_MFCC)].

        Davis S, Mermelstein P (1980), IEEE Transactions on ASSP 28(4): 357-366.
        """
        from scipy.fft import dct

        return np.asarray(dct(self.log_mel, axis=1, norm="ortho")[:, :N_MFCC], dtype=np.float64)

    @cached_property
    def voiced(self) -> npt.NDArray[np.bool_]:
        """Whether a frame is voiced [shape=(n,)]; where hardly any is (whisper), the loudest 40 % stand for them."""
        if self.pitch.voiced.sum() >= MIN_VOICED_FRAMES:
            return self.pitch.voiced
        return np.asarray(self.level >= np.percentile(self.level, 60))


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


@lru_cache(maxsize=1)
def _mel_bank() -> Singles:
    """Return the weights of Slaney's mel filter bank [shape=(N_FFT // 2 + 1, N_MELS)]."""
    from librosa.filters import mel

    bank = mel(sr=SR, n_fft=N_FFT, n_mels=N_MELS, fmin=MEL_RANGE_HZ[0], fmax=MEL_RANGE_HZ[1])
    return np.ascontiguousarray(bank.T, dtype=np.float32)
