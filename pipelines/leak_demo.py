"""From the features of the voices to what a split that ignores actors would claim: a demonstration, never a result."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from ravdess_mm.audio.feature_table import FEATURES_SCHEMA
from ravdess_mm.config import Settings
from ravdess_mm.corpus.catalog import CATALOG_SCHEMA
from ravdess_mm.corpus.splits import make_folds, restrict_folds
from ravdess_mm.predictions import write_predictions
from ravdess_mm.run.entry import stage_main
from ravdess_mm.run.folder import RunFolder
from ravdess_mm.store import read_json, read_table, write_json

logger = logging.getLogger("ravdess_mm.pipelines.leak_demo")

NAME = "leak-demo"


def twin_features(run: RunFolder, clips: pd.DataFrame) -> pd.DataFrame | None:
    """Compute the features of the second clip with sound of each take that has one."""
    from ravdess_mm.audio.feature_table import build_feature_table
    from ravdess_mm.experiments.leak_demonstration import other_modality_clips

    twins = other_modality_clips(clips)
    if twins.empty:
        logger.warning("no take has two clips with sound: the split that mixes modalities could not be measured")
        return None
    return build_feature_table(
        twins,
        cache_dir=run.root / "cache" / "audio",
        jobs=run.settings.jobs,
        backend=run.settings.backend,
    ).features


def measure(run: RunFolder) -> Path:
    """Measure the three splits; returns where the figures are."""
    settings = run.settings
    clips = read_table(run.catalog_path, schema=CATALOG_SCHEMA)
    folds = make_folds(settings.protocol, clips["actor"], test_actors=settings.test_actors)
    folder = run.root / NAME
    figures_path = folder / "leak-demo.json"

    def work() -> None:
        from ravdess_mm.experiments.leak_demonstration import demonstrate_split_leakage

        table = read_table(run.features_path, schema=FEATURES_SCHEMA)
        own_folds = restrict_folds(folds, table["actor"])
        demo = demonstrate_split_leakage(
            table, twin_features(run, clips), own_folds, seed=settings.seed, jobs=settings.jobs
        )
        for split, predictions in demo.tables.items():
            write_predictions(folder / f"{split.value}.parquet", predictions)
        facts = {"protocol": settings.protocol, "synthetic": settings.is_sample}
        write_json(figures_path, demo.to_dict(seed=settings.seed, draws=settings.bootstrap_draws, facts=facts))

    run.refresh(
        NAME,
        work=work,
        inputs={
            "folds": [(fold.number, fold.train, fold.test) for fold in folds],
            "seed": settings.seed,
            "draws": settings.bootstrap_draws,
        },
        files=[run.catalog_path, run.features_path],
        outputs=[folder],
        libraries=["scikit-learn"],
    )
    return figures_path


def leak_demo(settings: Settings) -> None:
    """Train one model with fixed parameters on the run's voice features under three splits, and print what each claims.

    At random; at random with both modalities of a take as clips of their own, where DATA has takes with two clips with
    sound; and by actor. A demonstration of what a careless split is worth: nothing of it enters the run's results.
    """
    run = RunFolder(settings)
    run.need(run.catalog_path, stage="features")
    if not run.features_path.is_file():
        run.skip(NAME, "there is no voice in the data", run.root / NAME / "leak-demo.json")
        return
    figures_path = measure(run)
    show(read_json(figures_path))
    run.update_record()
    sys.stdout.write(f"figures: {figures_path}; `make report` shows them\n")


def show(figures: dict[str, Any]) -> None:
    """Print the three rows."""
    from ravdess_mm.cli.command import console
    from ravdess_mm.cli.tables import leak_table

    console().print(leak_table(figures))


if __name__ == "__main__":
    sys.exit(stage_main(leak_demo))
