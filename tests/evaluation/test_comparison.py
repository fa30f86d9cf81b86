from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ravdess_mm.errors import InputError
from ravdess_mm.evaluation import compare, compare_all, permutation_test
from ravdess_mm.evaluation.comparison import _wilcoxon
from ravdess_mm.predictions import labels_of, probabilities_of

Simulate = Callable[..., pd.DataFrame]
ACTORS = range(1, 21)


def _right(table: pd.DataFrame) -> np.ndarray:
    return probabilities_of(table).argmax(axis=1) == labels_of(table)


def test_comparison_by_an_independent_path(simulate: Simulate) -> None:
    strong, weak = simulate(ACTORS, seed=1, skill=2.0), simulate(ACTORS, seed=2, skill=1.6)
    found = compare(strong, weak, seed=0, names=("strong", "weak"))
    right, other = _right(strong), _right(weak)
    assert found.n_takes == len(strong)
    assert found.difference.value == pytest.approx(right.mean() - other.mean())
    assert found.difference.low < found.difference.value < found.difference.high  # type: ignore[operator]
    assert (found.only_first_right, found.only_second_right) == ((right & ~other).sum(), (other & ~right).sum())
    discordant = found.only_first_right + found.only_second_right
    assert found.mcnemar_p == pytest.approx(stats.binomtest(found.only_first_right, discordant).pvalue)
    gaps = [right[strong["actor"] == actor].sum() - other[strong["actor"] == actor].sum() for actor in ACTORS]
    assert found.wilcoxon_p == pytest.approx(stats.wilcoxon(gaps, zero_method="pratt").pvalue)
    assert found.holm_p is None
    assert found.notes == ()
    assert json.loads(json.dumps(found.to_dict()))["second"] == "weak"


def test_swapping_the_models_turns_the_sign_only(simulate: Simulate) -> None:
    one, two = simulate(ACTORS, seed=1), simulate(ACTORS, seed=2, skill=1.5)
    there, back = compare(one, two, seed=0), compare(two, one, seed=0)
    assert back.difference.value == pytest.approx(-there.difference.value)
    assert back.difference.low == pytest.approx(-there.difference.high)  # type: ignore[operator]
    assert (back.wilcoxon_p, back.mcnemar_p) == pytest.approx((there.wilcoxon_p, there.mcnemar_p))


def test_a_model_equals_itself(simulate: Simulate) -> None:
    table = simulate(ACTORS, seed=1)
    found = compare(table, table.sample(frac=1, random_state=3), seed=0)
    assert found.difference.to_dict() == {"value": 0, "low": 0, "high": 0}
    assert (found.wilcoxon_p, found.mcnemar_p) == (1, 1)


def test_equal_differences_are_ties_despite_rounding() -> None:
    gaps = np.array([0.3 - 0.2, 0.2 - 0.1, 0.1, -(0.4 - 0.3), 0.5])
    assert len(set(gaps)) > 3  # they differ in their last bits, and ranked apart they would change the p-value
    assert _wilcoxon(gaps) == stats.wilcoxon([1, 1, 1, -1, 5], zero_method="pratt").pvalue


def test_only_common_test_takes_are_compared(simulate: Simulate) -> None:
    first = pd.concat([simulate([1, 2, 3], seed=1), simulate([9], seed=1, role="oof")])
    second = simulate([2, 3, 4, 9], seed=2)
    found = compare(first, second, seed=0)
    assert (found.n_takes, found.n_actors) == (64, 2)
    assert "cannot go below p = 0.5" in found.notes[1]
    with pytest.raises(InputError, match="a and b have no test take in common"):
        compare(simulate([1], seed=1), second, seed=0, names=("a", "b"))


def test_family_is_corrected_after_holm(simulate: Simulate) -> None:
    tables = {f"m{index}": simulate(ACTORS, seed=index, skill=skill) for index, skill in enumerate((2, 1.9, 1.6, 1))}
    family = compare_all(tables, against="m0", seed=0)
    assert [comparison.first for comparison in family] == ["m1", "m2", "m3"]
    assert {comparison.second for comparison in family} == {"m0"}
    # Holm by hand: sorted p times the number of hypotheses left, never decreasing, at most 1
    plain = np.array([comparison.wilcoxon_p for comparison in family])
    order = np.argsort(plain)
    by_hand = np.empty(3)
    by_hand[order] = np.minimum(1, np.maximum.accumulate(plain[order] * [3, 2, 1]))
    assert [comparison.holm_p for comparison in family] == pytest.approx(by_hand.tolist())
    assert compare_all({"m0": tables["m0"]}, against="m0", seed=0) == ()
    with pytest.raises(InputError, match="no model 'm9' to compare with; allowed: m0, m1, m2, m3"):
        compare_all(tables, against="m9", seed=0)


def test_permutation_shows_chance(simulate: Simulate) -> None:
    found = permutation_test(simulate(ACTORS, seed=1), seed=0, draws=500)
    assert found.chance == pytest.approx(1 / 8, abs=0.01)
    assert found.chance < found.chance_high < found.accuracy
    assert found.p_value == pytest.approx(1 / 501)
    assert found == permutation_test(simulate(ACTORS, seed=1).iloc[::-1], seed=0, draws=500)


def test_p_values_of_a_model_without_skill_are_uniform(simulate: Simulate) -> None:
    values = [
        permutation_test(simulate([1, 2, 3], seed=seed, skill=0), seed=seed, draws=99).p_value for seed in range(60)
    ]
    assert 0.35 < np.mean(values) < 0.7
    assert np.mean(np.array(values) <= 0.1) < 0.25


def test_recognising_the_actor_is_not_skill(simulate: Simulate) -> None:
    """Two actors with different emotions: naming each actor's commonest emotion is no better than chance."""
    table = simulate([1, 2], seed=0)
    keep = ((table["actor"] == 1) & (table["emotion"] == "happy")) | (
        (table["actor"] == 2) & (table["emotion"] == "sad")
    )
    table = table[keep].copy()
    names = [column for column in table if column.startswith("p_")]
    table[names] = 0.0
    for emotion in ("happy", "sad"):
        table[f"p_{emotion}"] = (table["emotion"] == emotion).astype(float)
    assert permutation_test(table, seed=0, draws=99).p_value == 1
