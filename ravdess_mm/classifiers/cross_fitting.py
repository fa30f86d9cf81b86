"""Cross-fitting: out-of-fold scores of training actors by inner folds."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

import numpy as np

from ravdess_mm.arrays import Floats, Integers
from ravdess_mm.classifiers.family import UNSEEN, Family, InnerFold, Params
from ravdess_mm.classifiers.rows import Sample
from ravdess_mm.classifiers.stored_machine import StoredMachine
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.corpus.splits import check_disjoint, group_folds
from ravdess_mm.parallel.progress import map_parallel

logger = logging.getLogger(__name__)


def make_inner_folds(sample: Sample, n_folds: int, *, seed: int) -> Integers | None:
    """Deal training rows into inner folds by actor.

    Parameters
    ----------
    sample : Sample
        The training rows of an outer fold.
    n_folds : int
        Wanted number; fewer where there are fewer actors.
    seed : int
        Seed of the deal.

    Returns
    -------
    numpy.ndarray of int [shape=(n,)] or None
        The fold of each row, or None, with a message, where no such folds can be made: a single actor, or a fold
        without which fewer than two of the emotions it asks for are left to learn.
    """
    actors = np.unique(sample.groups)
    if len(actors) < 2:
        logger.warning("only one training actor (%d): nobody is left to choose and calibrate by", actors[0])
        return None
    folds = group_folds(sample.groups, n_folds, seed=seed)
    for fold in np.unique(folds):
        learned, tested = set(sample.y[folds != fold]), set(sample.y[folds == fold])
        if len(learned) < 2 or not learned & tested:
            logger.warning("the training actors show too few emotions in common to choose and calibrate by")
            return None
    if len(np.unique(folds)) < n_folds:
        logger.warning("%d training actors: %d inner folds instead of %d", len(actors), len(actors), n_folds)
    return folds


def split_inner_folds(sample: Sample, folds: Integers) -> list[InnerFold]:
    """Standardise both sides of each inner fold by its training side.

    Raises
    ------
    LeakageError
        If an actor is on both sides of a fold.
    """
    split = []
    for fold in np.unique(folds):
        train, test = sample.rows(folds != fold), sample.rows(folds == fold)
        check_disjoint(train.groups, test.groups)
        train = train.learned()
        scaler = _scaler(train).fit(train.X)
        classes, codes = train.encoded()
        code_of = np.full(len(EMOTIONS), UNSEEN, dtype=np.int64)
        code_of[classes] = np.arange(len(classes))
        split.append(
            InnerFold(
                X_train=scaler.transform(train.X),
                y_train=codes,
                X_test=scaler.transform(test.X),
                y_test=code_of[test.y],
                classes=classes,
                emotions=test.y,
                actors=test.groups,
            )
        )
    return split


def _scaler(sample: Sample) -> Any:
    """Return what standardises a sample; of one that is scaled already, what leaves it as it is."""
    from sklearn.preprocessing import StandardScaler

    return StandardScaler(with_mean=not sample.is_scaled, with_std=not sample.is_scaled)


def spread(log_scores: Floats, classes: Integers) -> Floats:
    """Put the columns of the classes a model knows where they belong among all eight emotions.

    Parameters
    ----------
    log_scores : numpy.ndarray of float [shape=(n, K)]
    classes : numpy.ndarray of int [shape=(K,)]
        Places in `EMOTIONS`.

    Returns
    -------
    numpy.ndarray of float [shape=(n, 8)]
        Minus infinity in the columns of the others.
    """
    wide = np.full((len(log_scores), len(EMOTIONS)), -np.inf)
    wide[:, classes] = log_scores
    return wide


def fit_pipeline(family: Family, params: Params, sample: Sample, *, seed: int, jobs: int = 1) -> Any:
    """Fit standardisation and classifier on all rows of a sample and their copies.

    Returns
    -------
    sklearn.pipeline.Pipeline
        Steps ``scale`` and ``model``; its classes are 0 .. K-1, the sample's emotions in order.
    """
    from sklearn.pipeline import Pipeline

    sample = sample.learned()
    pipeline = Pipeline([("scale", _scaler(sample)), ("model", family.build(params, seed=seed, jobs=jobs))])
    extra = {"model__groups": sample.groups} if family.uses_groups else {}
    return pipeline.fit(sample.X, sample.encoded()[1], **extra)


def pipeline_scores(family: Family, pipeline: Any, X: Floats) -> Floats:
    """Return the log-scores of a fitted pipeline, or of a `StoredMachine`, which standardises itself [shape=(n, K)]."""
    if isinstance(pipeline, StoredMachine):
        return family.log_scores(pipeline, X)
    return family.log_scores(pipeline.named_steps["model"], pipeline.named_steps["scale"].transform(X))


def out_of_fold_scores(
    family: Family, params: Params, sample: Sample, folds: Integers, *, seed: int, jobs: int
) -> Floats:
    """Score every row with a model that was not trained on its actor.

    Returns
    -------
    numpy.ndarray of float [shape=(n, 8)]
        Log-scores in the order of `EMOTIONS`.

    Raises
    ------
    LeakageError
        If an actor has rows in two folds.
    """
    numbers = [int(fold) for fold in np.unique(folds)]
    score = partial(_score_fold, family, params, sample, folds, seed)
    results = map_parallel(
        score,
        numbers,
        description=f"{family.kind.value}: out of fold",
        jobs=jobs if family.spreads else 1,
        unit="fold",
        threads=True,
    )
    scores = np.empty((len(sample), len(EMOTIONS)))
    for fold, part in zip(numbers, results, strict=True):
        scores[folds == fold] = part
    return scores


def _score_fold(family: Family, params: Params, sample: Sample, folds: Integers, seed: int, fold: int) -> Floats:
    train, test = sample.rows(folds != fold), sample.rows(folds == fold)
    check_disjoint(train.groups, test.groups)
    pipeline = fit_pipeline(family, params, train, seed=seed)
    return spread(pipeline_scores(family, pipeline, test.X), train.encoded()[0])
