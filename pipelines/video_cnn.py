"""From the frame store to a trained network, its learning curves and its prediction tables."""

from __future__ import annotations

import sys

from ravdess_mm.config import Settings
from ravdess_mm.corpus.catalog import CATALOG_SCHEMA
from ravdess_mm.corpus.splits import make_folds, restrict_folds
from ravdess_mm.predictions import write_predictions
from ravdess_mm.runs import RunFolder, stage_main
from ravdess_mm.store import read_table, write_table
from ravdess_mm.video.frames import FrameStore

NAME = "video-cnn"


def train(run: RunFolder) -> None:
    """Train the network on every fold and predict the takes nobody trained on."""
    settings = run.settings
    clips = read_table(run.catalog_path, schema=CATALOG_SCHEMA)
    frame_predictions_path = run.models_dir / NAME / "frames.parquet"

    def work() -> None:
        from ravdess_mm.video.training import FRAME_PREDICTIONS_SCHEMA, run_network

        store = FrameStore.open(run.frames_dir)
        folds = make_folds(settings.protocol, clips["actor"], test_actors=settings.test_actors)
        trained = run_network(
            store,
            restrict_folds(folds, store.index["actor"]),
            net=settings.net,
            settings=settings.cnn,
            seed=settings.seed,
            folder=run.models_dir / NAME,
        )
        write_table(frame_predictions_path, trained.frame_predictions, schema=FRAME_PREDICTIONS_SCHEMA)
        write_predictions(run.predictions_path(NAME), trained.predictions)

    run.refresh(
        NAME,
        work=work,
        inputs={
            "actors": sorted(set(clips["actor"])),
            "protocol": settings.protocol,
            "test_actors": settings.test_actors,
            "cnn": settings.cnn.model_dump(),
            "net": settings.net,
            "seed": settings.seed,
        },
        files=[run.frames_card_path],
        outputs=[run.predictions_path(NAME), frame_predictions_path],
        source=["video", "bundle.py", "corpus/splits.py"],
        libraries=["keras", "tensorflow"],
    )


def video_cnn(settings: Settings) -> None:
    """Train the video network of a run; needs its frames."""
    run = RunFolder(settings)
    run.need(run.catalog_path, stage="features")
    if not run.frames_card_path.is_file():
        run.skip(NAME, "there is no video in the data", run.predictions_path(NAME))
        return
    train(run)
    run.update_record()


if __name__ == "__main__":
    sys.exit(stage_main(video_cnn))
