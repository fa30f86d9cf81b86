from __future__ import annotations

import numpy as np
import pytest

from ravdess_mm.classifiers.cross_fitting import make_inner_folds, split_inner_folds
from ravdess_mm.classifiers.estimators import RandomForest, family_of
from ravdess_mm.classifiers.family import InnerFold, Kind
from ravdess_mm.classifiers.rows import check_features
from ravdess_mm.errors import InputError

SEARCHED = [kind for kind in Kind if kind is not Kind.NETWORK]


@pytest.fixture
def folds(make_features) -> list[InnerFold]:
    sample = check_features(make_features()).sample
    return split_inner_folds(sample, make_inner_folds(sample, 3, seed=0))


def test_every_kind_has_its_family() -> None:
    assert [family_of(kind).kind for kind in Kind] == list(Kind)


def test_unknown_kind_is_refused() -> None:
    with pytest.raises(InputError, match="unknown classifier 'perceptron'; allowed: random-forest, svc"):
        family_of("perceptron")


@pytest.mark.parametrize("kind", SEARCHED)
def test_defaults_are_in_the_searched_space(kind: Kind) -> None:
    family = family_of(kind)
    defaults = family.defaults(160)
    space = next(space for space in family.spaces(160) if set(space) <= set(defaults))
    for name, values in space.items():
        if isinstance(values, list):
            assert defaults[name] in values
        else:
            low, high = values.support()
            assert low <= defaults[name] <= high


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        (Kind.SVC, {"kernel": "rbf", "C": 3.0, "gamma": 0.05, "class_weight": None}),
        (Kind.SVC, {"kernel": "linear", "C": 0.05, "class_weight": "balanced"}),
        (Kind.KERNEL_RIDGE, {"kernel": "rbf", "alpha": 0.1, "gamma": 0.05, "class_weight": "balanced"}),
        (Kind.RIDGE, {"kernel": "linear", "alpha": 12.0, "class_weight": "balanced"}),
    ],
    ids=["svc rbf", "svc linear", "kernel ridge", "ridge"],
)
def test_scan_of_a_machine_equals_fitting_each_draw(
    folds: list[InnerFold], kind: Kind, params: dict[str, object]
) -> None:
    family = family_of(kind)
    ((found, scores),) = family.scan(folds, [params], seed=0)
    assert found == params
    for fold, part in zip(folds, scores, strict=True):
        alone = family.build(params, seed=0).fit(fold.X_train, fold.y_train)
        np.testing.assert_allclose(part, family.log_scores(alone, fold.X_test), atol=1e-6)


def test_logistic_scan_equals_fitting_each_draw(folds: list[InnerFold]) -> None:
    family = family_of("logistic")
    ((_, scores),) = family.scan(folds[:1], [{"C": 0.1, "class_weight": None}], seed=0)
    alone = family.build({"C": 0.1, "class_weight": None}, seed=0).fit(folds[0].X_train, folds[0].y_train)
    np.testing.assert_allclose(np.exp(scores[0]), alone.predict_proba(folds[0].X_test))


def test_forest_is_ranked_on_its_own_first_trees(folds: list[InnerFold]) -> None:
    family = RandomForest()
    params = family.defaults(12)
    fold = folds[0]
    ((_, scores),) = family.scan([fold], [params], seed=3)
    whole = family.build(params, seed=3, jobs=2).fit(fold.X_train, fold.y_train)
    assert len(whole.estimators_) == RandomForest.TREES
    first = whole.estimators_[: RandomForest.SEARCH_TREES]
    shares = np.mean([tree.predict_proba(fold.X_test) for tree in first], axis=0)
    np.testing.assert_allclose(np.exp(scores[0]), shares + 0.5 / RandomForest.SEARCH_TREES)


def test_forest_gives_finite_scores_and_forgets_its_threads(folds: list[InnerFold]) -> None:
    family = RandomForest()
    fold = folds[0]
    model = family.build(family.defaults(12), seed=0, jobs=2).fit(fold.X_train, fold.y_train)
    assert np.isfinite(family.log_scores(model, fold.X_test)).all()
    assert model.n_jobs == 1


def test_a_rotated_fold_says_the_same_of_a_linear_model() -> None:
    rng = np.random.default_rng(5)
    y = np.repeat([0, 1, 2], 10)
    X = rng.normal(size=(40, 90)) + np.pad(np.eye(3)[np.r_[y, rng.integers(0, 3, 10)]] * 2, ((0, 0), (0, 87)))
    fold = InnerFold(X[:30], y, X[30:], y[:10], np.arange(3), y[:10], np.zeros(10, int))
    train, test = fold.rotated
    assert train.shape == (30, 30)
    np.testing.assert_allclose(train @ train.T, X[:30] @ X[:30].T, atol=1e-9)
    np.testing.assert_allclose(test @ train.T, X[30:] @ X[:30].T, atol=1e-9)
    family = family_of("logistic")
    params = {"C": 0.05, "class_weight": None}
    ((_, (scanned,)),) = family.scan([fold], [params], seed=0)
    plain = family.build(params, seed=0).fit(X[:30], y)
    np.testing.assert_allclose(scanned, family.log_scores(plain, X[30:]), atol=2e-3)
