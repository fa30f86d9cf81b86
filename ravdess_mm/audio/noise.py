"""White, pink and speech-shaped noise and babble, and how they are added at a signal-to-noise ratio.

The ratio compares the power of the voice with the power of the noise over the part of the clip where somebody speaks.
Over the whole clip the second of silence that RAVDESS has at both ends would count as voice, and the same "10 dB" would
be about 3 dB louder noise in a long clip than in a short one. (ITU-T recommendation P.56 measures speech by its active
part for the same reason.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy import fft

from ravdess_mm.audio.decoding import Samples
from ravdess_mm.errors import InputError, MediaError

N_VOICES: Final = 6
"""Voices in a babble: enough that no single word stands out, few enough that it still sounds like people."""

FRAME_S: Final = 0.0116
"""Length of the frames whose level tells voice from silence."""

SMOOTHING_FRAMES: Final = 5
MIN_FRAMES: Final = 16
NOISE_PERCENTILE: Final = 10
ABOVE_NOISE_DB: Final = 6.0
BELOW_PEAK_DB: Final = 35.0
NOISE_CAP_DB: Final = 15.0

LOWEST_HZ: Final = 20.0
"""Pink noise gets no louder below."""

SPEECH_HZ: Final = (63, 80, 100, 125, 160, 200, 250, 315, 400, 500, 630, 800, 1000, 1250, 1600, 2000, 2500, 3150, 4000,
                    5000, 6300, 8000, 10000, 12500, 16000)  # fmt: skip
SPEECH_DB: Final = (38.6, 43.5, 54.4, 57.7, 56.8, 60.2, 60.3, 59.0, 62.1, 62.1, 60.5, 56.8, 53.7, 53.0, 52.0, 48.7,
                    48.1, 46.8, 45.6, 44.5, 44.3, 43.7, 43.4, 41.3, 40.7)  # fmt: skip
"""Third-octave levels of speech, in dB, both sexes and twelve languages.

