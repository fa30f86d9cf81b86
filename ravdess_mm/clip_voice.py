"""The voice models of a run, ready for clips of anybody."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ravdess_mm.audio.decode import Samples
from ravdess_mm.classifiers.adaptation import Enrolment
from ravdess_mm.config import FeatureSet
from ravdess_mm.fusion.recipe import Recipe, read_recipe

Floats = npt.NDArray[np.float64]


class ClipVoice:
    """What a run's fusion chose to speak for the voice.

    Parameters
    ----------
    models_dir : Path
        Folder of the run's models.
    recipe : Recipe
        Which of them speaks; it has one for ``audio``.

    Notes
    -----
    Models are loaded when the first clip needs them.
    """

    def __init__(self, models_dir: Path, recipe: Recipe) -> None:
        self.models_dir = models_dir
        self.recipe = recipe

    @property
    def feature_set(self) -> FeatureSet:
        """What the models listen to."""
        voices, _ = self._voices
        return FeatureSet(next(iter(voices.values())).feature_set)

    def hear(self, samples: Samples, sr: int, *, enrolment: Enrolment | None = None) -> tuple[Floats, list[str]]:
        """Return the probabilities for a sentence [shape=(8,)], and what speaks against its being speech.

        Parameters
        ----------
        samples : numpy.ndarray [shape=(n,)]
            Mono samples.
        sr : int
            Their sampling rate, in Hz.
        enrolment : Enrolment, optional
            Who speaks, for speaker-adapted models.

        Raises
        ------
        MediaError
            If the sound cannot be used, being silent or too short.
        """
        from ravdess_mm.audio.doubts import find_doubts
        from ravdess_mm.audio.features import extract_features

        voices, ensemble = self._voices
        answers = {}
        for name, voice in voices.items():
            vector = extract_features(samples, sr, feature_set=FeatureSet(voice.feature_set))
            answers[name] = np.asarray(voice.predict_proba(vector[np.newaxis], enrolment=enrolment)[0])
        answer = ensemble.apply(answers) if ensemble is not None else answers.popitem()[1]
        return answer, find_doubts(samples, sr)

    @cached_property
    def _voices(self) -> tuple[dict[str, Any], Recipe | None]:
        """The models by name, and how their answers become one where there are several."""
        from ravdess_mm.classifiers.trained import load_classifier

        name = self.recipe.models["audio"]
        ensemble_path = self.models_dir / name / "recipe.json"
        if not ensemble_path.is_file():
            return {name: load_classifier(self.models_dir / name / self.recipe.fold_name)}, None
        ensemble = read_recipe(ensemble_path)
        folder = self.recipe.fold_name
        return {member: load_classifier(self.models_dir / member / folder) for member in ensemble.models}, ensemble
