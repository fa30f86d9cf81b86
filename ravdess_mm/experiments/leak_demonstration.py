"""Leakage: the same features and model under three splits, two of which ignore actors.

A demonstration, never a result: it is the one place in this package where an actor may stand on both sides of a fit and
a score, and what it gives is written apart from the predictions of a run.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

import numpy as np
import pandas as pd

from ravdess_mm.arrays import Floats, Integers
from ravdess_mm.calibration import probabilities
from ravdess_mm.classifiers.cross_fitting import fit_pipeline, pipeline_scores, spread
from ravdess_mm.classifiers.estimators import family_of
from ravdess_mm.classifiers.family import Kind
from ravdess_mm.classifiers.rows import Sample, check_features
from ravdess_mm.corpus.splits import HOLDOUT_NUMBER, Fold, check_disjoint, group_folds
from ravdess_mm.errors import InputError
from ravdess_mm.evaluation import Comparison, compare_all, evaluate_many
from ravdess_mm.parallel.progress import track
from ravdess_mm.predictions import prediction_table
from ravdess_mm.schemas import LEAK_DEMO_SCHEMA

logger = logging.getLogger(__name__)

DEMO_KIND: Final = Kind.RANDOM_FOREST
"""The model of the demonstration, with the parameters it has without a search."""
HOLDOUT_FOLDS: Final = 5
"""Folds of the demonstration where the protocol is a plain holdout, whose one test side is too small to show much."""


class SplitKind(StrEnum):
    """How rows are dealt into folds."""

    RANDOM = "random"
    MIXED = "mixed"
    ACTORS = "actors"


SPLIT_WORDS: Final[dict[SplitKind, str]] = {
    SplitKind.RANDOM: "clips at random: the actor is known",
    SplitKind.MIXED: "clips of both modalities at random: the take itself may be known",
    SplitKind.ACTORS: "by actor: nobody is known",
}


@dataclass(frozen=True)
class LeakDemonstration:
    """One model under three splits, scored on the same takes.

    Attributes
    ----------
    tables : dict of SplitKind to pandas.DataFrame
        Prediction tables; without ``mixed`` where no take has two clips with sound.
    n_folds : int
        Folds of each split.
    n_twins : int
        Takes that have a second clip with sound.
    """

    tables: dict[SplitKind, pd.DataFrame]
    n_folds: int
    n_twins: int

    def to_dict(self, *, seed: int, draws: int, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Return figures and paired tests as what JSON knows: the content of ``leak-demo.json``."""
        named = {split.value: table for split, table in self.tables.items()}
        return {
            "schema": LEAK_DEMO_SCHEMA,
            **facts,
            "model": DEMO_KIND.value,
            "n_folds": self.n_folds,
            "n_twins": self.n_twins,
            "words": {split.value: words for split, words in SPLIT_WORDS.items()},
            "metrics": evaluate_many(named, seed=seed, draws=draws),
            "comparisons": [one.to_dict() for one in self.comparisons(seed=seed, draws=draws)],
        }

    def comparisons(self, *, seed: int, draws: int) -> tuple[Comparison, ...]:
        """Return the leaking splits against the one by actor, on the same takes."""
        named = {split.value: table for split, table in self.tables.items()}
        return compare_all(named, against=SplitKind.ACTORS.value, seed=seed, draws=draws)


def other_modality_clips(clips: pd.DataFrame) -> pd.DataFrame:
    """Find the second clip with sound of each take that has one.

    Parameters
    ----------
    clips : pandas.DataFrame
        The catalog.

    Returns
    -------
    pandas.DataFrame
        Rows of the catalog, each take once, marked as the clip whose ``voice`` is used: the full-AV clip of a take
        whose voice is its audio-only clip, or the other way round. May be empty.
    """
    sounding = clips[clips["has_audio"].astype(bool) & (clips["modality"] != "video-only")]
    chosen = clips.loc[clips["voice"].astype(bool)].drop_duplicates("take").set_index("take")
    candidates = sounding[sounding["take"].isin(chosen.index) & ~sounding["voice"].astype(bool)]
    other = candidates["modality"].to_numpy() != chosen.loc[candidates["take"], "modality"].to_numpy()
    twins = candidates[other].sort_values(["take", "path"]).drop_duplicates("take")
    marked: pd.DataFrame = twins.assign(voice=True).reset_index(drop=True)
    return marked


