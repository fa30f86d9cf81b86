"""Crafted models, as a hostile file would bring them: right types, wrong numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from ravdess_mm.classifiers.family import Kind
from ravdess_mm.classifiers.guards import check_loaded
from ravdess_mm.errors import BundleError

MODELS = {
    Kind.RANDOM_FOREST: RandomForestClassifier(3, random_state=0),
    Kind.LOGISTIC: LogisticRegression(),
}


def fit(kind: Kind) -> Pipeline:
    random = np.random.default_rng(0)
    X, y = random.normal(size=(60, 4)), np.arange(60) % 3
    return Pipeline([("scale", StandardScaler()), ("model", MODELS[kind])]).fit(X, y)


def check(kind: Kind, pipeline: Any) -> None:
    check_loaded(kind, pipeline, n_features=4, n_classes=3, source="crafted")


@pytest.mark.parametrize("kind", list(MODELS))
def test_honest_models_pass(kind: Kind) -> None:
    check(kind, fit(kind))


def spoil_nodes(model: RandomForestClassifier, field: str, value: int) -> None:
    tree = model.estimators_[1].tree_
    state = tree.__getstate__()
    state["nodes"] = state["nodes"].copy()
    inner = int(np.flatnonzero(state["nodes"]["left_child"] != -1)[0])
    state["nodes"][field][inner] = value
    tree.__setstate__(state)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("left_child", 10**6),
        ("right_child", 10**6),
        ("left_child", 0),  # a node that is its own child: a walk without end
        ("right_child", -5),
        ("feature", 4),
        ("feature", -7),
    ],
)
def test_tree_that_leaves_its_arrays_is_refused(field: str, value: int) -> None:
    pipeline = fit(Kind.RANDOM_FOREST)
    spoil_nodes(pipeline.named_steps["model"], field, value)
    with pytest.raises(BundleError, match="contradicts itself"):
        check(Kind.RANDOM_FOREST, pipeline)


def test_forest_without_trees_is_refused() -> None:
    pipeline = fit(Kind.RANDOM_FOREST)
    pipeline.named_steps["model"].estimators_ = []
    with pytest.raises(BundleError, match="contradicts itself"):
        check(Kind.RANDOM_FOREST, pipeline)


def test_model_with_parts_missing_is_refused() -> None:
    pipeline = fit(Kind.LOGISTIC)
    del pipeline.named_steps["scale"].mean_
    with pytest.raises(BundleError, match="is not whole"):
        check(Kind.LOGISTIC, pipeline)


@pytest.mark.parametrize(
    "pipeline",
    [
        StandardScaler(),
        Pipeline([("model", LogisticRegression())]),
        Pipeline([("scale", StandardScaler()), ("model", SVC())]),
    ],
    ids=["no pipeline", "no scaler", "another model"],
)
def test_other_objects_are_refused(pipeline: object) -> None:
    with pytest.raises(BundleError):
        check(Kind.LOGISTIC, pipeline)
