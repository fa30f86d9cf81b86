from __future__ import annotations

import numpy as np
import pytest

from ravdess_mm.classifiers.calibration import (
    FLOOR,
    calibrate_out_of_fold,
    fit_temperature,
    log_loss,
    probabilities,
)
from ravdess_mm.errors import InputError


@pytest.fixture
def honest() -> tuple[np.ndarray, np.ndarray]:
    """Log-scores whose softmax is the truth, and classes drawn from it."""
    random = np.random.default_rng(0)
    scores = random.normal(scale=1.5, size=(4000, 8))
    shares = probabilities(scores)
    y = np.array([random.choice(8, p=row) for row in shares])
    return scores, y


def test_probabilities_are_the_softmax() -> None:
    scores = np.log([[0.5, 0.3, 0.2]])
    np.testing.assert_allclose(probabilities(scores), [[0.5, 0.3, 0.2]], atol=1e-5)
    np.testing.assert_allclose(probabilities(scores, temperature=0.5)[0], np.array([25, 9, 4]) / 38, atol=1e-5)


def test_probabilities_survive_large_scores() -> None:
    np.testing.assert_allclose(probabilities(np.array([[1e4, 0.0, -1e4]])).sum(), 1)


def test_class_the_model_does_not_know_is_next_to_impossible() -> None:
    shares = probabilities(np.array([[0.0, 0.0, -np.inf]]))
    np.testing.assert_allclose(shares.sum(), 1)
    assert 0 < shares[0, 2] <= FLOOR


def test_log_loss_is_finite_for_an_impossible_class() -> None:
    assert log_loss(np.array([[0.0, -np.inf]]), np.array([1])) == pytest.approx(-np.log(FLOOR), rel=1e-3)


@pytest.mark.parametrize("overconfidence", [0.5, 1.0, 3.0])
def test_temperature_undoes_overconfidence(honest: tuple[np.ndarray, np.ndarray], overconfidence: float) -> None:
    scores, y = honest
    assert fit_temperature(overconfidence * scores, y) == pytest.approx(overconfidence, rel=0.06)


def test_temperature_needs_rows() -> None:
    with pytest.raises(InputError, match="at least one"):
        fit_temperature(np.empty((0, 8)), np.empty(0, dtype=np.int64))


def test_out_of_fold_rows_do_not_calibrate_themselves(honest: tuple[np.ndarray, np.ndarray]) -> None:
    scores, y = honest
    folds = np.arange(len(y)) % 3
    calibrated = calibrate_out_of_fold(scores, y, folds)
    other = np.where(folds == 1, (y + 3) % 8, y)
    changed = calibrate_out_of_fold(scores, other, folds)
    np.testing.assert_array_equal(changed[folds == 1], calibrated[folds == 1])
    assert not np.allclose(changed[folds == 0], calibrated[folds == 0])
