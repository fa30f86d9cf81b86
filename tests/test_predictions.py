"""The prediction table is checked wherever it is made, written or read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.errors import InputError
from ravdess_mm.predictions import (
    COLUMNS,
    PROBABILITIES,
    labels_of,
    prediction_table,
    probabilities_of,
    read_predictions,
    rows_for_test,
    rows_out_of_fold,
    write_predictions,
)

TAKES = ["01-08-02-02-01-21", "01-01-01-01-01-03", "01-05-01-01-02-22"]


@pytest.fixture
def table() -> pd.DataFrame:
    probabilities = np.full((3, 8), 0.5)
    probabilities[0, 7] = 4.0
    return prediction_table(TAKES, probabilities, fold=-1, role="test")


def test_actor_and_label_come_from_the_take(table: pd.DataFrame) -> None:
    assert tuple(table.columns) == COLUMNS
    assert table["take"].tolist() == sorted(TAKES)
    assert table["actor"].tolist() == [3, 22, 21]
    assert table["emotion"].tolist() == ["neutral", "angry", "surprised"]
    assert labels_of(table).tolist() == [0, 4, 7]


def test_rows_are_normalised(table: pd.DataFrame) -> None:
    np.testing.assert_allclose(probabilities_of(table).sum(axis=1), 1.0)
    assert table["p_surprised"].iloc[2] == pytest.approx(4 / 7.5)


def test_column_order_is_the_order_of_codes() -> None:
    assert tuple(f"p_{emotion}" for emotion in EMOTIONS) == PROBABILITIES
    assert PROBABILITIES[0] == "p_neutral"
    assert PROBABILITIES[-1] == "p_surprised"


def test_round_trip_does_not_depend_on_row_order(tmp_path: Path, table: pd.DataFrame) -> None:
    write_predictions(tmp_path / "a.parquet", table)
    write_predictions(tmp_path / "b.parquet", table.iloc[::-1])
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    pd.testing.assert_frame_equal(read_predictions(tmp_path / "a.parquet"), table, check_dtype=False)


def test_csv_from_elsewhere_is_read(tmp_path: Path, table: pd.DataFrame) -> None:
    table.to_csv(tmp_path / "a.csv", index=False)
    np.testing.assert_allclose(probabilities_of(read_predictions(tmp_path / "a.csv")), probabilities_of(table))
    with pytest.raises(InputError, match=r"none\.csv: no such file"):
        read_predictions(tmp_path / "none.csv")


def test_roles_are_kept_apart(table: pd.DataFrame) -> None:
    both = pd.concat([table, table.assign(role="oof")])
    assert len(rows_for_test(both)) == 3
    assert set(rows_out_of_fold(both)["role"]) == {"oof"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="p_calm"), "no column p_calm"),
        (lambda t: t.iloc[:0], "has no rows"),
        (lambda t: t.assign(actor=[3, 22, 20]), "is actor 21, surprised; the table says actor 20"),
        (lambda t: t.assign(emotion="happy"), "is actor 3, neutral; the table says actor 3, happy"),
        (lambda t: t.assign(take=["x", *t["take"][1:]]), "'x' has 1 part;"),
        (lambda t: t.assign(role="train"), "role 'train' is unknown; allowed: test, oof"),
        (lambda t: t.assign(p_calm=-0.1), "negative or not finite"),
        (lambda t: t.assign(p_calm=np.nan), "negative or not finite"),
        (lambda t: t.assign(p_calm=0.9), "sum to"),
        (lambda t: pd.concat([t, t.iloc[:1]]), "occurs twice"),
        (lambda t: t.assign(p_calm=["0.1", "much", "0.1"]), "row 2, column p_calm: 'much' is not a number"),
        (lambda t: t.assign(p_calm=[[0.1], [0.1], [0.1]]), "row 1, column p_calm: .* is not a number"),
        (lambda t: t.assign(fold=[0, np.nan, 0]), "row 2, column fold: 'nan' is not a whole number"),
        (lambda t: t.assign(actor=[3.5, 22, 21]), "row 1, column actor: '3.5' is not a whole number"),
        (lambda t: t.assign(take=[1, 2, 3]), "row 1, column take: '1' is not a text"),
        (lambda t: t.assign(emotion=[["sad"]] * 3), "row 1, column emotion: .* is not a text"),
    ],
)
def test_an_unsound_table_is_refused(tmp_path: Path, table: pd.DataFrame, change: object, message: str) -> None:
    bad = change(table)  # type: ignore[operator]
    bad.to_parquet(tmp_path / "bad.parquet")
    with pytest.raises(InputError, match=message) as caught:
        read_predictions(tmp_path / "bad.parquet")
    assert "bad.parquet" in str(caught.value)


def test_wrong_shape_is_refused() -> None:
    with pytest.raises(InputError, match=r"shape \(3, 7\); expected \(3, 8\)"):
        prediction_table(TAKES, np.ones((3, 7)), fold=-1, role="test")


def test_row_without_any_probability_is_refused() -> None:
    with pytest.raises(InputError, match="negative or not finite"):
        prediction_table(TAKES, np.zeros((3, 8)), fold=-1, role="test")


def texts(table: pd.DataFrame) -> dict[str, bytes]:
    """Return the table as people have it."""
    comma = table.to_csv(index=False)
    rounded = table.round(2).to_csv(index=False)
    with_index = table.to_csv()
    german = table.to_csv(index=False, sep=";", decimal=",")
    return {
        "rounded": rounded.encode(),
        "semicolons": german.encode(),
        "tabs": table.to_csv(index=False, sep="\t").encode(),
        "utf-16": comma.encode("utf-16"),
        "mark": comma.encode("utf-8-sig"),
        "index": with_index.encode(),
        "names of rows": with_index.removeprefix(",").encode(),
        "lines of Windows": comma.replace("\n", "\r\n").encode(),
        "blank lines": (comma + "\n\n").encode(),
    }


@pytest.mark.parametrize("kind", list(texts(pd.DataFrame({"a": [1]}))))
def test_a_csv_as_people_have_it_is_read(tmp_path: Path, table: pd.DataFrame, kind: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(texts(table)[kind])
    found = probabilities_of(read_predictions(path))
    np.testing.assert_allclose(found, probabilities_of(table), atol=0.02)
    np.testing.assert_allclose(found.sum(axis=1), 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no column take"),
        (b"take,actor\n1,2,3\n1,2\n", "row 1 has 3 cells; the first line names 2 columns"),
        ("täke".encode("latin-1"), "neither UTF-8 nor UTF-16"),
        (b'a,"' + b"x" * 200_000, "not a readable table"),
        (b"take,take\n1,2\n", "no column actor"),
    ],
)
def test_a_csv_that_is_no_table_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(InputError, match=rf"a\.csv: .*{message}"):
        read_predictions(tmp_path / "a.csv")
