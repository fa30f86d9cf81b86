"""From the table of voice features to trained classifiers, their ensemble and their prediction tables."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from pipelines.tabular import SOURCE, answers_of, fold_words, folds_of, write_combined
from ravdess_mm.audio.changed import usable_voices
from ravdess_mm.audio.table import FEATURES_SCHEMA
from ravdess_mm.config import Adaptation, Augmentation, Settings
from ravdess_mm.corpus.catalog import CATALOG_SCHEMA
from ravdess_mm.corpus.splits import Fold, restrict_folds
from ravdess_mm.entry import stage_main
from ravdess_mm.errors import InputError
from ravdess_mm.predictions import ADAPTED, AUGMENTED, read_predictions, write_predictions
from ravdess_mm.runs import RunFolder
from ravdess_mm.store import read_table


@dataclass(frozen=True)
class Variant:
    """One way to train all kinds of classifiers: plain or speaker-adapted, with which changed copies."""

    adapt: Adaptation
    augment: Augmentation

    def copies(self, kind: str) -> Augmentation:
        """Return which copies a kind learns from."""
        from ravdess_mm.classifiers.estimators import family_of

        passed_over = self.augment is Augmentation.SPEED and not family_of(kind).learns_from_speed
        return Augmentation.NONE if passed_over else self.augment

    def model_name(self, kind: str) -> str:
        """Return the name of a model, such as ``audio-svc`` or ``audio-svc-augmented-adapted``."""
        augmented = AUGMENTED if self.augment is Augmentation.NOISE else ""
        return f"audio-{kind}{augmented}{ADAPTED if self.adapt is Adaptation.SPEAKER else ''}"


def variants(settings: Settings) -> list[Variant]:
    """Return what a run trains: the plain models always, others beside them."""
    return [
        Variant(adapt, augment)
        for augment in (
            (Augmentation.SPEED, Augmentation.NOISE) if settings.augment is Augmentation.NOISE else (settings.augment,)
        )
        for adapt in (Adaptation if settings.adapt is Adaptation.SPEAKER else [Adaptation.NONE])
    ]


class ChangedCopies:
    """The changed copies of a run's training clips; made, or fetched, when the first model needs them."""

    def __init__(self, run: RunFolder, table: pd.DataFrame, folds: tuple[Fold, ...]) -> None:
        self.run, self.table, self.folds = run, table, folds

    def tables(self, augment: Augmentation) -> Mapping[int, Sequence[pd.DataFrame]] | None:
        """Return number of a fold to feature tables; None where no copies are wanted."""
        if augment is Augmentation.NONE:
            return None
        return self.noisy if augment is Augmentation.NOISE else self.at_speeds

    @cached_property
    def at_speeds(self) -> Mapping[int, Sequence[pd.DataFrame]]:
        """Slower and faster copies."""
        from ravdess_mm.augmentation import speed_copies

        settings = self.run.settings
        catalog = read_table(self.run.catalog_path, schema=CATALOG_SCHEMA)
        return speed_copies(
            usable_voices(catalog, self.table["take"]),
            self.folds,
            feature_set=settings.features,
            cache_dir=self.run.root / "cache" / "augmented",
            jobs=settings.jobs,
            backend=settings.backend,
        )

    @cached_property
    def noisy(self) -> Mapping[int, Sequence[pd.DataFrame]]:
        """Copies in noise."""
        from ravdess_mm.augmentation import training_copies
        from ravdess_mm.classifiers.rows import check_features

        settings = self.run.settings
        catalog = read_table(self.run.catalog_path, schema=CATALOG_SCHEMA)
        return training_copies(
            usable_voices(catalog, self.table["take"]),
            check_features(self.table),
            self.folds,
            inner_folds=settings.search.inner_folds,
            feature_set=settings.features,
            cache_dir=self.run.root / "cache" / "augmented",
            seed=settings.seed,
            jobs=settings.jobs,
            backend=settings.backend,
        )


def train(
    run: RunFolder, kind: str, variant: Variant, table: pd.DataFrame, folds: tuple[Fold, ...], copies: ChangedCopies
) -> None:
    """Search, calibrate and train one kind of classifier on every fold."""
    from ravdess_mm.augmentation import SOURCES

    settings = run.settings
    name = variant.model_name(kind)
    learned = variant.copies(kind)
    augmented = learned is not Augmentation.NONE

    def work() -> None:
        answers = answers_of(
            run,
            kind,
            table,
            folds,
            name=name,
            feature_set=settings.features.value,
            adapt=variant.adapt,
            copies=copies.tables(learned),
        )
        write_predictions(run.predictions_path(name), answers)

    run.refresh(
        name,
        work=work,
        inputs={
            "folds": fold_words(folds),
            "search": settings.search.model_dump(exclude={"models", "ensemble"}),
            "dense": settings.dense.model_dump() if kind == "network" else None,
            "seed": settings.seed,
            "copies": learned,
        },
        files=[run.features_path, run.catalog_path] if augmented else [run.features_path],
        outputs=[run.predictions_path(name)],
        source=[*SOURCE, *(SOURCES if augmented else ())],
        libraries=["keras", "tensorflow"] if kind == "network" else ["scikit-learn", "xgboost"],
    )


def combine(run: RunFolder, variant: Variant) -> None:
    """Combine the classifiers by what their out-of-fold answers teach."""
    settings = run.settings
    name = variant.model_name("ensemble")
    members = {kind: run.predictions_path(variant.model_name(kind)) for kind in settings.search.models}

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
        outputs=[run.predictions_path(name), run.models_dir / name / "recipe.json"],
        source=["fusion", "evaluation", "predictions.py"],
    )


def audio_models(settings: Settings) -> None:
    """Train the audio models of a run, plain and, where asked for, adapted and augmented; needs the run's features."""
    run = RunFolder(settings)
    folds = folds_of(run)
    kinds = (*settings.search.models, "ensemble")
    names = [variant.model_name(kind) for variant in variants(settings) for kind in kinds]
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
    copies = ChangedCopies(run, table, own_folds)
    for variant in variants(settings):
        for kind in settings.search.models:
            train(run, kind, variant, table, own_folds, copies)
        combine(run, variant)
    run.update_record()


if __name__ == "__main__":
    sys.exit(stage_main(audio_models))
