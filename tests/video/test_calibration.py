from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from ravdess_mm.video.calibration import fit_temperature, mean_by_take, soften


def test_soften_divides_the_logits() -> None:
    logits = np.random.default_rng(0).normal(size=(5, 8)) * 3
    np.testing.assert_allclose(soften(softmax(logits, axis=1), 2.5), softmax(logits / 2.5, axis=1))
    np.testing.assert_allclose(soften(softmax(logits, axis=1), 1), softmax(logits, axis=1))
    certain = soften([[1.0, 0.0]], 2.0)
    assert np.isfinite(certain).all()
    assert certain.sum() == pytest.approx(1)


def test_mean_by_take_sorts_and_averages() -> None:
    names, means = mean_by_take([[1, 0], [0, 1], [0.5, 0.5]], ["b", "a", "b"])
    assert names.tolist() == ["a", "b"]
    np.testing.assert_allclose(means, [[0, 1], [0.75, 0.25]])


@pytest.mark.parametrize("factor", [0.5, 1.0, 4.0])
def test_fitted_temperature_undoes_over_and_under_confidence(factor: float) -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(4000, 8)) * 2
    labels = np.array([rng.choice(8, p=row) for row in softmax(logits, axis=1)])
    takes = np.array([f"take-{n:04d}" for n in range(4000)])
    found = fit_temperature(np.exp(log_softmax(logits * factor, axis=1)), takes, labels)
    assert found == pytest.approx(factor, rel=0.1)


def test_temperature_is_chosen_for_takes_not_frames() -> None:
    # two frames a take that contradict each other: their mean is unsure enough, so frames need not be softened
    confident = np.array([[0.9, 0.1], [0.1, 0.9]] * 50)
    takes = np.repeat([f"t{n:03d}" for n in range(50)], 2)
    labels = np.repeat(np.arange(50) % 2, 2)
    _, means = mean_by_take(soften(confident, fit_temperature(confident, takes, labels)), takes)
    np.testing.assert_allclose(means, 0.5)
