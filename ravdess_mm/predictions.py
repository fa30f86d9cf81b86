"""THE table: one row a take and model, its true label and eight probabilities.

Metrics, fusion and the report all derive from these tables, so any figure can be recomputed from them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ravdess_mm.corpus.identifier import EMOTIONS, Take
from ravdess_mm.errors import IdentifierError, InputError, one_line, printable
from ravdess_mm.store import read_table, write_table

SCHEMA: Final = "predictions/1"
PROBABILITIES: Final[tuple[str, ...]] = tuple(f"p_{emotion}" for emotion in EMOTIONS)
"""The probability columns, in the order of the emotion codes."""
COLUMNS: Final[tuple[str, ...]] = ("take", "actor", "emotion", "fold", "role", *PROBABILITIES)
ROLES: Final[tuple[str, ...]] = ("test", "oof")
ADAPTED: Final = "-adapted"
"""End of the names of speaker-adapted models: their figures stand apart from the plain ones."""
SUM_TOLERANCE: Final = 0.041
"""Eight probabilities that were rounded to two decimals sum to 1 within this."""
LARGEST_BYTES: Final = 2**28
"""Tables are not larger."""
_WHOLE: Final = ("actor", "fold")
_TEXTS: Final = ("take", "emotion", "role")


def prediction_table(
    takes: Sequence[str],
    probabilities: npt.ArrayLike,
    *,
    fold: int | Sequence[int],
    role: str,
) -> pd.DataFrame:
    """Build a prediction table; actor and true label are read from the takes.

    Parameters
    ----------
    takes : sequence of str [n]
        Takes such as ``01-03-01-02-01-05``.
    probabilities : array-like [shape=(n, 8)]
        Columns in the order of `EMOTIONS`; rows are normalised to sum to 1.
    fold : int or sequence of int [n]
        Number of the test fold; -1 for a plain holdout.
    role : {"test", "oof"}
        ``test``: the actor was in no fit and no choice. ``oof``: out-of-fold within the training actors.

    Returns
    -------
    pandas.DataFrame
        The columns `COLUMNS`, sorted by role (test first), fold and take.

    Raises
    ------
    InputError
        If shapes differ, a probability is negative or not finite, or a take is no take.
    """
    values = np.asarray(probabilities, dtype=np.float64)
    if values.shape != (len(takes), len(EMOTIONS)):
        raise InputError(f"probabilities have shape {values.shape}; expected {(len(takes), len(EMOTIONS))}")
    parsed = [Take.parse(take) for take in takes]
    table = pd.DataFrame(
        {
            "take": [str(take) for take in parsed],
            "actor": np.array([take.actor for take in parsed], dtype=np.int64),
            "emotion": [take.emotion.label for take in parsed],
            "fold": np.broadcast_to(np.asarray(fold, dtype=np.int64), (len(takes),)),
            "role": role,
        }
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        values = values / values.sum(axis=1, keepdims=True)
    for column, name in enumerate(PROBABILITIES):
        table[name] = values[:, column]
    return check_predictions(sort_predictions(table), source="new prediction table")


def sort_predictions(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows in the one order of the files: test before oof, then fold, then take."""
    order = table["role"].map({role: index for index, role in enumerate(ROLES)})
    keys = table.assign(_order=order).sort_values(["_order", "fold", "take"], kind="stable")
    return keys.drop(columns="_order").reset_index(drop=True)


def check_predictions(table: pd.DataFrame, *, source: str) -> pd.DataFrame:
    """Return `table` if it is a sound prediction table, with probabilities normalised to sum to exactly 1.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns `COLUMNS`; further columns are kept.
    source : str
        What to call it in messages, such as its path.

    Raises
    ------
    InputError
        Names the first thing that is wrong: a missing column, a cell of another type, a bad take, a label
        or actor that contradicts the take, a role or probability out of range, a take that occurs twice in one role
        and fold.
    """
    missing = [column for column in COLUMNS if column not in table.columns]
    if missing:
        raise InputError(f"{source}: no column {', '.join(missing)}; a prediction table has {', '.join(COLUMNS)}")
    if table.empty:
        raise InputError(f"{source}: the prediction table has no rows")
    table = _typed(table, source)
    said = table[["take", "actor", "emotion"]].drop_duplicates()
    for take, actor, emotion in zip(said["take"], said["actor"], said["emotion"], strict=True):
        try:
            parsed = Take.parse(str(take))
        except IdentifierError as error:
            raise InputError(f"{source}: {error}") from error
        if (parsed.actor, parsed.emotion.label) != (actor, emotion):
            raise InputError(
                f"{source}: take {take} is actor {parsed.actor}, {parsed.emotion.label}; "
                f"the table says actor {actor}, {emotion}"
            )
    wrong = sorted(set(table["role"]) - set(ROLES))
    if wrong:
        raise InputError(f"{source}: role {wrong[0]!r} is unknown; allowed: {', '.join(ROLES)}")
    values = table[list(PROBABILITIES)].to_numpy(dtype=np.float64)
    if not np.isfinite(values).all() or (values < 0).any():
        row = int(np.flatnonzero(~(np.isfinite(values) & (values >= 0)).all(axis=1))[0])
        raise InputError(f"{source}: take {table['take'].iloc[row]} has a probability that is negative or not finite")
    sums = values.sum(axis=1)
    if (np.abs(sums - 1) > SUM_TOLERANCE).any():
        row = int(np.argmax(np.abs(sums - 1)))
        raise InputError(f"{source}: the probabilities of take {table['take'].iloc[row]} sum to {sums[row]:.4f}, not 1")
    doubled = table.duplicated(["take", "role", "fold"])
    if doubled.any():
        raise InputError(f"{source}: take {table['take'][doubled].iloc[0]} occurs twice in one role and fold")
    checked = table.copy()
    checked[list(PROBABILITIES)] = values / sums[:, None]
    return checked


