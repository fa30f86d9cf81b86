from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ravdess_mm.config import Rule
from ravdess_mm.errors import InputError, LeakageError
from ravdess_mm.evaluation import evaluate
from ravdess_mm.fusion import fuse
from ravdess_mm.predictions import (
    PROBABILITIES,
    check_predictions,
    prediction_table,
    probabilities_of,
    read_predictions,
    rows_for_test,
    write_predictions,
)

Simulate = Callable[..., pd.DataFrame]
ACTORS = range(1, 13)
FOLDS = {actor: actor % 4 for actor in ACTORS}


def _holdout(simulate: Simulate, *, seed: int, **quality: float) -> pd.DataFrame:
    inner = simulate(range(1, 9), seed=seed, role="oof", repetitions=(1,), **quality)
    return pd.concat([inner, simulate(range(9, 13), seed=seed + 100, repetitions=(1,), **quality)], ignore_index=True)


@pytest.fixture(scope="module")
def holdout(simulate: Simulate) -> dict[str, pd.DataFrame]:
    return {"voice": _holdout(simulate, seed=1, skill=1.5), "face": _holdout(simulate, seed=2, skill=2.0)}


@pytest.fixture(scope="module")
def folds(simulate: Simulate) -> dict[str, pd.DataFrame]:
    return {
        "voice": simulate(ACTORS, seed=1, skill=1.5, fold=FOLDS, repetitions=(1,)),
        "face": simulate(ACTORS, seed=2, skill=2.0, fold=FOLDS, repetitions=(1,)),
    }


def _accuracy(table: pd.DataFrame) -> float:
    return evaluate(table, seed=0, draws=10).accuracy.value


def test_fixed_rules_are_those_of_the_books(holdout: dict[str, pd.DataFrame]) -> None:
    voice, face = (probabilities_of(rows_for_test(holdout[name]).sort_values("take")) for name in ("voice", "face"))
    mean = probabilities_of(rows_for_test(fuse(holdout, rule="mean", seed=0, calibrate=False).table))
    np.testing.assert_allclose(mean, (voice + face) / 2, atol=1e-5)
    product = probabilities_of(rows_for_test(fuse(holdout, rule="product", seed=0, calibrate=False).table))
    np.testing.assert_allclose(product, voice * face / (voice * face).sum(axis=1, keepdims=True), atol=1e-4)


@pytest.mark.parametrize("rule", list(Rule))
def test_fused_table_is_a_prediction_table(holdout: dict[str, pd.DataFrame], rule: Rule, tmp_path: Path) -> None:
    found = fuse(holdout, rule=rule, seed=0)
    check_predictions(found.table, source="fused")
    test, inner = (found.table[found.table["role"] == role] for role in ("test", "oof"))
    assert test["take"].tolist() == sorted(set(rows_for_test(holdout["voice"])["take"]))
    assert sorted(set(inner["actor"])) == list(range(1, 9))
    assert set(found.table["sources"]) == {"face+voice"}
    assert set(found.table["fold"]) == {-1}
    assert found.messages == ()
    write_predictions(tmp_path / "fused.parquet", found.table)
    pd.testing.assert_frame_equal(read_predictions(tmp_path / "fused.parquet"), found.table)


@pytest.mark.parametrize("rule", [Rule.PRODUCT, Rule.STACKING, Rule.POOL])
def test_branches_that_err_independently_are_better_together(
    simulate: Simulate, folds: dict[str, pd.DataFrame], rule: Rule
) -> None:
    fused = _accuracy(fuse(folds, rule=rule, seed=0).table)
    assert fused > max(_accuracy(table) for table in folds.values()) + 0.05


@pytest.mark.parametrize("rule", list(Rule))
def test_two_copies_say_what_one_says(folds: dict[str, pd.DataFrame], rule: Rule) -> None:
    fused = fuse({"a": folds["face"], "b": folds["face"]}, rule=rule, seed=0).table
    same = probabilities_of(fused).argmax(axis=1) == probabilities_of(
        folds["face"].sort_values(["fold", "take"])
    ).argmax(axis=1)
    assert same.mean() > 0.95


