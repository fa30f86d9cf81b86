from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import check_grad
from sklearn.linear_model import LogisticRegression

from ravdess_mm.config import Rule
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.evaluation.scores import confusion_matrix, log_loss, rates
from ravdess_mm.fusion import rules
from ravdess_mm.fusion.evidence import Evidence, collect_evidence
from ravdess_mm.fusion.rules import (
    Pool,
    Product,
    Stacking,
    WeightedMean,
    learn_pool,
    learn_rule,
    learn_stacking,
    learn_weights,
)

Simulate = Callable[..., pd.DataFrame]


def _evidence(tables: Mapping[str, pd.DataFrame]) -> Evidence:
    return collect_evidence(tables, scored_fold=-1, scored_actors=[24])


@pytest.fixture(scope="module")
def evidence(simulate: Simulate) -> Evidence:
    """A strong and a weak model."""
    strong = simulate(range(1, 13), seed=1, skill=2.5, role="oof")
    return _evidence({"strong": strong, "weak": simulate(range(1, 13), seed=2, skill=1.0, role="oof")})


def _quality(combined: np.ndarray, evidence: Evidence) -> tuple[float, float]:
    labels = evidence.labels
    return float(rates(confusion_matrix(labels, combined.argmax(axis=1))).uar), log_loss(combined, labels)


def test_fixed_rules_by_hand() -> None:
    one, two = np.full(8, 0.1), np.full(8, 0.05)
    one[0], two[1] = 0.3, 0.65
    logs = np.log(np.stack([one, two]))[np.newaxis]
    np.testing.assert_allclose(WeightedMean((0.5, 0.5))(logs)[0], (one + two) / 2)
    np.testing.assert_allclose(WeightedMean((0.2, 0.8))(logs)[0], 0.2 * one + 0.8 * two)
    np.testing.assert_allclose(Product()(logs)[0], one * two / (one * two).sum())
    powers = one**0.5 * two**2
    np.testing.assert_allclose(Pool((0.5, 2))(logs)[0], powers / powers.sum())


def test_weight_goes_to_the_strong_model(simulate: Simulate, evidence: Evidence) -> None:
    strong, weak = learn_weights(evidence).weights
    assert strong + weak == pytest.approx(1)
    assert strong > weak
    far_apart = {
        name: simulate(range(1, 13), seed=seed, skill=skill, role="oof")
        for name, seed, skill in (("weak", 3, 0.3), ("strong", 4, 3.0))
    }
    assert learn_weights(_evidence(far_apart)).weights[1] >= 0.7


def test_a_model_that_knows_nothing_gets_no_weight(simulate: Simulate) -> None:
    knows = simulate(range(1, 9), seed=1, role="oof")
    nothing = knows.assign(**dict.fromkeys([c for c in knows if c.startswith("p_")], 1 / 8))
    assert learn_weights(_evidence({"knows": knows, "nothing": nothing})).weights == (1.0, 0.0)


def test_weights_have_the_best_uar_of_the_grid(evidence: Evidence) -> None:
    chosen = _quality(learn_weights(evidence)(evidence.log_probabilities), evidence)
    for weight in np.linspace(0, 1, 21):
        other = _quality(WeightedMean((1 - weight, weight))(evidence.log_probabilities), evidence)
        assert (round(chosen[0], 9), -chosen[1]) >= (round(other[0], 9), -other[1] - 1e-12)


@pytest.mark.parametrize(("n_models", "points", "step"), [(2, 21, 0.05), (3, 231, 0.05), (5, 1001, 0.1)])
def test_grid_covers_the_simplex(n_models: int, points: int, step: float) -> None:
    grid = rules._simplex_grid(n_models)
    assert grid.shape == (points, n_models)
    assert len(np.unique(grid, axis=0)) == points
    np.testing.assert_allclose(grid.sum(axis=1), 1)
    assert grid.min() >= 0
    np.testing.assert_allclose(grid / step, np.round(grid / step), atol=1e-9)
    assert {tuple(row) for row in np.eye(n_models)} <= {tuple(row) for row in grid}


