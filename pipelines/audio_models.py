"""From the table of voice features to trained classifiers, their ensemble and their prediction tables."""

from __future__ import annotations

import sys

import pandas as pd

from ravdess_mm.audio.feature_table import FEATURES_SCHEMA
from ravdess_mm.audio.mfcc_delta_rms import FEATURE_SET
from ravdess_mm.config import Adaptation, Settings
from ravdess_mm.corpus.splits import Fold, restrict_folds
from ravdess_mm.errors import InputError
from ravdess_mm.extras import need_extra
from ravdess_mm.predictions import ADAPTED, read_predictions, write_predictions
from ravdess_mm.run.entry import stage_main
from ravdess_mm.run.folder import RunFolder
from ravdess_mm.store import read_table

from .tabular import answers_of, fold_words, folds_of, write_combined

LIBRARIES = {"xgboost": ("xgboost",), "network": ("keras", "tensorflow")}
"""What a kind of classifier needs beside scikit-learn."""


def model_name(kind: str, adapt: Adaptation) -> str:
    """Return the name of a model, such as ``audio-svc`` or ``audio-svc-adapted``."""
    return f"audio-{kind}{ADAPTED if adapt is Adaptation.SPEAKER else ''}"


def adaptations(settings: Settings) -> list[Adaptation]:
    """Return what a run trains: the plain models always, the adapted ones where they are asked for."""
    return list(Adaptation) if settings.adapt is Adaptation.SPEAKER else [Adaptation.NONE]


def train(run: RunFolder, kind: str, adapt: Adaptation, table: pd.DataFrame, folds: tuple[Fold, ...]) -> None:
    """Search, calibrate and train one kind of classifier on every fold."""
    settings = run.settings
    name = model_name(kind, adapt)

    def work() -> None:
        answers = answers_of(run, kind, table, folds, name=name, feature_set=FEATURE_SET, adapt=adapt)
        write_predictions(run.predictions_path(name), answers)

    run.refresh(
        name,
        work=work,
        inputs={
            "folds": fold_words(folds),
            "search": settings.search.model_dump(exclude={"models", "ensemble"}),
            "dense": settings.dense.model_dump() if kind == "network" else None,
            "seed": settings.seed,
        },
        files=[run.features_path],
        outputs=[run.predictions_path(name), run.models_dir / name],
        libraries=["keras", "tensorflow"] if kind == "network" else ["scikit-learn", "xgboost"],
    )


def combine(run: RunFolder, adapt: Adaptation) -> None:
    """Combine the classifiers by what their out-of-fold answers teach."""
    settings = run.settings
    name = model_name("ensemble", adapt)
    members = {kind: run.predictions_path(model_name(kind, adapt)) for kind in settings.search.models}

    def work() -> None:
        write_combined(run, name, {path.stem: read_predictions(path) for path in members.values()})

    if len(members) < 2:
        run.skip(name, "an ensemble needs two classifiers or more", run.predictions_path(name))
        return
    run.refresh(
        name,
        work=work,
        inputs={"rule": settings.search.ensemble, "seed": settings.seed},
        files=members.values(),
        outputs=[run.predictions_path(name), run.models_dir / name],
    )


def audio_models(settings: Settings) -> None:
    """Train the audio models of a run, plain and, where asked for, adapted; needs the run's features."""
    run = RunFolder(settings)
    folds = folds_of(run)
    kinds = (*settings.search.models, "ensemble")
    names = [model_name(kind, adapt) for adapt in adaptations(settings) for kind in kinds]
    for path in sorted(run.predictions_dir.glob("audio-*.parquet")):
        if path.stem not in names and not path.stem.startswith("audio-embedding"):
            run.skip(path.stem, "it is not among the models of this run", path)
    try:
        if not run.features_path.is_file():
            raise InputError("there is no voice in the data")
        table = read_table(run.features_path, schema=FEATURES_SCHEMA)
        own_folds = restrict_folds(folds, table["actor"])
    except InputError as reason:
        for name in names:
            run.skip(name, str(reason), run.predictions_path(name))
        return
    for kind in settings.search.models:
        need_extra(*LIBRARIES.get(kind, ()))
    for adapt in adaptations(settings):
        for kind in settings.search.models:
            train(run, kind, adapt, table, own_folds)
        combine(run, adapt)
    run.update_record()


if __name__ == "__main__":
    sys.exit(stage_main(audio_models))
