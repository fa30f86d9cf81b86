"""From trained voice models to what they listen to: the accuracy lost when a family of features is exchanged."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pandas as pd

from ravdess_mm.audio.feature_table import FEATURES_SCHEMA
from ravdess_mm.config import Settings
from ravdess_mm.corpus.splits import Fold, restrict_folds
from ravdess_mm.errors import InputError
from ravdess_mm.experiments.measured_models import RECIPE_NAME, model_fingerprint
from ravdess_mm.run.entry import stage_main
from ravdess_mm.run.folder import RunFolder
from ravdess_mm.schemas import IMPORTANCE_SCHEMA
from ravdess_mm.store import read_table, write_table

from .tabular import folds_of

logger = logging.getLogger("ravdess_mm.pipelines.importance")


def measure(run: RunFolder, name: str, features: pd.DataFrame, folds: tuple[Fold, ...]) -> Path:
    """Measure one model; returns where its table is."""
    from ravdess_mm.experiments.importance import importance_table

    settings = run.settings
    path = run.root / "importance" / f"{name}.parquet"
    trained = model_fingerprint(run.models_dir, name)

    def work() -> None:
        table = importance_table(
            name,
            run.models_dir / name,
            features,
            folds,
            seed=settings.seed,
            draws=settings.bootstrap_draws,
            jobs=settings.jobs,
            backend=settings.backend,
        )
        write_table(path, table.assign(trained=trained), schema=IMPORTANCE_SCHEMA)

    run.refresh(
        f"importance-{name}",
        work=work,
        inputs={
            "model": trained,
            "folds": [(fold.number, fold.train, fold.test) for fold in folds],
            "seed": settings.seed,
            "draws": settings.bootstrap_draws,
        },
        files=[run.features_path],
        outputs=[path],
        libraries=["scikit-learn", "xgboost", "keras", "tensorflow", "onnxruntime"],
    )
    return path


def importance(settings: Settings) -> None:
    """Measure what the voice models of a run listen to; needs the run's audio models."""
    run = RunFolder(settings)
    folds = folds_of(run)
    whole_path = run.root / "importance.parquet"
    paths = sorted(run.predictions_dir.glob("audio-*.parquet"))
    names = [path.stem for path in paths if not path.stem.startswith("audio-embedding")]  # its numbers have no families
    # an ensemble listens to what its members listen to
    names = [name for name in names if not (run.models_dir / name / RECIPE_NAME).is_file()]
    if not names or not run.features_path.is_file():
        run.skip("importance", "the run has no voice models", whole_path)
        return
    features = read_table(run.features_path, schema=FEATURES_SCHEMA)
    try:
        own_folds = restrict_folds(folds, features["actor"])
    except InputError as reason:
        run.skip("importance", str(reason), whole_path)
        return
    run.forget("importance")
    paths = [measure(run, name, features, own_folds) for name in names]
    tables = [read_table(path, schema=IMPORTANCE_SCHEMA) for path in paths]
    write_table(whole_path, pd.concat(tables, ignore_index=True), schema=IMPORTANCE_SCHEMA)
    run.update_record()
    logger.info("importance: %s; `make report` shows it", whole_path)


if __name__ == "__main__":
    sys.exit(stage_main(importance))
