"""The script of each take of the synthetic sample: what it says and expresses.

Voice and face of a take share its script, so that the lips follow the voice. What each of them expresses is drawn
apart, so that the two branches err on different takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ravdess_mm.corpus.identifier import Emotion, Intensity, Modality, Repetition, Statement, Take, VocalChannel

SEED: Final = 2018
"""Seed of everything drawn in the sample; each take and actor has its own streams."""

SLIPS: Final = 0.12
"""Share of takes whose voice expresses a neighbour of the label; as many faces do, on takes of their own."""


class Stream(IntEnum):
    """The independent random streams of one take or actor; the numbers are part of the generator."""

    TIMING = 0
    VOICE_ACTING = 1
    FACE_ACTING = 2
    VOICE = 3
    FACE = 4
    CAMERA = 5


class Sound(NamedTuple):
    """One speech sound; formants are those of an adult man (Peterson GE, Barney HL (1952), JASA 24(2): 175-184)."""

    f1_hz: float
    f2_hz: float
    duration_s: float
    voicing: float
    hiss: float
    hiss_hz: float
    jaw: float


SOUNDS: Final[Mapping[str, Sound]] = {
    "aa": Sound(730, 1090, 0.15, 1.0, 0.0, 3000, 1.0),
    "ao": Sound(570, 840, 0.17, 1.0, 0.0, 3000, 0.8),
    "ih": Sound(390, 1990, 0.10, 0.9, 0.0, 3000, 0.4),
    "ay": Sound(620, 1500, 0.17, 1.0, 0.0, 3000, 0.85),
    "ah": Sound(600, 1190, 0.07, 0.8, 0.0, 3000, 0.45),
    "r": Sound(420, 1250, 0.08, 0.7, 0.0, 3000, 0.35),
    "ng": Sound(280, 1700, 0.08, 0.45, 0.0, 3000, 0.2),
    "dh": Sound(300, 1400, 0.05, 0.4, 0.10, 5000, 0.15),
    "b": Sound(220, 900, 0.07, 0.20, 0.05, 900, 0.0),
    "d": Sound(250, 1750, 0.06, 0.20, 0.22, 3800, 0.15),
    "g": Sound(250, 1500, 0.06, 0.20, 0.20, 1900, 0.2),
    "k": Sound(300, 1900, 0.08, 0.0, 0.30, 2300, 0.2),
    "t": Sound(300, 1750, 0.07, 0.0, 0.32, 4600, 0.12),
    "s": Sound(300, 1700, 0.11, 0.0, 0.45, 5800, 0.1),
    "z": Sound(280, 1600, 0.09, 0.35, 0.28, 5400, 0.1),
    "_": Sound(450, 1450, 0.05, 0.0, 0.0, 3000, 0.0),
}

SENTENCES: Final[Mapping[Statement, str]] = {
    Statement.KIDS: "k ih d z _ aa r _ t ao k ih ng _ b ay _ dh ah _ d ao r",
    Statement.DOGS: "d ao g z _ aa r _ s ih t ih ng _ b ay _ dh ah _ d ao r",
}
"""The sounds of each sentence, as keys of `SOUNDS`."""

_N, _C, _H, _S, _A, _F, _D, _U = Emotion

TEMPO: Final = dict(zip(Emotion, (1.0, 0.9, 1.08, 0.86, 1.06, 1.2, 0.86, 1.02), strict=True))
"""Speech rate of an emotion, relative to neutral."""

VOICE_NEIGHBOUR: Final = dict(zip(Emotion, (_C, _S, _U, _N, _D, _U, _A, _H), strict=True))
"""Which emotion a voice is mistaken for."""

FACE_NEIGHBOUR: Final = dict(zip(Emotion, (_S, _N, _C, _F, _D, _U, _A, _F), strict=True))
"""Which emotion a face is mistaken for."""


class Acting(NamedTuple):
    """Emotion and strength that one branch of a take expresses: usually the label, sometimes a similar emotion."""

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
    sounds : tuple of str
        Keys of `SOUNDS`, silence at both ends included.
    starts_s : NDArray [shape=(len(sounds) + 1,)]
        When each sound begins, in seconds; the last value is the end.
    voice, face : Acting
        What each branch expresses.
    """

    take: Take
    modalities: tuple[Modality, ...]
    sounds: tuple[str, ...]
    starts_s: NDArray[np.float64]
    voice: Acting
    face: Acting

    @property
    def duration_s(self) -> float:
        """Length of all clips of the take, in seconds."""
        return float(self.starts_s[-1])

    def sounds_at(self, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Look up the sound at each time [shape=(n,), in seconds]: rows of `SOUNDS` [shape=(n, 7)]."""
        table = np.array([SOUNDS[sound] for sound in self.sounds])
        indices = np.searchsorted(self.starts_s, times_s, side="right") - 1
        return np.asarray(table[np.clip(indices, 0, len(table) - 1)])


def take_rng(take: Take, stream: Stream) -> np.random.Generator:
    """Return the generator of one stream of a take; it depends on nothing but these two."""
    codes = (take.channel, take.emotion, take.intensity, take.statement, take.repetition, take.actor)
    return np.random.default_rng([SEED, int(stream), *(int(code) for code in codes)])


def actor_rng(actor: int, stream: Stream) -> np.random.Generator:
    """Return the generator of one stream of an actor: what stays the same in all takes of the person."""
    return np.random.default_rng([SEED, int(stream), int(actor)])


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
    return [
        _script(take, _modalities(actor, number))
        for actor in sorted(set(actors))
        for number, take in enumerate(_takes(actor))
    ]


def _takes(actor: int) -> list[Take]:
    kinds = [(_N, Intensity.NORMAL, statement) for statement in Statement]
    for emotion in list(Emotion)[1:]:
        for intensity in Intensity:
            # both sentences occur with each emotion and intensity, so that words tell nothing about emotions
            kinds.append((emotion, intensity, Statement(1 + (actor // 2 + emotion + intensity) % 2)))
    return [Take(VocalChannel.SPEECH, *kind, Repetition.FIRST, actor) for kind in kinds]


def _modalities(actor: int, number: int) -> tuple[Modality, ...]:
    turn = (number + 5 * actor) % 16  # another emotion at each actor
    if turn == 0:
        return (Modality.FULL_AV,)
    if turn == 8:
        return (Modality.AUDIO_ONLY,) if actor % 2 else (Modality.VIDEO_ONLY,)
    # of the two takes of an emotion one is full-AV, and which one goes round too
    full = (number + number // 2 + actor) % 2
    return (Modality.FULL_AV if full else Modality.VIDEO_ONLY, Modality.AUDIO_ONLY)


def _script(take: Take, modalities: tuple[Modality, ...]) -> Script:
    voice = _acting(take, take_rng(take, Stream.VOICE_ACTING), VOICE_NEIGHBOUR)
    face = _acting(take, take_rng(take, Stream.FACE_ACTING), FACE_NEIGHBOUR)
    rng = take_rng(take, Stream.TIMING)
    sounds = ("_", *SENTENCES[take.statement].split(), "_")
    tempo = TEMPO[voice.shown] ** voice.strength * rng.lognormal(0.0, 0.07)
    lengths_s = np.array([SOUNDS[sound].duration_s for sound in sounds]) * rng.lognormal(-0.05, 0.12, len(sounds))
    lengths_s /= tempo
    lengths_s[0] = rng.uniform(0.35, 0.6)
    # frames 0, 20, ..., 80 of a 29.97 fps clip exist from 2.71 s on
    lengths_s[-1] = max(rng.uniform(0.4, 0.7), 3.0 - lengths_s[:-1].sum())
    return Script(take, modalities, sounds, np.cumsum([0.0, *lengths_s]), voice, face)


def _acting(take: Take, rng: np.random.Generator, neighbour: Mapping[Emotion, Emotion]) -> Acting:
    shown = neighbour[take.emotion] if rng.random() < SLIPS else take.emotion
    clarity = 0.6 + 0.55 * rng.beta(3.0, 2.0)
    return Acting(shown, clarity * (1.15 if take.intensity is Intensity.STRONG else 0.85))
