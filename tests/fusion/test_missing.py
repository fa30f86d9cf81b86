from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from ravdess_mm.errors import InputError
from ravdess_mm.evaluation import evaluate
from ravdess_mm.fusion import fuse, fuse_missing_curve, missing
from ravdess_mm.predictions import rows_for_test

Simulate = Callable[..., pd.DataFrame]


@pytest.fixture(scope="module")
def tables(simulate: Simulate) -> dict[str, pd.DataFrame]:
    return {
        name: pd.concat(
            [simulate(range(1, 7), seed=seed, skill=skill, role="oof"), simulate([7, 8, 9], seed=seed + 9, skill=skill)]
        )
        for name, seed, skill in (("voice", 1, 1.0), ("face", 2, 2.0))
    }


def test_curve_falls_from_all_branches_to_the_others(
    tables: dict[str, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(missing, "SHARES", (0, 0.5, 1))
    found = fuse_missing_curve(tables, rule="product", seed=0)
    together = evaluate(fuse(tables, rule="product", seed=0).table, seed=0).accuracy.value
    for branch, rest in (("face", "voice"), ("voice", "face")):
        curve = found[found["missing"] == branch].set_index("share")
        alone = evaluate(tables[rest], seed=0).accuracy.value
        assert curve.loc[0.0, ["accuracy", "low", "high"]].tolist() == pytest.approx([together] * 3)
        assert curve.loc[1.0, ["accuracy", "low", "high"]].tolist() == pytest.approx([alone] * 3)
        assert curve.loc[0.5, "accuracy"] == pytest.approx((together + alone) / 2, abs=0.02)
        assert curve.loc[0.5, "low"] < curve.loc[0.5, "high"]
    assert set(found["n_takes"]) == {len(rows_for_test(tables["voice"]))}


def test_curve_is_what_fusing_tables_with_holes_gives(
    tables: dict[str, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One draw, done the long way: rows taken out of the table, and fused again."""
    monkeypatch.setattr(missing, "SHARES", (0.25,))
    monkeypatch.setattr(missing, "DRAWS", 1)
    found = fuse_missing_curve(tables, rule="stacking", seed=4).set_index("missing")
    takes = np.array(sorted(rows_for_test(tables["face"])["take"]))
    order = np.random.default_rng(4).permuted(np.arange(len(takes))[np.newaxis], axis=1)[0]
    gone = takes[order < round(0.25 * len(takes))]
    holes = {**tables, "face": tables["face"][~tables["face"]["take"].isin(gone)]}
    fused = fuse(holes, rule="stacking", seed=4).table
    assert set(fused.set_index("take").loc[gone, "sources"]) == {"voice"}
    assert found.loc["face", "accuracy"] == pytest.approx(evaluate(fused, seed=0).accuracy.value)


def test_curve_repeats_itself(tables: dict[str, pd.DataFrame]) -> None:
    first = fuse_missing_curve(tables, rule="mean", seed=1)
    again = fuse_missing_curve(dict(reversed(tables.items())), rule="mean", seed=1)
    pd.testing.assert_frame_equal(first, again)
    assert first["share"].unique().tolist() == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]


def test_takes_that_lack_a_branch_anyway_do_not_count(tables: dict[str, pd.DataFrame]) -> None:
    face = tables["face"][tables["face"]["actor"] != 9]
    found = fuse_missing_curve({**tables, "face": face}, rule="mean", seed=0)
    assert set(found["n_takes"]) == {64}


def test_one_branch_cannot_be_taken_away(tables: dict[str, pd.DataFrame]) -> None:
    with pytest.raises(InputError, match="needs two branches or more; got voice"):
        fuse_missing_curve({"voice": tables["voice"]}, rule="mean", seed=0)
