"""From folders of clips to a catalog, a table of voice features and a store of video frames."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ravdess_mm.config import Crop, FaceDetector, Settings
from ravdess_mm.corpus.catalog import CATALOG_SCHEMA, build_catalog, data_fingerprint
from ravdess_mm.corpus.discovery import utf8_text
from ravdess_mm.corpus.splits import make_folds
from ravdess_mm.errors import InputError
from ravdess_mm.run.entry import stage_main
from ravdess_mm.run.folder import REJECTED_SCHEMA, RunFolder
from ravdess_mm.sample.files import SYNTHETIC_NOTE, ensure_sample
from ravdess_mm.store import read_table, write_table
from ravdess_mm.video.action_units import tables_among

logger = logging.getLogger("ravdess_mm.pipelines.features")

NEEDS_CLIPS = 'a run needs the clips themselves too, of sound or film: DATA="<folder of clips> <action units>"'


def data_folders(settings: Settings) -> list[Path]:
    """Return the folders of clips of a run; without ``DATA`` the sample corpus, made when it is not there yet."""
    if settings.is_sample:
        logger.info("no DATA given: using the embedded %s corpus", SYNTHETIC_NOTE)
        return [ensure_sample(settings.artifacts_dir / "sample-corpus", jobs=settings.jobs)]
    folders = [path for path in settings.data if path.suffix.lower() != ".csv"]
    if not folders:
        raise InputError(f"{settings.data[0]}: action units only; {NEEDS_CLIPS}")
    return folders


def make_catalog(run: RunFolder) -> pd.DataFrame:
    """Find, check and list the clips; returns the catalog."""
    settings = run.settings

    def work() -> None:
        folders = data_folders(settings)
        try:
            catalog = build_catalog(
                folders,
                channel=settings.channel,
                cache_path=run.root / "cache" / "files.parquet",
                jobs=settings.jobs,
                backend=settings.backend,
            )
        except InputError as error:
            if settings.data and tables_among(settings.data):
                raise InputError(f"{error}; {NEEDS_CLIPS}") from error
            raise
        write_table(run.catalog_path, catalog.clips, schema=CATALOG_SCHEMA)
        write_table(run.root / "cache" / "rejected.parquet", catalog.rejected, schema=REJECTED_SCHEMA)

    run.refresh("catalog", work=work, inputs={}, outputs=[run.catalog_path], always=True)
    return read_table(run.catalog_path, schema=CATALOG_SCHEMA)


def make_audio_features(run: RunFolder, clips: pd.DataFrame) -> None:
    """Compute the feature table of the voices."""
    from ravdess_mm.audio.feature_table import FEATURES_SCHEMA, build_feature_table

    settings = run.settings
    table_path, rejected_path = run.features_path, run.features_path.with_name("rejected.parquet")

    def work() -> None:
        built = build_feature_table(
            clips,
            cache_dir=run.root / "cache" / "audio",
            jobs=settings.jobs,
            backend=settings.backend,
        )
        write_table(table_path, built.features, schema=FEATURES_SCHEMA)
        write_table(rejected_path, built.rejected, schema=REJECTED_SCHEMA)

    if not clips["voice"].any():
        run.skip("audio-features", "there is no voice in the data", table_path, rejected_path)
        return
    run.refresh(
        "audio-features",
        work=work,
        inputs={"clips": data_fingerprint(clips)},
        outputs=[table_path, rejected_path],
        libraries=["soundfile", "av", "numpy"],
    )


def make_frames(run: RunFolder, clips: pd.DataFrame) -> None:
    """Fill the store of video frames."""
    from ravdess_mm.video.frame_store.store import build_frame_store, store_files

    settings = run.settings
    rejected_path = run.frames_dir.parent / "rejected.parquet"

    def work() -> None:
        built = build_frame_store(
            clips,
            run.frames_dir,
            frame_step=settings.frame_step,
            crop=settings.crop,
            detector=settings.detector,
            jobs=settings.jobs,
            backend=settings.backend,
        )
        write_table(rejected_path, built.rejected, schema=REJECTED_SCHEMA)

    if not clips["face"].any():
        run.skip("video-frames", "there is no video in the data", *store_files(run.frames_dir), rejected_path)
        return
    run.refresh(
        "video-frames",
        work=work,
        inputs={
            "clips": data_fingerprint(clips),
            "frame_step": settings.frame_step,
            "crop": settings.crop,
            "detector": settings.detector if settings.crop is Crop.FACE else None,
        },
        outputs=[run.frames_card_path, rejected_path],
        libraries=["av", "opencv-python-headless", *(["mtcnn"] if settings.detector is FaceDetector.MTCNN else [])],
        always=run.frames_card_path.is_file() and _has_damaged_frames(run),
    )


def _has_damaged_frames(run: RunFolder) -> bool:
    """Tell whether a finished store of frames cannot be opened: its card alone would pass for it."""
    from ravdess_mm.video.frame_store.store import FrameStore

    try:
        FrameStore.open(run.frames_dir)
    except InputError as reason:
        logger.warning("%s", reason)
        return True
    return False


def gather_rejected(run: RunFolder, *, tables: Sequence[Path] | None = None) -> None:
    """Write what every part rejected into one table.

    Parameters
    ----------
    run : RunFolder
        The run.
    tables : sequence of Path, optional
        Tables of action units, which are no clips and used all the same; None for all that are among ``DATA``.
    """
    folders = [run.root / "cache", run.features_path.parent, run.frames_dir.parent]
    paths = [
        *(folder / "rejected.parquet" for folder in folders),
        run.features_path.with_name("embedding-rejected.parquet"),
        run.units_rejected_path,
    ]
    parts = [read_table(path) for path in paths if path.is_file()]
    used = {utf8_text(path) for path in (tables_among(run.settings.data) if tables is None else tables)}
    no_clips = [part[~((part["stage"] == "catalog") & part["path"].isin(used))] for part in parts]
    rejected = run.write_rejected(no_clips)
    if len(rejected):
        logger.info("%d files were rejected; reasons: %s", len(rejected), run.rejected_path)


def features(settings: Settings) -> None:
    """Make the catalog, the voice features and the video frames of a run."""
    run = RunFolder(settings)
    clips = make_catalog(run)
    if not (clips["voice"].any() or clips["face"].any()):
        raise InputError(f"no clip of channel {settings.channel.value!r} can be used; reasons: {run.rejected_path}")
    folds = make_folds(settings.protocol, clips["actor"], test_actors=settings.test_actors)
    make_audio_features(run, clips)
    make_frames(run, clips)
    gather_rejected(run)
    run.update_record(data_fingerprint=data_fingerprint(clips))
    run.record_folds(folds)


if __name__ == "__main__":
    sys.exit(stage_main(features))
