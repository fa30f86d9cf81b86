"""Searches of classifier parameters against scikit-learn's ``RandomizedSearchCV``: CPU seconds for equal draws.

``python benchmarks/search.py FEATURES.parquet`` takes the voice features of a run, such as
``artifacts/real/audio/features.parquet``. Both ways get the same draws, score them on the same actor-grouped folds and
are held to one thread. What is chosen is fitted on all training actors and scored on the test actors, so that a faster
search that chooses worse would show. Every actor is a test actor once; the difference in accuracy has its standard
error over actors, since one test set of four actors says nothing within three points.

The obvious way fits every draw on every fold from nothing, with a forest and a number of boosting rounds of the size
that is wanted in the end. Ours ranks forests on their first trees, stops boosting early on one binned matrix a fold,
and shares the distances between rows among all kernel machines.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RandomizedSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits
from xgboost import XGBClassifier

from ravdess_mm.audio.feature_table import FEATURES_SCHEMA
from ravdess_mm.classifiers.cross_fitting import fit_pipeline, make_inner_folds, pipeline_scores
from ravdess_mm.classifiers.estimators import RandomForest, family_of
from ravdess_mm.classifiers.family import Kind
from ravdess_mm.classifiers.rows import Sample, check_features
from ravdess_mm.classifiers.search import draw_parameters, search_parameters
from ravdess_mm.store import read_table

OBVIOUS: dict[Kind, Any] = {
    Kind.RANDOM_FOREST: RandomForestClassifier(n_estimators=RandomForest.TREES),
    Kind.SVC: SVC(),
    Kind.XGBOOST: XGBClassifier(n_jobs=1, tree_method="hist"),
    Kind.LOGISTIC: LogisticRegression(max_iter=2000),
}
ROUNDS = (100, 500)
"""Boosting rounds, which the obvious way has to draw because it does not find them by itself."""


def ours(kind: Kind, train: Sample, folds: np.ndarray, draws: int, seed: int) -> Any:
    """Search and fit as this package does."""
    family = family_of(kind)
    params, _ = search_parameters(family, train, folds, draws=draws, refine=False, seed=seed, jobs=1)
    pipeline = fit_pipeline(family, params, train, seed=seed)
    return lambda X: pipeline_scores(family, pipeline, X).argmax(axis=1)


def obvious(kind: Kind, train: Sample, folds: np.ndarray, draws: int, seed: int) -> Any:
    """Search and fit as scikit-learn's documentation shows, with the draws that `ours` makes."""
    family = family_of(kind)
    drawn = draw_parameters(family.spaces(train.X.shape[1]), draws, seed=seed)
    if kind is Kind.XGBOOST:
        rounds = np.random.default_rng(seed).integers(*ROUNDS, size=len(drawn), endpoint=True)
        drawn = [{**params, "n_estimators": int(count)} for params, count in zip(drawn, rounds, strict=True)]
    model = clone(OBVIOUS[kind])
    if "random_state" in model.get_params():
        model.set_params(random_state=seed)
    splits = [(np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)) for fold in np.unique(folds)]
    search = RandomizedSearchCV(
        Pipeline([("scale", StandardScaler()), ("model", model)]),
        [{f"model__{name}": [value] for name, value in params.items()} for params in drawn],
        n_iter=draws,
        scoring="recall_macro",
        cv=splits,
        random_state=seed,
        n_jobs=1,
    )
    return search.fit(train.X, train.y).predict


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("features", type=Path, help="features.parquet of a run")
    parser.add_argument("--sets", type=int, default=5, help="sets of test actors (default: 5)")
    parser.add_argument("--draws", type=int, default=6, help="draws a search (default: 6)")
    parser.add_argument("--kinds", default=",".join(OBVIOUS), help="which classifiers, separated by commas")
    parser.add_argument("--seed", type=int, default=20)
    options = parser.parse_args()
    if not options.features.is_file():
        print(f"{options.features}: no such file; `make features DATA=...` makes one", file=sys.stderr)
        return 2
    warnings.simplefilter("ignore", FutureWarning)
    rows = check_features(pd.DataFrame(read_table(options.features, schema=FEATURES_SCHEMA)))
    sample, seed = rows.sample, options.seed
    sets = make_inner_folds(sample, options.sets, seed=seed)
    if sets is None or len(np.unique(sets)) < 3:
        print("too few actors: three or more are needed", file=sys.stderr)
        return 2
    print(f"{len(sample)} takes, {len(np.unique(sets))} sets of test actors, ", end="")
    print(f"{len(rows.names)} features, {options.draws} draws")
    print(f"{'':15}{'CPU seconds':>24}{'':>8}{'test accuracy':>24}")
    header = f"{'':15}{'scikit-learn':>14}{'ours':>10}{'ratio':>8}{'scikit-learn':>14}{'ours':>10}{'difference':>16}"
    print(header, flush=True)
    totals = np.zeros(2)
    with threadpool_limits(1):
        for kind in map(Kind, options.kinds.split(",")):
            seconds, right = np.zeros(2), np.zeros((2, len(sample)), dtype=bool)
            for number in np.unique(sets):
                train, held_out = sample.rows(sets != number), sample.rows(sets == number)
                folds = make_inner_folds(train, 3, seed=seed)
                for place, way in enumerate((obvious, ours)):
                    start = time.process_time()
                    answer = way(kind, train, folds, options.draws, seed)
                    seconds[place] += time.process_time() - start
                    right[place, sets == number] = answer(held_out.X) == held_out.y
            totals += seconds
            accuracy = 100 * right.mean(axis=1)
            gains = [
                100 * np.subtract(right[1], right[0], dtype=float)[sample.groups == actor].mean()
                for actor in np.unique(sample.groups)
            ]
            error = np.std(gains, ddof=1) / np.sqrt(len(gains))
            print(f"{kind.value:15}{seconds[0]:14.1f}{seconds[1]:10.1f}{seconds[0] / seconds[1]:8.1f}", end="")
            difference = f"{accuracy[1] - accuracy[0]:+.1f} +- {error:.1f}"
            print(f"{accuracy[0]:14.1f}{accuracy[1]:10.1f}{difference:>16}", flush=True)
    print(f"{'all':15}{totals[0]:14.1f}{totals[1]:10.1f}{totals[0] / totals[1]:8.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