@pytest.fixture(scope="module")
def alike(simulate: Simulate) -> dict[str, pd.DataFrame]:
    """A voice, and two faces whose errors are mostly those of one face."""
    actors = range(1, 21)
    fold = {actor: actor % 5 for actor in actors}
    voice, shared, *own = (simulate(actors, seed=seed, skill=1.7, sharpness=2, fold=fold) for seed in (10, 11, 12, 13))
    faces = [shared.copy(), shared.copy()]
    for face, part in zip(faces, own, strict=True):
        face[list(PROBABILITIES)] = probabilities_of(shared) ** 0.7 * probabilities_of(part) ** 0.1
        face[list(PROBABILITIES)] = face[list(PROBABILITIES)].div(face[list(PROBABILITIES)].sum(axis=1), axis=0)
    return {"voice": voice, "face": faces[0], "other": faces[1]}


@pytest.mark.parametrize("rule", [Rule.POOL, Rule.STACKING])
def test_faces_that_err_alike_count_once(alike: dict[str, pd.DataFrame], rule: Rule) -> None:
    def fused(rule: Rule, *names: str) -> tuple[float, float]:
        scored = evaluate(fuse({name: alike[name] for name in names}, rule=rule, seed=0).table, seed=0, draws=10)
        return scored.accuracy.value, scored.log_loss

    best = max(("face", "other"), key=lambda name: _accuracy(alike[name]))
    two, three = fused(rule, "voice", best), fused(rule, "voice", "face", "other")
    assert three[0] >= two[0] - 0.005
    assert three[1] < two[1] + 0.002
    # which is what a product gets wrong
    product_of_two, product_of_three = fused(Rule.PRODUCT, "voice", best), fused(Rule.PRODUCT, "voice", "face", "other")
    assert product_of_three[0] < product_of_two[0] - 0.01
    assert product_of_three[1] > product_of_two[1] + 0.02


def test_a_table_given_twice_is_pooled_as_if_given_once(alike: dict[str, pd.DataFrame]) -> None:
    once = fuse({name: alike[name] for name in ("voice", "face")}, rule="pool", seed=0).table
    twice = fuse(
        {**{name: alike[name] for name in ("voice", "face")}, "twin": alike["face"]}, rule="pool", seed=0
    ).table
    np.testing.assert_allclose(probabilities_of(twice), probabilities_of(once), atol=1e-3)


def test_calibration_repairs_a_branch_that_is_too_sure(simulate: Simulate) -> None:
    sure = simulate(ACTORS, seed=1, skill=2, sharpness=4, fold=FOLDS)
    before = evaluate(sure, seed=0, draws=10)
    found = fuse({"voice": sure}, rule="mean", seed=0)
    after = evaluate(found.table, seed=0, draws=10)
    assert after.accuracy.value == before.accuracy.value
    assert after.log_loss < before.log_loss
    assert after.ece < before.ece
    assert [recipe.temperatures["voice"] for recipe in found.recipes] == pytest.approx([2] * 4, rel=0.1)
    assert set(found.table["sources"]) == {"voice"}
    assert found.messages == ("only voice is there: nothing to fuse it with",)


@pytest.mark.parametrize("rule", list(Rule))
def test_labels_of_the_scored_fold_teach_it_nothing(folds: dict[str, pd.DataFrame], rule: Rule) -> None:
    """Replacing what a fold's own actors say changes no other row's recipe for that fold."""
    poisoned = {}
    for name, table in folds.items():
        own = table["fold"] == 2
        wrong = table.copy()
        wrong.loc[own, list(PROBABILITIES)] = np.roll(probabilities_of(table[own]), 3, axis=1)
        poisoned[name] = wrong
    before, after = fuse(folds, rule=rule, seed=0), fuse(poisoned, rule=rule, seed=0)
    assert after.recipes[2] == before.recipes[2]
    if rule in (Rule.WEIGHTED, Rule.STACKING, Rule.POOL):
        assert after.recipes[0] != before.recipes[0]


