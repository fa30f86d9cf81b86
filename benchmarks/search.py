"""Searches of classifier parameters against scikit-learn's ``RandomizedSearchCV``: CPU seconds for equal draws.

``python benchmarks/search.py FEATURES.parquet`` takes the voice features of a run, such as
``artifacts/real/audio/features.parquet``. Both ways draw as often from the same spaces, score on the same actor-grouped
folds and are held to one thread. What is chosen is fitted on all training actors and scored on the test actors, so
that a faster search that chooses worse would show.

The obvious way fits every draw on every fold from nothing, with a forest and a number of boosting rounds of the size
that is wanted in the end. Ours ranks forests on their first trees, stops boosting early on one binned matrix a fold,
shares the distances between rows among all kernel machines, and turns wide folds so that a linear model sees fewer
columns.
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
from scipy.stats import randint
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RandomizedSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits
from xgboost import XGBClassifier

from ravdess_mm.audio.table import FEATURES_SCHEMA
from ravdess_mm.classifiers.crossfit import deal_inner_folds, family_columns, fit_pipeline, pipeline_scores
from ravdess_mm.classifiers.estimators import RandomForest, family_of
from ravdess_mm.classifiers.family import Kind
from ravdess_mm.classifiers.rows import Sample, check_features
from ravdess_mm.classifiers.search import score_rows, search_parameters
from ravdess_mm.config import parse_actors
from ravdess_mm.store import read_table

OBVIOUS: dict[Kind, Any] = {
    Kind.RANDOM_FOREST: RandomForestClassifier(n_estimators=RandomForest.TREES),
    Kind.SVC: SVC(),
    Kind.XGBOOST: XGBClassifier(n_jobs=1, tree_method="hist"),
    Kind.LOGISTIC: LogisticRegression(max_iter=2000),
}
FURTHER: dict[Kind, dict[str, Any]] = {Kind.XGBOOST: {"n_estimators": randint(100, 501)}}
"""What the obvious way has to draw because it does not find it by itself."""


def ours(kind: Kind, train: Sample, folds: np.ndarray, draws: int, seed: int) -> Any:
    """Search and fit as this package does."""
    family = family_of(kind)
    params, _ = search_parameters(family, train, folds, draws=draws, refine=False, seed=seed, jobs=1)
    columns = family_columns(family, train)
    pipeline = fit_pipeline(family, params, train.of_columns(columns), seed=seed)
    return lambda X: pipeline_scores(family, pipeline, X if columns is None else X[:, columns])


def obvious(kind: Kind, train: Sample, folds: np.ndarray, draws: int, seed: int) -> Any:
    """Search and fit as scikit-learn's documentation shows."""
    spaces = [{**dict(space), **FURTHER.get(kind, {})} for space in family_of(kind).spaces(train.X.shape[1])]
    spaces = [{f"model__{name}": values for name, values in space.items()} for space in spaces]
    splits = [(np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)) for fold in np.unique(folds)]
    search = RandomizedSearchCV(
        Pipeline([("scale", StandardScaler()), ("model", OBVIOUS[kind])]),
        spaces,
        n_iter=draws,
        scoring="recall_macro",
        cv=splits,
        random_state=seed,
        n_jobs=1,
    )
    search.fit(train.X, train.y)
    return lambda X: np.eye(8)[search.predict(X)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("features", type=Path, help="features.parquet of a run")
    parser.add_argument("--test-actors", default="17-20", help="default: 17-20")
    parser.add_argument("--draws", type=int, default=10, help="draws a search (default: 10)")
    parser.add_argument("--kinds", default=",".join(OBVIOUS), help="which classifiers, separated by commas")
    parser.add_argument("--seed", type=int, default=20)
    options = parser.parse_args()
    if not options.features.is_file():
        print(f"{options.features}: no such file; `make features DATA=...` makes one", file=sys.stderr)
        return 2
    warnings.simplefilter("ignore", FutureWarning)
    rows = check_features(pd.DataFrame(read_table(options.features, schema=FEATURES_SCHEMA)))
    test = np.isin(rows.sample.groups, parse_actors(options.test_actors))
    train, held_out = rows.sample.rows(~test), rows.sample.rows(test)
    folds = deal_inner_folds(train, 3, seed=options.seed)
    if folds is None or not len(held_out):
        print("too few actors: some to test on and two or more to train on are needed", file=sys.stderr)
        return 2
    print(f"{len(train)} training takes, {len(held_out)} test takes, {len(rows.names)} features, {options.draws} draws")
    print(f"{'':15}{'CPU seconds':>24}{'':>8}{'test accuracy':>24}")
    print(f"{'':15}{'scikit-learn':>14}{'ours':>10}{'ratio':>8}{'scikit-learn':>14}{'ours':>10}", flush=True)
    totals = np.zeros(2)
    with threadpool_limits(1):
        for kind in map(Kind, options.kinds.split(",")):
            seconds, accuracy = [], []
            for way in (obvious, ours):
                start = time.process_time()
                answer = way(kind, train, folds, options.draws, options.seed)
                seconds.append(time.process_time() - start)
                accuracy.append(score_rows(answer(held_out.X), held_out.y)[1])
            totals += seconds
            ratio = seconds[0] / seconds[1]
            print(f"{kind.value:15}{seconds[0]:14.1f}{seconds[1]:10.1f}{ratio:8.1f}", end="")
            print(f"{100 * accuracy[0]:14.1f}{100 * accuracy[1]:10.1f}", flush=True)
    print(f"{'all':15}{totals[0]:14.1f}{totals[1]:10.1f}{totals[0] / totals[1]:8.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
