from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_selection import f_classif

from ravdess_mm.classifiers.boosting import TREE_FEATURES
from ravdess_mm.classifiers.crossfit import family_columns
from ravdess_mm.classifiers.estimators import family_of
from ravdess_mm.classifiers.family import InnerFold
from ravdess_mm.classifiers.rows import Copies, Sample
from ravdess_mm.classifiers.screening import f_ratios, strongest_columns


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    X = rng.normal(size=(60, 20))
    X[:, 4] += y
    X[:, 13] -= 2 * y
    return X, y


def test_f_is_that_of_an_analysis_of_variance(rows) -> None:
    np.testing.assert_allclose(f_ratios(*rows), f_classif(*rows)[0])


def test_constant_column_tells_nothing(rows) -> None:
    X, y = rows
    X[:, 2] = 5.0
    assert f_ratios(X, y)[2] == 0


def test_strongest_columns_come_in_their_order(rows) -> None:
    assert strongest_columns(*rows, 2).tolist() == [4, 13]


@pytest.mark.parametrize("limit", [None, 20, 21])
def test_all_columns_are_kept_where_there_are_few(rows, limit: int | None) -> None:
    assert strongest_columns(*rows, limit) is None


def test_a_fold_chooses_by_its_training_side(rows) -> None:
    X, y = rows
    X_test = np.random.default_rng(1).normal(size=(9, 20))
    X_test[:, 7] += 100 * np.arange(9)
    fold = InnerFold(X, y, X_test, np.arange(9) % 3, np.arange(3), np.arange(9) % 3).of_columns(2)
    np.testing.assert_array_equal(fold.X_train, X[:, [4, 13]])
    np.testing.assert_array_equal(fold.X_test, X_test[:, [4, 13]])


def test_trees_look_at_the_strongest_columns_and_machines_at_all() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    X = rng.normal(size=(40, TREE_FEATURES + 30))
    X[:, -1] += 3 * y
    sample = Sample(X, y, np.arange(40) % 4)
    columns = family_columns(family_of("random-forest"), sample)
    assert len(columns) == TREE_FEATURES
    assert columns[-1] == TREE_FEATURES + 29
    assert family_columns(family_of("kernel-ridge"), sample) is None
    assert family_of("xgboost").width(3039) == TREE_FEATURES


def test_copies_lose_the_same_columns() -> None:
    sample = Sample(np.arange(12.0).reshape(4, 3), np.arange(4) % 2, np.arange(4))
    copies = Copies(np.arange(12.0, 24.0).reshape(4, 3), np.arange(4), np.zeros(4, dtype=np.int64))
    kept = Sample(sample.X, sample.y, sample.groups, copies).of_columns(np.array([0, 2]))
    assert kept.learned().X.tolist()[0] == [0.0, 2.0]
    assert kept.learned().X.tolist()[-1] == [21.0, 23.0]