@pytest.mark.parametrize("rule", list(Rule))
def test_test_rows_of_a_holdout_teach_nothing(holdout: dict[str, pd.DataFrame], rule: Rule) -> None:
    poisoned = {}
    for name, table in holdout.items():
        wrong = table.copy()
        wrong.loc[table["role"] == "test", list(PROBABILITIES)] = 1 / 8
        poisoned[name] = wrong
    before, after = fuse(holdout, rule=rule, seed=0), fuse(poisoned, rule=rule, seed=0)
    assert after.recipes == before.recipes
    inner = [result.table[result.table["role"] == "oof"].reset_index(drop=True) for result in (before, after)]
    pd.testing.assert_frame_equal(*inner)


def test_inner_rows_of_the_fold_come_before_test_rows_of_others(
    simulate: Simulate, folds: dict[str, pd.DataFrame]
) -> None:
    def with_inner(table: pd.DataFrame, seed: int) -> pd.DataFrame:
        rows = [
            simulate([a for a in ACTORS if FOLDS[a] != fold], seed=seed, sharpness=5, fold=fold, role="oof")
            for fold in range(4)
        ]
        return pd.concat([table, *rows], ignore_index=True)

    tables = {name: with_inner(table, seed) for seed, (name, table) in enumerate(folds.items(), start=50)}
    found = fuse(tables, rule="stacking", seed=0)
    plain = fuse(folds, rule="stacking", seed=0)
    assert set(plain.table["role"]) == {"test"}
    inner = found.table[found.table["role"] == "oof"]
    assert len(inner) == 3 * len(ACTORS) * 32  # every actor is out of fold in the three folds that do not test it
    for recipe, other in zip(found.recipes, plain.recipes, strict=True):
        assert recipe.temperatures["voice"] > 1.5 * other.temperatures["voice"]
        assert recipe.combiners[0].n_actors == other.combiners[0].n_actors == 9
        assert recipe.combiners[0].n_takes == 2 * other.combiners[0].n_takes


def test_out_of_fold_rows_are_fused_by_what_other_actors_teach(simulate: Simulate) -> None:
    """Actor 1's rows are upside down; that must move the rows of other actors, not what actor 1 is fused with."""
    tables = {"voice": _holdout(simulate, seed=1), "face": _holdout(simulate, seed=2)}
    changed = {}
    for name, table in tables.items():
        own = (table["actor"] == 1) & (table["role"] == "oof")
        wrong = table.copy()
        wrong.loc[own, list(PROBABILITIES)] = np.roll(probabilities_of(table[own]), 3, axis=1)
        changed[name] = wrong
    before, after = (fuse(named, rule="mean", seed=0).table for named in (tables, changed))
    mine = (before["actor"] == 1) & (before["role"] == "oof")
    # actor 1 gets the same temperatures as before, applied to turned columns
    np.testing.assert_allclose(probabilities_of(after[mine]), np.roll(probabilities_of(before[mine]), 3, axis=1))
    others = (before["actor"] != 1) & (before["role"] == "oof")
    assert not np.allclose(probabilities_of(after[others]), probabilities_of(before[others]))


@pytest.mark.parametrize("rule", list(Rule))
def test_a_take_with_one_branch_gets_its_calibrated_answer(holdout: dict[str, pd.DataFrame], rule: Rule) -> None:
    test = holdout["face"]["role"] == "test"
    gone = holdout["face"]["take"][test].iloc[:5].tolist()
    lacking = {**holdout, "face": holdout["face"][~holdout["face"]["take"].isin(gone)]}
    found = fuse(lacking, rule=rule, seed=0)
    rows = found.table.set_index("take")
    assert set(rows.loc[gone, "sources"]) == {"voice"}
    alone = fuse({"voice": holdout["voice"]}, rule=rule, seed=0).table.set_index("take")
    np.testing.assert_array_equal(probabilities_of(rows.loc[gone]), probabilities_of(alone.loc[gone]))
    complete = fuse(holdout, rule=rule, seed=0).table.set_index("take")
    rest = rows.index.difference(gone)
    np.testing.assert_array_equal(probabilities_of(rows.loc[rest]), probabilities_of(complete.loc[rest]))
    assert found.messages == ("5 of 64 test takes rest on voice alone",)


