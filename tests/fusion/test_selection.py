from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from ravdess_mm.evaluation import Metrics, evaluate
from ravdess_mm.fusion.selection import Choice, choose_model

Simulate = Callable[..., pd.DataFrame]
TESTED = (9, 10, 11, 12)
FOLDS = {actor: actor % 3 for actor in range(1, 13)}


def _evaluate_out_of_fold(table: pd.DataFrame) -> Metrics:
    return evaluate(table[table["role"] == "oof"].assign(role="test"), seed=0)


def choose(tables: dict[str, pd.DataFrame]) -> Choice:
    """Choose for the holdout of `TESTED`."""
    return choose_model(tables, scored_fold=-1, scored_actors=TESTED)


def _holdout(simulate: Simulate, *, seed: int, oof_skill: float, test_skill: float = 1.0) -> pd.DataFrame:
    inner = simulate(range(1, 9), seed=seed, skill=oof_skill, role="oof")
    return pd.concat([inner, simulate(TESTED, seed=seed + 100, skill=test_skill)], ignore_index=True)


def test_best_out_of_fold_is_chosen_whatever_the_test_rows_say(simulate: Simulate) -> None:
    tables = {
        "good-in-test": _holdout(simulate, seed=1, oof_skill=1, test_skill=4),
        "good-in-oof": _holdout(simulate, seed=2, oof_skill=2, test_skill=0.5),
    }
    choice = choose(tables)
    assert (choice.model, choice.message) == ("good-in-oof", "")
    scores = choice.scores.set_index("model")
    assert scores.loc["good-in-oof", "uar"] == pytest.approx(_evaluate_out_of_fold(tables["good-in-oof"]).uar.value)
    assert (scores["n_takes"].tolist(), scores["n_actors"].tolist()) == ([256, 256], [8, 8])


def test_each_fold_is_chosen_by_the_others(simulate: Simulate) -> None:
    """Model a is strong in fold 0 alone, b in fold 1 alone: neither strength may count for its own fold."""
    plain = simulate(range(1, 13), seed=1, skill=1.0, fold=FOLDS)
    strong = simulate(range(1, 13), seed=1, skill=4.0, fold=FOLDS)
    a = pd.concat([strong[strong["fold"] == 0], plain[plain["fold"] != 0]], ignore_index=True)
    b = pd.concat([strong[strong["fold"] == 1], plain[plain["fold"] != 1]], ignore_index=True)
    for fold, best in ((0, "b"), (1, "a")):
        actors = [actor for actor, own in FOLDS.items() if own == fold]
        assert choose_model({"a": a, "b": b}, scored_fold=fold, scored_actors=actors).model == best


def test_inner_rows_of_the_fold_decide_where_there_are_some(simulate: Simulate) -> None:
    test = simulate(range(1, 4), seed=1, skill=1, fold={1: 0, 2: 1, 3: 2})

    def inner(skills: tuple[float, float, float], seed: int) -> pd.DataFrame:
        rows = [
            simulate([a for a in (1, 2, 3) if a != fold + 1], seed=seed, skill=skill, fold=fold, role="oof")
            for fold, skill in enumerate(skills)
        ]
        return pd.concat([test, *rows], ignore_index=True)

    tables = {"a": inner((3, 0, 3), 5), "b": inner((0, 3, 0), 6)}
    chosen = [choose_model(tables, scored_fold=fold, scored_actors=[fold + 1]).model for fold in range(3)]
    assert chosen == ["a", "b", "a"]


def test_models_are_compared_on_common_takes(simulate: Simulate) -> None:
    # b is better where both have rows; a has easy rows that b lacks
    test = simulate([12], seed=0)
    hard_a, hard_b = (simulate([1, 2], seed=s, skill=k, role="oof") for s, k in ((1, 0.5), (2, 1.5)))
    easy_a = simulate(range(3, 9), seed=3, skill=6, role="oof")
    choice = choose({"a": pd.concat([test, hard_a, easy_a]), "b": pd.concat([test, hard_b])})
    assert choice.model == "b"
    assert choice.scores["n_actors"].tolist() == [2, 2]


def test_what_cannot_be_compared_is_said(simulate: Simulate) -> None:
    test = simulate([9, 10], seed=1)
    known = pd.concat([test, simulate([1, 2], seed=2, role="oof")])
    apart = pd.concat([test, simulate([3], seed=2, role="oof")])
    for tables, model, message in [
        ({"blind": test, "known": known}, "known", "blind passed over: no out-of-fold rows to compare by"),
        ({"blind": test, "other": test}, "blind", "blind taken without comparison: no model has out-of-fold rows"),
        ({"known": known, "apart": apart}, "known", "known taken without comparison: no out-of-fold take in common"),
        ({"only": test}, "only", ""),
    ]:
        choice = choose(tables)
        assert (choice.model, choice.message) == (model, message)


def test_order_of_rows_and_models_changes_nothing(simulate: Simulate) -> None:
    tables = {f"m{seed}": _holdout(simulate, seed=seed, oof_skill=1.5) for seed in range(3)}
    turned = {name: table.sample(frac=1, random_state=1) for name, table in reversed(tables.items())}
    assert choose(tables).model == choose(turned).model


def test_equal_models_are_told_apart_by_log_loss(simulate: Simulate) -> None:
    table = _holdout(simulate, seed=1, oof_skill=1.5)
    names = [column for column in table if column.startswith("p_")]
    vague = table.copy()
    vague[names] = np.sqrt(vague[names]).pipe(lambda p: p.div(p.sum(axis=1), axis=0))
    better = min((("table", table), ("vague", vague)), key=lambda pair: _evaluate_out_of_fold(pair[1]).log_loss)
    assert choose({"table": table, "vague": vague}).model == better[0]
    assert choose({"vague": vague, "table": table}).model == better[0]
