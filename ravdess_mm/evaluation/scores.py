"""Scores of labels and probabilities: confusion matrix, accuracy, UAR, F1, log-loss, Brier score, calibration."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from ravdess_mm.arrays import Floats, Integers
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.errors import InputError
from ravdess_mm.predictions import labels_of, probabilities_of

RELIABILITY_BINS: Final = 15
"""Bins of the expected calibration error, as in Guo et al. (2017)."""


class Rates(NamedTuple):
    """Rates of a confusion matrix; every field has the leading axes of the matrix [shape=(...)], range 0-1."""

    accuracy: Floats
    uar: Floats
    macro_f1: Floats


def confusion_matrix(y_true: Integers, y_pred: Integers) -> Integers:
    """Count takes by true and predicted emotion.

    Parameters
    ----------
    y_true, y_pred : ndarray of int [shape=(n,)]
        Positions in `EMOTIONS`.

    Returns
    -------
    ndarray of int [shape=(8, 8)]
        Rows are true, columns predicted, both in the order of `EMOTIONS`.
    """
    size = len(EMOTIONS)
    return np.bincount(size * y_true + y_pred, minlength=size * size).reshape(size, size)


def confusion_by_group(
    y_true: Integers, y_pred: Integers, groups: npt.NDArray[Any]
) -> tuple[npt.NDArray[Any], Integers]:
    """Return the sorted distinct groups [shape=(g,)] and a confusion matrix of each [shape=(g, 8, 8)]."""
    names, indices = np.unique(groups, return_inverse=True)
    matrices = np.stack(
        [confusion_matrix(y_true[indices == index], y_pred[indices == index]) for index in range(len(names))]
    )
    return names, matrices


def class_recalls(confusion: npt.NDArray[np.number]) -> Floats:
    """Return the recall of each class [shape=(..., 8)], 0-1; NaN for a class without takes."""
    support = confusion.sum(axis=-1)
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    recalls: Floats = np.divide(hits, support, out=np.full(support.shape, np.nan), where=support > 0)
    return recalls


def rates(confusion: npt.NDArray[np.number]) -> Rates:
    """Return accuracy, UAR and macro F1 of one or many confusion matrices.

    Parameters
    ----------
    confusion : ndarray [shape=(..., 8, 8)]
        Rows are true, columns predicted; at least one take each.

    Returns
    -------
    Rates
        UAR (unweighted average recall) and macro F1 are means over the classes that have takes in the matrix; a
        class without takes is left out of both.
    """
    support = confusion.sum(axis=-1)
    predicted = confusion.sum(axis=-2)
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    present = support > 0
    recall = np.divide(hits, support, out=np.zeros(support.shape), where=present)
    f1 = np.divide(2 * hits, support + predicted, out=np.zeros(support.shape), where=present)
    n_classes = present.sum(axis=-1)
    return Rates(
        accuracy=np.asarray(hits.sum(axis=-1) / support.sum(axis=-1)),
        uar=np.asarray(recall.sum(axis=-1) / n_classes),
        macro_f1=np.asarray(f1.sum(axis=-1) / n_classes),
    )


def log_loss(probabilities: Floats, labels: Integers) -> float:
    """Return the mean of ``-log p(true)``, in nats; a probability of 0 counts as the smallest float step above 0."""
    true = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(true, np.finfo(np.float64).eps)).mean())


def brier_score(probabilities: Floats, labels: Integers) -> float:
    """Return the mean squared distance to the truth, summed over classes, 0-2.

    References
    ----------
    Brier GW (1950), Monthly Weather Review 78(1): 1-3.
    """
    truth = np.eye(len(EMOTIONS))[labels]
    return float(((probabilities - truth) ** 2).sum(axis=1).mean())


def expected_calibration_error(probabilities: Floats, labels: Integers) -> float:
    """Return the mean gap between confidence and accuracy over bins of equal width, weighted by takes, 0-1.

    Parameters
    ----------
    probabilities : ndarray [shape=(n, 8)]
        Rows sum to 1. The confidence of a row is its largest probability.
    labels : ndarray of int [shape=(n,)]
        Positions in `EMOTIONS`.

    References
    ----------
    Guo C, Pleiss G, Sun Y, Weinberger KQ (2017), On calibration of modern neural networks, ICML.
    """
    count, confidence, accuracy = _binned(probabilities, labels)
    filled = count > 0
    gaps = np.abs(confidence[filled] - accuracy[filled])
    return float((count[filled] * gaps).sum() / count.sum())


def reliability(table: pd.DataFrame) -> pd.DataFrame:
    """Compare how sure a model says it is with how often it is right.

    Parameters
    ----------
    table : pandas.DataFrame
        Prediction rows; choose the role first, such as with ``rows_for_test``.

    Returns
    -------
    pandas.DataFrame
        One row a bin of equal width, its upper edge included: ``low``, ``high``, ``n_takes``, ``confidence`` and
        ``accuracy`` (means over the bin, 0-1; NaN where it is empty).

    Raises
    ------
    InputError
        If the table is empty.
    """
    if table.empty:
        raise InputError("a reliability diagram needs at least one prediction; got none")
    count, confidence, accuracy = _binned(probabilities_of(table), labels_of(table))
    edges = np.linspace(0, 1, RELIABILITY_BINS + 1)
    return pd.DataFrame(
        {"low": edges[:-1], "high": edges[1:], "n_takes": count, "confidence": confidence, "accuracy": accuracy}
    )


def _binned(probabilities: Floats, labels: Integers) -> tuple[Integers, Floats, Floats]:
    confidence = probabilities.max(axis=1)
    right = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    bins = RELIABILITY_BINS
    inner_edges = np.linspace(0, 1, bins + 1)[1:-1]
    index = np.digitize(confidence, inner_edges, right=True)
    count = np.bincount(index, minlength=bins)
    means = [
        np.divide(np.bincount(index, weights=values, minlength=bins), count, out=np.full(bins, np.nan), where=count > 0)
        for values in (confidence, right)
    ]
    return count, means[0], means[1]
