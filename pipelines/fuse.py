"""From the prediction tables of the branches to fused answers and the metrics of all models."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from ravdess_mm.config import Settings
from ravdess_mm.errors import InputError
from ravdess_mm.predictions import read_predictions, write_predictions
from ravdess_mm.runs import RunFolder, stage_main
from ravdess_mm.store import write_json

NAME = "fused"
BRANCHES = ("audio", "video")


def tables_of(run: RunFolder) -> dict[str, dict[str, Path]]:
    """Return branch to model name to prediction table, for the branches that have any."""
    found = {
        branch: {path.stem: path for path in sorted(run.predictions_dir.glob(f"{branch}-*.parquet"))}
        for branch in BRANCHES
    }
    return {branch: models for branch, models in found.items() if models}


def fuse(settings: Settings) -> None:
    """Fuse the branches of a run and score every model; needs the predictions of one branch at least."""
    run = RunFolder(settings)
    run.need(run.catalog_path, stage="features")
    paths = tables_of(run)
    if not paths:
        raise InputError(f"{run.predictions_dir}: no prediction table; run `make audio-models video-cnn` first")
    recipe_path = run.models_dir / NAME / "recipe.json"

    def work() -> None:
        from ravdess_mm.evaluation import evaluate_many
        from ravdess_mm.fusion import fuse as fuse_tables

        tables: dict[str, dict[str, pd.DataFrame]] = {
            branch: {name: read_predictions(path) for name, path in models.items()} for branch, models in paths.items()
        }
        fused = fuse_tables(tables, rule=settings.rule, seed=settings.seed)
        write_predictions(run.predictions_path(NAME), fused.table)
        used = sorted({model for recipe in fused.recipes for model in recipe.models.values()})
        write_json(recipe_path, {**fused.to_dict(), "models": used})
        every = {name: table for models in tables.values() for name, table in models.items()}
        every[NAME] = read_predictions(run.predictions_path(NAME))
        write_json(run.metrics_path, evaluate_many(every, seed=settings.seed, draws=settings.bootstrap_draws))

    run.refresh(
        "fuse",
        work=work,
        inputs={"rule": settings.rule, "seed": settings.seed, "draws": settings.bootstrap_draws},
        files=[path for models in paths.values() for path in models.values()],
        outputs=[run.predictions_path(NAME), recipe_path, run.metrics_path],
        source=["fusion", "evaluation", "predictions.py"],
    )
    run.update_record()


if __name__ == "__main__":
    sys.exit(stage_main(fuse))
