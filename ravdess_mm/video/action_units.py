"""Facial action units measured by others, as one vector a clip.

Three layouts are read and told apart by their columns:

- OpenFace frames: one CSV a clip, one row a frame, as in the official landmark-tracking release (Zenodo record
  3255102, OpenFace 2.1.0): ``success``, ``confidence``, 17 intensities ``AUxx_r`` (0-5), 18 presences ``AUxx_c``
  (0 or 1). Column names may carry leading spaces.
- Py-Feat frames: one CSV a clip, one row a detected face, as in the FELT release (Zenodo record 13243600, Py-Feat
  0.6.2 and its successor): ``frame``, ``FaceScore`` and 20 scores ``AUxx`` (0-1) without a suffix.
- OpenFace averages: one CSV for all clips, keyed by ``clip_id``, each column the mean over a clip's frames
  (Luna-Jimenez et al. 2022, Applied Sciences 12(1): 327).

A name means the same in every layout: ``AU12_r`` is a clip's mean intensity and ``AU12_c`` the share of frames that
show the unit, whether averaged here or by others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from ravdess_mm.config import Backend
from ravdess_mm.corpus.identifier import Identifier, Modality
from ravdess_mm.errors import IdentifierError, InputError, MediaError
from ravdess_mm.progress import map_parallel


def _columns(numbers: str, suffix: str = "") -> tuple[str, ...]:
    return tuple(f"AU{number}{suffix}" for number in numbers.split())


INTENSITIES: Final = _columns("01 02 04 05 06 07 09 10 12 14 15 17 20 23 25 26 45", "_r")
"""OpenFace intensity columns, 0 (absent) to 5."""
PRESENCES: Final = _columns("01 02 04 05 06 07 09 10 12 14 15 17 20 23 25 26 28 45", "_c")
"""OpenFace presence columns, 0 or 1."""
SCORES: Final = _columns("01 02 04 05 06 07 09 10 11 12 14 15 17 20 23 24 25 26 28 43")
"""Py-Feat score columns, 0 to 1."""
MIN_CONFIDENCE: Final = 0.75
"""Frames whose tracking confidence (``confidence`` or ``FaceScore``) is lower are left out."""
SPREADS: Final[tuple[str, ...]] = ("std", "p90", "max")
"""What a measured unit is summarised by, next to its mean, which has no suffix."""


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
class ActionUnitTable:
    """One vector a take, and what could not be used.

    Attributes
    ----------
    features : pandas.DataFrame
        Columns take, actor, emotion and `layout.feature_names`; sorted by take.
    rejected : pandas.DataFrame
        Columns path, reason, stage (``video``).
    layout : Layout
        Where the vectors come from.
    """

    features: pd.DataFrame
    rejected: pd.DataFrame
    layout: Layout


@dataclass(frozen=True)
class _Row:
    path: str
    clip: Identifier
    layout: Layout
    values: tuple[float, ...]


@dataclass(frozen=True)
class _Reject:
    path: str
    reason: str


def find_tables(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Return the ``.csv`` files among `paths` and in their folders, sorted, each once.

    Raises
    ------
    InputError
        If a path does not exist or is neither a folder nor a ``.csv`` file.
    """
    found: set[Path] = set()
    for path in paths:
        if path.is_dir():
            found.update(file for file in path.rglob("*") if file.suffix.lower() == ".csv" and file.is_file())
        elif path.is_file() and path.suffix.lower() == ".csv":
            found.add(path)
        else:
            problem = "is not a .csv file" if path.is_file() else "no such file or folder"
            raise InputError(f"{path}: {problem}; action units are read from .csv files and folders of them")
    return tuple(sorted(found))


def build_action_unit_table(
    paths: Sequence[Path],
    *,
    min_confidence: float = MIN_CONFIDENCE,
    jobs: int = 1,
    backend: Backend = Backend.LOKY,
) -> ActionUnitTable:
    """Read action-unit tables and pool them to one vector a take.

    A measured unit of a frame table becomes its mean (the plain name), standard deviation (``_std``), 90th percentile
    (``_p90``) and maximum (``_max``) over the frames that were tracked; a presence becomes the share of those frames
    that show it. A table of averages is taken as it is.

    Parameters
    ----------
    paths : sequence of Path
        ``.csv`` files, or folders that are searched for them; order does not matter.
    min_confidence : float
        Lowest tracking confidence of a frame that counts, 0-1.
    jobs : int
        Processes; -1 for one a core.
    backend : Backend
        Where they run.

    Returns
    -------
    ActionUnitTable
        Where a take occurs more than once, its full-AV clip is used; where layouts are mixed, the one with the most
        takes is. The rest is in `rejected`, with its reason.

    Raises
    ------
    InputError
        If `min_confidence` is out of range, a path is missing, or no take remains; the message then gives the first
        reason.
    """
    if not 0 <= min_confidence <= 1:
        raise InputError(f"min_confidence is {min_confidence}; allowed: 0 to 1")
    files = find_tables(paths)
    if not files:
        raise InputError(f"no .csv file in {', '.join(map(str, paths)) or 'an empty list of paths'}")
    read = partial(_read_file, min_confidence=min_confidence)
    found = [
        item
        for items in map_parallel(
            read, files, description="action units", jobs=jobs, backend=backend, unit="table"
        )
        for item in items
    ]
    rejects = [item for item in found if isinstance(item, _Reject)]
    rows = [item for item in found if isinstance(item, _Row)]
    if not rows:
        reason = (
            f"{rejects[0].path}: {rejects[0].reason}" if rejects else f"{files[0]}: the table has no rows"
        )
        raise InputError(f"no usable action units; {reason}")
    rows, others = _one_layout(rows)
    rows, doubles = _one_a_take(rows)
    layout = rows[0].layout
    rejected = sorted([*rejects, *others, *doubles], key=lambda reject: (reject.path, reject.reason))
    return ActionUnitTable(
        features=_feature_table(rows, layout),
        rejected=pd.DataFrame(
            {
                "path": [reject.path for reject in rejected],
                "reason": [reject.reason for reject in rejected],
                "stage": "video",
            },
            dtype="str",
        ),
        layout=layout,
    )


