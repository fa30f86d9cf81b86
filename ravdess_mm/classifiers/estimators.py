"""RandomForest, SVC, ridge and logistic regression and the dense network, and what is searched for each.

Ranges that depend on the number of features are in the units of scikit-learn's ``gamma="scale"``: 1 /
width, the sum of the variances of the features, which is their number where they are standardised.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
from typing_extensions import override

from ravdess_mm.arrays import Floats
from ravdess_mm.classifiers.boosting import BoostedTrees
from ravdess_mm.classifiers.family import Family, InnerFold, Kind, Params, Space
from ravdess_mm.errors import InputError


class RandomForest(Family):
    """Random forest (Breiman L (2001), Machine Learning 45: 5-32).

    The number of trees is not searched, because more are never worse, only slower (Probst P, Boulesteix A-L (2018),
    JMLR 18(181)): draws are ranked on the first `SEARCH_TREES` of the `TREES` trees that the chosen forest gets.
    """

    kind = Kind.RANDOM_FOREST
    refined = ("max_features",)
    TREES: ClassVar[int] = 500
    SEARCH_TREES: ClassVar[int] = 100

    @override
    def defaults(self, width: float) -> Params:
        return {"max_features": round(width**-0.5, 4), "min_samples_leaf": 1, "class_weight": None}

    @override
    def spaces(self, width: float) -> tuple[Space, ...]:
        from scipy.stats import loguniform

        return (
            {
                "max_features": loguniform(0.03, 0.2),
                "min_samples_leaf": [1, 2, 3, 5],
                "class_weight": [None, "balanced"],
            },
        )

    @override
    def build(self, params: Params, *, seed: int, jobs: int = 1) -> Any:
        from sklearn.ensemble import RandomForestClassifier

        return RandomForestClassifier(n_estimators=self.TREES, random_state=seed, n_jobs=jobs, **params)

    @override
    def log_scores(self, estimator: Any, X: Floats) -> Floats:
        # one thread: several would add up the trees in the order in which they finish
        shares = estimator.set_params(n_jobs=1).predict_proba(X)
        # a class no tree votes for gets half a vote, so that its logarithm is finite
        return np.asarray(np.log(shares + 0.5 / len(estimator.estimators_)))

    @override
    def scan(
        self, folds: Sequence[InnerFold], draws: Sequence[Params], *, seed: int
    ) -> Iterator[tuple[Params, list[Floats]]]:
        for params in draws:
            scores = []
            for fold in folds:
                forest = self.build(params, seed=seed).set_params(n_estimators=self.SEARCH_TREES)
                scores.append(self.log_scores(forest.fit(fold.X_train, fold.y_train), fold.X_test))
            yield params, scores

    @override
    def complexity(self, params: Params) -> tuple[float, ...]:
        return (-params["min_samples_leaf"], params["max_features"])


class _Machine(Family):
    """A kernel machine: its draws share the distances between rows, only the kernel's own formula differs."""

    SLOPE: ClassVar[float]
    """Makes differences between decision values about as large as those between log-probabilities."""

    @override
    def log_scores(self, estimator: Any, X: Floats) -> Floats:
        return np.asarray(self.SLOPE * estimator.decision_function(X))

    @override
    def scan(
        self, folds: Sequence[InnerFold], draws: Sequence[Params], *, seed: int
    ) -> Iterator[tuple[Params, list[Floats]]]:
        for params in draws:
            chosen = {name: value for name, value in params.items() if name not in {"kernel", "gamma"}}
            scores = []
            for fold in folds:
                if params["kernel"] == "linear":
                    train, test = fold.products
                else:
                    train, test = (np.exp(-params["gamma"] * part) for part in fold.distances)
                machine = self.build({"kernel": "precomputed", **chosen}, seed=seed).fit(train, fold.y_train)
                scores.append(self.log_scores(machine, test))
            yield params, scores


class SupportVectors(_Machine):
    """Support vector classification, each class against the rest; RBF and linear kernels in one search space.

    scikit-learn's ``probability=True`` is deprecated, slow and can contradict ``predict``. Here decision values are
    calibrated like any other scores, by one temperature, on actors the machine has not seen.
    """

    kind = Kind.SVC
    refined = ("C", "gamma")
    SLOPE = 2.0

    @override
    def defaults(self, width: float) -> Params:
        return {"kernel": "rbf", "C": 2.0, "gamma": round(0.5 / width, 6), "class_weight": None}

    @override
    def spaces(self, width: float) -> tuple[Space, ...]:
        from scipy.stats import loguniform

        weights = [None, "balanced"]
        scale = 1 / width
        rbf = {"C": loguniform(0.3, 30), "gamma": loguniform(0.05 * scale, 3 * scale)}
        linear = {"C": loguniform(0.1 * scale, 100 * scale)}
        return (
            {"kernel": ["rbf"], **rbf, "class_weight": weights},
            {"kernel": ["linear"], **linear, "class_weight": weights},
        )

    @override
    def build(self, params: Params, *, seed: int, jobs: int = 1) -> Any:
        from ravdess_mm.classifiers.kernel_machine import SupportVectorMachine

        return SupportVectorMachine(**params)

    @override
    def complexity(self, params: Params) -> tuple[float, ...]:
        return (float(params["kernel"] != "linear"), params["C"], params.get("gamma", 0.0))


