"""What a voice model hears: from the sound of a sentence to the numbers that its feature set names."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path
from typing import Final

from typing_extensions import override

from ravdess_mm.arrays import AnyFloats
from ravdess_mm.audio import embedding
from ravdess_mm.audio import mfcc_delta_rms as features
from ravdess_mm.audio.decoding import Samples
from ravdess_mm.audio.encoder import Encoder
from ravdess_mm.audio.preparation import prepare
from ravdess_mm.audio.speech_activity import SpeechActivity
from ravdess_mm.errors import InputError


class VoiceFeatures(ABC):
    """A feature set, ready to be computed.

    Attributes
    ----------
    feature_set : str
        Its name.
    """

    feature_set: str

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Names of the numbers, in order."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """What tells these numbers from others of the same name, such as another encoder's."""

    @abstractmethod
    def extract(self, samples: Samples, sr: int, *, activity: SpeechActivity | None = None) -> AnyFloats:
        """Return the numbers [shape=(n_features,)] for mono samples [shape=(n,)] at a rate in Hz.

        `activity` says when somebody speaks in them, where that is known already.

        Raises
        ------
        MediaError
            If the sound cannot be used, being silent or too short.
        """


class ClassicFeatures(VoiceFeatures):
    """MFCC, delta, delta-delta and RMS, summarised."""

    feature_set = features.FEATURE_SET

    @property
    @override
    def names(self) -> tuple[str, ...]:
        return features.mfcc_feature_names()

    @property
    @override
    def identity(self) -> str:
        return self.feature_set

    @override
    def extract(self, samples: Samples, sr: int, *, activity: SpeechActivity | None = None) -> AnyFloats:
        return features.extract_features(samples, sr)


class EmbeddingFeatures(VoiceFeatures):
    """A frozen speech encoder's states, pooled.

    Parameters
    ----------
    encoder_dir : Path, optional
        As for :meth:`Encoder.load`.
    """

    feature_set = embedding.FEATURE_SET

    def __init__(self, encoder_dir: Path | None = None) -> None:
        self.encoder_dir = encoder_dir

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder, opened when it is first needed."""
        return Encoder.load(self.encoder_dir)

    def is_of(self, digest: object) -> bool:
        """Tell whether the encoder is the one of that digest."""
        folder = self.encoder_dir
        return (folder is None or folder.exists()) and embedding.encoder_digest(folder) == digest

    @property
    @override
    def names(self) -> tuple[str, ...]:
        return embedding.feature_names(self.encoder)

    @property
    @override
    def identity(self) -> str:
        return f"{self.feature_set}/{embedding.encoder_digest(self.encoder_dir)}"

    @override
    def extract(self, samples: Samples, sr: int, *, activity: SpeechActivity | None = None) -> AnyFloats:
        activity = activity or SpeechActivity.of(samples, sr)
        return embedding.embed(prepare(samples, sr), self.encoder, activity=activity)


FEATURE_SETS: Final = (ClassicFeatures.feature_set, EmbeddingFeatures.feature_set)


def voice_features(feature_set: str | None, *, encoder_dir: Path | None = None) -> VoiceFeatures:
    """Return a feature set by its name.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if feature_set == ClassicFeatures.feature_set:
        return ClassicFeatures()
    if feature_set == EmbeddingFeatures.feature_set:
        return EmbeddingFeatures(encoder_dir)
    raise InputError(f"feature set {feature_set!r} is unknown; allowed: {', '.join(FEATURE_SETS)}")
