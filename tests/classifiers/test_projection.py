from __future__ import annotations

import numpy as np
import pytest

from ravdess_mm.classifiers.projection import Projection
from ravdess_mm.classifiers.rows import Copies, Sample


@pytest.fixture
def rows() -> np.ndarray:
    random = np.random.default_rng(0)
    return random.standard_normal((60, 5)) @ random.standard_normal((5, 300)) + 0.1 * random.standard_normal((60, 300))


def test_distances_are_kept_in_proportion(rows: np.ndarray) -> None:
    projection = Projection.fit(rows, 40)
    standard = np.clip((rows - rows.mean(axis=0)) / rows.std(axis=0), -4, 4)
    before = np.linalg.norm(standard[0] - standard[1:], axis=1)
    placed = projection.transform(rows)
    after = np.linalg.norm(placed[0] - placed[1:], axis=1)
    np.testing.assert_allclose(after * projection.spread, before, rtol=0.02)
    assert placed.shape == (60, 40)
    assert placed[:, 0].std() == pytest.approx(1, abs=0.01)


def test_there_are_no_more_components_than_rows_tell(rows: np.ndarray) -> None:
    assert Projection.fit(rows[:10], 40).n_components == 9


def test_other_rows_do_not_move_it(rows: np.ndarray) -> None:
    projection = Projection.fit(rows[:50], 20)
    np.testing.assert_allclose(projection.transform(rows)[50:], projection.transform(rows[50:]), atol=1e-5)


def test_a_sample_is_projected_with_its_copies_and_not_scaled_again(rows: np.ndarray) -> None:
    y, groups = np.arange(60) % 8, np.arange(60) % 6
    copies = Copies(rows[:10] + 1, np.arange(10), np.zeros(10, dtype=np.int64))
    projection = Projection.fit(rows, 20)
    sample = projection.of_sample(Sample(rows, y, groups, copies))
    assert sample.is_scaled
    assert sample.rows(y == 1).is_scaled
    assert sample.learned().is_scaled
    assert sample.learned().X.shape == (70, 20)
    assert sample.total_variance == pytest.approx(sample.X.var(axis=0).sum())
    assert Sample(rows, y, groups).total_variance == 300


def test_what_is_stored_is_what_was_fitted(rows: np.ndarray) -> None:
    projection = Projection.fit(rows, 20)
    again = Projection.of_arrays(projection.to_arrays(), n_features=300)
    np.testing.assert_array_equal(again.transform(rows), projection.transform(rows))


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("mean", lambda array: array[:-1], "array 'mean' is not of 300 features"),
        ("components", lambda array: np.full_like(array, np.nan), "array 'components' is not"),
        ("components", lambda array: array.astype(np.float64), "array 'components' is not"),
        ("scale", lambda array: -array, "contradict"),
        ("spread", lambda array: array * 0, "contradict"),
        ("spread", None, "no array 'spread'"),
    ],
)
def test_damaged_arrays_are_refused(rows: np.ndarray, name: str, change: object, message: str) -> None:
    arrays = Projection.fit(rows, 20).to_arrays()
    if change is None:
        del arrays[name]
    else:
        arrays[name] = change(arrays[name])  # type: ignore[operator]
    with pytest.raises(ValueError, match=message):
        Projection.of_arrays(arrays, n_features=300)
