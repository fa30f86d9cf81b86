"""A RAVDESS file name, decoded.

The names and codes are those of Livingstone SR, Russo FA (2018), PLoS ONE 13(5): e0196391: seven two-digit
fields ``modality-channel-emotion-intensity-statement-repetition-actor``, such as ``02-01-06-01-02-01-12.mp4``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, IntEnum
from pathlib import PurePath
from typing import Any, Final

from ravdess_mm.errors import IdentifierError


class Modality(IntEnum):
    """What a clip holds."""

    FULL_AV = 1
    VIDEO_ONLY = 2
    AUDIO_ONLY = 3

    @property
    def label(self) -> str:
        """The word used in tables: ``full-av``, ``video-only`` or ``audio-only``."""
        return ("full-av", "video-only", "audio-only")[self - 1]


class _NamedCode(IntEnum):
    @property
    def label(self) -> str:
        """The word used in tables, such as ``fearful``."""
        return self.name.lower()


class VocalChannel(_NamedCode):
    """Spoken or sung."""

    SPEECH = 1
    SONG = 2


class Emotion(_NamedCode):
    """The eight expressed emotions; the order fixes the order of all probability columns."""

    NEUTRAL = 1
    CALM = 2
    HAPPY = 3
    SAD = 4
    ANGRY = 5
    FEARFUL = 6
    DISGUST = 7
    SURPRISED = 8


class Intensity(_NamedCode):
    """Emotional intensity; neutral exists in normal intensity only."""

    NORMAL = 1
    STRONG = 2


class Statement(IntEnum):
    """Which of the two lexically matched sentences is said or sung."""

    KIDS = 1
    DOGS = 2

    @property
    def text(self) -> str:
        """The sentence itself."""
        return ("Kids are talking by the door", "Dogs are sitting by the door")[self - 1]


class Repetition(IntEnum):
    """First or second performance of the same item."""

    FIRST = 1
    SECOND = 2


class Sex(Enum):
    """Sex of an actor: odd numbers are male, even numbers female."""

    MALE = "male"
    FEMALE = "female"


EMOTIONS: Final[tuple[str, ...]] = tuple(emotion.label for emotion in Emotion)
"""The eight labels in the order of their codes, which is the order of all probability columns."""

ACTORS: Final[range] = range(1, 25)
"""The numbers of the 24 actors."""

SONG_EMOTIONS: Final[frozenset[Emotion]] = frozenset(Emotion) - {Emotion.DISGUST, Emotion.SURPRISED}
"""The emotions that were sung."""

_FIELDS: Final[tuple[tuple[str, type[IntEnum]], ...]] = (
    ("modality", Modality),
    ("channel", VocalChannel),
    ("emotion", Emotion),
    ("intensity", Intensity),
    ("statement", Statement),
    ("repetition", Repetition),
)
_NAMES: Final[tuple[str, ...]] = (*(name for name, _ in _FIELDS), "actor")
_TWO_DIGITS: Final = re.compile(r"[0-9]{2}")


def actor_sex(actor: int) -> Sex:
    """Return the sex of an actor: odd numbers are male, even numbers female."""
    return Sex.MALE if actor % 2 else Sex.FEMALE


@dataclass(frozen=True, order=True)
class Take:
    """One performance: the six fields after the modality, shared by up to three clips.

    Parameters
    ----------
    channel : VocalChannel
        Speech or song.
    emotion : Emotion
        The expressed emotion, which is the label.
    intensity : Intensity
        Normal or strong.
    statement : Statement
        Which sentence.
    repetition : Repetition
        First or second.
    actor : int
        Actor number, 1-24.

    Raises
    ------
    IdentifierError
        If a field is out of range or the combination was never recorded (strong neutral, a song of disgust or
        surprise).
    """

    channel: VocalChannel
    emotion: Emotion
    intensity: Intensity
    statement: Statement
    repetition: Repetition
    actor: int

    def __post_init__(self) -> None:
        for name, kind in _FIELDS[1:]:
            object.__setattr__(self, name, _checked(name, getattr(self, name), kind))
        if isinstance(self.actor, bool) or self.actor not in ACTORS:
            raise IdentifierError(f"actor {self.actor!r} is out of range; allowed: {_allowed('actor')}")
        # a number from an array or a table becomes a plain one, so that equal takes print and hash alike
        object.__setattr__(self, "actor", int(self.actor))
        if self.emotion is Emotion.NEUTRAL and self.intensity is Intensity.STRONG:
            raise IdentifierError("intensity 02 (strong) does not exist for emotion 01 (neutral); allowed: 01")
        if self.channel is VocalChannel.SONG and self.emotion not in SONG_EMOTIONS:
            allowed = ", ".join(f"{e:02d} ({e.label})" for e in sorted(SONG_EMOTIONS))
            raise IdentifierError(
                f"emotion {self.emotion:02d} ({self.emotion.label}) was never sung; "
                f"allowed for channel 02 (song): {allowed}"
            )

    @property
    def sex(self) -> Sex:
        """Sex of the actor."""
        return actor_sex(self.actor)

    def __str__(self) -> str:
        codes = (self.channel, self.emotion, self.intensity, self.statement, self.repetition, self.actor)
        return "-".join(f"{int(code):02d}" for code in codes)

    @classmethod
    def parse(cls, text: str) -> Take:
        """Decode the six fields of a take, such as ``01-03-01-02-01-05``; the inverse of `str`.

        Raises
        ------
        IdentifierError
            If `text` is not a take; the message names the field and the allowed values.
        """
        return _take_of(text, _decode(text, _NAMES[1:]))


@dataclass(frozen=True, order=True)
class Identifier:
    """One clip: a take as seen in one modality.

    Parameters
    ----------
    modality : Modality
        Full-AV, video-only or audio-only.
    take : Take
        The performance that the clip shows.
    """

    modality: Modality
    take: Take

    def __post_init__(self) -> None:
        object.__setattr__(self, "modality", _checked("modality", self.modality, Modality))

    @property
    def channel(self) -> VocalChannel:
        """Speech or song."""
        return self.take.channel

    @property
    def emotion(self) -> Emotion:
        """The label."""
        return self.take.emotion

    @property
    def intensity(self) -> Intensity:
        """Normal or strong."""
        return self.take.intensity

    @property
    def statement(self) -> Statement:
        """Which sentence."""
        return self.take.statement

    @property
    def repetition(self) -> Repetition:
        """First or second."""
        return self.take.repetition

    @property
    def actor(self) -> int:
        """Actor number, 1-24."""
        return self.take.actor

    @property
    def sex(self) -> Sex:
        """Sex of the actor."""
        return self.take.sex

    def __str__(self) -> str:
        return f"{int(self.modality):02d}-{self.take}"

    @classmethod
    def parse(cls, name: str | PurePath) -> Identifier:
        """Decode a file name or path, with or without folders and suffix; the inverse of `str`.

        Parameters
        ----------
        name : str or PurePath
            Such as ``Actor_12/02-01-06-01-02-01-12.mp4``.

        Raises
        ------
        IdentifierError
            If the name is not a RAVDESS identifier; the message names the field and the allowed values.

        Examples
        --------
        >>> Identifier.parse("02-01-06-01-02-01-12.mp4").emotion.label
        'fearful'
        """
        base = PurePath(name).name
        stem = base.rsplit(".", 1)[0] if "." in base else base
        modality, *rest = _decode(stem, _NAMES)
        return cls(Modality(modality), _take_of(stem, rest))


def _take_of(text: str, codes: list[Any]) -> Take:
    try:
        return Take(*codes)
    except IdentifierError as error:
        raise IdentifierError(f"{text!r}: {error}") from error


def _decode(text: str, names: tuple[str, ...]) -> list[Any]:
    parts = text.split("-")
    if len(parts) != len(names):
        raise IdentifierError(
            f"{text!r} has {len(parts)} part{'s' * (len(parts) != 1)}; "
            f"a RAVDESS {'name' if 'modality' in names else 'take'} has {len(names)}: {'-'.join(names)}"
        )
    for name, part in zip(names, parts, strict=True):
        if not _TWO_DIGITS.fullmatch(part):
            raise IdentifierError(f"{text!r}: {name} {part!r} is not two digits; allowed: {_allowed(name)}")
    codes = [int(part) for part in parts]
    for name, code in zip(names, codes, strict=True):
        kind = dict(_FIELDS).get(name)
        if code not in (ACTORS if kind is None else {int(member) for member in kind}):
            raise IdentifierError(f"{text!r}: {name} {code:02d} is out of range; allowed: {_allowed(name)}")
    return codes


def _allowed(name: str) -> str:
    kind = dict(_FIELDS).get(name)
    if kind is None:
        return "01-24"
    return ", ".join(f"{int(member):02d} ({member.name.lower().replace('_', '-')})" for member in kind)


def _checked(name: str, value: Any, kind: type[IntEnum]) -> IntEnum:
    try:
        return kind(value)
    except ValueError as error:
        raise IdentifierError(f"{name} {value!r} is out of range; allowed: {_allowed(name)}") from error