def test_weights_of_nine_models_are_still_found(simulate: Simulate) -> None:
    tables = {f"m{index}": simulate([1, 2], seed=index, role="oof", repetitions=(1,)) for index in range(9)}
    assert sum(learn_weights(_evidence(tables)).weights) == pytest.approx(1)


def test_gradient_of_the_stacking() -> None:
    generator = np.random.default_rng(0)
    inputs, labels = generator.normal(size=(40, 17)), generator.integers(8, size=40)
    start = generator.normal(size=(17, 8))
    error = check_grad(
        lambda flat: rules._penalised_loss(flat, inputs, labels, start)[0],
        lambda flat: rules._penalised_loss(flat, inputs, labels, start)[1],
        generator.normal(size=17 * 8),
    )
    assert error < 1e-3


def test_stacking_is_sklearns_regression_where_the_ridge_pulls_to_zero(
    evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "learn_pool", lambda evidence: Pool((0.0,) * len(evidence.names)))
    monkeypatch.setattr(rules, "RIDGE", 20.0)
    inputs = evidence.log_probabilities.reshape(len(evidence), -1)
    # sklearn leaves the intercept free; a column of ones brings ours, which is pulled too, into its terms
    reference = LogisticRegression(C=1 / 40, fit_intercept=False, max_iter=5000, tol=1e-8)
    reference.fit(np.hstack([inputs, np.ones((len(inputs), 1))]), evidence.labels)
    found = learn_stacking(evidence)
    np.testing.assert_allclose(np.vstack([found.coefficients, found.intercepts]), reference.coef_.T, atol=2e-3)


def test_stacking_of_little_evidence_is_the_pool(simulate: Simulate) -> None:
    tables = {name: simulate([1], seed=seed, role="oof", repetitions=(1,)) for name, seed in (("a", 1), ("b", 2))}
    small = _evidence(tables)
    found = learn_stacking(small)
    start = np.vstack([weight * np.eye(8) for weight in learn_pool(small).weights])
    assert np.abs(np.array(found.coefficients) - start).max() < 0.02
    assert np.abs(found.intercepts).max() < 0.02


def test_gradient_of_the_pool(evidence: Evidence) -> None:
    targets = np.random.default_rng(0).dirichlet(np.ones(8), size=len(evidence))
    error = check_grad(
        lambda weights: rules._pool_loss(weights, evidence.log_probabilities, targets)[0],
        lambda weights: rules._pool_loss(weights, evidence.log_probabilities, targets)[1],
        np.array([0.3, 0.9]),
    )
    assert error < 1e-5


def test_weights_of_the_pool_have_the_lowest_log_loss(evidence: Evidence) -> None:
    weights = np.array(learn_pool(evidence).weights)
    lowest = log_loss(Pool(tuple(weights))(evidence.log_probabilities), evidence.labels)
    for step in (0.3, -0.3):
        for model in (0, 1):
            other = Pool(tuple(weights + step * np.eye(2)[model]))
            assert log_loss(other(evidence.log_probabilities), evidence.labels) > lowest


def test_weights_of_the_pool_say_how_much_the_models_repeat_one_another(simulate: Simulate) -> None:
    def weights(*tables: pd.DataFrame) -> list[float]:
        return list(learn_pool(_evidence({f"m{place}": table for place, table in enumerate(tables)})).weights)

    # skill 2 and unit noise: the log-likelihood ratio is twice the gap of the logits
    one, two = (simulate(range(1, 21), seed=seed, skill=2, sharpness=2, role="oof") for seed in (1, 2))
    assert weights(one, two) == pytest.approx([1, 1], abs=0.15)
    assert weights(one, one) == pytest.approx([weights(one)[0] / 2] * 2, abs=2e-3)
    assert sum(weights(one, one, two)[:2]) == pytest.approx(weights(one, two)[0], abs=2e-3)


