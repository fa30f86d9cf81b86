"""From video frames to a trained network, its learning curves and its prediction tables."""

from __future__ import annotations

import sys
from pathlib import Path

from ravdess_mm.bundles.bundle import CARD_NAME
from ravdess_mm.bundles.pretrained import need_pretrained
from ravdess_mm.config import Settings
from ravdess_mm.corpus.splits import Fold
from ravdess_mm.predictions import read_predictions, rows_out_of_fold, write_predictions
from ravdess_mm.run.entry import stage_main
from ravdess_mm.run.folder import RunFolder
from ravdess_mm.store import hash_file, write_table
from ravdess_mm.video.frame_store.store import FrameStore

from .frames import frames_and_folds
from .tabular import fold_words, folds_of

NAME = "video-cnn"


def train(run: RunFolder, store: FrameStore, folds: tuple[Fold, ...]) -> None:
    """Train the network on every fold and predict the takes nobody trained on."""
    settings = run.settings
    start_from = _start_of(settings)
    frame_predictions_path = run.models_dir / NAME / "frames.parquet"

    def work() -> None:
        from ravdess_mm.video.inference import FRAME_PREDICTIONS_SCHEMA
        from ravdess_mm.video.training.folds import run_network

        trained = run_network(
            store,
            folds,
            net=settings.net,
            settings=settings.cnn,
            seed=settings.seed,
            folder=run.models_dir / NAME,
            start_from=start_from,
        )
        write_table(frame_predictions_path, trained.frame_predictions, schema=FRAME_PREDICTIONS_SCHEMA)
        write_predictions(run.predictions_path(NAME), trained.predictions)

    run.refresh(
        NAME,
        work=work,
        inputs={
            "folds": fold_words(folds),
            "cnn": settings.cnn.model_dump(),
            "net": settings.net,
            "seed": settings.seed,
            "start_from": None if start_from is None else hash_file(start_from / CARD_NAME),
        },
        files=[run.frames_card_path],
        outputs=[run.predictions_path(NAME), run.models_dir / NAME],
        libraries=["keras", "tensorflow"],
    )


def _start_of(settings: Settings) -> Path | None:
    return None if settings.fine_tune == "none" else need_pretrained(settings.fine_tune)


def video_cnn(settings: Settings) -> None:
    """Train the video network of a run; needs the run's frames."""
    run = RunFolder(settings)
    folds = folds_of(run)
    found = frames_and_folds(run, folds, stage=NAME, names=[NAME])
    if found is None:
        return
    train(run, *found)
    held_aside = rows_out_of_fold(read_predictions(run.predictions_path(NAME)))
    validation = {
        fold.number: sorted(set(held_aside.loc[held_aside["fold"] == fold.number, "actor"])) for fold in folds
    }
    run.update_record()
    run.record_folds(folds, validation=validation)


if __name__ == "__main__":
    sys.exit(stage_main(video_cnn))
