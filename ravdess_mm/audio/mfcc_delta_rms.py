"""MFCC, delta and RMS features of a clip: one named summary vector.

This is the classical recipe that this project grew from (`FEATURE_SET`), computed once where the plain calls
compute things twice: one spectrum serves everything, the filter bank is built once a process, energy comes from
sums over hops, and both deltas come from one matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ravdess_mm.arrays import AnyFloats, Floats
from ravdess_mm.audio.decoding import Samples, check_finite, resample
from ravdess_mm.audio.mel import mel_filters
from ravdess_mm.errors import InputError, MediaError

FEATURE_SET: Final = "mfcc-delta-rms"
"""What a model that was trained on these features says of them in its bundle."""

ANALYSIS_SR: Final = 22050
"""Sampling rate that features are computed at, in Hz."""

N_FFT: Final = 2048
HOP_LENGTH: Final = 512
N_MELS: Final = 128
N_MFCC: Final = 13
DELTA_WIDTH: Final = 9
MIN_FRAMES: Final = 3
"""The shortest clip, in frames, that has a second derivative."""

SILENCE_PEAK: Final = 2.0**-15
"""A clip that never exceeds one step of 16-bit audio is silent."""

STATISTICS: Final[tuple[str, ...]] = ("mean", "max", "min", "std")

AMIN: Final = 1e-10
TOP_DB: Final = 80.0
MEL_BLOCKS: Final = 24


def mfcc_feature_names() -> tuple[str, ...]:
    """Return the names of the 160 numbers, in the order of `extract_features`."""
    tracks = [f"{kind}_{number:02d}" for kind in ("mfcc", "delta", "delta2") for number in range(1, N_MFCC + 1)]
    return tuple(f"{track}_{statistic}" for track in (*tracks, "rms") for statistic in STATISTICS)


def extract_features(y: npt.ArrayLike, sr: int) -> Floats:
    """Summarise one clip.

    Parameters
    ----------
    y : array_like [shape=(n,)]
        Mono samples; full scale is -1 to 1. Louder (clipped) samples are used as they are.
    sr : int
        Sampling rate of `y`, in Hz; other rates than 22 050 Hz are resampled.

    Returns
    -------
    numpy.ndarray [shape=(160,)], float64
        Finite values, in the order of `mfcc_feature_names`: mean, maximum, minimum and deviation over frames of what
        plain librosa calls return (``mfcc`` with 13 coefficients, ``delta`` of order 1 and 2, ``rms``; frames of 2048
        samples, hop 512), within 1e-4. Where a clip has fewer than nine frames (under 4096 samples, 186 ms), librosa
        has no deltas; here they span the largest odd number of frames there is.

    Raises
    ------
    MediaError
        If the clip is empty, silent (peak of at most one 16-bit step), shorter than three frames (1024 samples,
        46 ms), or holds samples that are NaN, infinite or absurdly large.
    InputError
        If `y` is not one-dimensional or `sr` is not positive.
    """
    samples = _usable_samples(y, sr)
    # matrices this small gain nothing from threads, and with one the sums are always in the same order
    with _thread_pools().limit(limits=1, user_api="blas"):
        return _mfcc_delta_rms(samples)


def _mfcc_delta_rms(y: Samples) -> Floats:
    """Return the 160 numbers from samples [shape=(n,)] at 22 050 Hz."""
    frames = _Frames.of(y)
    mfcc = _mfcc(_mel_db(frames))
    tracks = np.concatenate([mfcc, *_deltas(mfcc), _rms(frames)[np.newaxis]])
    return _summarise(tracks)


def _usable_samples(y: npt.ArrayLike, sr: int) -> Samples:
    """Return `y` at the analysis rate, or refuse it with the reason."""
    samples = np.asarray(y, dtype=np.float32)
    if samples.ndim != 1:
        raise InputError(f"samples have shape {samples.shape}; expected one channel, shape (n,)")
    if sr <= 0:
        raise InputError(f"sampling rate {sr} Hz is not possible; allowed: more than 0")
    if len(samples) == 0:
        raise MediaError("empty: the clip has no samples")
    check_finite(samples)
    if max(samples.max(), -samples.min()) <= SILENCE_PEAK:
        raise MediaError("silent: no sample is larger than one step of 16-bit audio")
    samples = resample(samples, sr, ANALYSIS_SR)
    shortest = (MIN_FRAMES - 1) * HOP_LENGTH
    if len(samples) < shortest:
        raise MediaError(
            f"too short: {1000 * len(samples) / ANALYSIS_SR:.0f} ms; "
            f"at least {1000 * shortest / ANALYSIS_SR:.0f} ms ({MIN_FRAMES} frames) are needed"
        )
    return samples


@dataclass(frozen=True)
class _Frames:
    """A signal with half a frame of zeros at both ends, as ``librosa.stft(center=True)`` sees it."""

    padded: Samples
    n_frames: int

    @classmethod
    def of(cls, y: Samples) -> _Frames:
        padded = np.zeros(len(y) + N_FFT, dtype=np.float32)
        padded[N_FFT // 2 : N_FFT // 2 + len(y)] = y
        return cls(padded, 1 + len(y) // HOP_LENGTH)

    @property
    def view(self) -> Samples:
        """Frames [shape=(n_frames, N_FFT)]; a view, no copy."""
        return np.lib.stride_tricks.sliding_window_view(self.padded, N_FFT)[::HOP_LENGTH]


def _mel_db(frames: _Frames) -> Samples:
    """Return the log-mel spectrogram [shape=(N_MELS, n_frames)] in dB, at most 80 dB below its peak.

    The same as ``librosa.power_to_db(librosa.feature.melspectrogram(...))`` with Slaney's mel scale. Single precision
    does for all but the floor: whole frames of silence lie on it, so its last digit is the peak's in double precision.
    """
    mel = _mel_power(frames.view)
    band, loudest = np.unravel_index(mel.argmax(), mel.shape)
    floor = _decibels(_exact_power(frames.view[loudest], int(band))) - np.float32(TOP_DB)
    decibels = _decibels(mel)
    np.maximum(decibels, floor, out=decibels)
    return decibels


def _mel_power(frames: Samples) -> Samples:
    """Return the power in each mel band [shape=(N_MELS, n_frames)], in single precision."""
    from scipy.fft import rfft

    spectrum = rfft(frames * _window(), axis=1, overwrite_x=True)
    # real and imaginary parts side by side: squared in place, and summed by the filter bank's doubled columns
    squares = spectrum.view(np.float32)
    np.square(squares, out=squares)
    mel = np.empty((N_MELS, len(squares)), dtype=np.float32)
    for bins, bands, weights in _mel_blocks():
        np.matmul(weights, squares[:, bins].T, out=mel[bands])
    return mel


def _exact_power(frame: Samples, band: int) -> Samples:
    """Return the power in one mel band of one frame [shape=(1,)], from a spectrum in double precision."""
    from scipy.fft import rfft

    spectrum = rfft(frame * _window().astype(np.float64))
    power = _mel_bank()[band] @ (spectrum.real**2 + spectrum.imag**2)
    return np.array([power], dtype=np.float32)


def _decibels(power: Samples) -> Samples:
    decibels = np.log10(np.maximum(power, np.float32(AMIN)))
    decibels *= np.float32(10)
    return decibels


def _mfcc(mel_db: Samples) -> Samples:
    """Return the first coefficients [shape=(N_MFCC, n_frames)] of the orthonormal DCT-II of the log-mel bands."""
    from scipy.fft import dct

    coefficients: Samples = dct(mel_db, axis=0, type=2, norm="ortho")[:N_MFCC]
    return coefficients


def _deltas(tracks: Samples) -> tuple[Samples, Samples]:
    """Return first and second derivatives over frames, each of the shape of `tracks`, per frame and frame squared.

    Savitzky-Golay filters, as in ``librosa.feature.delta``. At the ends librosa differentiates the polynomial fitted
    to the outermost frames; a line has one slope and a parabola one curvature, so that is the outermost full window's
    value, repeated.

    Savitzky A, Golay MJE (1964), Analytical Chemistry 36(8): 1627-1639.
    """
    from scipy.ndimage import correlate1d

    n_frames = tracks.shape[1]
    width = min(DELTA_WIDTH, n_frames - 1 + n_frames % 2)
    half = width // 2
    derivatives = []
    for order in (1, 2):
        derivative = correlate1d(tracks, _delta_kernel(width, order), axis=1, mode="nearest")
        derivative[:, :half] = derivative[:, half : half + 1]
        derivative[:, n_frames - half :] = derivative[:, n_frames - half - 1 : n_frames - half]
        derivatives.append(derivative)
    return derivatives[0], derivatives[1]


def _rms(frames: _Frames) -> Samples:
    """Return the root mean square of each frame [shape=(n_frames,)], as ``librosa.feature.rms`` does."""
    hops_per_frame = N_FFT // HOP_LENGTH
    n_hops = frames.n_frames + hops_per_frame - 1
    hops = frames.padded[: n_hops * HOP_LENGTH].reshape(n_hops, HOP_LENGTH)
    energy = np.einsum("ij,ij->i", hops, hops)
    summed = sum(energy[hop : hop + frames.n_frames] for hop in range(hops_per_frame))
    return np.asarray(np.sqrt(summed / N_FFT), dtype=np.float32)


def _summarise(tracks: AnyFloats) -> Floats:
    """Return mean, maximum, minimum and standard deviation of each track [shape=(4 * n_tracks,)]."""
    summary = (tracks.mean(axis=1), tracks.max(axis=1), tracks.min(axis=1), tracks.std(axis=1))
    return np.stack(summary, axis=1).ravel().astype(np.float64)


@lru_cache(maxsize=1)
def _thread_pools() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@lru_cache(maxsize=1)
def _window() -> Samples:
    from scipy.signal import get_window

    return np.asarray(get_window("hann", N_FFT), dtype=np.float32)


@lru_cache(maxsize=1)
def _mel_bank() -> Samples:
    return mel_filters(ANALYSIS_SR, n_fft=N_FFT, n_mels=N_MELS)


@lru_cache(maxsize=1)
def _mel_blocks() -> tuple[tuple[slice, slice, Samples], ...]:
    """Return the filter bank as dense blocks (bins, bands, weights): most of its entries are zero.

    `bins` are columns of the spectrum with real and imaginary parts interleaved, so each weight stands twice.
    """
    bank = np.repeat(_mel_bank(), 2, axis=1)
    blocks = []
    for bands in np.array_split(np.arange(N_MELS), MEL_BLOCKS):
        used = np.flatnonzero(bank[bands].any(axis=0))
        bins = slice(int(used[0]), int(used[-1]) + 1)
        rows = slice(int(bands[0]), int(bands[-1]) + 1)
        blocks.append((bins, rows, np.ascontiguousarray(bank[rows, bins])))
    return tuple(blocks)


@lru_cache(maxsize=2 * DELTA_WIDTH)
def _delta_kernel(width: int, order: int) -> Floats:
    """Return the filter of the first or second derivative [shape=(width,)]."""
    from scipy.signal import savgol_coeffs

    return np.asarray(savgol_coeffs(width, order, deriv=order, use="dot"))
