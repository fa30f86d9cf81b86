"""White noise and babble at a given signal-to-noise ratio.

The ratio compares the power of the voice with the power of the noise over the part of the clip where somebody speaks:
from the first to the last frame that holds a voice, by the detector that also trims clips for the extended features
(`ravdess_mm.audio.analysis.find_voice`). Over the whole clip the second of silence that RAVDESS has at both ends would
count as voice, and the same "10 dB" would be about 3 dB louder noise in a long clip than in a short one. (ITU-T
recommendation P.56 measures speech by its active part for the same reason.)
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import numpy as np

from ravdess_mm.audio.analysis import HOP_LENGTH, N_FFT, find_voice
from ravdess_mm.audio.decode import Samples
from ravdess_mm.errors import InputError, MediaError

SNRS_DB: Final[tuple[float, ...]] = (20.0, 10.0, 5.0, 0.0)
"""The signal-to-noise ratios that robustness is measured at, easiest first."""

N_VOICES: Final = 6
"""Clips in a babble: enough that no single word stands out, few enough that it still sounds like people."""


class Noise(StrEnum):
    """What is added to a voice."""

    WHITE = "white"
    BABBLE = "babble"


def active_part(y: Samples) -> slice:
    """Return the samples from the first to the last that hold a voice.

    Parameters
    ----------
    y : numpy.ndarray [shape=(n,)]
        A clip at 22 050 Hz, about noiseless.
    """
    padded = np.pad(y, (N_FFT // 2, N_FFT // 2))
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP_LENGTH]
    found = find_voice(np.sqrt(np.einsum("ij,ij->i", frames, frames) / N_FFT))
    return slice(found.start * HOP_LENGTH, min(found.stop * HOP_LENGTH, len(y)))


def add_noise(y: Samples, noise: Samples, *, snr_db: float, active: slice | None = None) -> Samples:
    """Add noise at a signal-to-noise ratio.

    Parameters
    ----------
    y, noise : numpy.ndarray [shape=(n,)]
        Voice and noise.
    snr_db : float
        Ten times the decimal logarithm of the ratio of their powers (mean squares) over `active`.
    active : slice, optional
        Where the powers are measured; default: :func:`active_part` of `y`.

    Returns
    -------
    numpy.ndarray [shape=(n,)], float32
        The sum; it may exceed full scale, which features take as it is.

    Raises
    ------
    InputError
        If the lengths differ.
    MediaError
        If voice or noise is silent over the active part: no ratio can be had.
    """
    if y.shape != noise.shape:
        raise InputError(f"voice and noise have {len(y)} and {len(noise)} samples; they must be equally long")
    where = active_part(y) if active is None else active
    voice_power, noise_power = (float(np.mean(np.square(part[where], dtype=np.float64))) for part in (y, noise))
    if voice_power <= 0 or noise_power <= 0:
        raise MediaError(f"the {'voice' if voice_power <= 0 else 'noise'} is silent: no signal-to-noise ratio")
    factor = np.sqrt(voice_power / noise_power * 10 ** (-snr_db / 10))
    return np.asarray(y + factor * noise, dtype=np.float32)


def white_noise(n: int, random: np.random.Generator) -> Samples:
    """Return normally distributed white noise of unit power [shape=(n,)]."""
    noise: Samples = random.standard_normal(n, dtype=np.float32)
    return noise


def babble(voices: Sequence[Samples], n: int, random: np.random.Generator) -> Samples:
    """Return several people who speak at once, equally loud.

    Parameters
    ----------
    voices : sequence of numpy.ndarray [shape=(any,)]
        Clips at 22 050 Hz. Of each, the active part is brought to unit power and repeated from a random place on.
    n : int
        Samples to return.
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
        spoken = voice[active_part(voice)]
        power = float(np.mean(np.square(spoken, dtype=np.float64))) if len(spoken) else 0.0
        if power <= 0:
            raise MediaError("a voice of the babble is silent")
        start = int(random.integers(len(spoken)))
        mix += np.resize(np.roll(spoken, -start), n) / np.float32(np.sqrt(power))
    return mix
