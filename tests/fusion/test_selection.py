from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from ravdess_mm.errors import LeakageError
from ravdess_mm.evaluation import evaluate
from ravdess_mm.fusion import fuse, select_best

Simulate = Callable[..., pd.DataFrame]
FOLDS = {actor: actor % 3 for actor in range(1, 13)}


def _holdout(simulate: Simulate, *, seed: int, oof_skill: float, test_skill: float) -> pd.DataFrame:
    inner = simulate(range(1, 9), seed=seed, skill=oof_skill, role="oof")
    return pd.concat([inner, simulate(range(9, 13), seed=seed + 100, skill=test_skill)], ignore_index=True)


def test_best_out_of_fold_is_chosen_whatever_the_test_rows_say(simulate: Simulate) -> None:
    tables = {
        "good-in-test": _holdout(simulate, seed=1, oof_skill=1, test_skill=4),
        "good-in-oof": _holdout(simulate, seed=2, oof_skill=2, test_skill=0.5),
    }
    found = select_best(tables)
    assert found.chosen == {-1: "good-in-oof"}
    assert set(found.table["model"]) == {"good-in-oof"}
    assert set(found.table["role"]) == {"test"}
    scores = found.scores.set_index("model")
    assert scores.loc["good-in-oof", "uar"] == pytest.approx(
        evaluate(tables["good-in-oof"], seed=0, role="oof").uar.value
    )
    assert (scores["n_takes"].tolist(), scores["n_actors"].tolist()) == ([256, 256], [8, 8])
    assert found.messages == ()


def test_each_fold_is_chosen_by_the_others(simulate: Simulate) -> None:
    """Model a is strong in fold 0 alone, b in fold 1 alone: neither strength may count for its own fold."""
    plain = simulate(range(1, 13), seed=1, skill=1.0, fold=FOLDS)
    strong = simulate(range(1, 13), seed=1, skill=4.0, fold=FOLDS)
    a = pd.concat([strong[strong["fold"] == 0], plain[plain["fold"] != 0]], ignore_index=True)
    b = pd.concat([strong[strong["fold"] == 1], plain[plain["fold"] != 1]], ignore_index=True)
    found = select_best({"a": a, "b": b})
    assert found.chosen[0] == "b"
    assert found.chosen[1] == "a"
    assert evaluate(found.table, seed=0).n_takes == len(plain)
    with pytest.raises(LeakageError, match="fuse the models themselves"):
        fuse({"voice": found.table}, rule="mean", seed=0)


def test_inner_rows_of_the_fold_decide_where_there_are_some(simulate: Simulate) -> None:
    test = simulate(range(1, 4), seed=1, skill=1, fold={1: 0, 2: 1, 3: 2})

    def inner(skills: tuple[float, float, float], seed: int) -> pd.DataFrame:
        rows = [
            simulate([a for a in (1, 2, 3) if a != fold + 1], seed=seed, skill=skill, fold=fold, role="oof")
            for fold, skill in enumerate(skills)
        ]
        return pd.concat([test, *rows], ignore_index=True)

    found = select_best({"a": inner((3, 0, 3), 5), "b": inner((0, 3, 0), 6)})
    assert found.chosen == {0: "a", 1: "b", 2: "a"}


def test_models_are_compared_on_common_takes(simulate: Simulate) -> None:
    # b is better where both have rows; a has easy rows that b lacks
    test = simulate([12], seed=0)
    hard_a, hard_b = (simulate([1, 2], seed=s, skill=k, role="oof") for s, k in ((1, 0.5), (2, 1.5)))
    easy_a = simulate(range(3, 9), seed=3, skill=6, role="oof")
    found = select_best({"a": pd.concat([test, hard_a, easy_a]), "b": pd.concat([test, hard_b])})
    assert found.chosen == {-1: "b"}
    assert found.scores["n_actors"].tolist() == [2, 2]


def test_what_cannot_be_compared_is_said(simulate: Simulate) -> None:
    test = simulate([9, 10], seed=1)
    known = pd.concat([test, simulate([1, 2], seed=2, role="oof")])
    found = select_best({"blind": test, "known": known})
    assert (found.chosen, found.messages) == (
        {-1: "known"},
        ("blind passed over: no out-of-fold rows to compare by",),
    )
    found = select_best({"blind": test, "other": test})
    assert found.chosen == {-1: "blind"}
    assert found.messages == ("blind taken without comparison: no model has out-of-fold rows",)
    apart = pd.concat([test, simulate([3], seed=2, role="oof")])
    found = select_best({"known": known, "apart": apart})
    assert found.messages == ("known taken without comparison: no out-of-fold take in common",)
    assert select_best({"only": test}).messages == ()


def test_order_of_rows_and_models_changes_nothing(simulate: Simulate) -> None:
    tables = {f"m{seed}": _holdout(simulate, seed=seed, oof_skill=1.5, test_skill=1.5) for seed in range(3)}
    turned = {name: table.sample(frac=1, random_state=1) for name, table in reversed(tables.items())}
    first, second = select_best(tables), select_best(turned)
    assert first.chosen == second.chosen
    pd.testing.assert_frame_equal(first.table, second.table)


def test_equal_models_are_told_apart_by_log_loss(simulate: Simulate) -> None:
    table = _holdout(simulate, seed=1, oof_skill=1.5, test_skill=1.5)
    names = [column for column in table if column.startswith("p_")]
    vague = table.copy()
    vague[names] = np.sqrt(vague[names]).pipe(lambda p: p.div(p.sum(axis=1), axis=0))
    surer, vaguer = (select_best({"x": table}).table, select_best({"x": vague}).table)
    better = min((("table", table), ("vague", vague)), key=lambda pair: evaluate(pair[1], seed=0, role="oof").log_loss)
    assert evaluate(surer, seed=0).accuracy.value == evaluate(vaguer, seed=0).accuracy.value
    assert select_best({"table": table, "vague": vague}).chosen == {-1: better[0]}
    assert select_best({"vague": vague, "table": table}).chosen == {-1: better[0]}