Byrne D et al. (1994), An international comparison of long-term average speech spectra, Journal of the Acoustical
Society of America 96(4): 2108-2120.
"""

SYLLABLES_HZ: Final = 8.0
"""How often the loudness of a synthetic babble is drawn anew: about twice the rate of syllables."""


def active_part(y: Samples, sr: int) -> slice:
    """Return the samples from the first to the last that hold a voice: an energy detector.

    A frame counts when its smoothed level is within 35 dB of the loudest and 6 dB above the noise (the tenth
    percentile of all frames), after Rabiner LR, Sambur MR (1975), Bell System Technical Journal 54(2): 297-315. Within
    15 dB of the loudest it always counts, because a clip without silence has no noise to measure. Pauses inside stay.
    Where fewer than sixteen frames count, the whole clip is returned.

    Parameters
    ----------
    y : numpy.ndarray [shape=(n,)]
        A clip, about noiseless.
    sr : int
        In Hz.
    """
    hop = max(round(FRAME_S * sr), 1)
    n_frames = len(y) // hop
    if n_frames < MIN_FRAMES:
        return slice(0, len(y))
    frames = y[: n_frames * hop].reshape(n_frames, hop)
    decibels = 10 * np.log10(np.einsum("ij,ij->i", frames, frames) / hop + 1e-14)
    kernel = np.full(SMOOTHING_FRAMES, 1 / SMOOTHING_FRAMES)
    smooth = np.convolve(np.pad(decibels, SMOOTHING_FRAMES // 2, mode="edge"), kernel, mode="valid")
    peak, noise = smooth.max(), np.percentile(smooth, NOISE_PERCENTILE)
    active = np.flatnonzero(smooth > max(peak - BELOW_PEAK_DB, min(noise + ABOVE_NOISE_DB, peak - NOISE_CAP_DB)))
    if len(active) < MIN_FRAMES:
        return slice(0, len(y))
    return slice(int(active[0]) * hop, min((int(active[-1]) + 1) * hop, len(y)))


def add_noise(y: Samples, noise: Samples, *, snr_db: float, active: slice) -> Samples:
    """Add noise at a signal-to-noise ratio.

    Parameters
    ----------
    y, noise : numpy.ndarray [shape=(n,)]
        Voice and noise.
    snr_db : float
        Ten times the decimal logarithm of the ratio of their powers (mean squares) over `active`.
    active : slice
        Where the powers are measured: :func:`active_part` of the clean voice.

    Returns
    -------
    numpy.ndarray [shape=(n,)], float32
        The sum; it may exceed full scale.

    Raises
    ------
    InputError
        If the lengths differ.
    MediaError
        If voice or noise is silent over the active part: no ratio can be had.
    """
    if y.shape != noise.shape:
        raise InputError(f"voice and noise have {len(y)} and {len(noise)} samples; they must be equally long")
    voice_power, noise_power = (_power(part[active]) for part in (y, noise))
    if voice_power <= 0 or noise_power <= 0:
        raise MediaError(f"the {'voice' if voice_power <= 0 else 'noise'} is silent: no signal-to-noise ratio")
    factor = np.float32(np.sqrt(voice_power / noise_power * 10 ** (-snr_db / 10)))
    return np.asarray(y + factor * noise, dtype=np.float32)


def white_noise(n: int, random: np.random.Generator) -> Samples:
    """Return normally distributed white noise of unit power [shape=(n,)]."""
    noise: Samples = random.standard_normal(n, dtype=np.float32)
    return noise


def pink_noise(n: int, sr: int, random: np.random.Generator) -> Samples:
    """Return noise of unit power, equally loud in every octave from 20 Hz on [shape=(n,)]."""
    octaves = (LOWEST_HZ, float(sr))
    return _coloured(n, sr, random, octaves, (0.0, -10 * np.log10(octaves[1] / octaves[0])))


def speech_shaped_noise(n: int, sr: int, random: np.random.Generator) -> Samples:
    """Return noise of unit power with the long-term average spectrum of speech [shape=(n,)]."""
    # a third of an octave is as wide as its frequency is high, so its level says too much about the power in one hertz
    density = np.array(SPEECH_DB) - 10 * np.log10(SPEECH_HZ)
    return _coloured(n, sr, random, SPEECH_HZ, density)


def synthetic_babble(n: int, sr: int, random: np.random.Generator) -> Samples:
    """Return what :func:`babble` sounds like from afar, where no voices are at hand [shape=(n,)].

    Speech-shaped noise of about unit power, whose loudness moves as that of several people who speak at once.
    """
    n_knots = int(n / sr * SYLLABLES_HZ) + 2
    power = random.gamma(N_VOICES, 1 / N_VOICES, size=n_knots)
    loudness = np.sqrt(np.interp(np.arange(n) * (SYLLABLES_HZ / sr), np.arange(n_knots), power))
    return np.asarray(speech_shaped_noise(n, sr, random) * loudness.astype(np.float32), dtype=np.float32)


def babble(voices: Sequence[Samples], n: int, sr: int, random: np.random.Generator) -> Samples:
    """Return several people who speak at once, equally loud.

    Parameters
    ----------
    voices : sequence of numpy.ndarray [shape=(any,)]
        Clips. Of each, the active part is brought to unit power and repeated from a random place on.
    n : int
        Samples to return.
    sr : int
        Sampling rate of the voices, in Hz.
    random : numpy.random.Generator
        Where each voice starts.

    Raises
    ------
    InputError
        If there are no voices.
    MediaError
        If a voice is silent.
    """
    if not voices:
        raise InputError("a babble needs at least one voice; got none")
    mix = np.zeros(n, dtype=np.float32)
    for voice in voices:
        spoken = voice[active_part(voice, sr)]
        power = _power(spoken)
        if power <= 0:
            raise MediaError("a voice of the babble is silent")
        start = int(random.integers(len(spoken)))
        mix += np.resize(np.roll(spoken, -start), n) / np.float32(np.sqrt(power))
    return mix


def _coloured(
    n: int, sr: int, random: np.random.Generator, hertz: Sequence[float], decibels: Sequence[float] | np.ndarray
) -> Samples:
    """Return noise of unit power whose power density in dB is linear in the logarithm of the frequency."""
    size = fft.next_fast_len(max(n, 2), real=True)
    n_bins = size // 2 + 1
    own_hertz = np.log(np.maximum(np.arange(n_bins) * (sr / size), 1e-3))
    amplitude = (10 ** (np.interp(own_hertz, np.log(hertz), decibels) / 20)).astype(np.float32)
    amplitude[0] = 0.0
    parts = random.standard_normal((2, n_bins), dtype=np.float32) * amplitude
    noise = fft.irfft(parts[0] + np.complex64(1j) * parts[1], size)[:n]
    return np.asarray(noise / np.float32(max(np.sqrt(_power(noise)), 1e-30)), dtype=np.float32)


def _power(y: Samples) -> float:
    return float(np.mean(np.square(y, dtype=np.float64))) if len(y) else 0.0
