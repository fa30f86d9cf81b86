from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from ravdess_mm.calibration import FLOOR
from ravdess_mm.errors import LeakageError
from ravdess_mm.fusion.evidence import Evidence, at_temperatures, collect_evidence, join_by_take
from ravdess_mm.predictions import probabilities_of

Simulate = Callable[..., pd.DataFrame]
ABOUT = ["take", "actor", "emotion", "fold", "role"]


def _evidence(table: pd.DataFrame, **options: object) -> Evidence:
    values = np.log(probabilities_of(table))[:, np.newaxis]
    return Evidence(("a",), table[ABOUT], values, **{"scored_fold": -1, "scored_actors": (9,), **options})  # type: ignore[arg-type]


def test_out_of_fold_rows_are_evidence_and_test_rows_are_not(simulate: Simulate) -> None:
    assert len(_evidence(simulate([1, 2], seed=0, role="oof"))) == 64
    with pytest.raises(LeakageError, match=r"role test, fold -1\) cannot teach what is applied to fold -1"):
        _evidence(simulate([1, 2], seed=0))


def test_test_rows_of_other_folds_are_evidence_and_of_the_same_fold_are_not(simulate: Simulate) -> None:
    table = simulate([1, 2], seed=0, fold={1: 0, 2: 1})
    assert len(_evidence(table[table["fold"] == 0], scored_fold=1)) == 32
    with pytest.raises(LeakageError, match="cannot teach what is applied to fold 1"):
        _evidence(table, scored_fold=1)


def test_inner_rows_of_another_fold_are_no_evidence(simulate: Simulate) -> None:
    # out of fold 0's training side, which holds the actors of fold 1
    with pytest.raises(LeakageError, match=r"role oof, fold 0\) cannot teach"):
        _evidence(simulate([1], seed=0, role="oof", fold=0), scored_fold=1)


def test_an_actor_on_both_sides_is_a_leak(simulate: Simulate) -> None:
    with pytest.raises(LeakageError, match="actor 2 on both sides"):
        _evidence(simulate([1, 2], seed=0, role="oof"), scored_actors=(2, 3))


def test_a_changed_copy_is_checked_again(simulate: Simulate) -> None:
    evidence = _evidence(simulate([1, 2], seed=0, role="oof"))
    with pytest.raises(LeakageError):
        Evidence(evidence.names, evidence.rows.assign(role="test"), evidence.log_probabilities, -1, (9,))


def test_holdout_learns_from_takes_that_all_have_out_of_fold(simulate: Simulate) -> None:
    voice = pd.concat([simulate([1, 2, 3], seed=0, role="oof"), simulate([8, 9], seed=1)])
    face = pd.concat([simulate([2, 3, 4], seed=2, role="oof"), simulate([8, 9], seed=3)])
    found = collect_evidence({"voice": voice, "face": face}, scored_fold=-1, scored_actors=[8, 9])
    assert sorted(set(found.rows["actor"])) == [2, 3]
    assert found.n_actors == 2
    assert found.names == ("voice", "face")
    assert found.log_probabilities.shape == (64, 2, 8)
    nothing = collect_evidence({"face": simulate([8], seed=3)}, scored_fold=-1, scored_actors=[8])
    assert len(nothing) == 0


def test_a_fold_learns_from_its_own_inner_rows_first(simulate: Simulate) -> None:
    test = simulate([1, 2, 3], seed=0, fold={1: 0, 2: 1, 3: 2})
    inner = simulate([2, 3], seed=1, fold=0, role="oof")
    both = pd.concat([test, inner])
    assert set(collect_evidence({"a": both}, scored_fold=0, scored_actors=[1]).rows["role"]) == {"oof"}
    others = collect_evidence({"a": both}, scored_fold=1, scored_actors=[2]).rows
    assert set(zip(others["role"], others["fold"], strict=True)) == {("test", 0), ("test", 2)}
    # one model without inner rows: the other folds teach for both, so that rows of one kind are compared
    mixed = collect_evidence({"a": both, "b": test}, scored_fold=0, scored_actors=[1]).rows
    assert set(mixed["role"]) == {"test"}


def test_takes_stand_side_by_side(simulate: Simulate) -> None:
    first, second = simulate([1, 2], seed=0), simulate([2, 3], seed=1)
    rows, values = join_by_take({"a": first.sample(frac=1, random_state=0), "b": second})
    assert rows["take"].is_monotonic_increasing
    assert rows["take"].is_unique
    np.testing.assert_array_equal(np.isnan(values).any(axis=2), [[a == 3, a == 1] for a in rows["actor"]])
    take = rows["take"].iloc[-1]
    column = 0 if rows["actor"].iloc[-1] == 1 else 1
    source = (first, second)[column]
    np.testing.assert_allclose(np.exp(values[-1, column]), probabilities_of(source[source["take"] == take])[0])


def test_impossible_becomes_unlikely(simulate: Simulate) -> None:
    table = simulate([1], seed=0, skill=60, sharpness=9)
    _, values = join_by_take({"a": table})
    assert values.min() == pytest.approx(np.log(FLOOR))


def test_temperature_flattens_one_model_and_keeps_gaps(simulate: Simulate) -> None:
    _, values = join_by_take({"a": simulate([1], seed=0), "b": simulate([1, 2], seed=1)})
    found = at_temperatures(values, [4.0, 1.0])
    both = ~np.isnan(values[:, 0]).any(axis=1)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(values))
    np.testing.assert_allclose(found[:, 1], values[:, 1], atol=1e-3)
    np.testing.assert_array_equal(found[both, 0].argmax(axis=1), values[both, 0].argmax(axis=1))
    assert (np.exp(found[both, 0]).max(axis=1) < np.exp(values[both, 0]).max(axis=1)).all()
    np.testing.assert_allclose(np.exp(found[both, 0]).sum(axis=1), 1)
