"""Checks of a loaded scikit-learn model before it predicts.

A skops file can only bring objects of trusted types, but the C code behind trees follows the numbers in their arrays
without checking them: a crafted file could make ``predict`` read memory it does not own.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from ravdess_mm.classifiers.family import Kind
from ravdess_mm.errors import BundleError

LEAF: Final = -1


def check_loaded(kind: Kind, pipeline: Any, *, n_features: int, n_classes: int, source: str) -> None:
    """Check that a loaded object is the pipeline its kind promises, sound in every index.

    Parameters
    ----------
    kind : Kind
        ``random-forest`` or ``logistic``.
    pipeline : object
        What the skops file held.
    n_features, n_classes : int
        What the bundle's card says.
    source : str
        What to call it in messages.

    Raises
    ------
    BundleError
        If anything does not fit.
    """
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline

    expected = {Kind.RANDOM_FOREST: RandomForestClassifier, Kind.LOGISTIC: LogisticRegression}[kind]
    if type(pipeline) is not Pipeline or [name for name, _ in pipeline.steps] != ["scale", "model"]:
        raise BundleError(f"{source}: not a pipeline of the steps scale and model")
    scaler, model = (step for _, step in pipeline.steps)
    if type(model) is not expected:
        raise BundleError(f"{source}: holds a {type(model).__name__}; a {kind.value} bundle has a {expected.__name__}")
    try:
        check_scaler(scaler, n_features=n_features)
        sound = np.array_equal(model.classes_, np.arange(n_classes)) and model.n_features_in_ == n_features
        if sound and kind is Kind.RANDOM_FOREST:
            sound = all(_is_sound_tree(tree, n_features, n_classes) for tree in model.estimators_)
            sound = sound and bool(model.estimators_) and model.n_classes_ == n_classes and model.n_outputs_ == 1
    except (AttributeError, TypeError, ValueError, IndexError) as error:
        raise BundleError(f"{source}: the {kind.value} in it is not whole ({error})") from error
    if not sound:
        raise BundleError(f"{source}: the {kind.value} in it contradicts itself or the bundle's card")


def check_scaler(scaler: Any, *, n_features: int) -> None:
    """Check that a loaded object standardises `n_features` columns.

    Raises
    ------
    ValueError
        If it does not.
    """
    from sklearn.preprocessing import StandardScaler

    if type(scaler) is not StandardScaler or any(
        np.shape(part) != (n_features,) for part in (scaler.mean_, scaler.scale_)
    ):
        raise ValueError(f"its first step does not standardise {n_features} features")


def _is_sound_tree(estimator: Any, n_features: int, n_classes: int) -> bool:
    """Tell whether every node of a tree leads further down, to a leaf, by a feature that exists."""
    from sklearn.tree import DecisionTreeClassifier

    if type(estimator) is not DecisionTreeClassifier or estimator.n_features_in_ != n_features:
        return False
    tree = estimator.tree_
    nodes = np.arange(tree.node_count)
    inner = tree.children_left != LEAF
    downwards = all(
        bool(((side[inner] > nodes[inner]) & (side[inner] < tree.node_count)).all())
        for side in (tree.children_left, tree.children_right)
    )
    has_known_features = bool(((tree.feature[inner] >= 0) & (tree.feature[inner] < n_features)).all())
    return bool(
        downwards
        and has_known_features
        and tree.node_count > 0
        and tree.n_features == n_features
        and tree.value.shape == (tree.node_count, 1, n_classes)
    )