def test_three_branches_learn_each_combination_that_occurs(simulate: Simulate) -> None:
    tables = {name: _holdout(simulate, seed=seed) for seed, name in enumerate(("a", "b", "c"))}
    test = tables["c"]["role"] == "test"
    tables["c"] = tables["c"][~(test & (tables["c"]["actor"] == 9))]
    found = fuse(tables, rule="weighted", seed=0)
    assert [fitted.sources for fitted in found.recipes[0].combiners] == [("a", "b", "c"), ("a", "b")]
    two = fuse({name: tables[name] for name in ("a", "b")}, rule="weighted", seed=0)
    assert found.recipes[0].combiners[1] == two.recipes[0].combiners[0]
    assert found.table.set_index("take").query("actor == 9")["sources"].unique().tolist() == ["a+b"]


@pytest.mark.parametrize("rule", list(Rule))
def test_branch_nobody_has_checked_is_heard_only_alone(
    holdout: dict[str, pd.DataFrame], simulate: Simulate, rule: Rule, caplog: pytest.LogCaptureFixture
) -> None:
    # worse than chance and very sure: the product would believe it
    bad = simulate([9, 10], seed=8, skill=-2, sharpness=8, repetitions=(1,))
    unheard = bad["take"].tolist()[:3]
    voice = holdout["voice"][~holdout["voice"]["take"].isin(unheard)]
    with caplog.at_level(logging.WARNING, logger="ravdess_mm"):
        found = fuse({"voice": voice, "face": bad}, rule=rule, seed=0)
    assert found.messages[0] == (
        "face: no out-of-fold rows, so it is not calibrated, and it is not heard where another branch answers"
    )
    assert [record.getMessage() for record in caplog.records] == list(found.messages)
    (recipe,) = found.recipes
    assert recipe.unchecked == ("face",)
    assert recipe.temperatures["face"] == 1
    assert recipe.temperatures["voice"] != 1
    test = rows_for_test(found.table).set_index("take")
    assert test["sources"].value_counts().to_dict() == {"voice": len(test) - 3, "face": 3}
    alone = rows_for_test(fuse({"voice": voice}, rule=rule, seed=0).table).set_index("take")
    np.testing.assert_array_equal(probabilities_of(test.loc[alone.index]), probabilities_of(alone))
    np.testing.assert_allclose(probabilities_of(test.loc[unheard]), probabilities_of(bad)[:3], atol=1e-4)


def test_where_no_branch_is_checked_all_are_heard(holdout: dict[str, pd.DataFrame]) -> None:
    found = fuse({name: rows_for_test(table) for name, table in holdout.items()}, rule="weighted", seed=0)
    assert found.messages == (
        "face: no out-of-fold rows, so it is not calibrated",
        "voice: no out-of-fold rows, so it is not calibrated",
        "face+voice: no out-of-fold take in common, so all have equal weight",
    )
    (recipe,) = found.recipes
    assert recipe.unchecked == ()
    assert recipe.combiners[0].combiner.to_dict() == {"weights": [0.5, 0.5]}
    assert set(found.table["role"]) == {"test"}


