"""The sections on data, split, hyperparameter search, learning curves and provenance."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from markupsafe import Markup

from ravdess_mm.corpus.identifier import EMOTIONS, Take, actor_sex
from ravdess_mm.report import figures
from ravdess_mm.report.feature_map import FeatureMap
from ravdess_mm.report.formatting import branch_of, count, model_label, percent, take_in_words
from ravdess_mm.report.run_files import FoldActors, RunFiles

MODALITIES: Final[dict[str, str]] = {"full-av": "full AV", "video-only": "video only", "audio-only": "audio only"}
MOST_REJECTED: Final = 100
"""Rejected files that are listed; a longer list is cut, and says so."""

_KEPT_PARTS: Final = 3


@dataclass(frozen=True)
class DataColumn:
    """Clips and takes of one emotion or of one actor; `counts` are in the order of `DataOverview.kinds`."""

    name: str
    note: str
    counts: tuple[int, ...]


@dataclass(frozen=True)
class DataOverview:
    """What the catalog holds.

    Attributes
    ----------
    sentence : str
        The overview in words.
    kinds : tuple of str
        What is counted: clips by modality, then the takes of the voice, of the face, and all takes.
    emotions, actors : tuple of DataColumn
        Counts by emotion, all together last, and by actor.
    """

    sentence: str
    kinds: tuple[str, ...]
    emotions: tuple[DataColumn, ...]
    actors: tuple[DataColumn, ...]


@dataclass(frozen=True)
class SplitRow:
    """One fold: for each actor ``train``, ``validation``, ``test`` or ``absent``."""

    name: str
    roles: tuple[str, ...]


@dataclass(frozen=True)
class SearchRow:
    """One search over a classifier's parameters."""

    label: str
    fold: str
    n_draws: int
    best: float
    parameters: str
    strip: Markup


def data_overview(catalog: pd.DataFrame | None) -> DataOverview | None:
    """Count clips and takes by emotion and by actor."""
    if catalog is None or catalog.empty:
        return None
    shown = [name for name in MODALITIES if (catalog["modality"] == name).any()]

    def column(name: str, note: str, rows: pd.DataFrame) -> DataColumn:
        clips = [int((rows["modality"] == modality).sum()) for modality in shown]
        takes = [rows.loc[rows[branch].astype(bool), "take"].nunique() for branch in ("voice", "face")]
        return DataColumn(name, note, (*clips, *takes, rows["take"].nunique()))

    actors = []
    for actor, rows in catalog.groupby("actor", sort=True):
        number = int(str(actor))
        actors.append(column(f"{number:02d}", actor_sex(number).value[0], rows))
    emotions = [column(emotion, "", catalog[catalog["emotion"] == emotion]) for emotion in EMOTIONS]
    return DataOverview(
        sentence=_in_words(catalog),
        kinds=(*(f"{MODALITIES[name]} clips" for name in shown), "voice takes", "face takes", "takes"),
        emotions=(*emotions, column("all", "", catalog)),
        actors=tuple(actors),
    )


def _in_words(catalog: pd.DataFrame) -> str:
    channels = " and ".join(sorted({str(channel) for channel in catalog["channel"]}, reverse=True))
    text = (
        f"{count(len(catalog), 'clip')} of {channels} show {count(catalog['take'].nunique(), 'take')} "
        f"by {count(catalog['actor'].nunique(), 'actor')}."
    )
    if "duration_s" in catalog.columns and catalog["duration_s"].notna().any():
        durations = catalog["duration_s"].dropna()
        text += f" A clip lasts {durations.median():.1f} s (median; {durations.min():.1f} to {durations.max():.1f} s)."
    return text


def split_rows(splits: tuple[FoldActors, ...]) -> tuple[list[int], list[SplitRow]]:
    """Return the actors that stand anywhere, and for each fold where each of them stands."""
    actors = sorted({actor for split in splits for actor in (*split.train, *split.validation, *split.test)})
    rows = []
    for split in splits:
        # a validation actor may be listed among the training actors too: the narrower word wins
        role_of = {actor: role for role in ("train", "validation", "test") for actor in getattr(split, role)}
        rows.append(SplitRow(split.name, tuple(role_of.get(actor, "absent") for actor in actors)))
    return actors, rows


