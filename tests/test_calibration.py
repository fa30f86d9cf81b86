from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from ravdess_mm.calibration import (
    FLOOR,
    calibrate_out_of_fold,
    fit_temperature,
    log_loss_at,
    mean_by_take,
    probabilities,
    soften,
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
    assert log_loss_at(np.array([[0.0, -np.inf]]), np.array([1])) == pytest.approx(-np.log(FLOOR), rel=1e-3)


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


def test_soften_divides_the_logits() -> None:
    logits = np.random.default_rng(0).normal(size=(5, 8)) * 3
    np.testing.assert_allclose(soften(softmax(logits, axis=1), 2.5), softmax(logits / 2.5, axis=1), atol=1e-5)
    np.testing.assert_allclose(soften(softmax(logits, axis=1), 1), softmax(logits, axis=1), atol=1e-5)
    certain = soften([[1.0, 0.0]], 2.0)
    assert np.isfinite(certain).all()
    assert certain.sum() == pytest.approx(1)


def test_mean_by_take_sorts_and_averages() -> None:
    names, means = mean_by_take([[1, 0], [0, 1], [0.5, 0.5]], ["b", "a", "b"])
    assert names.tolist() == ["a", "b"]
    np.testing.assert_allclose(means, [[0, 1], [0.75, 0.25]])


def test_a_take_of_one_frame_is_calibrated_as_a_row(honest: tuple[np.ndarray, np.ndarray]) -> None:
    scores, y = honest
    takes = [f"take-{place:04d}" for place in reversed(range(len(y)))]
    assert fit_temperature(3 * scores, y, takes=takes) == pytest.approx(fit_temperature(3 * scores, y), rel=1e-3)


def test_the_temperature_of_frames_is_chosen_for_takes() -> None:
    # two frames a take that contradict each other: their mean is unsure enough, so frames need not be softened
    confident = np.log([[0.9, 0.1], [0.1, 0.9]] * 50)
    takes = np.repeat([f"t{n:03d}" for n in range(50)], 2)
    y = np.repeat(np.arange(50) % 2, 2)
    assert fit_temperature(confident, y) > 10
    assert log_loss_at(confident, y, takes=takes) == pytest.approx(np.log(2))
    wrong = np.log([[0.9, 0.1], [0.4, 0.6]] * 50)  # the mean says the first class, which is right
    assert fit_temperature(wrong, np.zeros(100, dtype=np.int64), takes=takes) < 1
