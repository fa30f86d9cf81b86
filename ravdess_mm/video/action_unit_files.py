"""One file of facial action units, in any of three layouts, told apart by their columns.

- OpenFace frames: one CSV a clip, one row a frame, as in the official landmark-tracking release (Zenodo record
  3255102, OpenFace 2.1.0): ``success``, ``confidence``, 17 intensities ``AUxx_r`` (0-5), 18 presences ``AUxx_c``
  (0 or 1). Column names may carry leading spaces.
- Py-Feat frames: one CSV a clip, one row a detected face, as in the FELT release (Zenodo record 13243600, Py-Feat
  0.6.2 and its successor): ``frame``, ``FaceScore`` and 20 scores ``AUxx`` (0-1) without a suffix.
- OpenFace averages: one CSV for all clips, keyed by ``clip_id``, each column the mean over a clip's frames
  (Luna-Jimenez et al. 2022, Applied Sciences 12(1): 327).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ravdess_mm.corpus.identifier import Identifier, Modality
from ravdess_mm.errors import IdentifierError, MediaError


def _columns(numbers: str, suffix: str = "") -> tuple[str, ...]:
    return tuple(f"AU{number}{suffix}" for number in numbers.split())


INTENSITIES: Final = _columns("01 02 04 05 06 07 09 10 12 14 15 17 20 23 25 26 45", "_r")
"""OpenFace intensity columns, 0 (absent) to 5."""
PRESENCES: Final = _columns("01 02 04 05 06 07 09 10 12 14 15 17 20 23 25 26 28 45", "_c")
"""OpenFace presence columns, 0 or 1."""
SCORES: Final = _columns("01 02 04 05 06 07 09 10 11 12 14 15 17 20 23 24 25 26 28 43")
"""Py-Feat score columns, 0 to 1."""
SPREADS: Final[tuple[str, ...]] = ("std", "p90", "max")
"""What a measured unit is summarised by, next to its mean, which has no suffix."""

_UNITS: Final = frozenset((*INTENSITIES, *PRESENCES, *SCORES))
_LONGEST_HEADER: Final = 1 << 16  # bytes; the 712 columns of OpenFace take 8,000


class Layout(Enum):
    """How a table of action units is laid out; the value is what messages call it."""

    OPENFACE_FRAMES = "OpenFace frames"
    PYFEAT_FRAMES = "Py-Feat frames"
    OPENFACE_AVERAGES = "OpenFace averages"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a table of this layout must have."""
        return {
            Layout.OPENFACE_FRAMES: ("success", "confidence", *INTENSITIES, *PRESENCES),
            Layout.PYFEAT_FRAMES: ("frame", "FaceScore", *SCORES),
            Layout.OPENFACE_AVERAGES: ("clip_id", *INTENSITIES, *PRESENCES),
        }[self]

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The columns of the pooled table: 35 averages, 86 from OpenFace frames, 80 from Py-Feat frames."""
        if self is Layout.OPENFACE_AVERAGES:
            return (*INTENSITIES, *PRESENCES)
        measured, counted = (INTENSITIES, PRESENCES) if self is Layout.OPENFACE_FRAMES else (SCORES, ())
        spreads = tuple(f"{name}_{spread}" for name in measured for spread in SPREADS)
        return (*measured, *counted, *spreads)


@dataclass(frozen=True)
class UnitRow:
    """The vector of one clip, in the order of `layout.feature_names`."""

    path: str
    clip: Identifier
    layout: Layout
    values: tuple[float, ...]


@dataclass(frozen=True)
class UnitReject:
    """What could not be used, and why."""

    path: str
    reason: str


def read_unit_file(path: Path, *, min_confidence: float) -> list[UnitRow | UnitReject]:
    """Read one file of any layout; a reason it cannot be used is returned, so that it costs only itself.

    Parameters
    ----------
    path : Path
        ``.csv``; the name of a frame table is its clip's identifier.
    min_confidence : float
        Lowest tracking confidence of a frame that counts, 0-1.

    Returns
    -------
    list of UnitRow or UnitReject
        One item for a frame table, one a row for a table of averages.
    """
    try:
        table, layout = _load(path)
        if layout is Layout.OPENFACE_AVERAGES:
            return list(_read_averages(table, path))
        clip = _clip_of(path.stem)
        values = _pool_frames(table, layout, min_confidence)
    except (MediaError, IdentifierError, OSError) as error:
        return [UnitReject(str(path), str(error))]
    return [UnitRow(str(path), clip, layout, values)]


def may_hold_units(path: Path) -> bool:
    """Tell by its name and first line whether a ``.csv`` file is meant as a table of action units.

    It is where its name is that of a clip which shows a face, or a column is a unit's. What is wrong with such a file
    is for `read_unit_file` to say.
    """
    try:
        _clip_of(path.stem)
    except IdentifierError:
        pass
    else:
        return True
    try:
        with path.open("rb") as file:
            first = file.readline(_LONGEST_HEADER).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return False
    return not _UNITS.isdisjoint(name.strip().strip('"') for name in first.split(","))


def _load(path: Path) -> tuple[pd.DataFrame, Layout]:
    try:
        header = pd.read_csv(path, nrows=0, skipinitialspace=True, encoding="utf-8-sig").columns.str.strip()
        layout = _layout_of(list(header))
        missing = [column for column in layout.columns if column not in header]
        if missing:
            raise MediaError(
                f"no column {', '.join(missing)}; a table of {layout.value} has {', '.join(layout.columns)}"
            )
        wanted = set(layout.columns)
        table = pd.read_csv(
            path,
            usecols=lambda name: name.strip() in wanted,
            skipinitialspace=True,
            encoding="utf-8-sig",
            dtype={"clip_id": str},
        )
    except (ValueError, pd.errors.ParserError) as error:  # EmptyDataError and UnicodeDecodeError are ValueErrors
        raise MediaError(f"not a readable CSV table ({error})") from error
    return table.rename(columns=str.strip), layout


def _layout_of(columns: Sequence[str]) -> Layout:
    names = set(columns)
    if "clip_id" in names:
        return Layout.OPENFACE_AVERAGES
    if "success" in names or names.intersection(INTENSITIES):
        return Layout.OPENFACE_FRAMES
    if "FaceScore" in names or names.intersection(SCORES):
        return Layout.PYFEAT_FRAMES
    shown = ", ".join(columns[:6]) + (", ..." if len(columns) > 6 else "")
    raise MediaError(
        f"no action units among the columns ({shown}); allowed: OpenFace frames (success, confidence, AU01_r ... "
        "AU45_c), Py-Feat frames (frame, FaceScore, AU01 ... AU43) or OpenFace averages (clip_id, AU01_r ... AU45_c)"
    )


def _clip_of(name: str) -> Identifier:
    clip = Identifier.parse(name)
    if clip.modality is Modality.AUDIO_ONLY:
        raise IdentifierError(f"{name!r} is an audio-only clip, which shows no face; allowed modalities: 01, 02")
    return clip


def _read_averages(table: pd.DataFrame, path: Path) -> Iterator[UnitRow | UnitReject]:
    values, reasons = _checked_values(table, Layout.OPENFACE_AVERAGES)
    for position, name in enumerate(table["clip_id"].astype(str)):
        # the header is line 1
        where = f"line {position + 2} ({name})"
        if reasons[position]:
            yield UnitReject(str(path), f"{where}: {reasons[position]}")
            continue
        try:
            yield UnitRow(str(path), _clip_of(name.strip()), Layout.OPENFACE_AVERAGES, tuple(values[position]))
        except IdentifierError as error:
            yield UnitReject(str(path), f"{where}: {error}")


def _checked_values(table: pd.DataFrame, layout: Layout) -> tuple[npt.NDArray[np.float64], list[str]]:
    """Return the measured values [shape=(n, columns)] and, for each row, what is wrong with it or ''."""
    units = [column for column in layout.columns if column.startswith("AU")]
    values = table[units].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    highest = np.array([5.0 if unit.endswith("_r") else 1.0 for unit in units])
    with np.errstate(invalid="ignore"):
        wrong = ~((values >= 0) & (values <= highest))
    reasons = [""] * len(table)
    for row in np.flatnonzero(wrong.any(axis=1)):
        column = int(np.argmax(wrong[row]))
        received = table[units[column]].iloc[int(row)]
        reasons[int(row)] = f"{units[column]} is {str(received)!r}; allowed: a number from 0 to {highest[column]:g}"
    return values, reasons


def _pool_frames(table: pd.DataFrame, layout: Layout, min_confidence: float) -> tuple[float, ...]:
    frames = _tracked_frames(table, layout, min_confidence)
    if frames.empty:
        raise MediaError(
            f"no face was tracked with confidence {min_confidence:g} or more in any of {len(table)} frames"
        )
    values, reasons = _checked_values(frames, layout)
    for line, reason in zip(frames.index, reasons, strict=True):
        if reason:
            raise MediaError(f"line {int(line) + 2}: {reason}")
    n_measured = len(INTENSITIES) if layout is Layout.OPENFACE_FRAMES else len(SCORES)
    measured = values[:, :n_measured]
    spreads = np.stack([measured.std(axis=0), np.percentile(measured, 90, axis=0), measured.max(axis=0)], axis=1)
    return (*values.mean(axis=0).tolist(), *spreads.ravel().tolist())


def _tracked_frames(table: pd.DataFrame, layout: Layout, min_confidence: float) -> pd.DataFrame:
    if layout is Layout.OPENFACE_FRAMES:
        success = pd.to_numeric(table["success"], errors="coerce") == 1
        return table[success & (pd.to_numeric(table["confidence"], errors="coerce") >= min_confidence)]
    # Py-Feat writes one row a face and leaves a frame without one empty; the best face of a frame is the actor's
    scored = table.assign(FaceScore=pd.to_numeric(table["FaceScore"], errors="coerce"))
    scored = scored[scored["FaceScore"] >= min_confidence]
    best = scored.sort_values("FaceScore", ascending=False, kind="stable").drop_duplicates("frame")
    return best.sort_index()
