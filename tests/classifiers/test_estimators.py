from __future__ import annotations

import numpy as np
import pytest
from sklearn.svm import SVC

from ravdess_mm.classifiers.crossfit import deal_inner_folds, split_inner_folds
from ravdess_mm.classifiers.estimators import RandomForest, SupportVectors, couple, family_of
from ravdess_mm.classifiers.family import InnerFold, Kind
from ravdess_mm.classifiers.rows import check_features
from ravdess_mm.errors import InputError

SEARCHED = [Kind.RANDOM_FOREST, Kind.SVC, Kind.XGBOOST, Kind.LOGISTIC]


@pytest.fixture
def folds(make_features) -> list[InnerFold]:
    sample = check_features(make_features()).sample
    return split_inner_folds(sample, deal_inner_folds(sample, 3, seed=0))


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
    "params",
    [
        {"kernel": "rbf", "C": 3.0, "gamma": 0.05, "class_weight": None},
        {"kernel": "linear", "C": 0.05, "class_weight": "balanced"},
    ],
    ids=lambda params: params["kernel"],
)
def test_svc_scan_equals_fitting_each_draw(folds: list[InnerFold], params: dict[str, object]) -> None:
    family = SupportVectors()
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


@pytest.mark.parametrize("n_classes", [2, 3, 8])
def test_coupling_ranks_as_the_pairwise_votes_do(n_classes: int) -> None:
    random = np.random.default_rng(0)
    centres = random.normal(scale=2, size=(n_classes, 5))
    y = np.arange(40 * n_classes) % n_classes
    X = centres[y] + random.normal(size=(len(y), 5))
    model = SVC(decision_function_shape="ovo").fit(X, y)
    scores = couple(model.decision_function(X), n_classes, slope=SupportVectors.SLOPE)
    assert scores.shape == (len(y), n_classes)
    assert (scores.argmax(axis=1) == model.predict(X)).mean() > 0.97
    assert (scores.argmax(axis=1) == y).mean() >= model.score(X, y) - 0.01


def test_coupling_of_one_pair_is_its_sigmoid() -> None:
    scores = couple(np.array([1.5]), 2, slope=2.0)
    assert scores[0, 1] - scores[0, 0] == pytest.approx(3.0)


def test_a_rotated_fold_says_the_same_of_a_linear_model() -> None:
    rng = np.random.default_rng(5)
    y = np.repeat([0, 1, 2], 10)
    X = rng.normal(size=(40, 90)) + np.pad(np.eye(3)[np.r_[y, rng.integers(0, 3, 10)]] * 2, ((0, 0), (0, 87)))
    fold = InnerFold(X[:30], y, X[30:], y[:10], np.arange(3), y[:10])
    train, test = fold.rotated
    assert train.shape == (30, 30)
    np.testing.assert_allclose(train @ train.T, X[:30] @ X[:30].T, atol=1e-9)
    np.testing.assert_allclose(test @ train.T, X[30:] @ X[:30].T, atol=1e-9)
    family = family_of("logistic")
    params = {"C": 0.05, "class_weight": None}
    ((_, (scanned,)),) = family.scan([fold], [params], seed=0)
    plain = family.build(params, seed=0).fit(X[:30], y)
    np.testing.assert_allclose(scanned, family.log_scores(plain, X[30:]), atol=2e-3)
