"""The interface of all kinds of classifiers.

A family knows how to build one scikit-learn estimator from parameters, how to read log-scores from it, what to
search, and how to score many parameter draws on the same folds for less than fitting each from nothing.

Inside a family, classes are the numbers 0 .. K-1 of the emotions that the training rows show.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any, ClassVar, Final

import numpy as np

from ravdess_mm.arrays import Floats, Integers

Params = dict[str, Any]
Space = Mapping[str, Any]

UNSEEN: Final = -1
"""Code of a class that the training rows do not show."""


class Kind(StrEnum):
    """The classifiers that can be trained on a feature table."""

    RANDOM_FOREST = "random-forest"
    SVC = "svc"
    XGBOOST = "xgboost"
    LOGISTIC = "logistic"
    RIDGE = "ridge"
    KERNEL_RIDGE = "kernel-ridge"
    NETWORK = "network"


@dataclass(frozen=True)
class InnerFold:
    """One fold of a search: both sides standardised by the training side, actors disjoint.

    Attributes
    ----------
    X_train, X_test : numpy.ndarray of float64 [shape=(n, n_features)]
    y_train : numpy.ndarray of int [shape=(n_train,)]
        Classes 0 .. K-1.
    y_test : numpy.ndarray of int [shape=(n_test,)]
        Classes 0 .. K-1, or `UNSEEN`.
    classes : numpy.ndarray of int [shape=(K,)]
        The place in `EMOTIONS` of each class.
    emotions : numpy.ndarray of int [shape=(n_test,)]
        `y_test` as places in `EMOTIONS`.
    actors : numpy.ndarray of int [shape=(n_test,)]
        Whose take each test row is.
    """

    X_train: Floats
    y_train: Integers
    X_test: Floats
    y_test: Integers
    classes: Integers
    emotions: Integers
    actors: Integers

    @cached_property
    def rotated(self) -> tuple[Floats, Floats]:
        """Both sides in coordinates of the training rows' own span [shape=(n, min(n_train, n_features))].

        Inner products are as they were, so a linear model with an L2 penalty says the same (its weights lie in that
        span: Schölkopf B, Herbrich R, Smola AJ (2001), A generalized representer theorem, COLT), several times
        faster where there are more features than rows.
        """
        if self.X_train.shape[1] <= len(self.X_train):
            return self.X_train, self.X_test
        values, vectors = np.linalg.eigh(self.X_train @ self.X_train.T)
        kept = values > values[-1] * len(values) * np.finfo(np.float64).eps
        basis = vectors[:, kept] / np.sqrt(values[kept])
        return vectors[:, kept] * np.sqrt(values[kept]), self.X_test @ (self.X_train.T @ basis)

    @cached_property
    def bounded(self) -> tuple[Floats, Floats]:
        """Both sides as kernel machines see them: clipped, at the precision in which they are stored."""
        from ravdess_mm.classifiers.stored_machine import bounded

        return bounded(self.X_train), bounded(self.X_test)

    @cached_property
    def products(self) -> tuple[Floats, Floats]:
        """Inner products of `bounded` training rows, and test rows, with training rows [shape=(n, n_train)]."""
        train, test = self.bounded
        return train @ train.T, test @ train.T

    @cached_property
    def distances(self) -> tuple[Floats, Floats]:
        """Squared distances of `bounded` training rows, and test rows, to training rows [shape=(n, n_train)]."""
        from ravdess_mm.classifiers.stored_machine import squared_distances

        train, test = self.bounded
        return squared_distances(train, train), squared_distances(test, train)


class Family(ABC):
    """One kind of classifier: how to build, read and search it."""

    kind: ClassVar[Kind]
    refined: ClassVar[tuple[str, ...]] = ()
    """Parameters that the grid around the best draw halves and doubles."""
    uses_groups: ClassVar[bool] = False
    """Whether ``fit`` takes the actor of each row."""
    spreads: ClassVar[bool] = True
    """Whether fits run side by side in threads."""

    @abstractmethod
    def defaults(self, width: float) -> Params:
        """Return parameters that are sound without a search.

        Parameters
        ----------
        width : float
            Sum of the variances of the features; of standardised ones, their number.
        """

    def spaces(self, width: float) -> tuple[Space, ...]:
        """Return what ``sklearn.model_selection.ParameterSampler`` draws from; empty: nothing is searched."""
        return ()

    @abstractmethod
    def build(self, params: Params, *, seed: int, jobs: int = 1) -> Any:
        """Return an unfitted scikit-learn estimator; its fit does not depend on `jobs`."""

    def log_scores(self, estimator: Any, X: Floats) -> Floats:
        """Return log-probabilities up to a constant a row, not yet calibrated [shape=(n, K)]."""
        shares = np.asarray(estimator.predict_proba(X), dtype=np.float64)
        return np.asarray(np.log(np.maximum(shares, 1e-7)))

    def scan(
        self, folds: Sequence[InnerFold], draws: Sequence[Params], *, seed: int
    ) -> Iterator[tuple[Params, list[Floats]]]:
        """Yield for each draw its parameters, completed by what the scan found, and the log-scores on each fold."""
        for params in draws:
            fitted = [self.build(params, seed=seed).fit(fold.X_train, fold.y_train) for fold in folds]
            yield params, [self.log_scores(model, fold.X_test) for model, fold in zip(fitted, folds, strict=True)]

    @abstractmethod
    def complexity(self, params: Params) -> tuple[float, ...]:
        """Return what breaks ties between equally good parameters: smaller is simpler."""