@pytest.mark.parametrize("fold", [-1, 3])
def test_test_rows_of_other_actors_teach_where_nothing_else_can(alike: dict[str, pd.DataFrame], fold: int) -> None:
    published = {name: table.assign(fold=fold) for name, table in alike.items()}
    found = fuse(published, rule="pool", seed=0, cross_fit_test=True)
    assert found.messages == (
        "no table has out-of-fold rows: test actors are fused in 5 groups, each by what the others' rows teach",
    )
    assert set(found.table["fold"]) == {fold}
    assert set(found.table["role"]) == {"test"}
    assert sorted(found.table["take"]) == sorted(alike["voice"]["take"])
    assert [recipe.combiners[0].n_actors for recipe in found.recipes] == [16] * 5
    plain = fuse(published, rule="pool", seed=0)
    assert plain.recipes[0].combiners[0].n_takes == 0
    assert evaluate(found.table, seed=0, draws=10).log_loss < evaluate(plain.table, seed=0, draws=10).log_loss - 0.05


def test_rows_of_a_published_actor_do_not_teach_about_that_actor(alike: dict[str, pd.DataFrame]) -> None:
    published = {name: table.assign(fold=-1) for name, table in alike.items()}
    poisoned = {}
    for name, table in published.items():
        wrong = table.copy()
        own = table["actor"] == 7
        wrong.loc[own, list(PROBABILITIES)] = np.roll(probabilities_of(table[own]), 3, axis=1)
        poisoned[name] = wrong
    before, after = (fuse(tables, rule="pool", seed=0, cross_fit_test=True).table for tables in (published, poisoned))
    own = before["actor"] == 7
    np.testing.assert_allclose(probabilities_of(after[own]), np.roll(probabilities_of(before[own]), 3, axis=1))
    assert not np.allclose(probabilities_of(after[~own]), probabilities_of(before[~own]))


def test_test_rows_teach_nothing_where_something_else_can(holdout: dict[str, pd.DataFrame]) -> None:
    found = fuse(holdout, rule="pool", seed=0, cross_fit_test=True)
    assert found.recipes == fuse(holdout, rule="pool", seed=0).recipes
    alone = {name: table[table["actor"] == 9] for name, table in holdout.items()}
    found = fuse(alone, rule="pool", seed=0, cross_fit_test=True)
    assert "face+voice: no out-of-fold take in common, so all have equal weight" in found.messages


def test_unchecked_branch_leaves_the_combiner_of_the_others_as_it_is(simulate: Simulate) -> None:
    tables = {name: _holdout(simulate, seed=seed) for seed, name in enumerate(("a", "b"))}
    found = fuse({**tables, "c": simulate([9], seed=7, repetitions=(1,))}, rule="stacking", seed=0)
    two = fuse(tables, rule="stacking", seed=0)
    assert found.recipes[0].combiners == two.recipes[0].combiners
    pd.testing.assert_frame_equal(rows_for_test(found.table), rows_for_test(two.table))
    assert [fitted.sources for fitted in found.recipes[0].combiners] == [("a", "b")]


def test_messages_name_the_folds_they_hold_for(simulate: Simulate) -> None:
    # in fold 1 the face is tested alone: no other fold has it, so there is nothing to calibrate it by
    voice = simulate([1, 2], seed=1, fold={1: 0, 2: 1})
    face = simulate([2], seed=2, fold=1)
    found = fuse({"voice": voice, "face": face}, rule="product", seed=0)
    said = (
        "face: no out-of-fold rows, so it is not calibrated, and it is not heard where another branch answers (fold 1)"
    )
    assert said in found.messages
    assert "64 of 64 test takes rest on voice alone" in found.messages


def test_models_of_a_branch_are_chosen_without_the_scored_fold(simulate: Simulate) -> None:
    weak = simulate(ACTORS, seed=1, skill=0.5, fold=FOLDS)
    strong = simulate(ACTORS, seed=2, skill=3, fold=FOLDS)
    trap = pd.concat([strong[strong["fold"] == 0], weak[weak["fold"] != 0]], ignore_index=True)
    even = simulate(ACTORS, seed=3, skill=1.5, fold=FOLDS)
    found = fuse({"voice": {"trap": trap, "even": even}, "face": weak}, rule="product", seed=0)
    assert found.recipes[0].models == {"face": "face", "voice": "even"}
    assert found.recipes[1].models["voice"] in {"trap", "even"}
    assert json.loads(json.dumps(found.to_dict()))["folds"][0]["models"]["voice"] == "even"


