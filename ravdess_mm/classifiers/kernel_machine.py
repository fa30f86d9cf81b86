"""Classifiers that compare a clip with training clips: f(x) = K(x, training) a + b, one column a class.

Support vector classification (one class against the rest) and kernel ridge regression onto the classes differ in how
a and b are found and in nothing else, so both are stored as the same few arrays; see `stored_machine`.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_array, check_is_fitted, check_X_y

from ravdess_mm.arrays import Floats, Integers
from ravdess_mm.classifiers.stored_machine import bounded, kernel_values


def row_weights(codes: Integers, class_weight: str | None) -> Floats:
    """Return a weight a row [shape=(n,)]: 1, or with ``balanced`` inverse to how often its class occurs, mean 1."""
    if class_weight is None:
        return np.ones(len(codes))
    counts = np.bincount(codes)
    return np.asarray(len(codes) / ((counts > 0).sum() * counts[codes]))


class KernelMachine(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Base class of the kernel machines.

    Parameters
    ----------
    kernel : str
        ``rbf``, exp(-gamma |x - z|^2), ``linear``, or ``precomputed``: `fit` and `decision_function` are then given
        kernel values, and the machine cannot be stored.
    gamma : float
        Of the RBF kernel.
    class_weight : str, optional
        ``balanced``: every class counts the same.

    Attributes
    ----------
    classes_ : numpy.ndarray [shape=(K,)]
    vectors_ : numpy.ndarray of float32 [shape=(m, n_features)]
        The training rows that count, clipped to `BOUND`; of the linear kernel, one row of weights a class.
    coefficients_ : numpy.ndarray of float64 [shape=(m, K)]
    intercept_ : numpy.ndarray of float64 [shape=(K,)]
    """

    def __init__(self, *, kernel: str = "rbf", gamma: float = 1.0, class_weight: str | None = None) -> None:
        self.kernel = kernel
        self.gamma = gamma
        self.class_weight = class_weight

    @abstractmethod
    def _solve(self, gram: Floats, codes: Integers, weights: Floats) -> tuple[Floats, Floats]:
        """Return coefficients [shape=(n, K)] and intercepts [shape=(K,)]; `weights` are those of the caller alone."""

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> KernelMachine:
        """Fit on standardised features [shape=(n, n_features)], or kernel values [shape=(n, n)], and labels.

        `sample_weight` [shape=(n,)] says how much a row counts, times what `class_weight` says; 1 without.
        """
        rows, labels = check_X_y(X, y, dtype=np.float64)
        self.n_features_in_ = rows.shape[1]
        self.classes_, codes = np.unique(labels, return_inverse=True)
        precomputed = self.kernel == "precomputed"
        gram = rows if precomputed else self._kernel(bounded(rows), bounded(rows))
        weights = np.ones(len(rows)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        coefficients, self.intercept_ = self._solve(gram, codes, weights)
        if self.kernel == "linear":
            # K(x, training) a = x (training' a): the weights are all that is needed, no training row is kept
            self.vectors_ = (coefficients.T @ bounded(rows)).astype(np.float32)
            self.coefficients_ = np.eye(len(self.classes_))
            return self
        used = np.ones(len(rows), dtype=bool) if precomputed else np.any(coefficients != 0, axis=1)
        self.coefficients_ = np.ascontiguousarray(coefficients[used])
        if not precomputed:
            self.vectors_ = bounded(rows[used]).astype(np.float32)
        return self

    def decision_function(self, X: npt.ArrayLike) -> Floats:
        """Return a value a class [shape=(n, K)]; the larger, the likelier. Also of two classes there are two."""
        check_is_fitted(self, "coefficients_")
        rows = check_array(X, dtype=np.float64)
        kernel = rows if self.kernel == "precomputed" else self._kernel(bounded(rows), self.vectors_.astype(np.float64))
        return np.asarray(kernel @ self.coefficients_ + self.intercept_)

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """Return the label with the largest value [shape=(n,)]."""
        return np.asarray(self.classes_[self.decision_function(X).argmax(axis=1)])

    def _kernel(self, one: Floats, other: Floats) -> Floats:
        return kernel_values(self.kernel, self.gamma, one, other)


class SupportVectorMachine(KernelMachine):
    """Support vector classification (libsvm through scikit-learn), each class against the rest.

    scikit-learn's own ``SVC`` pits classes pairwise, which costs points of accuracy on unseen speakers.

    Parameters
    ----------
    C : float
        What a training row on the wrong side costs.
    kernel, gamma, class_weight
        See `KernelMachine`; ``balanced`` weighs a class against its rest.
    """

    def __init__(
        self, *, C: float = 1.0, kernel: str = "rbf", gamma: float = 1.0, class_weight: str | None = None
    ) -> None:
        super().__init__(kernel=kernel, gamma=gamma, class_weight=class_weight)
        self.C = C

    def _solve(self, gram: Floats, codes: Integers, weights: Floats) -> tuple[Floats, Floats]:
        from sklearn.svm import SVC

        coefficients = np.zeros((len(codes), len(self.classes_)))
        intercept = np.zeros(len(self.classes_))
        for index in range(len(self.classes_)):
            machine = SVC(C=self.C, kernel="precomputed", class_weight=self.class_weight, cache_size=500)
            machine.fit(gram, codes == index, sample_weight=weights)
            coefficients[machine.support_, index] = machine.dual_coef_[0]
            intercept[index] = machine.intercept_[0]
        return coefficients, intercept


class KernelRidge(KernelMachine):
    """Ridge regression in the kernel's space onto +1 for the class and -1 for the others.

    The least-squares support vector machine (Suykens JAK, Vandewalle J (1999), Neural Processing Letters 9: 293-300)
    with the weighted mean of the targets as its intercept: one system of linear equations for all classes.

    Parameters
    ----------
    alpha : float
        What is added to the kernel's diagonal.
    kernel, gamma, class_weight
        See `KernelMachine`.
    """

    def __init__(
        self, *, alpha: float = 0.2, kernel: str = "rbf", gamma: float = 1.0, class_weight: str | None = None
    ) -> None:
        super().__init__(kernel=kernel, gamma=gamma, class_weight=class_weight)
        self.alpha = alpha

    def _solve(self, gram: Floats, codes: Integers, weights: Floats) -> tuple[Floats, Floats]:
        from scipy.linalg import solve

        weights = weights * row_weights(codes, self.class_weight)
        targets = 2.0 * np.eye(len(self.classes_))[codes] - 1
        intercept = weights @ targets / weights.sum()
        roots = np.sqrt(weights)[:, None]
        system = roots * gram * roots.T
        np.fill_diagonal(system, system.diagonal() + self.alpha)
        return roots * solve(system, roots * (targets - intercept), assume_a="pos"), intercept