class Ridge(_Machine):
    """Kernel ridge regression onto the classes, RBF kernel: as good as the SVC where features are many, and faster."""

    kind = Kind.KERNEL_RIDGE
    refined: ClassVar[tuple[str, ...]] = ("alpha", "gamma")
    SLOPE = 4.0

    @override
    def defaults(self, width: float) -> Params:
        return {"kernel": "rbf", "alpha": 0.2, "gamma": round(0.4 / width, 6), "class_weight": "balanced"}

    @override
    def spaces(self, width: float) -> tuple[Space, ...]:
        from scipy.stats import loguniform

        return (
            {
                "kernel": ["rbf"],
                "alpha": loguniform(0.02, 2),
                "gamma": loguniform(0.05 / width, 2 / width),
                "class_weight": [None, "balanced"],
            },
        )

    @override
    def build(self, params: Params, *, seed: int, jobs: int = 1) -> Any:
        from ravdess_mm.classifiers.kernel_machine import KernelRidge

        return KernelRidge(**params)

    @override
    def complexity(self, params: Params) -> tuple[float, ...]:
        return (-params["alpha"], params["gamma"])


class LinearRidge(Ridge):
    """Ridge regression onto the classes without a kernel: as good on unseen speakers, and one row of weights a class.

    Nothing of a training row is kept, so it can be given away where a kernel machine, which compares with them, cannot.
    """

    kind = Kind.RIDGE
    refined = ("alpha",)

    @override
    def defaults(self, width: float) -> Params:
        return {"kernel": "linear", "alpha": float(width), "class_weight": "balanced"}

    @override
    def spaces(self, width: float) -> tuple[Space, ...]:
        from scipy.stats import loguniform

        alpha = loguniform(0.1 * width, 10 * width)
        return ({"kernel": ["linear"], "alpha": alpha, "class_weight": [None, "balanced"]},)

    @override
    def complexity(self, params: Params) -> tuple[float, ...]:
        return (-params["alpha"],)


class Logistic(Family):
    """Multinomial logistic regression with an L2 penalty."""

    kind = Kind.LOGISTIC
    refined = ("C",)

    @override
    def defaults(self, width: float) -> Params:
        return {"C": round(2 / width, 6), "class_weight": None}

    @override
    def spaces(self, width: float) -> tuple[Space, ...]:
        from scipy.stats import loguniform

        return ({"C": loguniform(0.1 / width, 60 / width), "class_weight": [None, "balanced"]},)

    @override
    def build(self, params: Params, *, seed: int, jobs: int = 1) -> Any:
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(max_iter=2000, **params)

    @override
    def log_scores(self, estimator: Any, X: Floats) -> Floats:
        return np.asarray(estimator.predict_log_proba(X))

    @override
    def scan(
        self, folds: Sequence[InnerFold], draws: Sequence[Params], *, seed: int
    ) -> Iterator[tuple[Params, list[Floats]]]:
        for params in draws:
            scores = []
            for fold in folds:
                train, test = fold.rotated
                scores.append(self.log_scores(self.build(params, seed=seed).fit(train, fold.y_train), test))
            yield params, scores

    @override
    def complexity(self, params: Params) -> tuple[float, ...]:
        return (params["C"],)


class Dense(Family):
    """The small dense network; its parameters are the run's ``dense`` settings, nothing is searched."""

    kind = Kind.NETWORK
    uses_groups = True
    spreads = False  # Keras builds networks in global state, and its backend has threads of its own

    @override
    def defaults(self, width: float) -> Params:
        return {}

    @override
    def build(self, params: Params, *, seed: int, jobs: int = 1) -> Any:
        from ravdess_mm.classifiers.dense import DenseClassifier

        return DenseClassifier(seed=seed, **params)

    @override
    def complexity(self, params: Params) -> tuple[float, ...]:
        return ()


def family_of(kind: Kind | str) -> Family:
    """Return the family of a kind of classifier.

    Raises
    ------
    InputError
        If the kind is unknown.
    """
    for family in (RandomForest, SupportVectors, BoostedTrees, Logistic, Ridge, LinearRidge, Dense):
        if family.kind == kind:
            return family()
    raise InputError(f"unknown classifier {str(kind)!r}; allowed: {', '.join(Kind)}")
