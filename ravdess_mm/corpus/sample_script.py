"""What each take of the synthetic sample says and expresses, before anything is heard or drawn.

Voice and face of a take share its script: the sounds of the sentence in time, so that the lips follow the voice.
What they express is drawn apart, so that the two branches err on different takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ravdess_mm.corpus.identifier import (
    Emotion,
    Intensity,
    Modality,
    Repetition,
    Statement,
    Take,
    VocalChannel,
)

SEED: Final = 2018
"""Seed of everything drawn in the sample; each take and actor has its own streams."""

STRENGTH: Final[Mapping[Intensity, float]] = {Intensity.NORMAL: 0.85, Intensity.STRONG: 1.15}
"""How far an expression of full clarity goes, by intensity."""


class Stream(IntEnum):
    """The independent random streams of one take or actor; the numbers are part of the generator."""

    TIMING = 0
    VOICE_ACTING = 1
    FACE_ACTING = 2
    VOICE = 3
    FACE = 4
    CAMERA = 5


class Sound(NamedTuple):
    """One speech sound.

    Formants are those of an adult man (vowels after Peterson GE, Barney HL (1952), JASA 24(2): 175-184), in Hz.
    """

    f1_hz: float
    f2_hz: float
    f3_hz: float
    duration_s: float
    voicing: float
    hiss: float
    hiss_hz: float
    jaw: float
    rounding: float


SOUNDS: Final[Mapping[str, Sound]] = {
    "aa": Sound(730, 1090, 2440, 0.15, 1.0, 0.0, 3000, 1.0, 0.0),
    "ao": Sound(570, 840, 2410, 0.17, 1.0, 0.0, 3000, 0.8, 0.7),
    "ih": Sound(390, 1990, 2550, 0.10, 0.9, 0.0, 3000, 0.4, 0.0),
    "ay": Sound(620, 1500, 2500, 0.17, 1.0, 0.0, 3000, 0.85, 0.0),
    "ah": Sound(600, 1190, 2400, 0.07, 0.8, 0.0, 3000, 0.45, 0.1),
    "r": Sound(420, 1250, 1650, 0.08, 0.7, 0.0, 3000, 0.35, 0.4),
    "ng": Sound(280, 1700, 2400, 0.08, 0.45, 0.0, 3000, 0.2, 0.0),
    "dh": Sound(300, 1400, 2550, 0.05, 0.4, 0.10, 5000, 0.15, 0.0),
    "b": Sound(220, 900, 2200, 0.07, 0.20, 0.05, 900, 0.0, 0.0),
    "d": Sound(250, 1750, 2600, 0.06, 0.20, 0.22, 3800, 0.15, 0.0),
    "g": Sound(250, 1500, 2100, 0.06, 0.20, 0.20, 1900, 0.2, 0.0),
    "k": Sound(300, 1900, 2400, 0.08, 0.0, 0.30, 2300, 0.2, 0.0),
    "t": Sound(300, 1750, 2600, 0.07, 0.0, 0.32, 4600, 0.12, 0.0),
    "s": Sound(300, 1700, 2600, 0.11, 0.0, 0.45, 5800, 0.1, 0.0),
    "z": Sound(280, 1600, 2500, 0.09, 0.35, 0.28, 5400, 0.1, 0.0),
    "_": Sound(450, 1450, 2500, 0.05, 0.0, 0.0, 3000, 0.0, 0.0),
}

SENTENCES: Final[Mapping[Statement, str]] = {
    Statement.KIDS: "k ih d z _ aa r _ t ao k ih ng _ b ay _ dh ah _ d ao r",
    Statement.DOGS: "d ao g z _ aa r _ s ih t ih ng _ b ay _ dh ah _ d ao r",
}
"""The sounds of each sentence, as keys of `SOUNDS`."""

_N, _C, _H, _S, _A, _F, _D, _U = Emotion

TEMPO: Final[Mapping[Emotion, float]] = {_N: 1.0, _C: 0.9, _H: 1.08, _S: 0.86, _A: 1.06, _F: 1.2, _D: 0.86, _U: 1.02}
"""Speech rate of an emotion, relative to neutral."""

VOICE_NEIGHBOURS: Final[Mapping[Emotion, tuple[Emotion, ...]]] = {
    _N: (_C, _S),
    _C: (_N, _S),
    _H: (_A, _U),
    _S: (_C, _N),
    _A: (_H, _D),
    _F: (_U, _H),
    _D: (_S, _N),
    _U: (_F, _H),
}
"""Which emotions a voice is mistaken for."""

FACE_NEIGHBOURS: Final[Mapping[Emotion, tuple[Emotion, ...]]] = {
    _N: (_C, _S),
    _C: (_N, _H),
    _H: (_C, _U),
    _S: (_F, _N),
    _A: (_D, _S),
    _F: (_U, _S),
    _D: (_A,),
    _U: (_F,),
}
"""Which emotions a face is mistaken for."""


class Acting(NamedTuple):
    """What one branch of a take expresses: usually the label, sometimes a neighbour, and how strongly."""

    shown: Emotion
    strength: float


@dataclass(frozen=True, eq=False)
class Script:
    """One take, ready to be performed.

    Parameters
    ----------
    take : Take
        The take, whose emotion is the label.
    modalities : tuple of Modality
        The clips that exist of it.
    duration_s : float
        Length of all its clips, in seconds.
    sounds : tuple of str
        Keys of `SOUNDS`, silence at both ends included.
    starts_s : NDArray [shape=(len(sounds) + 1,)]
        When each sound begins, in seconds; the last value is the end.
    voice, face : Acting
        What each branch expresses.
    """

    take: Take
    modalities: tuple[Modality, ...]
    duration_s: float
    sounds: tuple[str, ...]
    starts_s: NDArray[np.float64]
    voice: Acting
    face: Acting


def take_rng(take: Take, stream: Stream) -> np.random.Generator:
    """Return the generator of one stream of a take; it depends on nothing but these two."""
    codes = (take.channel, take.emotion, take.intensity, take.statement, take.repetition, take.actor)
    return np.random.default_rng(np.random.SeedSequence([SEED, int(stream), *(int(code) for code in codes)]))


def actor_rng(actor: int, stream: Stream) -> np.random.Generator:
    """Return the generator of one stream of an actor: what stays the same in all takes of the person."""
    return np.random.default_rng(np.random.SeedSequence([SEED, int(stream), int(actor)]))


def sample_scripts(actors: Iterable[int]) -> list[Script]:
    """Write the scripts of all takes of `actors`, in order of actor and take.

    Each actor performs 16 takes of speech: neutral twice, the other emotions in both intensities. Of one take there
    is only a full-AV clip, of one only a voice (odd actors) or only a face (even actors), so that every way to
    miss a modality occurs; of the others there is a voice and a face, full-AV and video-only in turn.

    Raises
    ------
    IdentifierError
        If an actor is not 1-24.
    """
    scripts = []
    for actor in sorted(set(actors)):
        for place, take in enumerate(_takes(actor)):
            scripts.append(_script(take, _modalities(actor, place)))
    return scripts


def _takes(actor: int) -> list[Take]:
    takes = [
        Take(VocalChannel.SPEECH, Emotion.NEUTRAL, Intensity.NORMAL, statement, Repetition.FIRST, actor)
        for statement in Statement
    ]
    for emotion in list(Emotion)[1:]:
        for intensity in Intensity:
            # both sentences occur with each emotion and intensity, so that words tell nothing about emotions
            statement = Statement(1 + (actor // 2 + emotion + intensity) % 2)
            takes.append(Take(VocalChannel.SPEECH, emotion, intensity, statement, Repetition.FIRST, actor))
    return takes


def _modalities(actor: int, place: int) -> tuple[Modality, ...]:
    turn = (place + 5 * actor) % 16  # another emotion at each actor
    if turn == 0:
        return (Modality.FULL_AV,)
    if turn == 8:
        return (Modality.AUDIO_ONLY,) if actor % 2 else (Modality.VIDEO_ONLY,)
    # of the two takes of an emotion one is full-AV, and which one goes round too
    full = (place + place // 2 + actor) % 2
    return (Modality.FULL_AV if full else Modality.VIDEO_ONLY, Modality.AUDIO_ONLY)


def _script(take: Take, modalities: tuple[Modality, ...]) -> Script:
    voice = _acting(take, take_rng(take, Stream.VOICE_ACTING), VOICE_NEIGHBOURS)
    face = _acting(take, take_rng(take, Stream.FACE_ACTING), FACE_NEIGHBOURS)
    rng = take_rng(take, Stream.TIMING)
    sounds = ("_", *SENTENCES[take.statement].split(), "_")
    tempo = TEMPO[voice.shown] ** voice.strength * rng.lognormal(0.0, 0.07)
    lengths = np.array([SOUNDS[sound].duration_s for sound in sounds]) * rng.lognormal(0.0, 0.12, len(sounds)) / tempo
    lengths *= 0.95
    lengths[0] = rng.uniform(0.35, 0.6)
    # frames 0, 20, ..., 80 of a 29.97 fps clip exist from 2.71 s on
    lengths[-1] = max(rng.uniform(0.4, 0.7), 3.0 - lengths[:-1].sum())
    starts_s = np.concatenate([[0.0], np.cumsum(lengths)])
    return Script(take, modalities, float(starts_s[-1]), sounds, starts_s, voice, face)


def _acting(take: Take, rng: np.random.Generator, neighbours: Mapping[Emotion, tuple[Emotion, ...]]) -> Acting:
    shown = take.emotion
    if rng.random() < 0.12:
        options = neighbours[take.emotion]
        shown = options[rng.integers(len(options))]
    clarity = 0.6 + 0.55 * rng.beta(3.0, 2.0)
    return Acting(shown, float(clarity * STRENGTH[take.intensity]))


def sound_track(script: Script, values: NDArray[np.float64], times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Look up one value per sound of the script at each time.

    Parameters
    ----------
    script : Script
        The take.
    values : NDArray [shape=(n_sounds, ...)]
        One value or row per sound of the script.
    times_s : NDArray [shape=(n,)]
        Times, in seconds.

    Returns
    -------
    NDArray [shape=(n, ...)]
    """
    places = np.searchsorted(script.starts_s, times_s, side="right") - 1
    looked_up: NDArray[np.float64] = values[np.clip(places, 0, len(script.sounds) - 1)]
    return looked_up
