from __future__ import annotations

import logging

import numpy as np
import pytest

from ravdess_mm.classifiers.cross_fitting import (
    fit_pipeline,
    make_inner_folds,
    out_of_fold_scores,
    pipeline_scores,
    split_inner_folds,
    spread,
)
from ravdess_mm.classifiers.estimators import family_of
from ravdess_mm.classifiers.family import UNSEEN
from ravdess_mm.classifiers.rows import Sample, check_features
from ravdess_mm.errors import LeakageError


@pytest.fixture
def sample(make_features) -> Sample:
    return check_features(make_features()).sample


def test_inner_folds_are_by_actor(sample: Sample) -> None:
    folds = make_inner_folds(sample, 3, seed=0)
    assert set(folds) == {0, 1, 2}
    assert all(len(set(folds[sample.groups == actor])) == 1 for actor in set(sample.groups))


def test_one_training_actor_makes_no_inner_folds(sample: Sample, caplog: pytest.LogCaptureFixture) -> None:
    assert make_inner_folds(sample.rows(sample.groups == 4), 3, seed=0) is None
    assert "only one training actor (4)" in caplog.text


def test_fewer_actors_than_inner_folds(sample: Sample, caplog: pytest.LogCaptureFixture) -> None:
    folds = make_inner_folds(sample.rows(sample.groups <= 2), 3, seed=0)
    assert set(folds) == {0, 1}
    assert "2 inner folds instead of 3" in caplog.text


@pytest.mark.parametrize(
    "shown", [{1: (0, 1), 2: (2, 3)}, {1: (0,), 2: (0, 1)}], ids=["nothing in common", "one emotion left"]
)
def test_inner_folds_need_emotions_in_common(
    sample: Sample, shown: dict[int, tuple[int, ...]], caplog: pytest.LogCaptureFixture
) -> None:
    keep = [row for row in range(len(sample)) if sample.y[row] in shown.get(int(sample.groups[row]), ())]
    with caplog.at_level(logging.WARNING):
        assert make_inner_folds(sample.rows(keep), 3, seed=0) is None
    assert "too few emotions in common" in caplog.text


def test_both_sides_are_standardised_by_the_training_side(sample: Sample) -> None:
    folds = make_inner_folds(sample, 3, seed=0)
    inner = split_inner_folds(sample, folds)[0]
    np.testing.assert_allclose(inner.X_train.mean(axis=0), 0, atol=1e-12)
    moved = Sample(np.where((folds == 0)[:, None], 100.0, sample.X), sample.y, sample.groups)
    np.testing.assert_array_equal(split_inner_folds(moved, folds)[0].X_train, inner.X_train)


def test_emotion_that_only_the_other_side_shows_is_unseen(sample: Sample) -> None:
    folds = make_inner_folds(sample, 3, seed=0)
    sample = sample.rows((sample.y != 2) | (folds == 0))
    folds = make_inner_folds(sample, 3, seed=0)
    inner = split_inner_folds(sample, folds)[0]
    assert inner.classes.tolist() == [0, 1, 3, 4, 5, 6, 7]
    np.testing.assert_array_equal(inner.y_test == UNSEEN, inner.emotions == 2)
    known = inner.y_test != UNSEEN
    np.testing.assert_array_equal(inner.classes[inner.y_test[known]], inner.emotions[known])


def test_actor_in_two_inner_folds_is_a_leak(sample: Sample) -> None:
    folds = np.arange(len(sample)) // 6 % 3
    with pytest.raises(LeakageError):
        split_inner_folds(sample, folds)
    with pytest.raises(LeakageError):
        out_of_fold_scores(family_of("logistic"), {"C": 0.1}, sample, folds, seed=0, jobs=1)


def test_spread_puts_classes_where_they_belong() -> None:
    wide = spread(np.array([[1.0, 2.0]]), np.array([3, 0]))
    assert wide.tolist() == [[2.0, -np.inf, -np.inf, 1.0, *([-np.inf] * 4)]]


def test_out_of_fold_scores_come_from_models_that_never_saw_the_actor(sample: Sample) -> None:
    family, params = family_of("logistic"), {"C": 0.1}
    folds = make_inner_folds(sample, 3, seed=0)
    scores = out_of_fold_scores(family, params, sample, folds, seed=0, jobs=2)
    train = sample.rows(folds != 1)
    expected = pipeline_scores(family, fit_pipeline(family, params, train, seed=0), sample.X[folds == 1])
    np.testing.assert_allclose(scores[folds == 1], expected)
