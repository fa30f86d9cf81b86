"""Band limits, equalisers and reverberation, without delay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from scipy import fft

from ravdess_mm.arrays import AnyFloats, Singles
from ravdess_mm.audio.decoding import Samples
from ravdess_mm.errors import InputError

PADDING_S: Final = 0.05
"""Silence at both ends of a clip while it is filtered, so that its end does not leak into its start."""

DECAY: Final = float(np.log(1000.0))
"""Over the reverberation time a room's sound pressure falls by 60 dB, to a thousandth: ISO 3382-2 (2008)."""

EARLY_S: Final = (0.002, 0.05)
"""When the first echoes of walls arrive after the direct sound: Kuttruff H (2016), Room acoustics, 6th edition."""

N_EARLY: Final = 8
"""Early echoes of a room."""

EARLY_LOUDER: Final = (1.0, 6.0)
"""How much stronger an early echo is than a sample of the noise at this time."""

EQUALISER_HZ: Final = (60.0, 7500.0)
"""Where the bands of a random equaliser lie."""

Hertz = Singles


def shape_spectrum(y: Samples, sr: int, gain: Callable[[Hertz], AnyFloats]) -> Samples:
    """Multiply the spectrum of a whole clip by a gain; the phase stays.

    Parameters
    ----------
    y : numpy.ndarray [shape=(n,)]
    sr : int
        In Hz.
    gain : callable
        Frequencies in Hz [shape=(k,), the first is 0] to factors.

    Returns
    -------
    numpy.ndarray [shape=(n,)], float32
    """
    margin = round(PADDING_S * sr)
    size = fft.next_fast_len(len(y) + 2 * margin, real=True)
    spectrum = fft.rfft(np.pad(y, (margin, size - len(y) - margin)).astype(np.float32, copy=False))
    hertz = np.arange(len(spectrum), dtype=np.float32) * np.float32(sr / size)
    shaped: Samples = fft.irfft(spectrum * gain(hertz).astype(np.float32, copy=False), size)
    return shaped[margin : margin + len(y)]


def band_pass(y: Samples, sr: int, *, low_hz: float, high_hz: float) -> Samples:
    """Keep a band and nothing outside of it; the gain falls to 0 at half of `low_hz` and 200 Hz above `high_hz`.

    Parameters
    ----------
    y : numpy.ndarray [shape=(n,)]
    sr : int
        In Hz.
    low_hz, high_hz : float
        What is between them is as loud as before; 0 for `low_hz` cuts nothing there.
    """
    if low_hz > 0:
        corners, factors = (low_hz / 2, low_hz, high_hz, high_hz + 200), (0, 1, 1, 0)
    else:
        corners, factors = (0, 0, high_hz, high_hz + 200), (1, 1, 1, 0)
    return shape_spectrum(y, sr, lambda hertz: np.interp(hertz, corners, factors))


def random_band(y: Samples, sr: int, random: np.random.Generator) -> Samples:
    """Return a voice by a small microphone or loudspeaker: cut below 30-400 Hz, above 2.2-7.5 kHz, or both.

    The slopes are those of Butterworth filters of a random order: 12 to 48 dB an octave.
    """
    low, high = np.exp(random.uniform(np.log([30.0, 2200.0]), np.log([400.0, 7500.0])))
    sides = random.choice(3)
    orders = random.integers(2, 9, size=2)

    def gain(hertz: Hertz) -> AnyFloats:
        power = np.ones_like(hertz)
        if sides != 0:
            power /= 1 + (np.float32(low) / np.maximum(hertz, np.float32(1.0))) ** (2 * orders[0])
        if sides != 1:
            power /= 1 + (hertz / np.float32(high)) ** (2 * orders[1])
        return np.sqrt(power)

    return shape_spectrum(y, sr, gain)


def random_equaliser(y: Samples, sr: int, random: np.random.Generator, *, most_db: float = 8.0) -> Samples:
    """Return a voice through another microphone: three to six bands, each up to `most_db` dB louder or softer.

    Between the bands the gain in dB is linear in the logarithm of the frequency.
    """
    n_bands = int(random.integers(3, 7))
    bands = np.sort(random.uniform(np.log(EQUALISER_HZ[0]), np.log(EQUALISER_HZ[1]), size=n_bands))
    decibels = random.uniform(-most_db, most_db, size=n_bands)

    def gain(hertz: Hertz) -> AnyFloats:
        return np.asarray(10 ** (np.interp(np.log(np.maximum(hertz, 1.0)), bands, decibels) / 20))

    return shape_spectrum(y, sr, gain)


def room_response(sr: int, random: np.random.Generator, *, rt60_s: float, direct_db: float) -> Samples:
    """Return a synthetic room: the direct sound, a few early echoes, and noise that dies away.

    Parameters
    ----------
    sr : int
        In Hz.
    random : numpy.random.Generator
    rt60_s : float
        Reverberation time: after it the noise is 60 dB softer (Polack JD 1988, and ISO 3382-2).
    direct_db : float
        Direct-to-reverberant ratio: ten times the decimal logarithm of the ratio of their energies.

    Returns
    -------
    numpy.ndarray [shape=(n,)], float32
        Of unit energy. The direct sound is the first sample, so that what it is convolved with is not late.

    Raises
    ------
    InputError
        If the reverberation time is not positive.
    """
    if not 0 < rt60_s < np.inf:
        raise InputError(f"a reverberation time of {rt60_s} s is not possible; allowed: more than 0, such as 0.5")
    time_s = np.arange(max(round(rt60_s * sr), 2)) / sr
    decay = np.exp(-DECAY * time_s / rt60_s)
    first, last = (min(round(edge * sr), len(time_s) - 1) for edge in EARLY_S)
    # diffuse noise sets in gradually: late echoes are many, early ones few
    tail = random.standard_normal(len(time_s)) * decay * np.clip(time_s / EARLY_S[1], 0, 1)
    echoes = np.unique(random.integers(max(first, 1), last + 1, size=N_EARLY))
    tail[echoes] += random.choice([-1.0, 1.0], len(echoes)) * random.uniform(*EARLY_LOUDER, len(echoes)) * decay[echoes]
    tail[0] = 0.0
    tail *= np.sqrt(10 ** (-direct_db / 10) / np.sum(tail**2))
    tail[0] = 1.0
    return np.asarray(tail / np.sqrt(np.sum(tail**2)), dtype=np.float32)


def reverberate(y: Samples, response: Samples) -> Samples:
    """Return a voice in a room, as long as before: what rings on after the clip's end is cut.

    Parameters
    ----------
    y, response : numpy.ndarray [shape=(n,)], [shape=(m,)]
        A clip, and :func:`room_response` at its sampling rate.
    """
    size = fft.next_fast_len(len(y) + len(response) - 1, real=True)
    spectrum = fft.rfft(y.astype(np.float32, copy=False), size) * fft.rfft(response, size)
    convolved: Samples = fft.irfft(spectrum, size)
    return convolved[: len(y)]
