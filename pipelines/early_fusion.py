"""From the feature tables of voice and face to one model on both: early fusion, a row beside the late one."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from ravdess_mm.config import Adaptation, Settings
from ravdess_mm.corpus.catalog import CATALOG_SCHEMA
from ravdess_mm.corpus.splits import Fold, make_folds, restrict_folds
from ravdess_mm.entry import stage_main
from ravdess_mm.errors import InputError
from ravdess_mm.fusion.early import EARLY_SCHEMA, KIND, NAME, join_features, pooled_frames
from ravdess_mm.predictions import ADAPTED, write_predictions
from ravdess_mm.runs import RunFolder
from ravdess_mm.store import read_table, write_table


def face_features(run: RunFolder) -> Path:
    """Return the richest description of the face that this run has: action units, embeddings, else its frames.

    A table may be left of an earlier DATA; it counts where the stage that makes it has predictions now.
    """
    for name, table in (("video-action-units", "action_units"), ("video-embedding", "embedding")):
        path = run.root / "video" / f"{table}.parquet"
        if path.is_file() and run.predictions_path(name).is_file():
            return path
    if not run.frames_card_path.is_file():
        raise InputError("there is no video in the data")
    return run.frames_card_path


def make_features(run: RunFolder) -> Path:
    """Put the features of voice and face side by side; returns where the table is.

    Raises
    ------
    InputError
        If a branch has no features, or no take has both.
    """
    path = run.root / "early_fusion.parquet"
    if not run.features_path.is_file():
        raise InputError("there is no voice in the data")
    face_path = face_features(run)

    def work() -> None:
        if face_path != run.frames_card_path:
            face = read_table(face_path)
        else:
            from ravdess_mm.video.frames import FrameStore

            face = pooled_frames(FrameStore.open(run.frames_dir))
        write_table(path, join_features(read_table(run.features_path), face), schema=EARLY_SCHEMA)

    run.refresh(
        "early-features",
        work=work,
        inputs={"face": face_path.name},
        files=[run.features_path, face_path],
        outputs=[path],
        source=["fusion/early.py"],
    )
    return path


def train(run: RunFolder, table: pd.DataFrame, table_path: Path, adapt: Adaptation, folds: tuple[Fold, ...]) -> None:
    """Search, calibrate and train the model on every fold."""
    from ravdess_mm.classifiers.run import run_classifier

    settings = run.settings
    name = NAME + (ADAPTED if adapt is Adaptation.SPEAKER else "")

    def work() -> None:
        trained = run_classifier(
            KIND,
            table,
            folds,
            search=settings.search,
            dense=settings.dense,
            seed=settings.seed,
            jobs=settings.jobs,
            folder=run.models_dir / name,
            feature_set="early-fusion",
            adapt=adapt,
        )
        write_predictions(run.predictions_path(name), trained.predictions)

    run.refresh(
        name,
        work=work,
        inputs={
            "folds": [(fold.number, fold.train, fold.test) for fold in folds],
            "search": settings.search.model_dump(exclude={"models", "ensemble"}),
            "seed": settings.seed,
        },
        files=[table_path],
        outputs=[run.predictions_path(name)],
        source=["classifiers", "bundle.py", "archives.py", "corpus/splits.py"],
        libraries=["scikit-learn"],
    )


def early_fusion(settings: Settings) -> None:
    """Train one model on the features of voice and face together; needs both, else it says so and does nothing."""
    run = RunFolder(settings)
    run.need(run.catalog_path, stage="features")
    actors = read_table(run.catalog_path, schema=CATALOG_SCHEMA)["actor"]
    folds = make_folds(settings.protocol, actors, test_actors=settings.test_actors)
    names = [NAME, NAME + ADAPTED]
    try:
        path = make_features(run)
        table = read_table(path, schema=EARLY_SCHEMA)
        own_folds = restrict_folds(folds, table["actor"])
    except InputError as reason:
        run.skip(NAME, str(reason), *(run.predictions_path(name) for name in names))
        return
    train(run, table, path, Adaptation.NONE, own_folds)
    if settings.adapt is Adaptation.SPEAKER:
        train(run, table, path, Adaptation.SPEAKER, own_folds)
    else:
        run.forget(names[1], run.predictions_path(names[1]))
    run.update_record()


if __name__ == "__main__":
    sys.exit(stage_main(early_fusion))
