from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from ravdess_mm.report import feature_map
from ravdess_mm.report.feature_map import make_feature_map


def table_of(numbers: np.ndarray, actors: list[int], emotions: list[str]) -> pd.DataFrame:
    frame = pd.DataFrame(numbers, columns=[f"f{place}" for place in range(numbers.shape[1])])
    return frame.assign(take=[f"t{place}" for place in range(len(frame))], actor=actors, emotion=emotions)


@pytest.fixture
def table() -> pd.DataFrame:
    generator = np.random.default_rng(2)
    return table_of(generator.normal(size=(60, 7)), [1, 2, 3] * 20, ["calm", "sad"] * 30)


def test_the_map_is_the_pca_of_scikit_learn(table: pd.DataFrame) -> None:
    numbers = table.filter(like="f").to_numpy()
    expected = PCA(2).fit(StandardScaler().fit_transform(numbers))
    points = expected.transform(StandardScaler().fit_transform(numbers))
    found = make_feature_map(table)
    assert found is not None
    np.testing.assert_allclose(np.abs(found.points), np.abs(points), atol=1e-6)
    assert found.explained == pytest.approx(expected.explained_variance_ratio_)
    assert (found.points[np.abs(found.points).argmax(axis=0), [0, 1]] > 0).all()


def test_the_same_table_gives_the_same_points(table: pd.DataFrame) -> None:
    first, second = make_feature_map(table), make_feature_map(table)
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first.points, second.points)
    assert first.neighbours is not None
    np.testing.assert_array_equal(first.neighbours, second.neighbours)


def test_neighbours_stay_neighbours_in_the_second_map() -> None:
    # four clouds in nine dimensions, of which the first two principal components cannot tell all apart
    generator = np.random.default_rng(4)
    cloud = np.repeat(np.arange(4), 15)
    numbers = 8 * np.eye(9)[cloud] + generator.normal(size=(60, 9))
    found = make_feature_map(table_of(numbers, cloud.tolist(), ["calm"] * 60))
    assert found is not None
    assert found.neighbours is not None
    nearest = NearestNeighbors(n_neighbors=1).fit(found.neighbours).kneighbors(return_distance=False)[:, 0]
    assert (cloud[nearest] == cloud).mean() > 0.95


def test_few_takes_have_no_second_map(table: pd.DataFrame) -> None:
    found = make_feature_map(table.iloc[:19])
    assert found is not None
    assert found.neighbours is None


def test_neighbours_tell_who_speaks_and_what_is_felt() -> None:
    generator = np.random.default_rng(3)
    actors = [1, 2, 3, 4] * 10
    numbers = generator.normal(size=(40, 5)) * 0.01 + 10.0 * np.array([[a, a**2, -a, 4 - a, a % 2] for a in actors])
    found = make_feature_map(table_of(numbers, actors, ["calm"] * 20 + ["sad"] * 20))
    assert found is not None
    assert found.same_actor == 1
    assert found.chance_actor == pytest.approx(9 / 39)
    assert found.chance_emotion == pytest.approx(19 / 39)


def test_the_nearest_take_is_another_one(table: pd.DataFrame) -> None:
    numbers = StandardScaler().fit_transform(table.filter(like="f").to_numpy())
    nearest = NearestNeighbors(n_neighbors=2).fit(numbers).kneighbors(return_distance=True, n_neighbors=1)[1][:, 0]
    found = make_feature_map(table)
    assert found is not None
    for column, share in (("actor", found.same_actor), ("emotion", found.same_emotion)):
        labels = table[column].to_numpy()
        assert share == pytest.approx((labels[nearest] == labels).mean())
        assert share < 0.8


@pytest.mark.filterwarnings("error")
def test_constant_and_infinite_columns_do_not_count(table: pd.DataFrame) -> None:
    found = make_feature_map(table.assign(constant=1.0, broken=[np.nan, *range(59)], endless=[np.inf, *range(59)]))
    assert found is not None
    assert found.n_features == 7


def test_a_large_table_is_thinned_evenly(table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_map, "MOST_TAKES", 20)
    found = make_feature_map(table)
    assert found is not None
    assert len(found.takes) == 20
    assert found.takes["take"].iloc[[0, -1]].tolist() == ["t0", "t59"]


@pytest.mark.parametrize("shape", [(0, 5), (2, 5), (10, 2)])
def test_too_little_is_no_map(shape: tuple[int, int]) -> None:
    n = shape[0]
    numbers = np.random.default_rng(0).normal(size=shape)
    assert make_feature_map(table_of(numbers, [1] * n, ["calm"] * n)) is None