def demonstrate_split_leakage(
    features: pd.DataFrame, twins: pd.DataFrame | None, folds: Sequence[Fold], *, seed: int, jobs: int = -1
) -> LeakDemonstration:
    """Train and score one model with fixed parameters under each split.

    Parameters
    ----------
    features : pandas.DataFrame
        Columns take, actor, emotion and numbers; one row a take. These rows are scored under every split.
    twins : pandas.DataFrame or None
        The same columns, of the second clip of some of the takes. They are trained on under ``mixed`` only, where they
        are dealt into folds like any other clip.
    folds : sequence of Fold
        The protocol's folds; of a holdout only their number matters, which is then `HOLDOUT_FOLDS` by actor.
    seed : int
        Seed of the deals and the model.
    jobs : int
        Threads of the model; the result does not depend on it.

    Raises
    ------
    InputError
        If the tables are unsound or differ in their columns, or fewer than two actors are there.
    """
    rows = check_features(features)
    takes, sample = np.array(rows.takes, dtype=np.str_), rows.sample
    by_actor = _by_actor(sample, folds, seed=seed)
    n_folds = len(np.unique(by_actor))
    generator = np.random.default_rng(seed)
    deals = {SplitKind.RANDOM: (sample, generator.permutation(len(sample)) % n_folds)}
    n_twins = 0
    if twins is not None and not twins.empty:
        if list(twins.columns) != list(features.columns):
            raise InputError("the features of the second clips have other columns than those of the first")
        second = check_features(twins).sample
        n_twins = len(second)
        both = _stacked(sample, second)
        deals[SplitKind.MIXED] = (both, generator.permutation(len(both)) % n_folds)
    deals[SplitKind.ACTORS] = (sample, by_actor)
    tables = {}
    for split, (dealt, numbers) in deals.items():
        answers = np.empty((len(sample), 8))
        for fold in track(np.unique(numbers), f"leak demonstration, {split.value}", unit="fold"):
            train = dealt.rows(numbers != fold)
            scored = np.flatnonzero(numbers[: len(sample)] == fold)
            if split is SplitKind.ACTORS:
                check_disjoint(train.groups, sample.groups[scored])
            answers[scored] = _answers(train, sample.X[scored], seed=seed, jobs=jobs)
        fold_numbers = [int(number) for number in numbers[: len(sample)]]
        tables[split] = prediction_table(takes.tolist(), answers, fold=fold_numbers, role="test")
    return LeakDemonstration(tables, n_folds, n_twins)


def _by_actor(sample: Sample, folds: Sequence[Fold], *, seed: int) -> Integers:
    if all(fold.number == HOLDOUT_NUMBER for fold in folds):
        return group_folds(sample.groups, HOLDOUT_FOLDS, seed=seed)
    fold_of = {actor: fold.number for fold in folds for actor in fold.test}
    return np.array([fold_of[int(actor)] for actor in sample.groups], dtype=np.int64)


def _stacked(first: Sample, second: Sample) -> Sample:
    return replace(
        first,
        X=np.vstack([first.X, second.X]),
        y=np.concatenate([first.y, second.y]),
        groups=np.concatenate([first.groups, second.groups]),
    )


def _answers(train: Sample, X: Floats, *, seed: int, jobs: int) -> Floats:
    """Fit the model with fixed parameters and return its probabilities [shape=(n, 8)]."""
    family = family_of(DEMO_KIND)
    pipeline = fit_pipeline(family, family.defaults(X.shape[1]), train, seed=seed, jobs=jobs)
    return probabilities(spread(pipeline_scores(family, pipeline, X), train.encoded()[0]))
