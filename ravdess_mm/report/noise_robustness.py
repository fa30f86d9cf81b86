"""The section on robustness of the voice models to noise, telephone lines, codecs and offsets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from markupsafe import Markup

from ravdess_mm.evaluation import Estimate
from ravdess_mm.predictions import ADAPTED
from ravdess_mm.report import figures
from ravdess_mm.report.formatting import model_label, percent
from ravdess_mm.report.run_files import RunFiles
from ravdess_mm.report.summary import TableGroup

CLEAN: Final = "clean"
LABELS: Final[dict[str, str]] = {
    CLEAN: "as recorded",
    "telephone": "telephone",
    "mp3-32k": "MP3, 32 kbit/s",
    "16-khz": "16 kHz",
    "dc-1%": "DC offset, 1 %",
    "click": "mouse click",
}
"""Words for conditions without a signal-to-noise ratio."""


@dataclass(frozen=True)
class NoiseRow:
    """One model: accuracy and UAR in every condition, in the order of the columns; None where it was not measured."""

    label: str
    accuracy: tuple[Estimate | None, ...]
    uar: tuple[Estimate | None, ...]


@dataclass(frozen=True)
class NoiseSection:
    """What the section shows.

    Attributes
    ----------
    n_takes, n_actors : int
        Takes that were measured, and of how many actors.
    columns : tuple of (str, str)
        Condition and the words above its column: ``("babble", "10 dB")``.
    kinds : tuple of (str, int)
        Conditions and how many columns each has.
    groups : tuple of TableGroup
    """

    n_takes: int
    n_actors: int
    columns: tuple[tuple[str, str], ...]
    kinds: tuple[tuple[str, int], ...]
    groups: tuple[TableGroup, ...]


def noise_section(files: RunFiles) -> NoiseSection | None:
    """Return the section, or None where robustness was not measured."""
    table = files.noise
    if table is None or table.empty:
        return None
    conditions = list(table[["condition", "snr_db"]].drop_duplicates().itertuples(index=False, name=None))
    names = [str(name) for name in table["model"].drop_duplicates()]
    groups = []
    for adapted, title in (
        (False, "Robustness of the voice models"),
        (True, "Robustness of the speaker-adapted voice models"),
    ):
        names_of_group = sorted(name for name in names if name.endswith(ADAPTED) is adapted)
        if names_of_group:
            rows = tuple(_row(table[table["model"] == name], name, conditions) for name in names_of_group)
            groups.append(TableGroup(title, adapted, rows, panels=tuple(_panels(table, names_of_group))))
    kinds = [str(condition) for condition, _ in conditions]
    return NoiseSection(
        n_takes=int(table["n_takes"].max()),
        n_actors=int(table["n_actors"].max()),
        columns=tuple((str(condition), _heading(str(condition), snr_db)) for condition, snr_db in conditions),
        kinds=tuple((kind, kinds.count(kind)) for kind in dict.fromkeys(kinds)),
        groups=tuple(groups),
    )


def _heading(condition: str, snr_db: float) -> str:
    return f"{snr_db:.0f} dB" if np.isfinite(snr_db) else LABELS.get(condition, condition)


def _row(figures_of_model: pd.DataFrame, name: str, conditions: list[tuple[str, float]]) -> NoiseRow:
    by_condition = {(str(row["condition"]), float(row["snr_db"])): row for row in figures_of_model.to_dict("records")}
    figures_of = {
        measure: tuple(_estimate(by_condition[key], measure) if key in by_condition else None for key in conditions)
        for measure in ("accuracy", "uar")
    }
    return NoiseRow(model_label(name), figures_of["accuracy"], figures_of["uar"])


def _estimate(row: Mapping[Any, Any], measure: str) -> Estimate:
    return Estimate.of(row[measure], row[f"{measure}_low"], row[f"{measure}_high"])


def _panels(table: pd.DataFrame, names: list[str]) -> list[tuple[str, Markup]]:
    """Return a panel a model."""
    panels = []
    for name in names:
        lines, texts = [], []
        rows = table[table["model"] == name]
        clean, noisy = rows[rows["condition"] == CLEAN], rows[np.isfinite(rows["snr_db"])]
        for noise in noisy["condition"].drop_duplicates():
            line = pd.concat([clean, noisy[noisy["condition"] == noise].sort_values("snr_db", ascending=False)])
            lines.append((str(noise), line))
            texts.append(f"{noise} noise: {percent(line['accuracy'].iloc[0])} to {percent(line['accuracy'].iloc[-1])}")
        loudest = f"{noisy['snr_db'].min():.0f} dB"
        label = f"{model_label(name)}, accuracy from no noise to {loudest}: {'; '.join(texts)}"
        panels.append((model_label(name), figures.noise_panel(lines, label=label)))
    return panels