@pytest.mark.parametrize("rule", [Rule.WEIGHTED, Rule.STACKING, Rule.POOL])
def test_recipe_is_plain_data(holdout: dict[str, pd.DataFrame], rule: Rule) -> None:
    found = json.loads(json.dumps(fuse(holdout, rule=rule, seed=0).to_dict()))
    assert (found["schema"], found["rule"], found["messages"]) == ("fusion/1", rule.value, [])
    (fold,) = found["folds"]
    assert fold["fold"] == -1
    assert set(fold["temperatures"]) == {"face", "voice"}
    (lesson,) = fold["lessons"]
    assert (lesson["sources"], lesson["n_takes"], lesson["n_actors"]) == (["face", "voice"], 128, 8)
    assert {"weights", "coefficients"} & set(lesson)


@settings(max_examples=6, deadline=None)
@given(order=st.integers(0, 2**32 - 1), rule=st.sampled_from(list(Rule)), turned=st.booleans())
def test_order_of_rows_and_tables_changes_no_byte(
    folds: dict[str, pd.DataFrame], order: int, rule: Rule, turned: bool
) -> None:
    shuffled = {name: table.sample(frac=1, random_state=order) for name, table in folds.items()}
    if turned:
        shuffled = dict(reversed(shuffled.items()))
    first, second = fuse(folds, rule=rule, seed=5), fuse(shuffled, rule=rule, seed=5)
    pd.testing.assert_frame_equal(first.table, second.table, check_exact=True)
    assert first.recipes == second.recipes


def test_order_of_rows_changes_no_byte_of_a_holdout(holdout: dict[str, pd.DataFrame]) -> None:
    shuffled = {name: table.sample(frac=1, random_state=7) for name, table in reversed(holdout.items())}
    first, second = (fuse(tables, rule="weighted", seed=5).table for tables in (holdout, shuffled))
    pd.testing.assert_frame_equal(first, second, check_exact=True)


@pytest.mark.parametrize("rule", list(Rule))
def test_names_of_branches_are_only_names(folds: dict[str, pd.DataFrame], rule: Rule) -> None:
    first = fuse(folds, rule=rule, seed=5).table
    second = fuse({"a": folds["voice"], "b": folds["face"]}, rule=rule, seed=5).table
    np.testing.assert_allclose(probabilities_of(first), probabilities_of(second), atol=1e-5)


def test_actor_in_two_folds_is_a_leak(simulate: Simulate) -> None:
    table = simulate([1, 2], seed=0)
    random_split = table.assign(fold=np.arange(len(table)) // 2 % 2)
    with pytest.raises(LeakageError):
        fuse({"a": random_split, "b": random_split}, rule="mean", seed=0)


def test_unknown_rule_is_refused(holdout: dict[str, pd.DataFrame]) -> None:
    with pytest.raises(InputError, match="unknown rule 'vote'; allowed: mean, product, weighted, stacking, pool"):
        fuse(holdout, rule="vote", seed=0)


def test_one_training_actor_has_no_fused_out_of_fold_rows(simulate: Simulate) -> None:
    tables = {
        name: pd.concat([simulate([1], seed=seed, role="oof"), simulate([2, 3], seed=seed + 1)])
        for name, seed in (("a", 1), ("b", 5))
    }
    found = fuse(tables, rule="stacking", seed=0)
    assert set(found.table["role"]) == {"test"}
    assert found.recipes[0].combiners[0].n_actors == 1


def test_certain_answers_are_no_obstacle() -> None:
    takes = ["01-01-01-01-01-01", "01-02-01-01-01-01"]
    sure, contrary = (prediction_table(takes, np.eye(8)[order], fold=-1, role="test") for order in ([0, 1], [1, 0]))
    fused = probabilities_of(fuse({"a": sure, "b": contrary}, rule="product", seed=0).table)
    np.testing.assert_allclose(fused[:, :2], 0.5, atol=1e-3)
