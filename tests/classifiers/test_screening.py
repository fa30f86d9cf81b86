from __future__ import annotations

import numpy as np
import pytest

from ravdess_mm.classifiers.boosting import TREE_FEATURES
from ravdess_mm.classifiers.crossfit import family_columns
from ravdess_mm.classifiers.estimators import family_of
from ravdess_mm.classifiers.family import InnerFold
from ravdess_mm.classifiers.rows import Copies, Sample
from ravdess_mm.classifiers.screening import distinct_columns


@pytest.fixture
def table() -> np.ndarray:
    """Twenty columns, of which 4, 9 and 13 are three facts, and the others nearly repeat them."""
    rng = np.random.default_rng(0)
    facts = rng.normal(size=(60, 3))
    X = facts[:, np.arange(20) % 3] + 1e-3 * rng.normal(size=(60, 20))
    X[:, [4, 9, 13]] = 50 * rng.normal(size=(60, 3)) + 7
    return X


def test_columns_that_repeat_others_are_left_out_and_order_is_kept(table: np.ndarray) -> None:
    kept = distinct_columns(table, 6)
    assert kept.tolist() == sorted(kept)
    assert {4, 9, 13} <= set(kept)
    rest = sorted(column % 3 for column in set(kept) - {4, 9, 13})
    assert rest == [0, 1, 2]  # one of each group of near copies


def test_scale_and_shift_of_a_column_play_no_part_and_a_constant_one_comes_last(table: np.ndarray) -> None:
    changed = table * np.logspace(-6, 6, 20) + 100
    np.testing.assert_array_equal(distinct_columns(changed, 6), distinct_columns(table, 6))
    table[:, 2] = 5.0
    assert 2 not in distinct_columns(table, 19)


@pytest.mark.parametrize("limit", [None, 20, 21])
def test_all_columns_are_kept_where_there_are_few(table: np.ndarray, limit: int | None) -> None:
    assert distinct_columns(table, limit) is None


def test_a_fold_chooses_by_its_training_side(table: np.ndarray) -> None:
    X_test = np.random.default_rng(1).normal(size=(9, 20))
    X_test[:, 7] += 100 * np.arange(9)
    y = np.arange(60) % 3
    fold = InnerFold(table, y, X_test, np.arange(9) % 3, np.arange(3), np.arange(9) % 3).of_columns(6)
    kept = distinct_columns(table, 6)
    np.testing.assert_array_equal(fold.X_train, table[:, kept])
    np.testing.assert_array_equal(fold.X_test, X_test[:, kept])


def test_trees_look_at_some_columns_and_machines_at_all() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    X = rng.normal(size=(40, TREE_FEATURES + 30))
    sample = Sample(X, y, np.arange(40) % 4)
    columns = family_columns(family_of("random-forest"), sample)
    assert len(columns) == TREE_FEATURES
    assert family_columns(family_of("kernel-ridge"), sample) is None
    assert family_of("xgboost").width(3039) == TREE_FEATURES


def test_copies_lose_the_same_columns() -> None:
    sample = Sample(np.arange(12.0).reshape(4, 3), np.arange(4) % 2, np.arange(4))
    copies = Copies(np.arange(12.0, 24.0).reshape(4, 3), np.arange(4), np.zeros(4, dtype=np.int64))
    kept = Sample(sample.X, sample.y, sample.groups, copies).of_columns(np.array([0, 2]))
    assert kept.learned().X.tolist()[0] == [0.0, 2.0]
    assert kept.learned().X.tolist()[-1] == [21.0, 23.0]
