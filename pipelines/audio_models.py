"""From the table of voice features to trained classifiers and their prediction tables."""

from __future__ import annotations

import sys

import pandas as pd

from ravdess_mm.audio.table import FEATURES_SCHEMA
from ravdess_mm.config import Settings
from ravdess_mm.corpus.catalog import CATALOG_SCHEMA
from ravdess_mm.corpus.splits import Fold, make_folds, restrict_folds
from ravdess_mm.errors import InputError
from ravdess_mm.predictions import write_predictions
from ravdess_mm.runs import RunFolder, stage_main
from ravdess_mm.store import read_table


def train(run: RunFolder, kind: str, table: pd.DataFrame, folds: tuple[Fold, ...]) -> None:
    """Search, calibrate and train one kind of classifier on every fold."""
    from ravdess_mm.classifiers.run import run_classifier

    settings = run.settings
    name = f"audio-{kind}"

    def work() -> None:
        trained = run_classifier(
            kind,
            table,
            folds,
            search=settings.search,
            dense=settings.dense,
            seed=settings.seed,
            jobs=settings.jobs,
            folder=run.models_dir / name,
            feature_set=settings.features.value,
        )
        write_predictions(run.predictions_path(name), trained.predictions)

    run.refresh(
        name,
        work=work,
        inputs={
            "folds": [(fold.number, fold.train, fold.test) for fold in folds],
            "search": settings.search.model_dump(exclude={"models"}),
            "dense": settings.dense.model_dump() if kind == "network" else None,
            "seed": settings.seed,
        },
        files=[run.features_path],
        outputs=[run.predictions_path(name)],
        source=["classifiers", "bundle.py", "corpus/splits.py"],
        libraries=["keras", "tensorflow"] if kind == "network" else ["scikit-learn", "xgboost"],
    )


def audio_models(settings: Settings) -> None:
    """Train the audio models of a run; needs its features."""
    run = RunFolder(settings)
    run.need(run.catalog_path, stage="features")
    actors = read_table(run.catalog_path, schema=CATALOG_SCHEMA)["actor"]
    folds = make_folds(settings.protocol, actors, test_actors=settings.test_actors)
    names = {kind: f"audio-{kind}" for kind in settings.search.models}
    for path in sorted(run.predictions_dir.glob("audio-*.parquet")):
        if path.stem not in names.values():
            run.skip(path.stem, "it is not among the models of this run", path)
    try:
        if not run.features_path.is_file():
            raise InputError("there is no voice in the data")
        table = read_table(run.features_path, schema=FEATURES_SCHEMA)
        own_folds = restrict_folds(folds, table["actor"])
    except InputError as reason:
        for name in names.values():
            run.skip(name, str(reason), run.predictions_path(name))
        return
    for kind in names:
        train(run, kind, table, own_folds)
    run.update_record()


if __name__ == "__main__":
    sys.exit(stage_main(audio_models))
