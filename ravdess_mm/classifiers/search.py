"""Hyperparameter search: defaults, random draws, then a grid around the best; folds are by actor.

The parameters that need no search are tried first and stand unless something else is better by more than chance: inner
folds of fifteen actors cannot tell candidates apart that differ by a point, and the best of many such is luck. The
draws are those of scikit-learn's ``RandomizedSearchCV`` (its ``ParameterSampler``), the scores its ``accuracy`` and
``recall_macro`` over actor-grouped folds, the last stage a ``GridSearchCV`` over halved and doubled values. What
differs is the cost: a family scores a block of draws on all folds at once and shares what the draws have in common, and
draws run side by side, one thread each.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any, Final

import numpy as np
import pandas as pd

from ravdess_mm.arrays import Floats, Integers
from ravdess_mm.calibration import log_loss_at
from ravdess_mm.classifiers.cross_fitting import split_inner_folds, spread
from ravdess_mm.classifiers.family import Family, InnerFold, Params, Space
from ravdess_mm.classifiers.rows import Sample
from ravdess_mm.parallel.progress import map_parallel

SEARCH_COLUMNS: Final[tuple[str, ...]] = (
    "stage",
    "draw",
    "rank",
    "uar_mean",
    "uar_std",
    "accuracy_mean",
    "accuracy_std",
    "log_loss_mean",
    "parameters",
)
"""Columns of the table of results.

