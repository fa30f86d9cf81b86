from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn.metrics import accuracy_score, recall_score
from sklearn.model_selection import GroupKFold, ParameterSampler, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ravdess_mm.classifiers.cross_fitting import make_inner_folds
from ravdess_mm.classifiers.estimators import family_of
from ravdess_mm.classifiers.family import Kind
from ravdess_mm.classifiers.rows import Sample, check_features
from ravdess_mm.classifiers.search import (
    SEARCH_COLUMNS,
    ParameterDraw,
    choose_candidate,
    draw_parameters,
    empty_table,
    grid_around,
    rank,
    score_fixed,
    score_rows,
    search_parameters,
)
from ravdess_mm.errors import LeakageError


@pytest.fixture
def sample(make_features) -> Sample:
    return check_features(make_features(noise=2.0)).sample


def test_search_chooses_what_beats_the_default(make_features, monkeypatch: pytest.MonkeyPatch) -> None:
    sample = check_features(make_features(noise=1.0)).sample
    folds = make_inner_folds(sample, 3, seed=0)
    family = family_of("svc")
    useless = {"kernel": "rbf", "C": 0.3, "gamma": 9.0, "class_weight": None}
    monkeypatch.setattr(type(family), "defaults", lambda self, width: useless)
    params, table = search_parameters(family, sample, folds, draws=6, refine=True, seed=1, jobs=1)
    assert list(table.columns) == list(SEARCH_COLUMNS)
    assert table["stage"][0] == "default"
    assert json.loads(table["parameters"][0]) == useless
    assert (table["stage"] == "random").sum() == 6
    assert (table["stage"] == "grid").any()
    assert sorted(table["rank"]) == list(range(1, len(table) + 1))
    best = table.loc[table["rank"] == 1].iloc[0]
    assert json.loads(best["parameters"]) == params
    assert best["uar_mean"] == table["uar_mean"].max()
    assert table["draw"].tolist() == list(range(len(table)))


def test_scores_are_those_of_scikit_learn(sample: Sample) -> None:
    folds = make_inner_folds(sample, 3, seed=0)
    _, table = search_parameters(family_of("svc"), sample, folds, draws=1, refine=False, seed=1, jobs=1)
    model = family_of("svc").build(json.loads(table["parameters"][0]), seed=1)
    expected = cross_validate(
        make_pipeline(StandardScaler(), model),
        sample.X,
        sample.y,
        groups=folds,
        cv=GroupKFold(3),
        scoring=["accuracy", "recall_macro"],
    )
    # pairwise votes and coupled scores differ on a few rows
    assert table["accuracy_mean"][0] == pytest.approx(expected["test_accuracy"].mean(), abs=0.05)
    assert table["uar_mean"][0] == pytest.approx(expected["test_recall_macro"].mean(), abs=0.05)


def test_random_stage_alone(sample: Sample) -> None:
    folds = make_inner_folds(sample, 3, seed=0)
    _, table = search_parameters(family_of("logistic"), sample, folds, draws=3, refine=False, seed=1, jobs=1)
    assert table["stage"].tolist() == ["default", *["random"] * 3]


def test_the_default_stands_unless_it_is_beaten_by_more_than_chance(make_features) -> None:
    default, lucky, better = (
        replace(candidate(0.5, 0.5, 1.0), by_actor=np.array(values))
        for values in ([0.5, 0.5, 0.5, 0.5], [0.9, 0.3, 0.6, 0.4], [0.6, 0.7, 0.6, 0.55])
    )
    assert choose_candidate(lucky, default) is default
    assert choose_candidate(better, default) is better
    assert choose_candidate(default, default) is default
    # and then it has the first rank, whatever scored more
    sample = check_features(make_features(noise=1.0)).sample
    folds = make_inner_folds(sample, 3, seed=0)
    params, table = search_parameters(family_of("svc"), sample, folds, draws=8, refine=False, seed=2, jobs=1)
    assert params == family_of("svc").defaults(sample.total_variance)
    assert table["rank"][0] == 1
    assert table["uar_mean"].max() > table["uar_mean"][0]


