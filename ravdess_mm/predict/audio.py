"""The voice models of a run, ready for clips of anybody."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from ravdess_mm.arrays import Floats
from ravdess_mm.audio.decoding import Samples, check_finite, decode_with_note
from ravdess_mm.audio.speech_activity import SpeechActivity
from ravdess_mm.audio.speech_checks import check_speech, speech_weight
from ravdess_mm.classifiers.adaptation import SpeakerStatistics
from ravdess_mm.errors import InputError, MediaError
from ravdess_mm.fusion.recipe import FusionRecipe, read_recipe
from ravdess_mm.store import read_json

if TYPE_CHECKING:
    from ravdess_mm.audio.voice_features import VoiceFeatures

ENCODER_NAME: Final = "encoder.json"
"""File beside a model that says which speech encoder it was trained with."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class AudioSignal:
    """The sound of a clip.

    Attributes
    ----------
    samples : numpy.ndarray [shape=(n,)] or None
        Mono samples; None where it has none that can be used.
    sr : int
        Their sampling rate, in Hz.
    notes : tuple of str
        Why there are none, or which channel they are.
    """

    samples: Samples | None = None
    sr: int = 0
    notes: tuple[str, ...] = ()

    @classmethod
    def of_file(cls, path: Path) -> AudioSignal:
        """Decode the sound of a clip, or say why it cannot be."""
        try:
            decoded = decode_with_note(path)
        except MediaError as error:
            return cls(notes=(f"voice: {error}",))
        return cls(decoded.samples, decoded.sr, (f"voice: {decoded.note}",) if decoded.note else ())

    @classmethod
    def of_array(cls, samples: npt.ArrayLike, sr: int) -> AudioSignal:
        """Take sound in memory.

        Raises
        ------
        InputError
            If the samples are no floats of shape (n,), or `sr` is not positive.
        MediaError
            If a sample is NaN or infinite.
        """
        y = np.asarray(samples)
        if y.ndim != 1 or not len(y) or not np.issubdtype(y.dtype, np.floating) or sr <= 0:
            raise InputError(
                f"samples are {y.dtype} of shape {y.shape} at {sr} Hz; allowed: floats from -1 to 1 of shape (n,), "
                "n and the rate at least 1"
            )
        single = y.astype(np.float32, copy=False)
        check_finite(single)
        return cls(single, sr)

    @property
    def duration_s(self) -> float:
        """Length in seconds; 0 without samples."""
        return 0.0 if self.samples is None else len(self.samples) / self.sr


class AudioModels:
    """What a run's fusion chose to speak for the voice.

    Parameters
    ----------
    models_dir : Path
        Folder of the run's models.
    recipe : FusionRecipe
        Which of them speaks; it has one for ``audio``.

    Notes
    -----
    Models are loaded when the first clip needs them.
    """

    def __init__(self, models_dir: Path, recipe: FusionRecipe) -> None:
        self.models_dir = models_dir
        self.recipe = recipe

    def score(
        self,
        samples: Samples,
        sr: int,
        *,
        enrolment: SpeakerStatistics | None = None,
        activity: SpeechActivity | None = None,
    ) -> tuple[Floats, list[str]]:
        """Return the probabilities for a sentence [shape=(8,)], and what speaks against its being one.

        Where hardly anybody speaks they come close to equal: see `ravdess_mm.audio.speech_checks.speech_weight`.

        Parameters
        ----------
        samples : numpy.ndarray [shape=(n,)]
            Mono samples.
        sr : int
            Their sampling rate, in Hz.
        enrolment : SpeakerStatistics, optional
            Who speaks, for speaker-adapted models.
        activity : SpeechActivity, optional
            When somebody speaks in it, where that is known already.

        Raises
        ------
        MediaError
            If the sound cannot be used, being silent or too short.
        """
        voices, ensemble = self._voices
        activity = activity or SpeechActivity.of(samples, sr)
        vector = self.features.extract(samples, sr, activity=activity)[np.newaxis]
        answers = {
            name: np.asarray(voice.predict_proba(vector, enrolment=enrolment)[0]) for name, voice in voices.items()
        }
        answer = ensemble.apply(answers) if ensemble is not None else answers.popitem()[1]
        weight = speech_weight(activity)
        return weight * answer + (1 - weight) / len(answer), check_speech(activity)

    def answer(self, vectors: npt.ArrayLike, *, enrolment: SpeakerStatistics | None = None) -> Floats:
        """Return the probabilities [shape=(n, 8)] for feature vectors [shape=(n, n_features)]; see `hear`."""
        voices, ensemble = self._voices
        answers = {
            name: np.asarray(voice.predict_proba(vectors, enrolment=enrolment)) for name, voice in voices.items()
        }
        if ensemble is None:
            return answers.popitem()[1]
        rows = range(len(next(iter(answers.values()))))
        return np.array([ensemble.apply({name: values[row] for name, values in answers.items()}) for row in rows])

    def enrol(self, vectors: npt.ArrayLike, *, plain: AudioModels) -> SpeakerStatistics:
        """Get to know a speaker for these speaker-adapted models.

        Parameters
        ----------
        vectors : array-like [shape=(n_clips, n_features)]
            Features of the speaker's clips, n_clips at least 1.
        plain : AudioModels
            The plain models of the same run, which say in what mood each clip is.
        """
        emotion_effects = next(
            (voice.speaker.emotion_effects_ for voice in self._voices[0].values() if voice.speaker is not None), None
        )
        if emotion_effects is None:
            logger.info(
                "%s: these voices know nothing of emotions; the clips of a speaker should be in all of them",
                self.models_dir,
            )
            return SpeakerStatistics.of(vectors)
        return SpeakerStatistics.of_emotion_shares(vectors, plain.answer(vectors), emotion_effects)

    @cached_property
    def features(self) -> VoiceFeatures:
        """What the models hear.

        Raises
        ------
        InputError
            If they were trained with a speech encoder that is not there, or is another one now.
        """
        from ravdess_mm.audio.voice_features import EmbeddingFeatures, voice_features

        feature_set = next(iter(self._voices[0].values())).feature_set
        source_path = self.models_dir / self.recipe.models["audio"] / ENCODER_NAME
        if not source_path.is_file():
            return voice_features(feature_set)
        source = read_json(source_path)
        folder, digest = (source.get("encoder"), source.get("sha256")) if isinstance(source, dict) else (None, None)
        features = voice_features(feature_set, encoder_dir=None if folder is None else Path(str(folder)))
        if isinstance(features, EmbeddingFeatures) and not features.is_of(digest):
            raise InputError(f"{source_path}: the voice was trained with a speech encoder that is not here any more")
        return features

    @cached_property
    def _voices(self) -> tuple[dict[str, Any], FusionRecipe | None]:
        """The models by name, and how their answers become one where there are several."""
        from ravdess_mm.classifiers.trained import load_classifier

        name = self.recipe.models["audio"]
        ensemble_path = self.models_dir / name / "recipe.json"
        if not ensemble_path.is_file():
            return {name: load_classifier(self.models_dir / name / self.recipe.fold_name)}, None
        ensemble = read_recipe(ensemble_path)
        folder = self.recipe.fold_name
        return {member: load_classifier(self.models_dir / member / folder) for member in ensemble.models}, ensemble