def test_a_model_that_misleads_gets_no_weight_in_the_pool(simulate: Simulate) -> None:
    tables = {
        "good": simulate(range(1, 9), seed=1, role="oof"),
        "bad": simulate(range(1, 9), seed=2, skill=-2, role="oof"),
    }
    assert learn_pool(_evidence(tables)).weights[1] == 0


def test_a_pool_that_was_always_right_is_not_sure_without_end(simulate: Simulate) -> None:
    def weight(n_actors: int) -> float:
        return learn_pool(_evidence({"a": simulate(range(1, n_actors + 1), seed=1, skill=9, role="oof")})).weights[0]

    assert 0.1 < weight(1) < weight(8) < rules.LARGEST_WEIGHT


def test_stacking_mends_what_the_models_confuse_alike(simulate: Simulate) -> None:
    """Both models see sadness everywhere; on actors that taught nothing the stacking does better than the product."""

    def tables(actors: range, seed: int) -> dict[str, pd.DataFrame]:
        found = {"a": simulate(actors, seed=seed, role="oof"), "b": simulate(actors, seed=seed + 1, role="oof")}
        names = [f"p_{emotion}" for emotion in EMOTIONS]
        for table in found.values():
            table["p_sad"] *= 4
            table[names] = table[names].div(table[names].sum(axis=1), axis=0)
        return found

    taught, fresh = _evidence(tables(range(1, 17), 1)), _evidence(tables(range(17, 24), 5))
    stacked = _quality(learn_stacking(taught)(fresh.log_probabilities), fresh)
    product = _quality(Product()(fresh.log_probabilities), fresh)
    assert stacked[0] > product[0] + 0.03
    assert stacked[1] < product[1] - 0.1


def test_stacking_of_equal_models_treats_them_alike(simulate: Simulate) -> None:
    table = simulate(range(1, 5), seed=1, role="oof")
    found = np.array(learn_stacking(_evidence({"a": table, "b": table})).coefficients)
    np.testing.assert_allclose(found[:8], found[8:], atol=1e-4)


def test_an_emotion_without_takes_is_harmless(simulate: Simulate) -> None:
    tables = {name: simulate(range(1, 9), seed=seed, role="oof") for name, seed in (("a", 1), ("b", 2))}
    tables = {name: table[table["emotion"] != "calm"].reset_index(drop=True) for name, table in tables.items()}
    combined = learn_stacking(_evidence(tables))
    # a take that both models are sure is calm is still called calm
    sure = np.full((1, 2, 8), np.log(0.01))
    sure[..., 1] = np.log(0.93)
    assert combined(sure)[0].argmax() == 1


@pytest.mark.parametrize(
    ("rule", "combiner"),
    [
        (Rule.MEAN, WeightedMean((0.5, 0.5))),
        (Rule.PRODUCT, Product()),
        (Rule.WEIGHTED, WeightedMean((0.5, 0.5))),
        (Rule.STACKING, Product()),
        (Rule.POOL, Pool((0.5, 0.5))),
    ],
)
def test_without_evidence_every_model_counts_alike(simulate: Simulate, rule: Rule, combiner: object) -> None:
    table = simulate([1], seed=0)
    assert learn_rule(rule, _evidence({"a": table, "b": table})) == combiner


def test_learned_rules_are_learned(evidence: Evidence) -> None:
    assert learn_rule(Rule.WEIGHTED, evidence) == learn_weights(evidence)
    assert learn_rule(Rule.POOL, evidence) == learn_pool(evidence)
    stacked = learn_rule(Rule.STACKING, evidence)
    assert stacked == learn_stacking(evidence)
    assert isinstance(stacked, Stacking)
    assert np.array(stacked.to_dict()["coefficients"]).shape == (16, 8)
    answers = stacked(evidence.log_probabilities)
    np.testing.assert_allclose(answers.sum(axis=1), 1)
    parts = [_quality(np.exp(evidence.log_probabilities[:, column]), evidence) for column in (0, 1)]
    assert _quality(answers, evidence)[0] > max(uar for uar, _ in parts)
