"""Perturbations of a clip: rooms, microphones, noise, levels, codecs, telephone lines.

Everything is a function of samples at any rate, follows from its seed alone, and leaves a clip as long and as late as
it was (`Perturbation.SPEED` alone makes it longer or shorter).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from ravdess_mm.audio import acoustics as channel
from ravdess_mm.audio import codecs
from ravdess_mm.audio.codecs import Codec
from ravdess_mm.audio.decoding import Samples, check_finite, resample
from ravdess_mm.audio.noise import active_part, add_noise, babble, pink_noise, synthetic_babble, white_noise
from ravdess_mm.errors import InputError


class Perturbation(StrEnum):
    """Kind of perturbation. In parentheses: the unit of an amount, and the range it is drawn from without one.

    Attributes
    ----------
    ROOM
        A synthetic room (reverberation time in s, 0.15 to 0.8); the direct sound is -3 to 15 dB louder than the rest.
    BAND
        Low or high frequencies missing, or both; takes no amount.
    EQUALISER
        Three to six bands louder or softer (by at most how many dB, 8).
    WHITE, PINK, BABBLE
        Noise (signal-to-noise ratio over the active part, 5 to 30 dB).
    CLICK
        A mouse is pressed and released before the first word (level of its peak above the voice's, 0 to 12 dB).
    CLIPPING
        The loudest samples of the active part are cut (share of them, 0.1 % to 1 %).
    GAIN
        Louder or softer (dB, -20 to 6).
    DC_OFFSET
        A constant is added (share of full scale, -2 % to 2 %).
    SPEED
        Faster and higher, or slower and lower, as a tape (factor, 0.92 or 1.08): Ko T et al. (2015), Audio augmentation
        for speech recognition, Interspeech.
    RATE
        Recorded at a lower sampling rate (Hz, 8000, 11 025 or 16 000).
    TELEPHONE
        300-3400 Hz, 8 kHz, mu-law; takes no amount.
    MP3, OPUS, AAC
        Encoded and decoded (kbit/s: MP3 16 or 32, Opus 8 or 16, AAC 16 or 32).
    """

    ROOM = "room"
    BAND = "band"
    EQUALISER = "equaliser"
    WHITE = "white"
    PINK = "pink"
    BABBLE = "babble"
    CLICK = "click"
    CLIPPING = "clipping"
    GAIN = "gain"
    DC_OFFSET = "dc-offset"
    SPEED = "speed"
    RATE = "rate"
    TELEPHONE = "telephone"
    MP3 = "mp3"
    OPUS = "opus"
    AAC = "aac"


@dataclass(frozen=True)
class AmountRange:
    """Range of an amount: one of `values`, or uniform between the two where `is_even`."""

    values: tuple[float, ...]
    is_even: bool = False

    def draw(self, random: np.random.Generator) -> float:
        """Return an amount."""
        return float(random.uniform(self.values[0], self.values[-1]) if self.is_even else random.choice(self.values))


AMOUNTS: Final[dict[Perturbation, AmountRange]] = {
    Perturbation.ROOM: AmountRange((0.15, 0.8), is_even=True),
    Perturbation.EQUALISER: AmountRange((8.0,)),
    Perturbation.WHITE: AmountRange((5.0, 30.0), is_even=True),
    Perturbation.PINK: AmountRange((5.0, 30.0), is_even=True),
    Perturbation.BABBLE: AmountRange((5.0, 30.0), is_even=True),
    Perturbation.CLICK: AmountRange((0.0, 12.0), is_even=True),
    Perturbation.CLIPPING: AmountRange((0.001, 0.01), is_even=True),
    Perturbation.GAIN: AmountRange((-20.0, 6.0), is_even=True),
    Perturbation.DC_OFFSET: AmountRange((-0.02, 0.02), is_even=True),
    Perturbation.SPEED: AmountRange((0.92, 1.08)),
    Perturbation.RATE: AmountRange((8000.0, 11025.0, 16000.0)),
    Perturbation.MP3: AmountRange((16.0, 32.0)),
    Perturbation.OPUS: AmountRange((8.0, 16.0)),
    Perturbation.AAC: AmountRange((16.0, 32.0)),
}
"""The others take no amount."""

DIRECT_DB: Final = (-3.0, 15.0)
"""Direct-to-reverberant ratios of rooms, from a far talker to one at the microphone."""

STAGES: Final[tuple[tuple[float, tuple[Perturbation, ...]], ...]] = (
    (0.5, (Perturbation.ROOM,)),
    (0.6, (Perturbation.EQUALISER, Perturbation.BAND)),
    (0.6, (Perturbation.WHITE, Perturbation.PINK, Perturbation.BABBLE)),
    (0.1, (Perturbation.CLICK,)),
    (0.7, (Perturbation.GAIN,)),
    (0.2, (Perturbation.DC_OFFSET,)),
    (0.1, (Perturbation.CLIPPING,)),
    (0.6, (Perturbation.TELEPHONE, Perturbation.MP3, Perturbation.OPUS, Perturbation.AAC, Perturbation.RATE)),
)
"""In the order of the world: how often something of a kind happens, and what, each equally often."""

CLICK_S: Final = 0.004
"""Length of a click."""

RELEASE_S: Final = (0.06, 0.15)
"""How long after it is pressed a mouse button is released."""

RELEASE_SOFTER: Final = 0.5


def apply(
    y: Samples,
    sr: int,
    kind: Perturbation,
    seed: int | Sequence[int],
    *,
    amount: float | None = None,
    others: Sequence[Samples] = (),
) -> Samples:
    """Perturb a clip in one way.

    Parameters
    ----------
    y : numpy.ndarray [shape=(n,)], float32
        Mono; full scale is -1 to 1.
    sr : int
        In Hz.
    kind : Perturbation
    seed : int or sequence of int
        Of all that is drawn; the same one gives the same bytes.
    amount : float, optional
        How much, in the unit that `Perturbation` names; drawn by default.
    others : sequence of numpy.ndarray
        Clips at the same rate that a babble is made of; by default it is synthetic.

    Returns
    -------
    numpy.ndarray [shape=(n,)], float32
        A new array; for `Perturbation.SPEED` of n / amount samples. It may exceed full scale.

    Raises
    ------
    InputError
        If the clip is not one channel of samples, or the amount is not possible.
    MediaError
        If samples are NaN or infinite, or noise is to be added to silence.
    """
    if y.ndim != 1 or not len(y):
        raise InputError(f"a clip to perturb has the shape {y.shape}; allowed: one channel, at least one sample")
    check_finite(y)
    random = np.random.default_rng(seed)
    drawn = AMOUNTS[kind].draw(random) if kind in AMOUNTS else 0.0
    if amount is not None:
        if kind not in AMOUNTS or not np.isfinite(amount):
            allowed = "a finite number" if kind in AMOUNTS else "none"
            raise InputError(f"the perturbation {kind.value} got the amount {amount}; allowed: {allowed}")
        drawn = float(amount)
    y = y.astype(np.float32, copy=False)
    if kind is Perturbation.BABBLE and others:
        return _noise(y, sr, babble(others, len(y), sr, random), drawn)
    return _FUNCTIONS[kind](y, sr, random, drawn)


def draw_chain(seed: int | Sequence[int]) -> tuple[Perturbation, ...]:
    """Return a random chain of perturbations, at least one long: `STAGES` in their order, some left out."""
    random = np.random.default_rng(seed)
    chain: tuple[Perturbation, ...] = ()
    while not chain:
        chain = tuple(
            kinds[int(random.integers(len(kinds)))] for probability, kinds in STAGES if random.random() < probability
        )
    return chain


def apply_chain(y: Samples, sr: int, chain: Sequence[Perturbation], seed: int) -> Samples:
    """Perturb a clip in several ways, one after the other, with amounts that follow from the seed.

    See :func:`apply`; an empty chain returns a copy.
    """
    y = y.astype(np.float32)
    for step, kind in enumerate(chain):
        y = apply(y, sr, kind, (seed, step))
    return y


def add_click(y: Samples, sr: int, random: np.random.Generator, *, peak_db: float) -> Samples:
    """Add a mouse click, two short rattles of some kilohertz, before the first word, or at the start of the clip.

    Parameters
    ----------
    y : numpy.ndarray [shape=(n,)]
    sr : int
        In Hz.
    random : numpy.random.Generator
    peak_db : float
        Level of its peak above the voice's, in dB; at most full scale.
    """
    click = np.zeros(max(round(sr * (CLICK_S + RELEASE_S[1])), 2), dtype=np.float32)
    time_s = np.arange(max(round(CLICK_S * sr), 2)) / sr
    for start_s, factor in ((0.0, 1.0), (random.uniform(*RELEASE_S), RELEASE_SOFTER)):
        hertz = random.uniform(1000, min(6000, 0.45 * sr), size=3)
        rattle = np.sin(2 * np.pi * np.outer(hertz, time_s)) * np.exp(-np.outer(random.uniform(700, 2000, 3), time_s))
        start = min(round(start_s * sr), len(click) - len(time_s))
        click[start : start + len(time_s)] += (factor * rattle.sum(axis=0)).astype(np.float32)
    active = active_part(y, sr)
    peak = min(float(np.abs(y[active]).max()) * 10 ** (peak_db / 20), 1.0)
    click *= np.float32(peak / max(float(np.abs(click).max()), 1e-30))
    start = int(random.integers(max(active.start - len(click), 0) + 1))
    changed = y.copy()
    changed[start : start + len(click)] += click[: len(y) - start]
    return changed


def clip_peaks(y: Samples, sr: int, *, share: float) -> Samples:
    """Cut the loudest samples of the active part, as an amplifier that is a little too loud does.

    Parameters
    ----------
    y : numpy.ndarray [shape=(n,)]
    sr : int
        In Hz.
    share : float
        Share of the active samples that are cut, 0-1.
    """
    if not 0 <= share < 1:
        raise InputError(f"a share of {share} of the samples cannot be clipped; allowed: 0 to 1")
    limit = np.float32(np.quantile(np.abs(y[active_part(y, sr)]), 1 - share))
    return np.clip(y, -limit, limit)


def change_speed(y: Samples, sr: int, *, factor: float) -> Samples:
    """Play a clip faster and higher (above 1) or slower and lower; the result is n / factor samples long."""
    if factor <= 0:
        raise InputError(f"a clip cannot be played at {factor} times its speed; allowed: more than 0")
    return resample(y, round(sr * factor), sr)


def change_level(y: Samples, *, gain_db: float) -> Samples:
    """Make a clip louder or softer by some dB; it may exceed full scale."""
    return np.asarray(y * np.float32(10 ** (gain_db / 20)), dtype=np.float32)


def _room(y: Samples, sr: int, random: np.random.Generator, rt60_s: float) -> Samples:
    direct_db = float(random.uniform(*DIRECT_DB))
    return channel.reverberate(y, channel.room_response(sr, random, rt60_s=rt60_s, direct_db=direct_db))


def _noise(y: Samples, sr: int, noise: Samples, snr_db: float) -> Samples:
    return add_noise(y, noise, snr_db=snr_db, active=active_part(y, sr))


def _coded(codec: Codec) -> Callable[[Samples, int, np.random.Generator, float], Samples]:
    return lambda y, sr, _, kbit_s: codecs.code(y, sr, codec, kbit_s=kbit_s)


_FUNCTIONS: Final[dict[Perturbation, Callable[[Samples, int, np.random.Generator, float], Samples]]] = {
    Perturbation.ROOM: _room,
    Perturbation.BAND: lambda y, sr, random, _: channel.random_band(y, sr, random),
    Perturbation.EQUALISER: lambda y, sr, random, most: channel.random_equaliser(y, sr, random, most_db=most),
    Perturbation.WHITE: lambda y, sr, random, snr: _noise(y, sr, white_noise(len(y), random), snr),
    Perturbation.PINK: lambda y, sr, random, snr: _noise(y, sr, pink_noise(len(y), sr, random), snr),
    Perturbation.BABBLE: lambda y, sr, random, snr: _noise(y, sr, synthetic_babble(len(y), sr, random), snr),
    Perturbation.CLICK: lambda y, sr, random, peak_db: add_click(y, sr, random, peak_db=peak_db),
    Perturbation.CLIPPING: lambda y, sr, _, share: clip_peaks(y, sr, share=share),
    Perturbation.GAIN: lambda y, sr, _, gain_db: change_level(y, gain_db=gain_db),
    Perturbation.DC_OFFSET: lambda y, sr, _, offset: y + np.float32(offset),
    Perturbation.SPEED: lambda y, sr, _, factor: change_speed(y, sr, factor=factor),
    Perturbation.RATE: lambda y, sr, _, rate: codecs.lower_rate(y, sr, rate=round(rate)),
    Perturbation.TELEPHONE: lambda y, sr, _, __: codecs.telephone(y, sr),
    Perturbation.MP3: _coded(Codec.MP3),
    Perturbation.OPUS: _coded(Codec.OPUS),
    Perturbation.AAC: _coded(Codec.AAC),
}
