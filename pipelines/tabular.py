"""What the stages that train classifiers on a feature table have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from ravdess_mm.config import Adaptation, SearchSettings
from ravdess_mm.corpus.catalog import CATALOG_SCHEMA
from ravdess_mm.corpus.splits import Fold, make_folds
from ravdess_mm.predictions import ADAPTED, write_predictions
from ravdess_mm.run.folder import RunFolder
from ravdess_mm.store import read_table, write_json


def folds_of(run: RunFolder) -> tuple[Fold, ...]:
    """Split the actors of a run's catalog as its protocol says.

    Raises
    ------
    InputError
        If there is no catalog yet.
    """
    run.need(run.catalog_path, stage="features")
    actors = read_table(run.catalog_path, schema=CATALOG_SCHEMA)["actor"]
    return make_folds(run.settings.protocol, actors, test_actors=run.settings.test_actors)


def fold_words(folds: tuple[Fold, ...]) -> list[tuple[int, tuple[int, ...], tuple[int, ...]]]:
    """Return what a stage's fingerprint needs to know of its folds."""
    return [(fold.number, fold.train, fold.test) for fold in folds]


def answers_of(
    run: RunFolder,
    kind: str,
    table: pd.DataFrame,
    folds: tuple[Fold, ...],
    *,
    name: str,
    search: SearchSettings | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Search, calibrate and train one kind of classifier on every fold, with the run's settings.

    Parameters
    ----------
    run : RunFolder
        Bundles go to ``models/<name>``.
    kind, table, folds, options
        As for :func:`ravdess_mm.classifiers.training.run_classifier`.
    name : str
        Name of the folder of models.
    search : SearchSettings, optional
        Budget of the search; the run's by default.

    Returns
    -------
    pandas.DataFrame
        The prediction table.
    """
    from ravdess_mm.classifiers.training import run_classifier

    settings = run.settings
    return run_classifier(
        kind,
        table,
        folds,
        search=search or settings.search,
        dense=settings.dense,
        seed=settings.seed,
        jobs=settings.jobs,
        folder=run.models_dir / name,
        **options,
    ).predictions


def write_combined(run: RunFolder, name: str, answers: Mapping[str, pd.DataFrame]) -> None:
    """Combine classifiers by what their out-of-fold answers teach; write predictions and recipe."""
    from ravdess_mm.fusion import fuse

    settings = run.settings
    # one branch a classifier, so that the rule weighs all of them
    tables = {member: {member: table} for member, table in answers.items()}
    combined = fuse(tables, rule=settings.search.ensemble, seed=settings.seed)
    write_predictions(run.predictions_path(name), combined.table.drop(columns="sources"))
    write_json(run.models_dir / name / "recipe.json", combined.to_dict())


def plain_and_adapted(run: RunFolder, name: str, train: Callable[[str, Adaptation], None]) -> None:
    """Train the plain models and, where the run asks for them, the adapted ones; forget those it does not ask for."""
    train(name, Adaptation.NONE)
    adapted = name + ADAPTED
    if run.settings.adapt is Adaptation.SPEAKER:
        train(adapted, Adaptation.SPEAKER)
    else:
        run.forget(adapted, run.predictions_path(adapted))
