"""Feature families of the spectrum: what the voice sounds like. Each takes an analysis and returns its numbers."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise
from typing import Final

import numpy as np

from ravdess_mm.arrays import Floats
from ravdess_mm.audio.analysis import BIN_HZ, FRAMES_PER_S, N_FFT, SR, Analysis
from ravdess_mm.audio.summaries import percentiles, slopes, stretch, summarise

ROLLOFF_SHARE: Final = 0.85
MODULATION_EDGES_HZ: Final[tuple[float, ...]] = (0.5, 1.5, 3.0, 5.0, 8.0, 12.0, 20.0, 35.0)
MODULATION_N_FFT: Final = 1024
PATTERN_POINTS: Final = 32
PATTERN_SHAPE: Final = (8, 12)
COVARIANCE_MFCC: Final = 13
COVARIANCE_RIDGE: Final = 1e-3
CORRELATION_MFCC: Final = 12
LPC_ORDER: Final = 20
LPC_N_FFT: Final = 512
LPC_WHITE_NOISE: Final = 1e-7
RESONANCE_RANGES_HZ: Final[tuple[tuple[float, float], ...]] = ((200, 1000), (800, 2500), (1800, 3600), (2800, 4800))
N_LPC_CEPSTRA: Final = 19
LPC_STATISTICS: Final[tuple[str, ...]] = ("mean", "std")
RESONANCE_STATISTICS: Final[tuple[str, ...]] = ("mean", "std", "p05", "p25", "p50", "p75", "p95", "slope")

BINS_HZ: Final[Floats] = np.arange(N_FFT // 2 + 1, dtype=np.float64) * np.float64(BIN_HZ)


def mel_bands(analysis: Analysis) -> Floats:
    """Log power in 40 mel bands, all statistics."""
    return summarise(analysis.log_mel)


def cepstra(analysis: Analysis) -> Floats:
    """Mel-frequency cepstral coefficients (Davis & Mermelstein 1980), all statistics."""
    return summarise(analysis.mfcc)


def shape(analysis: Analysis) -> Floats:
    """Shape of the magnitude spectrum, all statistics.

    Centroid, bandwidth and 85 % roll-off in kHz, log flatness (geometric over arithmetic mean of power), flux (distance
    between neighbouring frames' normalised spectra) and rate of zero crossings: Peeters G (2004), A large set of audio
    features for sound description, IRCAM.
    """
    magnitude = np.sqrt(analysis.spectrum)
    share = magnitude / (magnitude.sum(axis=1, keepdims=True) + np.float32(1e-9))
    centroid = share @ BINS_HZ
    # the variance about the mean, without an array of deviations
    bandwidth = np.sqrt(np.maximum(share @ BINS_HZ**2 - centroid**2, 0))
    below = np.cumsum(share, axis=1) < ROLLOFF_SHARE
    rolloff = np.minimum(below.sum(axis=1), N_FFT // 2) * BIN_HZ
    flatness = analysis.log_spectrum.mean(axis=1) - np.log(analysis.spectrum.mean(axis=1) + 1e-9)
    change = np.diff(share, axis=0)
    flux = np.concatenate([[0.0], np.sqrt(np.einsum("ij,ij->i", change, change))])
    signs = np.signbit(analysis.frames)
    crossings = np.count_nonzero(signs[:, 1:] != signs[:, :-1], axis=1) / (N_FFT - 1)
    return summarise(np.stack([centroid / 1e3, bandwidth / 1e3, rolloff / 1e3, flatness, flux, crossings], axis=1))


def modulation(analysis: Analysis) -> Floats:
    """Log power of each mel band's rise and fall in seven ranges of modulation frequency.

    Speech moves at syllable rate, 3 to 8 Hz; arousal moves it up: Wu S, Falk TH, Chan W-Y (2011), Speech Communication
    53(5): 768-785.
    """
    n = analysis.n_frames
    envelopes = (analysis.log_mel - analysis.log_mel.mean(axis=0)) * np.hanning(n)[:, np.newaxis]
    spectra = np.abs(np.fft.rfft(envelopes[:MODULATION_N_FFT], n=MODULATION_N_FFT, axis=0)) ** 2 / n
    rates = np.arange(MODULATION_N_FFT // 2 + 1) * FRAMES_PER_S / MODULATION_N_FFT
    edges = np.searchsorted(rates, MODULATION_EDGES_HZ)
    bands = np.stack([spectra[low:high].mean(axis=0) for low, high in pairwise(edges)], axis=1)
    return np.asarray(np.log(bands + 1e-6).ravel(), dtype=np.float64)


def pattern(analysis: Analysis) -> Floats:
    """Coarse picture of the utterance: the low orders of the 2-D cosine transform of its log-mel spectrogram.

    Time is relative. The sentences are short and fixed, so that aligns their syllables.
    """
    from scipy.fft import dctn

    picture = dctn(stretch(analysis.log_mel, PATTERN_POINTS), norm="ortho")
    return np.asarray(picture[: PATTERN_SHAPE[0], : PATTERN_SHAPE[1]].ravel(), dtype=np.float64)


def covariance(analysis: Analysis) -> Floats:
    """Matrix logarithm of the covariance of 13 MFCCs and their slopes, upper triangle.

    How coefficients move together; the logarithm makes the curved space of covariances flat, so that linear models
    apply: Arsigny V et al. (2006), Magnetic Resonance in Medicine 56(2): 411-421.
    """
    mfcc = analysis.mfcc[:, :COVARIANCE_MFCC]
    together = np.hstack([mfcc, slopes(mfcc)])
    matrix = np.cov(together.T) + COVARIANCE_RIDGE * np.eye(together.shape[1])
    values, vectors = np.linalg.eigh(matrix)
    # rounding can push the least eigenvalue below the ridge that was added
    logarithm = (vectors * np.log(np.maximum(values, COVARIANCE_RIDGE))) @ vectors.T
    return np.asarray(logarithm[np.triu_indices(len(logarithm))], dtype=np.float64)


def correlation(analysis: Analysis) -> Floats:
    """Correlations over time among 12 MFCCs, level and pitch, upper triangle; 0 with a track that does not move."""
    together = np.column_stack([analysis.mfcc[:, :CORRELATION_MFCC], analysis.level, analysis.pitch.log2_hz])
    centred = together - together.mean(axis=0)
    lengths = np.sqrt((centred**2).sum(axis=0))
    unit = centred / np.where(lengths > 1e-9, lengths, np.inf)
    matrix = unit.T @ unit
    return np.asarray(matrix[np.triu_indices(len(matrix), 1)], dtype=np.float64)


def voiced_mel(analysis: Analysis) -> Floats:
    """Mel bands of voiced frames: mean, deviation, and the mean's shape; and the shape of the unvoiced mean.

    A shape is what is left when the mean over bands is taken off, so loudness does not matter to it.
    """
    voiced = analysis.voiced
    inside = analysis.log_mel[voiced]
    mean = inside.mean(axis=0)
    others = analysis.log_mel[~voiced]
    unvoiced = others.mean(axis=0) if len(others) else analysis.log_mel.min(axis=0)
    return np.concatenate([mean, inside.std(axis=0), mean - mean.mean(), unvoiced - unvoiced.mean()])


def mel_change(analysis: Analysis) -> Floats:
    """How fast each mel band changes: log deviation, mean size and 5th and 95th percentile of its slope a frame."""
    change = slopes(analysis.log_mel)
    extremes = percentiles(np.sort(change, axis=0), (5, 95))
    return np.concatenate([np.log(change.std(axis=0) + 1e-3), np.abs(change).mean(axis=0), extremes.ravel()])


def envelope(analysis: Analysis) -> Floats:
    """Spectral envelope of voiced frames by linear prediction: resonances, and cepstra of the envelope.

    A resonance is the envelope's peak in the range of one of the first four formants: its log2 frequency and its
    height. Makhoul J (1975), Proceedings of the IEEE 63(4): 561-580.
    """
    spectrum = analysis.spectrum[analysis.voiced]
    autocorrelation = np.fft.irfft(spectrum.astype(np.float64), axis=1)[:, : LPC_ORDER + 1]
    coefficients = predict_linearly(autocorrelation)
    envelopes = -np.log(np.abs(np.fft.rfft(coefficients, LPC_N_FFT, axis=1)) ** 2 + 1e-9)
    peaks = [_peak_between(envelopes, low, high) for low, high in RESONANCE_RANGES_HZ]
    resonances = np.column_stack([track for peak in peaks for track in peak])
    times = np.linspace(-1, 1, len(resonances))
    rows = [
        resonances.mean(axis=0),
        resonances.std(axis=0),
        *percentiles(np.sort(resonances, axis=0), (5, 25, 50, 75, 95)),
        times @ resonances / (times @ times),
    ]
    smooth = envelopes @ _cosines(envelopes.shape[1])
    return np.concatenate([np.stack(rows, axis=1).ravel(), smooth.mean(axis=0), smooth.std(axis=0)])


def _peak_between(envelopes: Floats, low_hz: float, high_hz: float) -> tuple[Floats, Floats]:
    """Return log2 frequency and height of each envelope's highest point in a range [shape=(n,) each]."""
    bin_hz = SR / LPC_N_FFT
    first, last = math.ceil(low_hz / bin_hz), math.ceil(high_hz / bin_hz)
    frames = np.arange(len(envelopes))
    highest = first + envelopes[:, first:last].argmax(axis=1)
    before, height, after = (envelopes[frames, highest + offset] for offset in (-1, 0, 1))
    # the top of the parabola through three points; at the end of the range there may be none, and the bin stands
    is_peak = (height > before) & (height >= after)
    curvature = np.where(is_peak, before - 2 * height + after, -1.0)
    shift = np.where(is_peak, 0.5 * (before - after) / curvature, 0.0)
    return np.log2((highest + shift) * bin_hz), height


def predict_linearly(autocorrelation: Floats) -> Floats:
    """Return linear prediction coefficients, 1 first, of each frame (Levinson-Durbin recursion).

    Parameters
    ----------
    autocorrelation : numpy.ndarray [shape=(n, order + 1)]
        From lag 0.

    Returns
    -------
    numpy.ndarray [shape=(n, order + 1)]
        Of the inverse filter A(z) = 1 + a_1 z^-1 + ...
    """
    n_frames, length = autocorrelation.shape
    coefficients = np.zeros((n_frames, length))
    coefficients[:, 0] = 1
    # a little white noise keeps the recursion stable where the spectrum is empty, as above the band of a phone call
    error = autocorrelation[:, 0] * (1 + LPC_WHITE_NOISE) + 1e-12
    for order in range(1, length):
        past = autocorrelation[:, order - 1 : 0 : -1]
        reflection = -(autocorrelation[:, order] + (coefficients[:, 1:order] * past).sum(axis=1)) / error
        mirrored = coefficients[:, order - 1 : 0 : -1].copy()
        coefficients[:, 1:order] += reflection[:, np.newaxis] * mirrored
        coefficients[:, order] = reflection
        error = error * np.maximum(1 - reflection**2, 1e-9)
    return coefficients


@lru_cache(maxsize=1)
def _cosines(n_points: int) -> Floats:
    """Return orders 1 to 19 of the orthonormal cosine transform [shape=(n_points, N_LPC_CEPSTRA)]."""
    from scipy.fft import dct

    basis = dct(np.eye(n_points), axis=1, norm="ortho")
    return np.asarray(basis[:, 1 : N_LPC_CEPSTRA + 1])
