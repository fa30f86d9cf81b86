"""A network of radial basis functions: like kernel ridge regression, but nothing of a training row is kept.

f(x) = K(x, centres) a + b with K(x, z) = exp(-gamma |x - z|^2), where a minimises the weighted squared errors on all
rows plus strength times a' K(centres, centres) a (Poggio T, Girosi F (1990), "Networks for approximation and learning",
Proc. IEEE 78(9): 1481-1497). The centres are drawn at random where the rows lie.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from ravdess_mm.arrays import Floats, Integers
from ravdess_mm.classifiers.stored_machine import StoredMachine, bounded, kernel_values

JITTER: Final = 1e-6
"""Added to the diagonal, as a share of its mean, so that centres that are alike can be solved for."""


def draw_centres(X: Floats, n_centres: int, *, seed: int) -> Floats:
    """Draw centres [shape=(n_centres, n_features)] from a normal distribution as wide as rows [shape=(n, n_features)].

    Features are drawn one by one, so they should not be correlated, as principal components are not.
    """
    noise = np.random.default_rng(seed).standard_normal((n_centres, X.shape[1]))
    return np.asarray(X.mean(axis=0) + noise * X.std(axis=0))


def fit_radial_basis(
    X: Floats,
    codes: Integers,
    *,
    sample_weight: Floats,
    centres: Floats,
    gamma: float,
    strengths: Iterable[float],
) -> list[StoredMachine]:
    """Fit one machine for each strength onto +1 for the class and -1 for the others.

    Parameters
    ----------
    X : numpy.ndarray [shape=(n, n_features)]
        Rows as the machines will be given them.
    codes : numpy.ndarray of int [shape=(n,)]
        Classes, 0 .. K-1, each of them there.
    sample_weight : numpy.ndarray [shape=(n,)]
        How much a row counts; mean 1.
    centres : numpy.ndarray [shape=(m, n_features)]
        Kept in half precision.
    gamma : float
        Of the kernel.
    strengths : iterable of float
        Of the ridge.
    """
    from scipy.linalg import solve

    vectors = bounded(centres).astype(np.float16)
    places = vectors.astype(np.float64)
    kernel = kernel_values("rbf", gamma, bounded(X), places)
    targets = 2.0 * np.eye(codes.max() + 1)[codes] - 1
    intercept = sample_weight @ targets / sample_weight.sum()
    weighted = sample_weight[:, None] * kernel
    squares, products = kernel.T @ weighted, weighted.T @ (targets - intercept)
    squares[np.diag_indices(len(vectors))] += JITTER * np.trace(squares) / len(vectors)
    penalty = kernel_values("rbf", gamma, places, places)
    return [
        StoredMachine(
            mean=np.zeros(X.shape[1]),
            scale=np.ones(X.shape[1]),
            vectors=vectors,
            coefficients=solve(squares + strength * penalty, products, assume_a="pos"),
            intercept=intercept,
            kernel="rbf",
            gamma=gamma,
        )
        for strength in strengths
    ]
