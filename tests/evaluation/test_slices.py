from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.errors import InputError
from ravdess_mm.evaluation import slices, worst_slice
from ravdess_mm.predictions import prediction_table

Simulate = Callable[..., pd.DataFrame]


def _answer_all_right_but(table: pd.DataFrame, wrong: pd.Series) -> pd.DataFrame:
    answers = [(EMOTIONS.index(emotion) + bad) % 8 for emotion, bad in zip(table["emotion"], wrong, strict=True)]
    return prediction_table(table["take"].tolist(), np.eye(8)[answers], fold=-1, role="test")


@pytest.fixture(scope="module")
def table(simulate: Simulate) -> pd.DataFrame:
    """Actors 1-4, all right but half of the happy takes of every man."""
    plain = simulate(range(1, 5), seed=0)
    wrong = (plain["emotion"] == "happy") & (plain["actor"] % 2 == 1) & plain["take"].str.slice(9, 11).eq("02")
    return _answer_all_right_but(plain, wrong)


def test_parts_of_each_dimension_add_up(table: pd.DataFrame) -> None:
    found = slices(table, seed=0)
    assert found.groupby("dimension")["n_takes"].sum().eq(len(table)).all()
    assert found.groupby("dimension")["worst"].sum().eq(1).all()
    assert found.loc[found["dimension"] == "emotion", "part"].tolist() == list(EMOTIONS)
    assert found.loc[found["dimension"] == "sex", "part"].tolist() == ["female", "male"]


def test_parts_by_hand(table: pd.DataFrame) -> None:
    found = slices(table, seed=0).set_index(["dimension", "part"])
    assert found.loc[("emotion", "happy"), "accuracy"] == pytest.approx(1 - 4 / 16)
    assert found.loc[("sex", "male"), "accuracy"] == pytest.approx(1 - 4 / 64)
    assert found.loc[("statement", "dogs"), "accuracy"] == pytest.approx(1 - 4 / 64)
    assert found.loc[("statement", "kids"), "accuracy"] == 1
    assert found.loc[("actor", "03"), "n_actors"] == 1
    assert np.isnan(found.loc[("actor", "03"), "low"])
    # the men err alike, the women never: a draw of actors holds 0-4 men
    assert (found.loc[("emotion", "happy"), ["low", "high"]].tolist()) == pytest.approx([0.5, 1.0])


def test_worst_part_is_named(table: pd.DataFrame) -> None:
    assert worst_slice(slices(table, seed=0)) == "emotion happy: 75.0 % [50.0, 100.0] of 16 takes"
    happy = table[table["emotion"] == "happy"]
    assert worst_slice(slices(happy, seed=0)) == "sex male: 50.0 % [50.0, 50.0] of 8 takes"
    with pytest.raises(InputError, match="no dimension has two parts"):
        worst_slice(slices(happy.iloc[:1], seed=0))


def test_order_of_rows_changes_nothing(table: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(slices(table.iloc[::-1], seed=1), slices(table, seed=1))
