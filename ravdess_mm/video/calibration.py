"""From frames to takes: temperature, and the mean over a take's frames."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ravdess_mm.arrays import Floats

_SMALLEST: Final = 1e-12
_LOG_TEMPERATURE_MAX: Final = float(np.log(10.0))


def soften(probabilities: npt.ArrayLike, temperature: float) -> Floats:
    """Divide the logits behind probabilities [shape=(n, k)] by a temperature.

    The softmax of ``log(p) / T``: above 1 answers become less sure, below 1 surer; 1 changes nothing. The order of
    the classes stays. Guo C et al. (2017), On calibration of modern neural networks, ICML.
    """
    logits = np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), _SMALLEST)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    softened: Floats = powers / powers.sum(axis=1, keepdims=True)
    return softened


def mean_by_take(probabilities: npt.ArrayLike, takes: npt.ArrayLike) -> tuple[npt.NDArray[np.str_], Floats]:
    """Average the frames of each take.

    Parameters
    ----------
    probabilities : array-like [shape=(n, k)]
        One row a frame.
    takes : array-like of str [n]
        The take of each frame.

    Returns
    -------
    tuple of ndarray of str [m] and ndarray [shape=(m, k)]
        The takes, sorted, and their mean probabilities.
    """
    names, place = np.unique(np.asarray(takes, dtype=np.str_), return_inverse=True)
    values = np.asarray(probabilities, dtype=np.float64)
    sums = np.zeros((len(names), values.shape[1]))
    np.add.at(sums, place, values)
    return names, sums / np.bincount(place)[:, None]


def fit_temperature(probabilities: npt.ArrayLike, takes: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Choose the temperature of the frames that makes the *takes'* mean probabilities fit their labels best.

    Parameters
    ----------
    probabilities : array-like [shape=(n, k)]
        One row a frame, of actors the network was not trained on.
    takes : array-like of str [n]
        The take of each frame.
    labels : array-like of int [n]
        The class of each frame's take.

    Returns
    -------
    float
        0.1-10; minimises the mean negative log likelihood over takes.
    """
    from scipy.optimize import minimize_scalar

    values = np.asarray(probabilities, dtype=np.float64)
    names, first = np.unique(np.asarray(takes, dtype=np.str_), return_index=True)
    take_labels = np.asarray(labels, dtype=np.int64)[first]

    def loss(log_temperature: float) -> float:
        _, means = mean_by_take(soften(values, float(np.exp(log_temperature))), takes)
        chosen = means[np.arange(len(names)), take_labels]
        return -float(np.mean(np.log(np.maximum(chosen, _SMALLEST))))

    found = minimize_scalar(loss, bounds=(-_LOG_TEMPERATURE_MAX, _LOG_TEMPERATURE_MAX), method="bounded")
    return round(float(np.exp(found.x)), 4)
