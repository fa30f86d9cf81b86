"""From the feature tables of voice and face to one model on both: early fusion, a row beside the late one."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from pipelines.tabular import SOURCE, answers_of, fold_words, folds_of, plain_and_adapted
from ravdess_mm.config import Adaptation, Settings
from ravdess_mm.corpus.splits import Fold, restrict_folds
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


def train(run: RunFolder, table: pd.DataFrame, table_path: Path, folds: tuple[Fold, ...]) -> None:
    """Search, calibrate and train the model on every fold."""
    settings = run.settings

    def train_one(name: str, adapt: Adaptation) -> None:
        def work() -> None:
            answers = answers_of(run, KIND, table, folds, name=name, feature_set="early-fusion", adapt=adapt)
            write_predictions(run.predictions_path(name), answers)

        run.refresh(
            name,
            work=work,
            inputs={
                "folds": fold_words(folds),
                "search": settings.search.model_dump(exclude={"models", "ensemble"}),
                "seed": settings.seed,
            },
            files=[table_path],
            outputs=[run.predictions_path(name)],
            source=SOURCE,
            libraries=["scikit-learn"],
        )

    plain_and_adapted(run, NAME, train_one)


def early_fusion(settings: Settings) -> None:
    """Train one model on the features of voice and face together; needs both, else it says so and does nothing."""
    run = RunFolder(settings)
    folds = folds_of(run)
    names = [NAME, NAME + ADAPTED]
    try:
        path = make_features(run)
        table = read_table(path, schema=EARLY_SCHEMA)
        own_folds = restrict_folds(folds, table["actor"])
    except InputError as reason:
        run.skip(NAME, str(reason), *(run.predictions_path(name) for name in names))
        return
    train(run, table, path, own_folds)
    run.update_record()


if __name__ == "__main__":
    sys.exit(stage_main(early_fusion))
