from __future__ import annotations

import numpy as np
import pytest

from ravdess_mm.classifiers.boosting import BoostedTrees
from ravdess_mm.classifiers.cross_fitting import make_inner_folds, split_inner_folds
from ravdess_mm.classifiers.family import InnerFold
from ravdess_mm.classifiers.rows import check_features
from ravdess_mm.corpus.identifier import EMOTIONS

PARAMS = {
    "learning_rate": 0.3,
    "max_depth": 2,
    "min_child_weight": 1.0,
    "subsample": 0.65,
    "colsample_bynode": 0.5,
    "reg_lambda": 1.0,
}
COARSE = {"max_bin": BoostedTrees.SEARCH_BINS}


def folds_of(table) -> list[InnerFold]:
    sample = check_features(table).sample
    return split_inner_folds(sample, make_inner_folds(sample, 3, seed=0))


@pytest.mark.parametrize("emotions", [EMOTIONS, ("calm", "sad")], ids=["eight", "two"])
def test_scan_equals_a_plain_fit_of_the_rounds_it_found(make_features, emotions: tuple[str, ...]) -> None:
    family = BoostedTrees()
    folds = folds_of(make_features(emotions=emotions))
    ((params, scores),) = family.scan(folds, [PARAMS], seed=5)
    assert 1 <= params["n_estimators"] < BoostedTrees.MAX_ROUNDS
    for fold, part in zip(folds, scores, strict=True):
        alone = family.build({**params, **COARSE}, seed=5).fit(fold.X_train, fold.y_train)
        np.testing.assert_allclose(part, family.log_scores(alone, fold.X_test), atol=1e-5)


def test_rounds_have_the_lowest_mean_loss(make_features) -> None:
    family = BoostedTrees()
    folds = folds_of(make_features(noise=3.0))
    ((params, _),) = family.scan(folds, [PARAMS], seed=0)

    def loss(rounds: int) -> float:
        losses = []
        for fold in folds:
            model = family.build({**PARAMS, **COARSE, "n_estimators": rounds}, seed=0).fit(fold.X_train, fold.y_train)
            losses.append(-family.log_scores(model, fold.X_test)[np.arange(len(fold.y_test)), fold.y_test].mean())
        return float(np.mean(losses))

    best = loss(params["n_estimators"])
    assert best <= min(loss(max(params["n_estimators"] - 3, 1)), loss(params["n_estimators"] + 3))


def test_draws_are_compared_on_coarser_bins_than_the_model_has(make_features) -> None:
    family = BoostedTrees()
    assert family.build(PARAMS, seed=0).get_params()["max_bin"] is None  # XGBoost's own choice, 256
    folds = folds_of(make_features(noise=3.0))
    ((params, scores),) = family.scan(folds, [PARAMS], seed=5)
    fine = family.build(params, seed=5).fit(folds[0].X_train, folds[0].y_train)
    assert not np.allclose(scores[0], family.log_scores(fine, folds[0].X_test), atol=1e-5)


def test_emotion_unseen_in_training_is_scored_but_does_not_stop(make_features) -> None:
    table = make_features()
    folds = folds_of(table)
    tested = set(table["actor"]) - {2}
    lonely = table[(table["emotion"] != "happy") | ~table["actor"].isin(tested)]
    folds = folds_of(lonely)
    ((_, scores),) = BoostedTrees().scan(folds, [PARAMS], seed=0)
    assert {part.shape[1] for part in scores} == {7, 8}
    assert all(len(part) == len(fold.y_test) for part, fold in zip(scores, folds, strict=True))


def test_same_numbers_from_one_thread_and_two(make_features) -> None:
    family = BoostedTrees()
    fold = folds_of(make_features())[0]
    params = family.defaults(12)
    one, two = (family.build(params, seed=0, jobs=jobs).fit(fold.X_train, fold.y_train) for jobs in (1, 2))
    assert one.get_booster().save_raw("ubj") == two.get_booster().save_raw("ubj")
