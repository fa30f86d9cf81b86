"""Permutation importance of families of voice features.

Permutation importance (Breiman L (2001), Random forests, Machine Learning 45: 5-32) of whole families: all columns of
a family are exchanged together among the takes of one actor, so that who speaks, and how columns of a family go
together, stay as they are, and a speaker-adapted model still sees the same speaker. It is measured on the test takes of
each fold by that fold's model, which has not seen their actors, and it chooses nothing. Families that say much the same
stand in for each other, so that a small drop does not mean that a family says little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from ravdess_mm.arrays import Floats, Integers
from ravdess_mm.classifiers.trained import TrainedClassifier, load_classifier
from ravdess_mm.config import Backend
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.corpus.splits import Fold, check_disjoint
from ravdess_mm.errors import InputError
from ravdess_mm.evaluation.intervals import mean_estimate
from ravdess_mm.parallel.progress import map_parallel
from ravdess_mm.store import fingerprint

REPEATS: Final = 10
"""Exchanges of each family."""


@dataclass(frozen=True)
class Drops:
    """Loss of accuracy on the test takes of one fold.

    Attributes
    ----------
    actors : numpy.ndarray of int [shape=(n,)]
    right : numpy.ndarray of float [shape=(n,)]
        1 where the untouched take was answered right.
    exchanged : dict of str to numpy.ndarray [shape=(n,)]
        Family to the share of exchanges after which the take was answered right, 0-1.
    """

    actors: Integers
    right: Floats
    exchanged: dict[str, Floats]


def column_families(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the columns of each family, in the order of the columns: what stands before the first underscore."""
    families: dict[str, list[str]] = {}
    for name in names:
        families.setdefault(name.partition("_")[0], []).append(name)
    return {family: tuple(columns) for family, columns in families.items()}


def family_drops(trained: TrainedClassifier, table: pd.DataFrame, *, seed: int, repeats: int = REPEATS) -> Drops:
    """Exchange each family among the takes of each actor and see how often the answer is still right.

    Parameters
    ----------
    trained : TrainedClassifier
        It has not been trained on the actors of `table`.
    table : pandas.DataFrame
        Columns take, actor, emotion and the features.
    seed : int
        What is exchanged with what depends on it, the family and the actor, not on the model.

    Raises
    ------
    LeakageError
        If the model was trained on one of the actors.
    """
    check_disjoint(trained.card["fold"]["train_actors"], table["actor"])
    table = table.sort_values("take", kind="stable")
    actors = table["actor"].to_numpy(dtype=np.int64)
    truth = np.array([EMOTIONS.index(emotion) for emotion in table["emotion"]])
    values = table[list(trained.feature_names)].to_numpy(dtype=np.float64)
    column_of = {name: index for index, name in enumerate(trained.feature_names)}
    right = trained.predict_proba(values, speakers=actors).argmax(axis=1) == truth
    # each repeat has speakers of its own, so that an adapted model meets a speaker with no more clips than there are
    repeat_of = np.repeat(np.arange(repeats), len(actors))
    speakers = np.tile(actors, repeats) + 1000 * repeat_of
    exchanged = {}
    for family, columns in column_families(trained.feature_names).items():
        family_columns = np.array([column_of[name] for name in columns], dtype=np.int64)
        shuffled = np.tile(values, (repeats, 1))
        for repeat in range(repeats):
            order = _exchange(actors, seed=seed, family=family, repeat=repeat)
            shuffled[np.ix_(repeat_of == repeat, family_columns)] = values[np.ix_(order, family_columns)]
        answers = trained.predict_proba(shuffled, speakers=speakers).argmax(axis=1)
        exchanged[family] = (answers.reshape(repeats, -1) == truth).mean(axis=0)
    return Drops(actors, right.astype(np.float64), exchanged)


def _exchange(actors: Integers, *, seed: int, family: str, repeat: int) -> Integers:
    """Return for each row the row of the same actor that it takes its values from [shape=(n,)]."""
    order = np.arange(len(actors))
    for actor in np.unique(actors):
        rows = np.flatnonzero(actors == actor)
        own_seed = int(fingerprint(seed, family, repeat, actor)[:12], 16)
        order[rows] = np.random.default_rng(own_seed).permutation(rows)
    return order


def _fold_drops(fold: tuple[Path, pd.DataFrame], *, seed: int) -> Drops:
    from threadpoolctl import threadpool_limits

    folder, table = fold
    with threadpool_limits(1, user_api="blas"):
        return family_drops(load_classifier(folder), table, seed=seed)


def importance_table(
    name: str,
    folder: Path,
    features: pd.DataFrame,
    folds: Sequence[Fold],
    *,
    seed: int,
    draws: int,
    jobs: int = -1,
    backend: Backend = Backend.LOKY,
) -> pd.DataFrame:
    """Measure the families of one model over all its folds.

    Parameters
    ----------
    name : str
        The model.
    folder : Path
        Where its bundles are.
    features : pandas.DataFrame
        The run's feature table.
    draws : int
        Bootstrap draws over actors.

    Returns
    -------
    pandas.DataFrame
        One row a family, the most important first: ``model``, ``family``, ``n_columns``, ``accuracy`` (untouched,
        0-1), ``drop`` (accuracy lost, 0-1, below 0 where exchanging helped), ``drop_low``, ``drop_high`` (interval
        over actors, NaN where undefined), ``repeats``, ``n_takes``, ``n_actors``.

    Raises
    ------
    InputError
        If no fold has a test take.
    """
    tested = [(folder / fold.name, features[features["actor"].isin(fold.test)]) for fold in folds]
    tested = [(path, table) for path, table in tested if len(table)]
    if not tested:
        raise InputError(f"{name}: no test take has features")
    work = partial(_fold_drops, seed=seed)
    results = list(map_parallel(work, tested, description=name, jobs=jobs, backend=backend, unit="fold"))
    actors = np.concatenate([drops.actors for drops in results])
    right = np.concatenate([drops.right for drops in results])
    actor_numbers, actor_indices, counts = np.unique(actors, return_inverse=True, return_counts=True)
    columns = column_families([column for column in features.columns if column not in ("take", "actor", "emotion")])
    rows = []
    for family in results[0].exchanged:
        accuracy_loss = right - np.concatenate([drops.exchanged[family] for drops in results])
        sums = np.array([accuracy_loss[actor_indices == index].sum() for index in range(len(actor_numbers))])
        estimate = mean_estimate(sums, counts, draws=draws, seed=seed)
        rows.append(
            {
                "model": name,
                "family": family,
                "n_columns": len(columns[family]),
                "accuracy": float(right.mean()),
                "drop": estimate.value,
                "drop_low": np.nan if estimate.low is None else estimate.low,
                "drop_high": np.nan if estimate.high is None else estimate.high,
                "repeats": REPEATS,
                "n_takes": len(right),
                "n_actors": len(actor_numbers),
            }
        )
    return pd.DataFrame(rows).sort_values(["drop", "family"], ascending=[False, True], ignore_index=True)
