"""The parts of a run that a report is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ravdess_mm.config import Settings
from ravdess_mm.predictions import rows_for_test

if TYPE_CHECKING:
    from ravdess_mm.video.frame_store.store import FrameStore


@dataclass(frozen=True)
class FoldActors:
    """Train, validation and test actors of one fold."""

    number: int
    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]

    @property
    def name(self) -> str:
        """Name for people: ``holdout`` or ``fold 3``."""
        return "holdout" if self.number < 0 else f"fold {self.number}"


@dataclass(frozen=True)
class RunFiles:
    """Everything the report is made of.

    Attributes
    ----------
    name : str
        Name of the run.
    record : mapping
        ``run.json``; empty where there is none.
    catalog, rejected, features : pandas.DataFrame or None
        The tables of these names.
    tables : dict of str to pandas.DataFrame
        Prediction tables that have test rows, by model: fused first, then voice, then face.
    metrics : mapping
        Model to the fields of :class:`ravdess_mm.evaluation.Metrics`, as in ``metrics.json``.
    human : mapping
        ``accuracy`` and ``source`` of the human reference, as in ``metrics.json``.
    searches, histories : dict of str to dict of str to pandas.DataFrame
        Model to fold to table.
    frame_predictions : pandas.DataFrame or None
        The video network's answer for each frame.
    frames : FrameStore or None
        The sampled frames.
    recipe : mapping
        What fusion learned, ``models/fused/recipe.json``; empty where there is none.
    splits : tuple of FoldActors
        In the order of their numbers.
    left_out : tuple of str
        What is missing in this report, and why.
    cache_dir : Path
        For what takes long to make and can be made again.
    networks : dict of int to Path
        Fold to the bundle of its video network.
    noise, importance : pandas.DataFrame or None
        ``noise.parquet``, ``importance.parquet``; None where nobody ran `make` of these names: no omission.
    temperatures : dict of str to dict of int to float
        Model to fold to the temperature in its bundle.
    digests : dict of str to str
        Model to the SHA-256 of its prediction table.
    leak_demo : mapping
        ``leak-demo/leak-demo.json``; empty where nobody ran `make leak-demo`, which is no omission.
    cross_corpus : mapping
        ``cross-corpus/metrics.json``; empty where nobody ran `make cross-corpus`, which is no omission.
    """

    name: str
    record: Mapping[str, Any]
    catalog: pd.DataFrame | None
    rejected: pd.DataFrame | None
    features: pd.DataFrame | None
    tables: dict[str, pd.DataFrame]
    metrics: Mapping[str, Any]
    human: Mapping[str, Any]
    searches: dict[str, dict[str, pd.DataFrame]]
    histories: dict[str, dict[str, pd.DataFrame]]
    frame_predictions: pd.DataFrame | None
    frames: FrameStore | None
    recipe: Mapping[str, Any]
    splits: tuple[FoldActors, ...]
    left_out: tuple[str, ...]
    cache_dir: Path
    networks: Mapping[int, Path] = field(default_factory=dict)
    noise: pd.DataFrame | None = None
    importance: pd.DataFrame | None = None
    temperatures: Mapping[str, dict[int, float]] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    leak_demo: Mapping[str, Any] = field(default_factory=dict)
    cross_corpus: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def tested(self) -> dict[str, pd.DataFrame]:
        """The test rows of `tables`."""
        return {name: rows_for_test(table) for name, table in self.tables.items()}

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings of the run as ``run.json`` has them."""
        return self.record.get("settings") or {}

    @property
    def is_synthetic(self) -> bool:
        """Whether every figure comes from the synthetic sample."""
        return bool(self.record.get("synthetic", False))

    @property
    def is_real_speech(self) -> bool:
        """Whether human reference figures for RAVDESS speech may stand beside this run."""
        return bool(self.record) and not self.is_synthetic and self.settings.get("channel") == "speech"

    @property
    def seed(self) -> int:
        """Seed of the run; the default where ``run.json`` does not say."""
        return int(self.record.get("seed", Settings().seed))

    @property
    def draws(self) -> int:
        """Bootstrap draws of the run; the default where ``run.json`` does not say."""
        return int(self.settings.get("bootstrap_draws", Settings().bootstrap_draws))
