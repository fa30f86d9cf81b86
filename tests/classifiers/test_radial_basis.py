from __future__ import annotations

import numpy as np
import pytest

from ravdess_mm.classifiers.kernel_machine import KernelRidge
from ravdess_mm.classifiers.radial_basis import draw_centres, fit_radial_basis
from ravdess_mm.classifiers.stored_machine import StoredMachine

Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


@pytest.fixture
def rows() -> Rows:
    random = np.random.default_rng(0)
    codes = np.arange(90) % 3
    return random.standard_normal((90, 6)) / 3 + np.eye(6)[codes], codes, np.linspace(0.5, 1.5, 90)


def fit(rows: Rows, centres: np.ndarray, *strengths: float) -> list[StoredMachine]:
    X, codes, weights = rows
    return fit_radial_basis(X, codes, sample_weight=weights, centres=centres, gamma=0.4, strengths=strengths)


def test_with_a_centre_at_each_row_it_is_kernel_ridge_regression(rows: Rows) -> None:
    X, codes, weights = rows
    (machine,) = fit(rows, X, 0.5)
    full = KernelRidge(alpha=0.5, kernel="rbf", gamma=0.4).fit(X, codes, sample_weight=weights)
    np.testing.assert_allclose(machine.decision_function(X), full.decision_function(X), atol=2e-3)


def test_centres_anywhere_among_the_rows_come_close(rows: Rows) -> None:
    X = rows[0]
    (machine,), (full,) = fit(rows, draw_centres(X, 60, seed=1), 0.5), fit(rows, X, 0.5)
    assert machine.vectors.shape == (60, 6)
    assert machine.vectors.dtype == np.float16
    assert np.corrcoef(machine.decision_function(X).ravel(), full.decision_function(X).ravel())[0, 1] > 0.98


def test_a_stronger_ridge_says_less(rows: Rows) -> None:
    weak, strong = fit(rows, rows[0], 0.1, 30.0)
    assert weak.decision_function(rows[0]).std() > 2 * strong.decision_function(rows[0]).std()


def test_centres_lie_where_rows_do_and_follow_from_the_seed() -> None:
    X = np.random.default_rng(0).standard_normal((500, 3)) * [1.0, 4.0, 0.5] + [0.0, 10.0, -3.0]
    centres = draw_centres(X, 2000, seed=1)
    np.testing.assert_allclose(centres.mean(axis=0), X.mean(axis=0), atol=0.3)
    np.testing.assert_allclose(centres.std(axis=0), X.std(axis=0), rtol=0.05)
    np.testing.assert_array_equal(centres, draw_centres(X, 2000, seed=1))
