"""From the prediction tables of the branches to fused answers and the metrics of all models."""

from __future__ import annotations

import sys
from pathlib import Path

from ravdess_mm.config import Settings
from ravdess_mm.errors import InputError
from ravdess_mm.predictions import ADAPTED, read_predictions, write_predictions
from ravdess_mm.run.entry import stage_main
from ravdess_mm.run.folder import RunFolder
from ravdess_mm.store import write_json

NAME = "fused"
BRANCHES = ("audio", "video")


def tables_of(run: RunFolder, *, adapted: bool) -> dict[str, dict[str, Path]]:
    """Return branch to model name to prediction table, for the branches that have any.

    Adapted and plain models never stand for one branch together; a branch without adapted models takes part as it is.
    """
    found = {}
    for branch in BRANCHES:
        paths = {path.stem: path for path in sorted(run.predictions_dir.glob(f"{branch}-*.parquet"))}
        plain = {name: path for name, path in paths.items() if not name.endswith(ADAPTED)}
        found[branch] = {name: path for name, path in paths.items() if name not in plain} if adapted else {}
        found[branch] = found[branch] or plain
    return {branch: models for branch, models in found.items() if models}


def fuse_branches(run: RunFolder, name: str, paths: dict[str, dict[str, Path]]) -> None:
    """Fuse the branches into one prediction table."""
    settings = run.settings
    recipe_path = run.models_dir / name / "recipe.json"

    def work() -> None:
        from ravdess_mm.fusion import fuse as fuse_tables

        tables = {
            branch: {model: read_predictions(path) for model, path in models.items()}
            for branch, models in paths.items()
        }
        fused = fuse_tables(tables, rule=settings.rule, seed=settings.seed)
        write_predictions(run.predictions_path(name), fused.table)
        used = sorted({model for recipe in fused.recipes for model in recipe.models.values()})
        write_json(recipe_path, {**fused.to_dict(), "models": used})

    run.refresh(
        name,
        work=work,
        inputs={"rule": settings.rule, "seed": settings.seed},
        files=[path for models in paths.values() for path in models.values()],
        outputs=[run.predictions_path(name), run.models_dir / name],
    )


def score(run: RunFolder) -> None:
    """Write the metrics of every model of the run."""
    settings = run.settings
    paths = sorted(run.predictions_dir.glob("*.parquet"))

    def work() -> None:
        from ravdess_mm.evaluation import evaluate_many

        tables = {path.stem: read_predictions(path) for path in paths}
        write_json(run.metrics_path, evaluate_many(tables, seed=settings.seed, draws=settings.bootstrap_draws))

    run.refresh(
        "metrics",
        work=work,
        inputs={"seed": settings.seed, "draws": settings.bootstrap_draws},
        files=paths,
        outputs=[run.metrics_path],
    )


def fuse(settings: Settings) -> None:
    """Fuse the branches of a run and score every model; needs the predictions of one branch at least."""
    run = RunFolder(settings)
    run.need(run.catalog_path, stage="features")
    if not tables_of(run, adapted=False):
        raise InputError(f"{run.predictions_dir}: no prediction table; run `make audio-models video-cnn` first")
    fuse_branches(run, NAME, tables_of(run, adapted=False))
    if any(run.predictions_dir.glob(f"audio-*{ADAPTED}.parquet")):
        fuse_branches(run, NAME + ADAPTED, tables_of(run, adapted=True))
    else:
        name = NAME + ADAPTED
        run.forget(name, run.predictions_path(name), run.models_dir / name / "recipe.json")
    score(run)
    run.update_record()


if __name__ == "__main__":
    sys.exit(stage_main(fuse))
