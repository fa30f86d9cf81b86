from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from ravdess_mm.errors import InputError, LeakageError
from ravdess_mm.fusion.tables import actors_of, check_branches, select_rows

Simulate = Callable[..., pd.DataFrame]


def test_branches_are_put_in_order(simulate: Simulate) -> None:
    voice, face = simulate([1, 2], seed=0), simulate([2, 3], seed=1)
    found = check_branches({"voice": voice.iloc[::-1], "face": {"cnn": face, "units": face}})
    assert {branch: list(models) for branch, models in found.items()} == {"face": ["cnn", "units"], "voice": ["voice"]}
    pd.testing.assert_frame_equal(found["voice"]["voice"], voice.sort_values("take").reset_index(drop=True))


def test_rows_are_selected_and_empty_branches_left_out(simulate: Simulate) -> None:
    voice = pd.concat([simulate([1], seed=0), simulate([2], seed=0, role="oof")])
    branches = check_branches({"voice": voice, "face": simulate([1], seed=1)})
    inner = select_rows(branches, role="oof")
    assert list(inner) == ["voice"]
    assert actors_of(inner["voice"]) == {2}
    assert select_rows(branches, fold=3) == {}
    assert actors_of(select_rows(branches, actors=[1])["voice"]) == {1}


def test_no_table_is_refused() -> None:
    with pytest.raises(InputError, match="no prediction table"):
        check_branches({})
    with pytest.raises(InputError, match="branch 'voice' has no model"):
        check_branches({"voice": {}})


def test_unsound_table_is_refused_by_name(simulate: Simulate) -> None:
    table = simulate([1, 2], seed=0)
    relabelled = table.assign(emotion="happy")  # a take has the label it says, so tables cannot disagree on it
    with pytest.raises(InputError, match=r"face: take \S+ is actor 1, neutral; the table says actor 1, happy"):
        check_branches({"voice": table, "face": relabelled})
    with pytest.raises(InputError, match="face: has no rows of role 'test'"):
        check_branches({"voice": table, "face": table.assign(role="oof")})


def test_one_name_for_two_tables_is_refused(simulate: Simulate) -> None:
    table = simulate([1], seed=0)
    with pytest.raises(InputError, match="two tables are named 'svc'"):
        check_branches({"voice": {"svc": table}, "face": {"svc": table}})


def test_different_protocols_are_refused(simulate: Simulate) -> None:
    holdout, folds = simulate([1, 2], seed=0), simulate([1, 2], seed=0, fold={1: 0, 2: 1})
    with pytest.raises(InputError, match="a is of a holdout, b of a protocol with folds; fuse tables of one protocol"):
        check_branches({"a": holdout, "b": folds})
    with pytest.raises(InputError, match=r"a: folds are \[-1, 0\]; allowed: -1 alone, or 0 and above"):
        check_branches({"a": pd.concat([simulate([1], seed=0), simulate([2], seed=0, fold=0)])})


def test_different_folds_are_refused(simulate: Simulate) -> None:
    one, two = simulate([1, 2], seed=0, fold={1: 0, 2: 1}), simulate([1, 2], seed=0, fold={1: 1, 2: 0})
    with pytest.raises(InputError, match="actor 1 is tested in fold 0 of a and in fold 1 of b"):
        check_branches({"a": one, "b": two})


def test_no_common_take_is_refused(simulate: Simulate) -> None:
    with pytest.raises(InputError, match="a has no test take in common with b"):
        check_branches({"a": simulate([1], seed=0), "b": simulate([2], seed=0)})
    with pytest.raises(InputError, match="c has no test take in common with a, b"):
        check_branches({"a": simulate([1], seed=0), "b": simulate([1], seed=1), "c": simulate([2], seed=0)})


def test_an_actor_in_two_folds_is_a_leak(simulate: Simulate) -> None:
    table = simulate([1], seed=0)
    mixed = table.assign(fold=[0] * 16 + [1] * 16)
    with pytest.raises(LeakageError, match="actor 1 is tested in fold 0 of a and in fold 1 of a"):
        check_branches({"a": mixed})


@pytest.mark.parametrize("inside", [True, False], ids=["one table", "two tables"])
def test_out_of_fold_rows_of_a_test_actor_are_a_leak(simulate: Simulate, inside: bool) -> None:
    test, inner = simulate([1, 2], seed=0), simulate([2, 3], seed=1, role="oof")
    tables = {"a": pd.concat([test, inner])} if inside else {"a": test, "b": pd.concat([simulate([1], seed=3), inner])}
    with pytest.raises(LeakageError, match=r"hold actors that a table tests in that fold \(2\)"):
        check_branches(tables)


def test_rows_of_several_models_are_refused(simulate: Simulate) -> None:
    table = simulate([1, 2], seed=0, fold={1: 0, 2: 1})
    with pytest.raises(LeakageError, match="a: its rows come from several models"):
        check_branches({"a": table.assign(model=["svc"] * 32 + ["forest"] * 32)})
    assert check_branches({"a": table.assign(model="svc")})