def _typed(table: pd.DataFrame, source: str) -> pd.DataFrame:
    """Return the table with whole numbers, numbers and texts where these belong.

    Raises
    ------
    InputError
        Names the row, from 1, and the column of the first cell that is something else.
    """
    doubled = table.columns[table.columns.duplicated()]
    if len(doubled):
        raise InputError(f"{source}: two columns are named {printable(doubled[0])!r}")
    columns: dict[str, Any] = {}
    for name in COLUMNS:
        values = table[name]
        read: list[Any]
        if name in _TEXTS:
            read, kind = [value if isinstance(value, str) else None for value in values], "a text"
        elif name in _WHOLE:
            read, kind = [_number(value, whole=True) for value in values], "a whole number"
        elif pd.api.types.is_float_dtype(values.dtype):
            continue
        else:
            read, kind = [_number(value) for value in values], "a number"
        if None in read:
            row = read.index(None)
            shown = printable(values.iloc[row])[:40]
            raise InputError(f"{source}: row {row + 1}, column {name}: {shown!r} is not {kind}")
        columns[name] = np.array(read, dtype=np.int64 if name in _WHOLE else None)
    return table.assign(**columns)


def _number(value: Any, *, whole: bool = False) -> float | int | None:
    """Return what a cell says as a number, with a comma or a point; None where it says none."""
    try:
        number = float(value.replace(",", ".") if isinstance(value, str) else value)
    except (TypeError, ValueError, OverflowError):
        return None
    if not whole:
        return number
    return int(number) if abs(number) < 2**31 and number == int(number) else None


def _read_csv(path: Path) -> pd.DataFrame:
    """Read a table as spreadsheets and pandas write it, every cell as text.

    Commas, semicolons or tabs; UTF-8 or UTF-16, with a mark or without; a first column without a name is passed over.

    Raises
    ------
    InputError
        If it is another encoding, or a line has more or fewer cells than the first.
    """
    content = path.read_bytes()
    try:
        text = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: neither UTF-8 nor UTF-16 ({one_line(error)})") from error
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        header, *rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row] or [[]]
    except csv.Error as error:
        raise InputError(f"{path}: not a readable table ({one_line(error)})") from error
    names = [name.strip() for name in header]
    if rows and all(len(row) == len(names) + 1 for row in rows):  # as R writes the names of rows
        names.insert(0, "")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(names):
            raise InputError(f"{path}: row {number} has {len(row)} cells; the first line names {len(names)} columns")
    table = pd.DataFrame(rows, columns=names, dtype=object)
    return table.loc[:, [name not in ("", "Unnamed: 0") for name in names]]


def write_predictions(path: str | Path, table: pd.DataFrame) -> None:
    """Write a checked, sorted prediction table."""
    write_table(path, check_predictions(sort_predictions(table), source=str(path)), schema=SCHEMA)


def read_predictions(path: str | Path) -> pd.DataFrame:
    """Read a prediction table from ``.parquet`` (ours or anyone's), ``.csv`` or ``.tsv``, and check it.

    Raises
    ------
    InputError
        If the file is missing, unreadable or not a sound prediction table.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if (size := path.stat().st_size) > LARGEST_BYTES:
        raise InputError(f"{path}: {size:,} bytes; a prediction table has at most {LARGEST_BYTES:,}")
    table = _read_csv(path) if path.suffix.lower() in (".csv", ".tsv", ".txt") else read_table(path, schema=SCHEMA)
    return check_predictions(table, source=printable(path))


def rows_for_test(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows whose actors were in no fit and no choice."""
    return table[table["role"] == "test"].reset_index(drop=True)


def rows_out_of_fold(table: pd.DataFrame) -> pd.DataFrame:
    """Return the out-of-fold rows of training actors."""
    return table[table["role"] == "oof"].reset_index(drop=True)


def probabilities_of(table: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Return the probabilities [shape=(n, 8)] in the order of `EMOTIONS`."""
    return table[list(PROBABILITIES)].to_numpy(dtype=np.float64)


def labels_of(table: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Return the true labels [shape=(n,)] as positions in `EMOTIONS`."""
    positions = {emotion: index for index, emotion in enumerate(EMOTIONS)}
    return np.asarray([positions[emotion] for emotion in table["emotion"]], dtype=np.int64)


def hits(table: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Return whether the most probable emotion is the true one, for each row [shape=(n,)]."""
    return np.asarray(probabilities_of(table).argmax(axis=1) == labels_of(table))
