"""From log-scores to probabilities one can believe: one temperature, fitted on actors the model has not seen.

Guo C, Pleiss G, Sun Y, Weinberger KQ (2017), On calibration of modern neural networks, ICML: p = softmax(s / T).
One number cannot change which class is most probable, and is hard to overfit on few actors. A model of frames is
calibrated for the takes they are of: it is the mean over a take's frames that is to be believed.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ravdess_mm.arrays import Floats, Integers
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.errors import BundleError, InputError

FLOOR: Final = 1e-6
"""Added to every probability before the last normalisation: no class is ever impossible, log-loss is finite."""

SMALLEST: Final = 1e-12
"""Probabilities are raised to this before their logarithm is taken."""

ANSWER_TOLERANCE: Final = 1e-3
"""An answer sums to 1 within this."""

TEMPERATURE_LIMITS: Final[tuple[float, float]] = (0.01, 100.0)
"""Temperatures that a model on disk may have."""

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


def check_answer(values: npt.ArrayLike) -> Floats:
    """Return eight probabilities that sum to 1 as they are.

    Raises
    ------
    BundleError
        If they are anything else: a model with unsound weights spoke.
    """
    answer = np.asarray(values, dtype=np.float64)
    is_sound = np.isfinite(answer).all() and (answer >= 0).all() and abs(answer.sum() - 1) < ANSWER_TOLERANCE
    if answer.shape != (len(EMOTIONS),) or not is_sound:
        shown = ", ".join(f"{value:.3g}" for value in answer.flat[:8])
        raise BundleError(
            f"the models answer {shown}, which are not {len(EMOTIONS)} probabilities; their files are unsound"
        )
    return answer


def soften(values: npt.ArrayLike, temperature: float) -> Floats:
    """Divide the logits behind probabilities [shape=(n, n_classes)] by a temperature.

    Above 1 answers become less sure, below 1 surer; 1 changes nothing but what is below `FLOOR`.
    """
    logits = np.log(np.maximum(np.asarray(values, dtype=np.float64), SMALLEST))
    return probabilities(logits, temperature=temperature)


def mean_by_take(values: npt.ArrayLike, takes: npt.ArrayLike) -> tuple[npt.NDArray[np.str_], Floats]:
    """Average the frames of each take.

    Parameters
    ----------
    values : array-like [shape=(n, n_classes)]
        Probabilities, one row a frame.
    takes : array-like of str [shape=(n,)]
        The take of each frame.

    Returns
    -------
    tuple of ndarray of str [shape=(m,)] and ndarray [shape=(m, n_classes)]
        The takes, sorted, and their mean probabilities.
    """
    names, place = np.unique(np.asarray(takes, dtype=np.str_), return_inverse=True)
    frames = np.asarray(values, dtype=np.float64)
    sums = np.zeros((len(names), frames.shape[1]))
    np.add.at(sums, place, frames)
    return names, sums / np.bincount(place)[:, None]


def log_loss_at(
    log_scores: Floats,
    y: Integers,
    *,
    temperature: float = 1.0,
    sample_weight: Floats | None = None,
    takes: npt.ArrayLike | None = None,
) -> float:
    """Return the mean negative log-likelihood of the true classes at a temperature, in nats.

    Parameters are those of `fit_temperature`.
    """
    answers = probabilities(log_scores, temperature=temperature)
    if takes is not None:
        answers = mean_by_take(answers, takes)[1]
        y = y[np.unique(np.asarray(takes, dtype=np.str_), return_index=True)[1]]
    chosen = answers[np.arange(len(y)), y]
    return float(-np.average(np.log(chosen), weights=sample_weight))


def fit_temperature(
    log_scores: Floats,
    y: Integers,
    *,
    sample_weight: Floats | None = None,
    takes: npt.ArrayLike | None = None,
) -> float:
    """Return the temperature with the lowest log-loss on rows that the scoring model has not seen.

    Parameters
    ----------
    log_scores : numpy.ndarray of float [shape=(n, n_classes)]
        Out-of-fold scores.
    y : numpy.ndarray of int [shape=(n,)]
        True classes, as columns of `log_scores`.
    sample_weight : numpy.ndarray of float [shape=(n,)], optional
        How much a row counts; 1 without.
    takes : array-like of str [shape=(n,)], optional
        The take of each row where rows are frames: the mean of a take's probabilities is scored, each take once.

    Raises
    ------
    InputError
        If there are no rows.
    """
    from scipy.optimize import minimize_scalar

    if len(y) == 0:
        raise InputError("a temperature needs at least one out-of-fold row; got none")
    found = minimize_scalar(
        lambda exponent: log_loss_at(
            log_scores, y, temperature=float(np.exp(exponent)), sample_weight=sample_weight, takes=takes
        ),
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
