"""From log-scores to probabilities one can believe: one temperature, fitted on actors the model has not seen.

Guo C, Pleiss G, Sun Y, Weinberger KQ (2017), On calibration of modern neural networks, ICML: p = softmax(s / T).
One number cannot change which class is most probable, and is hard to overfit on few actors.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ravdess_mm.arrays import Floats, Integers
from ravdess_mm.errors import InputError

FLOOR: Final = 1e-6
"""Added to every probability before the last normalisation: no class is ever impossible, log-loss is finite."""

TEMPERATURES: Final[tuple[float, float]] = (0.05, 20.0)
"""Range in which a temperature is looked for."""


def probabilities(log_scores: Floats, *, temperature: float = 1.0) -> Floats:
    """Turn log-scores into probabilities.

    Parameters
    ----------
    log_scores : numpy.ndarray of float [shape=(n, n_classes)]
        Minus infinity for a class the model does not know; at least one per row is finite.
    temperature : float
        Above 1 flattens, below 1 sharpens.

    Returns
    -------
    numpy.ndarray of float [shape=(n, n_classes)]
        Rows sum to 1; no entry is below about `FLOOR`.
    """
    scaled = log_scores / temperature
    shares = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    shares = shares / shares.sum(axis=1, keepdims=True) + FLOOR
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def log_loss(
    log_scores: Floats, y: Integers, *, temperature: float = 1.0, sample_weight: Floats | None = None
) -> float:
    """Return the (weighted) mean negative log-likelihood of the true classes `y` [shape=(n,)], in nats."""
    chosen = probabilities(log_scores, temperature=temperature)[np.arange(len(y)), y]
    return float(-np.average(np.log(chosen), weights=sample_weight))


def fit_temperature(log_scores: Floats, y: Integers, *, sample_weight: Floats | None = None) -> float:
    """Return the temperature with the lowest log-loss on rows that the scoring model has not seen.

    Parameters
    ----------
    log_scores : numpy.ndarray of float [shape=(n, n_classes)]
        Out-of-fold scores.
    y : numpy.ndarray of int [shape=(n,)]
        True classes, as columns of `log_scores`.
    sample_weight : numpy.ndarray of float [shape=(n,)], optional
        How much a row counts; 1 without.

    Raises
    ------
    InputError
        If there are no rows.
    """
    from scipy.optimize import minimize_scalar

    if len(y) == 0:
        raise InputError("a temperature needs at least one out-of-fold row; got none")
    found = minimize_scalar(
        lambda exponent: log_loss(log_scores, y, temperature=float(np.exp(exponent)), sample_weight=sample_weight),
        bounds=tuple(np.log(TEMPERATURES)),
        method="bounded",
        options={"xatol": 1e-4},
    )
    return float(f"{np.exp(found.x):.4g}")


def calibrate_out_of_fold(log_scores: Floats, y: Integers, folds: Integers) -> Floats:
    """Return probabilities of out-of-fold rows, each fold with the temperature of the other folds.

    Parameters
    ----------
    log_scores : numpy.ndarray of float [shape=(n, n_classes)]
        Out-of-fold scores.
    y, folds : numpy.ndarray of int [shape=(n,)]
        True class and inner fold of each row; at least two folds.
    """
    calibrated = np.empty_like(log_scores)
    for fold in np.unique(folds):
        inside = folds == fold
        temperature = fit_temperature(log_scores[~inside], y[~inside])
        calibrated[inside] = probabilities(log_scores[inside], temperature=temperature)
    return calibrated
