"""From the table of voice features to trained classifiers, their ensemble and their prediction tables."""

from __future__ import annotations

import sys

import pandas as pd

from ravdess_mm.audio.table import FEATURES_SCHEMA
from ravdess_mm.config import Adaptation, Settings
from ravdess_mm.corpus.catalog import CATALOG_SCHEMA
from ravdess_mm.corpus.splits import Fold, make_folds, restrict_folds
from ravdess_mm.entry import stage_main
from ravdess_mm.errors import InputError
from ravdess_mm.predictions import ADAPTED, read_predictions, write_predictions
from ravdess_mm.runs import RunFolder
from ravdess_mm.store import read_table, write_json


def train(run: RunFolder, kind: str, adapt: Adaptation, table: pd.DataFrame, folds: tuple[Fold, ...]) -> None:
    """Search, calibrate and train one kind of classifier on every fold."""
    from ravdess_mm.classifiers.run import run_classifier

    settings = run.settings
    name = model_name(kind, adapt)

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
            adapt=adapt,
        )
        write_predictions(run.predictions_path(name), trained.predictions)

    run.refresh(
        name,
        work=work,
        inputs={
            "folds": [(fold.number, fold.train, fold.test) for fold in folds],
            "search": settings.search.model_dump(exclude={"models", "ensemble"}),
            "dense": settings.dense.model_dump() if kind == "network" else None,
            "seed": settings.seed,
        },
        files=[run.features_path],
        outputs=[run.predictions_path(name)],
        source=["classifiers", "bundle.py", "archives.py", "corpus/splits.py"],
        libraries=["keras", "tensorflow"] if kind == "network" else ["scikit-learn", "xgboost"],
    )


def combine(run: RunFolder, adapt: Adaptation) -> None:
    """Combine the classifiers by what their out-of-fold answers teach."""
    from ravdess_mm.fusion import fuse

    settings = run.settings
    name = model_name("ensemble", adapt)
    members = {kind: run.predictions_path(model_name(kind, adapt)) for kind in settings.search.models}
    recipe_path = run.models_dir / name / "recipe.json"

    def work() -> None:
        # one branch a classifier, so that the rule weighs all of them
        tables = {path.stem: {path.stem: read_predictions(path)} for path in members.values()}
        combined = fuse(tables, rule=settings.search.ensemble, seed=settings.seed)
        write_predictions(run.predictions_path(name), combined.table.drop(columns="sources"))
        write_json(recipe_path, combined.to_dict())

    if len(members) < 2:
        run.skip(name, "an ensemble needs two classifiers or more", run.predictions_path(name))
        return
    run.refresh(
        name,
        work=work,
        inputs={"rule": settings.search.ensemble, "seed": settings.seed},
        files=members.values(),
        outputs=[run.predictions_path(name), recipe_path],
        source=["fusion", "evaluation", "predictions.py"],
    )


def model_name(kind: str, adapt: Adaptation) -> str:
    """Return the name of a model and its prediction table, such as ``audio-svc`` or ``audio-svc-adapted``."""
    return f"audio-{kind}{ADAPTED if adapt is Adaptation.SPEAKER else ''}"


def audio_models(settings: Settings) -> None:
    """Train the audio models of a run, plain and, with ADAPT=speaker, adapted too; needs the run's features."""
    run = RunFolder(settings)
    run.need(run.catalog_path, stage="features")
    actors = read_table(run.catalog_path, schema=CATALOG_SCHEMA)["actor"]
    folds = make_folds(settings.protocol, actors, test_actors=settings.test_actors)
    adaptations = list(Adaptation) if settings.adapt is Adaptation.SPEAKER else [Adaptation.NONE]
    kinds = (*settings.search.models, "ensemble")
    names = [model_name(kind, adapt) for adapt in adaptations for kind in kinds]
    for path in sorted(run.predictions_dir.glob("audio-*.parquet")):
        if path.stem not in names:
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
    for adapt in adaptations:
        for kind in settings.search.models:
            train(run, kind, adapt, table, own_folds)
        combine(run, adapt)
    run.update_record()


if __name__ == "__main__":
    sys.exit(stage_main(audio_models))
