"""Gradient-boosted trees (XGBoost), searched with one binned matrix a fold and early stopping.

Chen T, Guestrin C (2016), XGBoost: a scalable tree boosting system, KDD: 785-794.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
from typing_extensions import override

from ravdess_mm.arrays import Floats
from ravdess_mm.classifiers.family import UNSEEN, Family, InnerFold, Kind, Params, Space
from ravdess_mm.extras import need_extra


class BoostedTrees(Family):
    """XGBoost on binned features.

    The number of rounds is not drawn: every draw is boosted until the held-out actors' log-loss has not fallen for
    `PATIENCE` rounds, and gets the round at which the mean over folds was lowest. Every fit is on one thread: draws
    run side by side instead, and sums of floats do not depend on the machine.
    """

    kind = Kind.XGBOOST
    refined = ("max_depth",)
    MAX_ROUNDS: ClassVar[int] = 500
    PATIENCE: ClassVar[int] = 50
    """Stopping earlier, on the first flat stretch of one fold's curve, chose worse by half a point."""
    FIXED: ClassVar[Params] = {"tree_method": "hist"}
    SEARCH_BINS: ClassVar[int] = 32
    """Bins a column that draws are compared on, at a quarter of the price; the model itself has XGBoost's own 256."""

    @override
    def defaults(self, width: float) -> Params:
        return {
            "n_estimators": 150,
            "learning_rate": 0.1,
            "max_depth": 4,
            "min_child_weight": 1.0,
            "subsample": 0.65,
            "colsample_bynode": 0.2,
            "reg_lambda": 1.0,
        }

    @override
    def spaces(self, width: float) -> tuple[Space, ...]:
        from scipy.stats import loguniform

        return (
            {
                "learning_rate": loguniform(0.05, 0.2),
                "max_depth": [2, 3, 4, 5, 6],
                "min_child_weight": loguniform(0.2, 6),
                "subsample": [0.5, 0.65, 0.8, 1.0],
                "colsample_bynode": loguniform(0.04, 0.5),
                "reg_lambda": loguniform(0.3, 20),
            },
        )

    @override
    def build(self, params: Params, *, seed: int, jobs: int = 1) -> Any:
        need_extra("xgboost")
        from xgboost import XGBClassifier

        return XGBClassifier(random_state=seed, n_jobs=1, **self.FIXED, **params)

    @override
    def scan(
        self, folds: Sequence[InnerFold], draws: Sequence[Params], *, seed: int
    ) -> Iterator[tuple[Params, list[Floats]]]:
        matrices = [_Matrices(fold, max_bin=self.SEARCH_BINS) for fold in folds]
        for draw in draws:
            params = {name: value for name, value in draw.items() if name != "n_estimators"}
            boosters, curves = zip(*(self._boost(pair, params, seed=seed) for pair in matrices), strict=True)
            common = min(map(len, curves))
            rounds = 1 + int(np.argmin(np.mean([curve[:common] for curve in curves], axis=0)))
            scores = [pair.log_scores(booster, rounds) for pair, booster in zip(matrices, boosters, strict=True)]
            yield {"n_estimators": rounds, **params}, scores

    def _boost(self, pair: _Matrices, params: Params, *, seed: int) -> tuple[Any, list[float]]:
        import xgboost

        history: dict[str, dict[str, list[float]]] = {}
        booster = xgboost.train(
            {**pair.objective, **self.FIXED, **params, "max_bin": self.SEARCH_BINS, "seed": seed, "nthread": 1},
            pair.train,
            num_boost_round=self.MAX_ROUNDS,
            evals=[(pair.stop, "others")],
            evals_result=history,
            early_stopping_rounds=self.PATIENCE,
            verbose_eval=False,
        )
        return booster, history["others"][pair.objective["eval_metric"]]

    @override
    def complexity(self, params: Params) -> tuple[float, ...]:
        return (params["max_depth"], params["n_estimators"])


class _Matrices:
    """The binned sides of a fold, shared by all draws."""

    def __init__(self, fold: InnerFold, *, max_bin: int) -> None:
        need_extra("xgboost")
        from xgboost import QuantileDMatrix

        n_classes = int(fold.y_train.max()) + 1
        self.objective: Params = (
            {"objective": "multi:softprob", "num_class": n_classes, "eval_metric": "mlogloss"}
            if n_classes > 2
            else {"objective": "binary:logistic", "eval_metric": "logloss"}
        )
        self.train = QuantileDMatrix(fold.X_train, fold.y_train, max_bin=max_bin, nthread=1)
        self.test = QuantileDMatrix(fold.X_test, ref=self.train, max_bin=max_bin, nthread=1)
        seen = fold.y_test != UNSEEN
        self.stop = QuantileDMatrix(fold.X_test[seen], fold.y_test[seen], ref=self.train, max_bin=max_bin, nthread=1)

    def log_scores(self, booster: Any, rounds: int) -> Floats:
        shares = booster.predict(self.test, iteration_range=(0, rounds)).astype(np.float64)
        if shares.ndim == 1:
            shares = np.stack([1 - shares, shares], axis=1)
        return np.asarray(np.log(np.maximum(shares, 1e-7)))