def rejected_rows(rejected: pd.DataFrame | None) -> list[tuple[str, str, str]]:
    """Return file, stage and reason of rejected files; long paths keep their last parts only."""
    if rejected is None:
        return []
    rows = []
    for path, reason, stage in zip(rejected["path"], rejected["reason"], rejected["stage"], strict=True):
        full = str(path)
        parts = PurePath(full).parts
        short = full if len(parts) <= _KEPT_PARTS else f"…/{'/'.join(parts[-_KEPT_PARTS:])}"
        rows.append((short, str(stage), str(reason).replace(full, short)))
    return rows


def search_rows(files: RunFiles) -> list[SearchRow]:
    """Return one row a model and fold that was searched."""
    rows = []
    for name, folds in files.searches.items():
        for fold, table in folds.items():
            if not {"rank", "uar_mean", "parameters"} <= set(table.columns) or (table["stage"] == "fixed").all():
                continue
            scores = table["uar_mean"].to_numpy(np.float64)
            best = int(table["rank"].to_numpy().argmin())
            label = model_label(name)
            strip = figures.search_strip(scores, best=best, branch=branch_of(name), label=f"{label}, {fold}")
            parameters = _parameters(str(table["parameters"].iloc[best]))
            rows.append(SearchRow(label, fold, len(table), float(scores[best]), parameters, strip))
    return rows


def _parameters(text: str) -> str:
    try:
        values = json.loads(text)
    except json.JSONDecodeError:
        return text
    return ", ".join(f"{name} {_short(value)}" for name, value in values.items()) if isinstance(values, dict) else text


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def curve_panels(files: RunFiles) -> list[tuple[str, str, Markup]]:
    """Return model, measure and panel of the learning curves; the folds of a model share a panel."""
    panels = []
    for name, folds in files.histories.items():
        for measure in ("loss", "accuracy"):
            curves = []
            for table in folds.values():
                for side, column in (("train", measure), ("validation", f"val_{measure}")):
                    values = table[column].to_numpy(np.float64) if column in table.columns else np.array([])
                    if np.isfinite(values).any():
                        curves.append((side, values))
            if curves:
                description = f"{model_label(name)}: {measure} after each epoch, {count(len(folds), 'fold')}"
                panel = figures.curve_panel(curves, label=description, as_percent=measure == "accuracy")
                panels.append((model_label(name), measure, panel))
    return panels


def map_drawing(feature_map: FeatureMap) -> Markup:
    """Return the drawing of a feature map: a dot a take, with classes for its emotion and its actor."""
    return _dots(
        feature_map,
        feature_map.points,
        f"{len(feature_map.takes)} takes on the first two principal components. Nearest neighbours share the actor in "
        f"{percent(feature_map.same_actor, digits=0)} and the emotion in {percent(feature_map.same_emotion, digits=0)} "
        "of the cases",
    )


def neighbour_drawing(feature_map: FeatureMap) -> Markup | None:
    """Return the drawing of the t-SNE, or None where there is none."""
    if feature_map.neighbours is None:
        return None
    return _dots(feature_map, feature_map.neighbours, f"{len(feature_map.takes)} takes by t-SNE: neighbours are alike")


def _dots(feature_map: FeatureMap, points: npt.NDArray[np.float64], label: str) -> Markup:
    rows = feature_map.takes.to_dict("records")
    return figures.map_panel(
        points,
        [f"emotion-{row['emotion']} actor-{row['actor']}" for row in rows],
        [take_in_words(Take.parse(str(row["take"]))) for row in rows],
        label=label,
    )


def version_rows(versions: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return software and version: this package and Python first, then by name."""
    first = ("ravdess-mm", "python")
    return sorted(versions.items(), key=lambda item: (item[0] not in first, item[0] != first[0], item[0]))


def flat_settings(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return settings as name and text, those of a section as ``section.name``."""
    rows: list[tuple[str, str]] = []
    for name, value in settings.items():
        if isinstance(value, Mapping):
            rows += flat_settings(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            rows.append((f"{prefix}{name}", ", ".join(map(str, value)) or "–"))
        else:
            rows.append((f"{prefix}{name}", "–" if value is None else str(value)))
    return rows
