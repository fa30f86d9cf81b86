"""The section on permutation importance of the families of voice features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from ravdess_mm.evaluation import Estimate
from ravdess_mm.predictions import ADAPTED
from ravdess_mm.report import figures
from ravdess_mm.report.formatting import model_label
from ravdess_mm.report.run_files import RunFiles
from ravdess_mm.report.summary import TableGroup

MEANINGS: Final[dict[str, str]] = {
    "mfcc": "the spectrum’s shape (cepstra)",
    "delta": "how fast it changes",
    "delta2": "how that change changes",
    "rms": "loudness",
}


@dataclass(frozen=True)
class FamilyRow:
    """One family of features and its importance for each model, in the order of the columns."""

    family: str
    meaning: str
    n_columns: int
    drops: tuple[Estimate, ...]


@dataclass(frozen=True)
class ImportanceSection:
    """What the section shows."""

    n_takes: int
    n_actors: int
    repeats: int
    groups: tuple[TableGroup, ...]


def importance_section(files: RunFiles) -> ImportanceSection | None:
    """Return the section, or None where it was not measured."""
    table = files.importance
    if table is None or table.empty:
        return None
    names = [str(name) for name in table["model"].drop_duplicates()]
    groups = []
    for adapted, title in ((False, "Voice models"), (True, "Speaker-adapted voice models")):
        names_of_group = sorted(name for name in names if name.endswith(ADAPTED) is adapted)
        if names_of_group:
            groups.append(_group(table[table["model"].isin(names_of_group)], names_of_group, title, adapted=adapted))
    return ImportanceSection(
        n_takes=int(table["n_takes"].max()),
        n_actors=int(table["n_actors"].max()),
        repeats=int(table["repeats"].max()),
        groups=tuple(groups),
    )


def _group(table: pd.DataFrame, names: list[str], title: str, *, adapted: bool) -> TableGroup:
    drops: dict[tuple[str, str], Estimate] = {}
    sizes: dict[str, int] = {}
    for row in table.to_dict("records"):
        estimate = Estimate.of(row["drop"], row["drop_low"], row["drop_high"])
        drops[str(row["model"]), str(row["family"])] = estimate
        sizes[str(row["family"])] = int(row["n_columns"])
    missing = Estimate(float("nan"), None, None)
    families = sorted(sizes, key=lambda family: -_mean([drops.get((name, family), missing).value for name in names]))
    rows = tuple(
        FamilyRow(
            family, MEANINGS.get(family, ""), sizes[family], tuple(drops.get((name, family), missing) for name in names)
        )
        for family in families
    )
    panels = []
    for name in names:
        bars = sorted(((family, drops[name, family]) for family in families if (name, family) in drops), key=_by_drop)
        label = f"{model_label(name)}: most is lost without {bars[0][0]}, {100 * bars[0][1].value:.1f} points"
        panels.append((model_label(name), figures.drop_panel(bars, label=label)))
    models = tuple(model_label(name) for name in names)
    return TableGroup(title, adapted, rows, models, tuple(panels))


def _by_drop(item: tuple[str, Estimate]) -> float:
    return -item[1].value


def _mean(values: list[float]) -> float:
    finite = [value for value in values if np.isfinite(value)]
    return sum(finite) / len(finite) if finite else -1.0