@pytest.mark.parametrize("kind", [Kind.SVC, Kind.XGBOOST])
def test_results_do_not_depend_on_jobs(sample: Sample, kind: Kind) -> None:
    folds = make_inner_folds(sample, 3, seed=0)
    one, two = (
        search_parameters(family_of(kind), sample, folds, draws=3, refine=False, seed=1, jobs=jobs) for jobs in (1, 2)
    )
    assert one[0] == two[0]
    assert one[1].equals(two[1])


def test_search_refuses_folds_that_split_an_actor(sample: Sample) -> None:
    folds = np.arange(len(sample)) // 6 % 3
    with pytest.raises(LeakageError):
        search_parameters(family_of("svc"), sample, folds, draws=1, refine=False, seed=1, jobs=1)


def test_draws_are_those_of_a_randomized_search() -> None:
    space = {"C": loguniform(0.1, 10), "kernel": ["rbf", "linear"]}
    expected = list(ParameterSampler([space], 5, random_state=3))
    drawn = draw_parameters([space], 5, seed=3)
    assert [each["kernel"] for each in drawn] == [each["kernel"] for each in expected]
    np.testing.assert_allclose([each["C"] for each in drawn], [each["C"] for each in expected], rtol=1e-3)


def test_grid_halves_and_doubles_within_the_space() -> None:
    spaces = [
        {"kernel": ["linear"], "C": loguniform(0.1, 10)},
        {"kernel": ["rbf"], "C": loguniform(0.1, 10), "gamma": loguniform(0.01, 1), "depth": [2, 3, 4, 6]},
    ]
    best = {"kernel": "rbf", "C": 8.0, "gamma": 0.1, "depth": 2, "found": 7}
    grid = grid_around(best, spaces, ("C", "gamma", "depth"))
    assert {each["C"] for each in grid} == {4.0, 8.0, 10.0}
    assert {each["gamma"] for each in grid} == {0.05, 0.1, 0.2}
    assert {each["depth"] for each in grid} == {2, 3}
    assert len(grid) == 3 * 3 * 2 - 1
    assert all(each["kernel"] == "rbf" and "found" not in each for each in grid)
    assert {name: best[name] for name in ("kernel", "C", "gamma", "depth")} not in grid


def candidate(uar: float, accuracy: float, C: float) -> ParameterDraw:
    scores = np.array([[uar, accuracy, 1.0], [uar, accuracy, 1.0]])
    return ParameterDraw("random", {"C": C}, scores, np.array([uar, uar]))


def test_rank_is_by_uar_then_accuracy_then_simplicity() -> None:
    simple, complex_, accurate, fair = (
        candidate(0.5, 0.5, 0.1),
        candidate(0.5, 0.5, 1.0),
        candidate(0.5, 0.6, 9.0),
        candidate(0.6, 0.1, 9.0),
    )
    ranked = rank(family_of("logistic"), [complex_, simple, accurate, fair])
    assert ranked == [fair, accurate, simple, complex_]


def test_score_rows_equals_scikit_learn() -> None:
    random = np.random.default_rng(0)
    scores, y = random.normal(size=(50, 8)), random.integers(0, 7, size=50)
    uar, accuracy, _ = score_rows(scores, y)
    predicted = scores.argmax(axis=1)
    assert accuracy == pytest.approx(accuracy_score(y, predicted))
    assert uar == pytest.approx(recall_score(y, predicted, labels=np.unique(y), average="macro"))


def test_tables_of_no_search() -> None:
    assert list(empty_table().columns) == list(SEARCH_COLUMNS)
    scores, y = np.eye(8)[[0, 1, 2, 3]], np.array([0, 1, 2, 4])
    table = score_fixed({"epochs": 3}, scores, y, np.array([0, 0, 1, 1]))
    assert table["stage"].tolist() == ["fixed"]
    assert table["uar_mean"][0] == pytest.approx(0.75)
    assert table.dtypes.equals(empty_table().dtypes)
