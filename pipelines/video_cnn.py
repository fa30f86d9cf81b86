"""From video frames to a trained network, its learning curves and its prediction tables.

Where the frames of a run are not there yet, they are decoded while the first fold is trained.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from pipelines.features import gather_rejected, make_catalog, make_frames
from pipelines.frames import frames_and_folds
from ravdess_mm.bundle import CARD_NAME
from ravdess_mm.config import Settings
from ravdess_mm.corpus.catalog import data_fingerprint
from ravdess_mm.corpus.splits import Fold, make_folds, restrict_folds
from ravdess_mm.entry import stage_main
from ravdess_mm.predictions import read_predictions, rows_out_of_fold, write_predictions
from ravdess_mm.runs import RunFolder
from ravdess_mm.store import hash_file, write_table
from ravdess_mm.video.arriving import build_while
from ravdess_mm.video.frames import FrameStore
from ravdess_mm.video.pretrained import need_pretrained

if TYPE_CHECKING:
    from ravdess_mm.video.training import NetworkRun

NAME = "video-cnn"


def train_while_decoding(run: RunFolder, clips: pd.DataFrame, folds: tuple[Fold, ...]) -> None:
    """Make the frame store, unless it is up to date; train the first fold on the frames as they come."""
    settings = run.settings

    def first_needed(store: FrameStore) -> list[str]:
        from ravdess_mm.video.training import takes_by_first_use

        return takes_by_first_use(store, folds, settings=settings.cnn, seed=settings.seed)

    def work(store: FrameStore) -> None:
        _train(run, store, restrict_folds(folds, store.index["actor"])[:1])

    make_frames(run, clips, partial(build_while, first_needed=first_needed, work=work))


def train(run: RunFolder, store: FrameStore, folds: tuple[Fold, ...]) -> None:
    """Train the network on every fold and predict the takes nobody trained on."""
    settings = run.settings
    start_from = _start_of(settings)
    frame_predictions_path = run.models_dir / NAME / "frames.parquet"

    def work() -> None:
        from ravdess_mm.video.inference import FRAME_PREDICTIONS_SCHEMA

        trained = _train(run, store, folds)
        write_table(frame_predictions_path, trained.frame_predictions, schema=FRAME_PREDICTIONS_SCHEMA)
        write_predictions(run.predictions_path(NAME), trained.predictions)

    run.refresh(
        NAME,
        work=work,
        inputs={
            "folds": [(fold.number, fold.train, fold.test) for fold in folds],
            "cnn": settings.cnn.model_dump(),
            "net": settings.net,
            "seed": settings.seed,
            "start_from": None if start_from is None else hash_file(start_from / CARD_NAME),
        },
        files=[run.frames_card_path],
        outputs=[run.predictions_path(NAME), frame_predictions_path],
        source=["video", "bundle.py", "corpus/splits.py"],
        libraries=["keras", "tensorflow"],
    )


def _train(run: RunFolder, store: FrameStore, folds: tuple[Fold, ...]) -> NetworkRun:
    from ravdess_mm.video.training import run_network

    settings = run.settings
    return run_network(
        store,
        folds,
        net=settings.net,
        settings=settings.cnn,
        seed=settings.seed,
        folder=run.models_dir / NAME,
        start_from=_start_of(settings),
    )


def _start_of(settings: Settings) -> Path | None:
    return None if settings.fine_tune == "none" else need_pretrained(settings.fine_tune)


def video_cnn(settings: Settings) -> None:
    """Train the video network of a run."""
    run = RunFolder(settings)
    clips = make_catalog(run)
    folds = make_folds(settings.protocol, clips["actor"], test_actors=settings.test_actors)
    train_while_decoding(run, clips, folds)
    gather_rejected(run)
    run.update_record(data_fingerprint=data_fingerprint(clips))
    found = frames_and_folds(run, folds, stage=NAME, names=[NAME])
    if found is None:
        return
    train(run, *found)
    held_aside = rows_out_of_fold(read_predictions(run.predictions_path(NAME)))
    validation = {
        fold.number: sorted(set(held_aside.loc[held_aside["fold"] == fold.number, "actor"])) for fold in folds
    }
    run.record_folds(folds, validation=validation)


if __name__ == "__main__":
    sys.exit(stage_main(video_cnn))
