from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as reference

from ravdess_mm.errors import InputError
from ravdess_mm.evaluation.scores import (
    brier_score,
    class_recalls,
    confusion_by_group,
    confusion_matrix,
    expected_calibration_error,
    log_loss,
    rates,
    reliability,
)
from ravdess_mm.predictions import labels_of, prediction_table, probabilities_of


@pytest.fixture(scope="module")
def answers(simulate: Callable[..., pd.DataFrame]) -> tuple[np.ndarray, np.ndarray]:
    table = simulate(range(1, 9), seed=3, skill=1.5)
    return labels_of(table), probabilities_of(table)


def test_rates_are_those_of_sklearn(answers: tuple[np.ndarray, np.ndarray]) -> None:
    labels, probabilities = answers
    predicted = probabilities.argmax(axis=1)
    confusion = confusion_matrix(labels, predicted)
    np.testing.assert_array_equal(confusion, reference.confusion_matrix(labels, predicted))
    found = rates(confusion)
    assert found.accuracy == pytest.approx(reference.accuracy_score(labels, predicted))
    assert found.uar == pytest.approx(reference.balanced_accuracy_score(labels, predicted))
    assert found.macro_f1 == pytest.approx(reference.f1_score(labels, predicted, average="macro"))
    np.testing.assert_allclose(class_recalls(confusion), reference.recall_score(labels, predicted, average=None))


def test_proper_scores_are_those_of_sklearn(answers: tuple[np.ndarray, np.ndarray]) -> None:
    labels, probabilities = answers
    assert log_loss(probabilities, labels) == pytest.approx(reference.log_loss(labels, probabilities))
    assert brier_score(probabilities, labels) == pytest.approx(
        reference.brier_score_loss(labels, probabilities, labels=range(8), scale_by_half=False)
    )


def test_log_loss_of_a_certain_mistake_is_finite() -> None:
    certain = np.eye(8)[[0, 1]]
    assert log_loss(certain, np.array([0, 1])) == 0
    assert 10 < log_loss(certain, np.array([0, 0])) < 20


def test_class_without_takes_is_left_out_of_the_means() -> None:
    # two true classes, one take of the second answered with a third class, which has no takes
    confusion = confusion_matrix(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 5]))
    found = rates(confusion)
    assert found.uar == pytest.approx((1 + 0.5) / 2)
    assert found.macro_f1 == pytest.approx((1 + 2 / 3) / 2)
    assert np.isnan(class_recalls(confusion)[2:]).all()


def test_matrices_of_groups_add_up() -> None:
    labels, predicted = np.array([0, 1, 2, 2]), np.array([0, 2, 2, 1])
    groups, matrices = confusion_by_group(labels, predicted, np.array([7, 3, 7, 3]))
    assert groups.tolist() == [3, 7]
    np.testing.assert_array_equal(matrices.sum(axis=0), confusion_matrix(labels, predicted))
    np.testing.assert_allclose(rates(matrices).accuracy, [0, 1])


def _sure(confidences: list[float]) -> np.ndarray:
    """Probabilities that name the first class with each confidence."""
    return np.array([[value, *[(1 - value) / 7] * 7] for value in confidences])


def test_calibration_error_by_hand() -> None:
    probabilities = _sure([0.9, 0.9, 0.6, 0.6])
    labels = np.array([0, 0, 0, 3])
    # two bins: 0.6 against 0.5, and 0.9 against 1
    assert expected_calibration_error(probabilities, labels) == pytest.approx(0.1)


def test_reliability_counts_every_take_once() -> None:
    takes = ["01-01-01-01-01-01", "01-01-01-02-01-01", "01-02-01-01-01-01"]
    table = prediction_table(takes, _sure([1.0, 0.6, 0.6]), fold=-1, role="test")
    diagram = reliability(table).set_index("n_takes")
    assert diagram.index.tolist() == [0] * 8 + [2] + [0] * 5 + [1]  # 0.6 is the upper edge of the ninth bin
    assert diagram.loc[2, "accuracy"] == pytest.approx(0.5)
    assert diagram.loc[[2, 1], "confidence"].tolist() == pytest.approx([0.6, 1.0])
    assert diagram.loc[0, "accuracy"].isna().all()
    with pytest.raises(InputError, match="at least one prediction"):
        reliability(table.iloc[:0])