``stage`` is ``default``, ``random``, ``grid`` or, where nothing was searched, ``fixed``. Rank 1 is what was chosen; the
others stand behind it by their scores."""

_DTYPES: Final = ("str", "int64", "int64", *("float64",) * 5, "str")

BLOCK: Final = 2
"""Draws a task: few, so that all threads finish together; it has no influence on the results."""


@dataclass(frozen=True)
class ParameterDraw:
    """One set of parameters and what it scored on the inner folds.

    Attributes
    ----------
    stage : str
        ``default``, ``random``, ``grid`` or ``fixed``.
    params : dict
    scores : numpy.ndarray of float [shape=(n_folds, 3)]
        UAR, accuracy and log-loss (nats, not calibrated) on each fold.
    by_actor : numpy.ndarray of float [shape=(n_actors,)]
        UAR of each actor.
    """

    stage: str
    params: Params
    scores: Floats
    by_actor: Floats


def search_parameters(
    family: Family, sample: Sample, folds: Integers, *, draws: int, refine: bool, seed: int, jobs: int
) -> tuple[Params, pd.DataFrame]:
    """Choose the parameters of a classifier.

    Parameters
    ----------
    family : Family
        The kind of classifier; it must have something to search.
    sample : Sample
        Training rows.
    folds : numpy.ndarray of int [shape=(n,)]
        Inner fold of each row, by actor.
    draws : int
        Random draws, tried after the family's defaults.
    refine : bool
        Whether a grid around the best of them follows.
    seed : int
        Seed of draws and fits.
    jobs : int
        Threads; results do not depend on it.

    Returns
    -------
    params : dict
        The best by mean UAR, then accuracy, then simplicity, or the family's defaults: see `choose_candidate`.
    table : pandas.DataFrame
        One row a candidate, columns `SEARCH_COLUMNS`.

    Raises
    ------
    LeakageError
        If an actor has rows in two folds.
    """
    width = sample.total_variance
    spaces = family.spaces(width)
    split = split_inner_folds(sample, folds)
    score = partial(_score_block, family, split, seed)

    def run(stage: str, chosen: Sequence[Params]) -> list[ParameterDraw]:
        blocks = [chosen[start : start + BLOCK] for start in range(0, len(chosen), BLOCK)]
        description = f"{family.kind.value}: {stage} search"
        results = map_parallel(score, blocks, description=description, jobs=jobs, unit="block", threads=True)
        return [ParameterDraw(stage, *scored) for block in results for scored in block]

    (default,) = run("default", [family.defaults(width)])
    candidates = [default, *run("random", draw_parameters(spaces, draws, seed=seed))]
    if refine:
        best = rank(family, candidates)[0].params
        candidates += run("grid", grid_around(best, spaces, family.refined))
    ranked = rank(family, candidates)
    chosen = choose_candidate(ranked[0], default)
    ranked = [chosen, *(candidate for candidate in ranked if candidate is not chosen)]
    return chosen.params, results_table(candidates, ranked)


def choose_candidate(best: ParameterDraw, default: ParameterDraw) -> ParameterDraw:
    """Return the best candidate if it beats the default by more than one standard error over actors, else the default.

    After the one-standard-error rule of Breiman L et al. (1984), Classification and regression trees, 3.4.3, with the
    error of the difference, since both answered the same actors.
    """
    gains = best.by_actor - default.by_actor
    error = gains.std(ddof=1) / np.sqrt(len(gains))
    return best if gains.mean() > error else default


def draw_parameters(spaces: Sequence[Space], draws: int, *, seed: int) -> list[Params]:
    """Draw parameters as ``RandomizedSearchCV`` does, floats rounded to four digits."""
    from sklearn.model_selection import ParameterSampler

    sampler = ParameterSampler([dict(space) for space in spaces], n_iter=draws, random_state=seed)
    return [{name: _plain(value) for name, value in params.items()} for params in sampler]


def grid_around(best: Params, spaces: Sequence[Space], refined: Sequence[str]) -> list[Params]:
    """Return the neighbours of the best parameters: each refined value halved, kept and doubled, all combinations.

    A value from a list has its neighbours in the list instead; values outside the space are left out.
    """
    space = next(space for space in spaces if _holds(space, best))
    names = [name for name in refined if name in space]
    choices = [_neighbours(space[name], best[name]) for name in names]
    kept = {name: value for name, value in best.items() if name in space}
    grid = [{**kept, **dict(zip(names, values, strict=True))} for values in product(*choices)]
    return [params for params in grid if params != kept]


def rank(family: Family, candidates: Sequence[ParameterDraw]) -> list[ParameterDraw]:
    """Sort candidates, best first: mean UAR, then mean accuracy, then the simpler; else in the order given."""

    def key(candidate: ParameterDraw) -> tuple[float, ...]:
        uar, accuracy, _ = candidate.scores.mean(axis=0).round(9)
        return (-uar, -accuracy, *family.complexity(candidate.params))

    return sorted(candidates, key=key)


def results_table(candidates: Sequence[ParameterDraw], ranked: Sequence[ParameterDraw]) -> pd.DataFrame:
    """Return one row a candidate, in the order in which they were tried."""
    rank_of = {id(candidate): rank for rank, candidate in enumerate(ranked, start=1)}
    rows = []
    for draw, candidate in enumerate(candidates):
        uar, accuracy, loss = candidate.scores.mean(axis=0)
        uar_std, accuracy_std, _ = candidate.scores.std(axis=0)
        parameters = json.dumps(candidate.params, sort_keys=True)
        rank = rank_of[id(candidate)]
        rows.append((candidate.stage, draw, rank, uar, uar_std, accuracy, accuracy_std, loss, parameters))
    table = pd.DataFrame(rows, columns=list(SEARCH_COLUMNS))
    return table.astype({name: kind for name, kind in zip(SEARCH_COLUMNS, _DTYPES, strict=True)})


def empty_table() -> pd.DataFrame:
    """Return the table of a search that could not be made."""
    return results_table([], [])


def score_fixed(params: Params, log_scores: Floats, y: Integers, folds: Integers) -> pd.DataFrame:
    """Return the table of parameters that were not searched: their out-of-fold scores.

    Parameters
    ----------
    params : dict
    log_scores : numpy.ndarray of float [shape=(n, 8)]
        Out-of-fold.
    y, folds : numpy.ndarray of int [shape=(n,)]
        True emotion and inner fold of each row.
    """
    scores = np.array([score_rows(log_scores[folds == fold], y[folds == fold]) for fold in np.unique(folds)])
    candidates = [ParameterDraw("fixed", params, scores, np.empty(0))]
    return results_table(candidates, candidates)


def score_rows(log_scores: Floats, y: Integers) -> Floats:
    """Return UAR, accuracy and log-loss (nats) of log-scores [shape=(n, 8)] for true emotions `y` [shape=(n,)].

    UAR is the mean recall over the emotions that `y` shows.
    """
    right = log_scores.argmax(axis=1) == y
    recalls = [right[y == emotion].mean() for emotion in np.unique(y)]
    return np.array([np.mean(recalls), right.mean(), log_loss_at(log_scores, y)])


def _score_block(
    family: Family, folds: Sequence[InnerFold], seed: int, draws: Sequence[Params]
) -> list[tuple[Params, Floats, Floats]]:
    results = []
    for params, parts in family.scan(folds, draws, seed=seed):
        scores, by_actor = [], []
        for part, fold in zip(parts, folds, strict=True):
            answers = spread(part, fold.classes)
            scores.append(score_rows(answers, fold.emotions))
            actor_masks = [fold.actors == actor for actor in np.unique(fold.actors)]
            by_actor += [score_rows(answers[rows], fold.emotions[rows])[0] for rows in actor_masks]
        results.append((params, np.array(scores), np.array(by_actor)))
    return results


def _holds(space: Space, params: Params) -> bool:
    return set(space) <= set(params) and all(
        params[name] in values for name, values in space.items() if isinstance(values, list)
    )


def _neighbours(values: Any, centre: Any) -> list[Any]:
    if isinstance(values, list):
        index = values.index(centre)
        return values[max(index - 1, 0) : index + 2]
    low, high = values.support()
    near = (_plain(min(max(factor * centre, low), high)) for factor in (0.5, 1.0, 2.0))
    return sorted(set(near))


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    return float(f"{value:.4g}") if isinstance(value, float) else value
