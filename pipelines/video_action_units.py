"""From action-unit tables among DATA and in its folders to classifiers of the face and their prediction table."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from ravdess_mm.config import Adaptation, Settings
from ravdess_mm.corpus.catalog import CATALOG_SCHEMA, data_fingerprint
from ravdess_mm.corpus.identifier import Take
from ravdess_mm.corpus.splits import Fold, restrict_folds
from ravdess_mm.errors import InputError
from ravdess_mm.predictions import ADAPTED
from ravdess_mm.run.entry import stage_main
from ravdess_mm.run.folder import REJECTED_SCHEMA, RunFolder
from ravdess_mm.store import hash_file, read_table, write_table
from ravdess_mm.video.action_units import (
    LENGTH,
    Transform,
    build_action_unit_table,
    of_channel,
    tables_among,
    with_lengths,
)

from .features import gather_rejected
from .tabular import answers_of, fold_words, folds_of, plain_and_adapted, write_combined

logger = logging.getLogger("ravdess_mm.pipelines.video_action_units")

NAME = "video-action-units"
FEATURES_SCHEMA = "action-units/1"
KINDS = ("logistic", "svc", "xgboost", "kernel-ridge")


def features_path_of(run: RunFolder) -> Path:
    """Return where the vectors of a run's takes are."""
    return run.root / "video" / "action_units.parquet"


def make_features(run: RunFolder, tables: Sequence[Path]) -> Path:
    """Pool the action units of each take; returns where the feature table is."""
    settings = run.settings
    clips = read_table(run.catalog_path, schema=CATALOG_SCHEMA)
    path, rejected_path = features_path_of(run), run.units_rejected_path

    def work() -> None:
        built = build_action_unit_table(tables, transform=Transform.SQRT, jobs=settings.jobs, backend=settings.backend)
        # nobody else is in the split, and their takes have no clip that says how long they are
        wanted = built.features["actor"].isin(clips["actor"])
        names = settings.channel.channel_names
        wanted &= built.features["take"].map(lambda take: Take.parse(take).channel.label in names)
        features = with_lengths(built.features[wanted].reset_index(drop=True), clips)
        if LENGTH not in features.columns:
            logger.warning("%s: some takes have no clip, so their length takes no part", NAME)
        logger.info("%s: %d takes, %d rejected", NAME, len(features), len(built.rejected))
        write_table(path, features, schema=FEATURES_SCHEMA)
        write_table(rejected_path, built.rejected, schema=REJECTED_SCHEMA)

    run.refresh(
        "action-units",
        work=work,
        inputs={
            "channel": settings.channel,
            "tables": sorted((table.name, hash_file(table)) for table in tables),
            "clips": data_fingerprint(clips),
        },
        outputs=[path, rejected_path],
    )
    return path


def train(run: RunFolder, features_path: Path, folds: tuple[Fold, ...]) -> None:
    """Train the classifiers on every fold and combine them by what their out-of-fold answers teach."""
    settings = run.settings

    def train_one(name: str, adapt: Adaptation) -> None:
        def work() -> None:
            table = read_table(features_path, schema=FEATURES_SCHEMA)
            answers = {
                kind: answers_of(
                    run, kind, table, folds, name=f"{name}/{kind}", feature_set="action-units", adapt=adapt
                )
                for kind in KINDS
            }
            write_combined(run, name, answers)

        run.refresh(
            name,
            work=work,
            inputs={
                "folds": fold_words(folds),
                "search": settings.search.model_dump(exclude={"models"}),
                "seed": settings.seed,
            },
            files=[features_path],
            outputs=[run.predictions_path(name), run.models_dir / name],
            libraries=["scikit-learn"],
        )

    plain_and_adapted(run, NAME, train_one)


def video_action_units(settings: Settings) -> None:
    """Train classifiers on a run's action units (.csv among DATA and in its folders); needs the run's catalog."""
    run = RunFolder(settings)
    folds = folds_of(run)
    found = tables_among(settings.data)
    tables = of_channel(found, settings.channel)
    names = [NAME, NAME + ADAPTED]
    if not tables:
        for name in names:
            run.forget(name, run.predictions_path(name))
        run.forget("action-units", features_path_of(run), run.units_rejected_path)
        gather_rejected(run, tables=found)
        return
    answers = [run.predictions_path(name) for name in names]
    try:
        features_path = make_features(run, tables)
    except InputError as reason:
        if any(path.suffix.lower() == ".csv" for path in settings.data):
            raise
        # nobody named them: they lay in a folder of clips, which are worth a run without them
        run.skip(NAME, str(reason), *answers, run.units_rejected_path)
        gather_rejected(run, tables=())
        return
    gather_rejected(run, tables=found)
    try:
        own_folds = restrict_folds(folds, read_table(features_path, schema=FEATURES_SCHEMA)["actor"])
    except InputError as reason:
        run.skip(NAME, str(reason), *answers)
        return
    train(run, features_path, own_folds)
    run.update_record()


if __name__ == "__main__":
    sys.exit(stage_main(video_action_units))