def _feature_table(rows: Sequence[_Row], layout: Layout) -> pd.DataFrame:
    rows = sorted(rows, key=lambda row: str(row.clip.take))
    labels = pd.DataFrame(
        {
            "take": [str(row.clip.take) for row in rows],
            "actor": np.array([row.clip.actor for row in rows], dtype=np.int64),
            "emotion": [row.clip.emotion.label for row in rows],
        }
    )
    values = pd.DataFrame(np.array([row.values for row in rows]), columns=list(layout.feature_names))
    return pd.concat([labels, values], axis=1)


def _one_layout(rows: Sequence[_Row]) -> tuple[list[_Row], list[_Reject]]:
    """Keep the rows of the layout with the most takes: vectors of different layouts have different columns."""
    takes = {layout: len({row.clip.take for row in rows if row.layout is layout}) for layout in Layout}
    chosen = max(Layout, key=lambda layout: takes[layout])
    reason = f"holds {{}}; the other {takes[chosen]} takes are {chosen.value}, and a table has one layout"
    others = [_Reject(row.path, reason.format(row.layout.value)) for row in rows if row.layout is not chosen]
    return [row for row in rows if row.layout is chosen], list(dict.fromkeys(others))


def _one_a_take(rows: Sequence[_Row]) -> tuple[list[_Row], list[_Reject]]:
    chosen: dict[str, _Row] = {}
    doubles: list[_Reject] = []
    # full-AV before video-only before audio-only, then by path: the order in which files were given plays no part
    for row in sorted(rows, key=lambda row: (row.clip.modality, row.path)):
        first = chosen.setdefault(str(row.clip.take), row)
        if first is not row:
            doubles.append(_Reject(row.path, f"{row.clip}: the same take as {first.clip} in {first.path}"))
    return list(chosen.values()), doubles


def _read_file(path: Path, *, min_confidence: float) -> list[_Row | _Reject]:
    """Read one file of any layout; a reason it cannot be used is returned, so that it costs only itself."""
    try:
        table, layout = _load(path)
        if layout is Layout.OPENFACE_AVERAGES:
            return list(_read_averages(table, path))
        clip = _clip_of(path.stem)
        values = _pool_frames(table, layout, min_confidence)
    except (MediaError, IdentifierError, OSError) as error:
        return [_Reject(str(path), str(error))]
    return [_Row(str(path), clip, layout, values)]


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
    except (
        ValueError,
        pd.errors.ParserError,
    ) as error:  # EmptyDataError and UnicodeDecodeError are ValueErrors
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
        raise IdentifierError(
            f"{name!r} is an audio-only clip, which shows no face; allowed modalities: 01, 02"
        )
    return clip


def _read_averages(table: pd.DataFrame, path: Path) -> Iterator[_Row | _Reject]:
    values, reasons = _checked_values(table, Layout.OPENFACE_AVERAGES)
    for position, name in enumerate(table["clip_id"].astype(str)):
        # the header is line 1
        where = f"line {position + 2} ({name})"
        if reasons[position]:
            yield _Reject(str(path), f"{where}: {reasons[position]}")
            continue
        try:
            yield _Row(str(path), _clip_of(name.strip()), Layout.OPENFACE_AVERAGES, tuple(values[position]))
        except IdentifierError as error:
            yield _Reject(str(path), f"{where}: {error}")


def _checked_values(table: pd.DataFrame, layout: Layout) -> tuple[np.ndarray, list[str]]:
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
        reasons[int(row)] = (
            f"{units[column]} is {str(received)!r}; allowed: a number from 0 to {highest[column]:g}"
        )
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
    spreads = np.stack(
        [measured.std(axis=0), np.percentile(measured, 90, axis=0), measured.max(axis=0)], axis=1
    )
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
