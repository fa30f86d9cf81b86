"""Facial action units measured by others, as one vector a take.

A name means the same whatever the tables' layout: ``AU12_r`` is a clip's mean intensity and ``AU12_c`` the share of
its frames that show the unit, whether averaged here or by others. See `action_unit_files` for the layouts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from ravdess_mm.config import Backend, ChannelChoice
from ravdess_mm.corpus.identifier import Identifier
from ravdess_mm.errors import IdentifierError, InputError
from ravdess_mm.parallel.progress import map_parallel
from ravdess_mm.video.action_unit_files import Layout, UnitReject, UnitRow, may_hold_units, read_unit_file

MIN_CONFIDENCE: Final = 0.75
"""Frames whose tracking confidence (``confidence`` or ``FaceScore``) is lower are left out."""


LENGTH: Final = "log_length"
"""Natural logarithm of a take's length in seconds."""


class Transform(Enum):
    """What is done to the pooled values."""

    NONE = "none"
    SQRT = "sqrt"
    """Square root: most units are near 0 most of the time; it evens the variance of such amounts and rates."""


@dataclass(frozen=True)
class ActionUnitTable:
    """One vector a take, and what could not be used.

    Attributes
    ----------
    features : pandas.DataFrame
        Columns take, actor, emotion and `layout.feature_names` (transformed, if asked for); sorted by take.
    rejected : pandas.DataFrame
        Columns path, reason, stage (``video``).
    layout : Layout
        Where the vectors come from.
    """

    features: pd.DataFrame
    rejected: pd.DataFrame
    layout: Layout


def find_tables(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Return the ``.csv`` files among `paths` and in their folders, sorted, each once.

    Raises
    ------
    InputError
        If a path does not exist or is neither a folder nor a ``.csv`` file.
    """
    tables: set[Path] = set()
    for path in paths:
        if path.is_dir():
            tables.update(file for file in path.rglob("*") if file.suffix.lower() == ".csv" and file.is_file())
        elif path.is_file() and path.suffix.lower() == ".csv":
            tables.add(path)
        else:
            problem = "is not a .csv file" if path.is_file() else "no such file or folder"
            raise InputError(f"{path}: {problem}; action units are read from .csv files and folders of them")
    return tuple(sorted(tables))


def tables_among(data: Sequence[Path]) -> tuple[Path, ...]:
    """Return the tables of action units among what a run is given, sorted, each once.

    Parameters
    ----------
    data : sequence of Path
        ``.csv`` files, which count whatever is in them, and folders, in which those count that `may_hold_units`;
        hidden files and folders do not.

    Raises
    ------
    InputError
        If a file is missing.
    """
    paths: set[Path] = set(find_tables([path for path in data if path.suffix.lower() == ".csv"]))
    for folder in data:
        if folder.is_dir():
            inside = (table for table in find_tables([folder]) if not _is_hidden(table.relative_to(folder)))
            paths.update(table for table in inside if table not in paths and may_hold_units(table))
    return tuple(sorted(paths))


def of_channel(tables: Sequence[Path], channel: ChannelChoice) -> tuple[Path, ...]:
    """Return the tables without those whose names say that their clip is of another vocal channel."""
    other = {name for name in ChannelChoice.BOTH.channel_names if name not in channel.channel_names}
    return tuple(table for table in tables if _channel_of(table) not in other)


def _channel_of(table: Path) -> str:
    try:
        return Identifier.parse(table).channel.label
    except IdentifierError:  # a table of several clips
        return ""


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def build_action_unit_table(
    paths: Sequence[Path],
    *,
    min_confidence: float = MIN_CONFIDENCE,
    transform: Transform = Transform.NONE,
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
    transform : Transform
        With ``SQRT`` every column holds the square root of its value and its name starts with ``sqrt_``.
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
    read = partial(read_unit_file, min_confidence=min_confidence)
    matches = [
        item
        for items in map_parallel(read, files, description="action units", jobs=jobs, backend=backend, unit="table")
        for item in items
    ]
    rejects = [item for item in matches if isinstance(item, UnitReject)]
    rows = [item for item in matches if isinstance(item, UnitRow)]
    if not rows:
        reason = f"{rejects[0].path}: {rejects[0].reason}" if rejects else f"{files[0]}: the table has no rows"
        raise InputError(f"no usable action units; {reason}")
    rows, others = _one_layout(rows)
    rows, doubles = _one_a_take(rows)
    layout = rows[0].layout
    rejected = sorted([*rejects, *others, *doubles], key=lambda reject: (reject.path, reject.reason))
    return ActionUnitTable(
        features=_feature_table(rows, layout, transform),
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


def with_lengths(features: pd.DataFrame, clips: pd.DataFrame) -> pd.DataFrame:
    """Add how long each take lasts, as the logarithm of seconds: `LENGTH`.

    Parameters
    ----------
    features : pandas.DataFrame
        A feature table, one row a take.
    clips : pandas.DataFrame
        The catalog: columns take, duration_s, voice, face.

    Returns
    -------
    pandas.DataFrame
        The lengths are those of the takes' voices, or else of their films, whichever there is for every take; where
        neither is, the table is returned as it is.
    """
    for branch in ("voice", "face"):
        usable = clips[clips[branch].astype(bool) & (clips["duration_s"] > 0)].drop_duplicates("take").set_index("take")
        lengths = features["take"].map(usable["duration_s"])
        if lengths.notna().all():
            return features.assign(**{LENGTH: np.log(lengths.to_numpy(dtype=np.float64))})
    return features


def _feature_table(rows: Sequence[UnitRow], layout: Layout, transform: Transform) -> pd.DataFrame:
    rows = sorted(rows, key=lambda row: str(row.clip.take))
    labels = pd.DataFrame(
        {
            "take": [str(row.clip.take) for row in rows],
            "actor": np.array([row.clip.actor for row in rows], dtype=np.int64),
            "emotion": [row.clip.emotion.label for row in rows],
        }
    )
    values = pd.DataFrame(np.array([row.values for row in rows]), columns=list(layout.feature_names))
    if transform is Transform.SQRT:
        values = values.pow(0.5).add_prefix("sqrt_")
    return pd.concat([labels, values], axis=1)


def _one_layout(rows: Sequence[UnitRow]) -> tuple[list[UnitRow], list[UnitReject]]:
    """Keep the rows of the layout with the most takes: vectors of different layouts have different columns."""
    takes = {layout: len({row.clip.take for row in rows if row.layout is layout}) for layout in Layout}
    chosen = max(Layout, key=lambda layout: takes[layout])
    reason = f"holds {{}}; the other {takes[chosen]} takes are {chosen.value}, and a table has one layout"
    others = [UnitReject(row.path, reason.format(row.layout.value)) for row in rows if row.layout is not chosen]
    return [row for row in rows if row.layout is chosen], list(dict.fromkeys(others))


def _one_a_take(rows: Sequence[UnitRow]) -> tuple[list[UnitRow], list[UnitReject]]:
    chosen: dict[str, UnitRow] = {}
    doubles: list[UnitReject] = []
    # full-AV before video-only before audio-only, then by path: the order in which files were given plays no part
    for row in sorted(rows, key=lambda row: (row.clip.modality, row.path)):
        first = chosen.setdefault(str(row.clip.take), row)
        if first is not row:
            doubles.append(UnitReject(row.path, f"{row.clip}: the same take as {first.clip} in {first.path}"))
    return list(chosen.values()), doubles
