"""Robustness of a run's voice models: perturbed test takes of each fold, answered by its models."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from ravdess_mm.arrays import Floats
from ravdess_mm.audio.perturbation import Perturbation
from ravdess_mm.audio.perturbed_features import (
    PerturbationSpec,
    VoiceClip,
    choose_babble_clips,
    derive_seed,
    extract_perturbed,
)
from ravdess_mm.audio.voice_features import VoiceFeatures
from ravdess_mm.classifiers.trained import TrainedClassifier, load_classifier
from ravdess_mm.config import Backend
from ravdess_mm.corpus.splits import Fold, check_disjoint
from ravdess_mm.evaluation import evaluate
from ravdess_mm.experiments.measured_models import RECIPE_NAME
from ravdess_mm.fusion.recipe import FusionRecipe, read_recipe
from ravdess_mm.predictions import prediction_table

logger = logging.getLogger(__name__)

ANSWERS_SCHEMA: Final = "noise-predictions/2"
CLEAN: Final = "clean"

NOISES: Final[tuple[Perturbation, ...]] = (Perturbation.WHITE, Perturbation.BABBLE)

SNRS_DB: Final[tuple[float, ...]] = (20.0, 10.0, 5.0, 0.0)
"""Signal-to-noise ratios, easiest first."""


@dataclass(frozen=True)
class Condition:
    """A perturbation and its signal-to-noise ratio.

    Attributes
    ----------
    name : str
        `CLEAN`, a kind of noise, or what a line, a coder or a microphone does.
    kind : Perturbation or None
        None leaves the take as it is.
    amount : float or None
        Of the perturbation; None where it takes none or is drawn for each take.
    """

    name: str
    kind: Perturbation | None = None
    amount: float | None = None

    @property
    def snr_db(self) -> float:
        """The signal-to-noise ratio in dB, infinite without noise."""
        return self.amount if self.kind in NOISES and self.amount is not None else np.inf


CONDITIONS: Final[tuple[Condition, ...]] = (
    Condition(CLEAN),
    *(Condition(noise.value, noise, snr_db) for noise in NOISES for snr_db in SNRS_DB),
    Condition("telephone", Perturbation.TELEPHONE),
    Condition("mp3-32k", Perturbation.MP3, 32.0),
    Condition("16-khz", Perturbation.RATE, 16_000.0),
    Condition("dc-1%", Perturbation.DC_OFFSET, 0.01),
    Condition("click", Perturbation.CLICK),
)
"""In the order in which they are shown; a condition has a name and a ratio."""


def choose_takes(voices: Sequence[VoiceClip], *, most_per_actor: int, seed: int) -> tuple[VoiceClip, ...]:
    """Choose some takes of each actor at random, of every emotion equally many as far as there are.

    Parameters
    ----------
    voices : sequence of VoiceClip
        In any order.
    most_per_actor : int
        An actor with no more takes keeps all.
    seed : int
        An actor's choice depends on it and on that actor's own takes only.

    Returns
    -------
    tuple of VoiceClip
        Sorted by take.
    """
    chosen: list[VoiceClip] = []
    for actor in sorted({voice.actor for voice in voices}):
        actor_voices = sorted((voice for voice in voices if voice.actor == actor), key=lambda voice: voice.take)
        random = np.random.default_rng(derive_seed(seed, actor, "takes"))
        drawn = [actor_voices[index] for index in random.permutation(len(actor_voices))]
        emotions = [str(emotion) for emotion in random.permutation(sorted({voice.emotion for voice in actor_voices}))]
        seen = dict.fromkeys(emotions, 0)
        ranked = []
        for voice in drawn:
            ranked.append((seen[voice.emotion], emotions.index(voice.emotion), voice))
            seen[voice.emotion] += 1
        ranked.sort(key=lambda item: item[:2])
        chosen += [voice for _, _, voice in ranked[:most_per_actor]]
    return tuple(sorted(chosen, key=lambda voice: voice.take))


def babble_pool(voices: Sequence[VoiceClip], fold: Fold) -> tuple[VoiceClip, ...]:
    """Return who may be heard behind the test takes of a fold: its other test actors, whom no model has heard.

    Where a fold has a single test actor (``loso``) there are none; its training actors are heard then, and a message
    says so: their voices, though not these mixtures, are known to the models.
    """
    tested = tuple(voice for voice in voices if voice.actor in fold.test)
    if len({voice.actor for voice in tested}) > 1:
        return tested
    logger.warning("noise, %s: one test actor only, so the babble is made of training actors", fold.name)
    return tuple(voice for voice in voices if voice.actor in fold.train)


def perturbed_features(
    voices: Sequence[VoiceClip],
    folds: Sequence[Fold],
    *,
    features: VoiceFeatures,
    most_per_actor: int,
    cache_dir: str | Path,
    seed: int,
    jobs: int = -1,
    backend: Backend = Backend.LOKY,
) -> dict[Condition, pd.DataFrame]:
    """Return the features of test takes in every condition but `CLEAN`.

    Parameters
    ----------
    voices : sequence of VoiceClip
        All usable clips of the run.
    folds : sequence of Fold
        Each actor is tested once at most.
    features : VoiceFeatures
        What is computed of them.
    most_per_actor : int
        Test takes an actor: see :func:`choose_takes`.

    Returns
    -------
    dict of Condition to pandas.DataFrame
        Feature tables of the same takes; a take that failed in one condition is in none, and a message names it.
    """
    wanted: dict[VoiceClip, list[PerturbationSpec]] = {}
    for fold in folds:
        pool = babble_pool(voices, fold)
        test_voices = [voice for voice in voices if voice.actor in fold.test]
        for voice in choose_takes(test_voices, most_per_actor=most_per_actor, seed=seed):
            others = choose_babble_clips(voice, pool, seed=derive_seed(seed, voice.take, "others"))
            wanted[voice] = [
                PerturbationSpec(
                    condition.kind,
                    condition.amount,
                    seed=derive_seed(seed, voice.take, condition.kind),
                    others=others if condition.kind is Perturbation.BABBLE else (),
                )
                for condition in CONDITIONS
                if condition.kind is not None
            ]
    tables, failed = extract_perturbed(
        wanted, features=features, cache_dir=cache_dir, description="perturbed voices", jobs=jobs, backend=backend
    )
    for take, reason in sorted(failed.items()):
        logger.warning("noise: take %s is left out (%s)", take, reason)
    return dict(zip(CONDITIONS[1:], tables, strict=True))


def answer_perturbed(
    models_dir: Path, name: str, folds: Sequence[Fold], tables: Mapping[Condition, pd.DataFrame]
) -> pd.DataFrame:
    """Let a model answer for the test takes of each of its folds, in every condition.

    Parameters
    ----------
    models_dir : Path
        Folder of the run's models.
    name : str
        A classifier, or an ensemble of classifiers.
    tables : mapping of Condition to pandas.DataFrame
        Feature tables. An adapted model standardises each actor by that actor's rows of the same condition: the
        unlabelled clips of somebody are recorded where the clip in question is.

    Returns
    -------
    pandas.DataFrame
        A prediction table with the columns ``model``, ``condition`` and ``snr_db``.
    """
    answers = []
    for fold in folds:
        voice = FoldVoice.load(models_dir, name, fold)
        for condition, table in tables.items():
            tested = table[table["actor"].isin(fold.test)]
            if tested.empty:
                continue
            values = voice.predict_proba(tested)
            rows = prediction_table(tested["take"].tolist(), values, fold=fold.number, role="test")
            answers.append(rows.assign(model=name, condition=condition.name, snr_db=condition.snr_db))
    return pd.concat(answers, ignore_index=True)


@dataclass(frozen=True)
class FoldVoice:
    """A voice model of one fold: a classifier, or several and their fusion.

    Attributes
    ----------
    members : dict of str to TrainedClassifier
    recipe : FusionRecipe or None
        None for a single classifier.
    """

    members: dict[str, TrainedClassifier]
    recipe: FusionRecipe | None = None

    @classmethod
    def load(cls, models_dir: Path, name: str, fold: Fold) -> FoldVoice:
        """Load a model of a fold.

        Raises
        ------
        LeakageError
            If it was trained on an actor that the fold tests.
        """
        recipe_path = models_dir / name / RECIPE_NAME
        recipe = read_recipe(recipe_path, fold=fold.number) if recipe_path.is_file() else None
        names = [name] if recipe is None else list(recipe.models.values())
        members = {member: load_classifier(models_dir / member / fold.name) for member in names}
        for trained in members.values():
            check_disjoint(trained.card["fold"]["train_actors"], list(fold.test))
        return cls(members, recipe)

    def predict_proba(self, table: pd.DataFrame) -> Floats:
        """Return probabilities [shape=(n, 8)] for a feature table with the column ``actor``."""
        speakers = table["actor"].to_numpy()
        # loud noise is so far from anything learned that a share may underflow to 0; calibration has a floor for that
        with np.errstate(divide="ignore"):
            answers = {name: model.predict_proba(table, speakers=speakers) for name, model in self.members.items()}
        if self.recipe is None:
            return next(iter(answers.values()))
        branches = {branch: answers[member] for branch, member in self.recipe.models.items()}
        return np.stack(
            [
                self.recipe.apply({branch: values[row] for branch, values in branches.items()})
                for row in range(len(table))
            ]
        )


def score_perturbed(answers: pd.DataFrame, trained: Mapping[str, str], *, seed: int, draws: int) -> pd.DataFrame:
    """Score what :func:`answer_perturbed` returned.

    Parameters
    ----------
    answers : pandas.DataFrame
        Of one or several models.
    trained : mapping of str to str
        Model to `ravdess_mm.experiments.measured_models.model_fingerprint`.

    Returns
    -------
    pandas.DataFrame
        ``model``, ``condition`` (names of `CONDITIONS`), ``snr_db`` (infinite without noise), ``n_takes``,
        ``n_actors``, ``accuracy``, ``accuracy_low``, ``accuracy_high``, ``uar``, ``uar_low``, ``uar_high`` (0-1,
        intervals over actors, NaN where undefined), ``trained``.
    """
    rows = []
    for name in answers["model"].drop_duplicates():
        of_model = answers[answers["model"] == name]
        for condition in CONDITIONS:
            chosen = of_model[(of_model["condition"] == condition.name) & (of_model["snr_db"] == condition.snr_db)]
            if chosen.empty:
                continue
            metrics = evaluate(chosen, seed=seed, draws=draws, source=f"{name}, {condition.name}")
            figures: dict[str, Any] = {}
            for measure, estimate in (("accuracy", metrics.accuracy), ("uar", metrics.uar)):
                for end, value in (("", estimate.value), ("_low", estimate.low), ("_high", estimate.high)):
                    figures[f"{measure}{end}"] = np.nan if value is None else value
            rows.append(
                {
                    "model": name,
                    "condition": condition.name,
                    "snr_db": condition.snr_db,
                    "n_takes": metrics.n_takes,
                    "n_actors": metrics.n_actors,
                    **figures,
                    "trained": trained[name],
                }
            )
    return pd.DataFrame(rows)
