"""One kind of classifier on every fold of a protocol: search, calibrate, train, predict, keep.

Nothing is chosen on test actors: parameters and temperature come from inner folds of the training actors. A fold
that is done is a bundle with its tables beside it; it is done again only when something it depends on changed.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from ravdess_mm.arrays import Integers
from ravdess_mm.bundles.bundle import CARD_NAME, read_bundle
from ravdess_mm.calibration import calibrate_out_of_fold, fit_temperature
from ravdess_mm.classifiers.adaptation import SpeakerScaler
from ravdess_mm.classifiers.cross_fitting import fit_pipeline, make_inner_folds, out_of_fold_scores
from ravdess_mm.classifiers.estimators import family_of
from ravdess_mm.classifiers.family import Family, Kind, Params
from ravdess_mm.classifiers.projection import Projection
from ravdess_mm.classifiers.rows import FeatureRows, Sample, check_features
from ravdess_mm.classifiers.search import empty_table, score_fixed, search_parameters
from ravdess_mm.classifiers.trained import TrainedClassifier, save_classifier
from ravdess_mm.config import Adaptation, DenseSettings, SearchSettings
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.corpus.splits import Fold, check_disjoint
from ravdess_mm.errors import BundleError, InputError
from ravdess_mm.import_graph import source_fingerprint
from ravdess_mm.predictions import prediction_table, read_predictions, sort_predictions, write_predictions
from ravdess_mm.store import fingerprint, hash_file, read_table, write_table
from ravdess_mm.versions import library_versions

logger = logging.getLogger(__name__)

SEARCH_SCHEMA: Final = "search/1"
SEARCH_NAME: Final = "search.parquet"
PREDICTIONS_NAME: Final = "predictions.parquet"
_LIBRARIES: Final = ("keras", "numpy", "scikit-learn", "scipy", "skops", "tensorflow", "xgboost")


@dataclass(frozen=True)
class ClassifierRun:
    """What a classifier predicted and how it was chosen.

    Attributes
    ----------
    predictions : pandas.DataFrame
        A prediction table: ``test`` rows of every fold's test actors, ``oof`` rows of its training actors. The latter
        are calibrated by, but their parameters were chosen on, the same inner folds.
    search : pandas.DataFrame
        ``fold`` and `search.SEARCH_COLUMNS`, one row a candidate and fold.
    """

    predictions: pd.DataFrame
    search: pd.DataFrame


@dataclass(frozen=True)
class TrainingPlan:
    """Everything a fold's result depends on besides its rows."""

    family: Family
    search: SearchSettings
    dense: DenseSettings
    seed: int
    feature_set: str | None
    adapt: Adaptation
    components: int | None = None

    def defaults(self, width: float) -> Params:
        """Return the parameters that are used where nothing is searched."""
        dense = self.dense.model_dump() if self.family.kind is Kind.NETWORK else {}
        return {**self.family.defaults(width), **dense}

    def key(self, fold: Fold, train: FeatureRows, test: FeatureRows) -> str:
        """Return the fingerprint that tells whether a fold on disk is this one."""
        return fingerprint(
            self.family.kind,
            self.defaults(len(train.names)),
            self.search.model_dump(exclude={"models", "ensemble"}),
            self.seed,
            self.feature_set,
            self.adapt,
            self.components,
            fold.number,
            train.digest(),
            test.digest(),
            source_fingerprint(__name__),
            library_versions(_LIBRARIES),
        )


def run_classifier(
    kind: Kind | str,
    features: pd.DataFrame,
    folds: Sequence[Fold],
    *,
    search: SearchSettings,
    dense: DenseSettings,
    seed: int,
    jobs: int,
    folder: str | Path,
    feature_set: str | None = None,
    adapt: Adaptation = Adaptation.NONE,
    components: int | None = None,
    copies: Mapping[int, Sequence[pd.DataFrame]] | None = None,
) -> ClassifierRun:
    """Train one kind of classifier on every fold and predict its test actors.

    Parameters
    ----------
    kind : Kind
        ``random-forest``, ``svc``, ``xgboost``, ``logistic``, ``ridge``, ``kernel-ridge`` or ``network``.
    features : pandas.DataFrame
        Columns take, actor, emotion and any number of finite numeric columns; one row a take, in any order.
    folds : sequence of Fold
        The protocol's folds.
    search : SearchSettings
        Budget of the search.
    dense : DenseSettings
        The network's training; other kinds do not look at it.
    seed : int
        Seed of everything random.
    jobs : int
        Threads; -1 for one a core. Results do not depend on it.
    folder : str or Path
        Where the folds' bundles go: ``<folder>/holdout`` or ``<folder>/fold-<k>``, each with ``search.parquet`` and
        ``predictions.parquet`` beside its parts.
    feature_set : str, optional
        Name of the set the columns belong to; kept in the bundle.
    adapt : Adaptation
        ``speaker``: standardise each actor, trained on or tested, by that actor's own unlabelled rows first.
    components : int, optional
        Principal components that features are brought to first, fold by fold; None to take features as they are.
    copies : mapping of int to sequence of pandas.DataFrame, optional
        Number of a fold to feature tables of changed copies of its training takes, one a kind of change: learned
        from, never scored, never of a test actor.

    Raises
    ------
    InputError
        If the table is unsound, a side of a fold has no rows, or training actors show fewer than two emotions.
    LeakageError
        If an actor is on both sides of a fold, or a copy is of a take that the fold does not train on.
    """
    from threadpoolctl import threadpool_limits

    recipe = TrainingPlan(family_of(kind), search, dense, seed, feature_set, adapt, components)
    rows = check_features(features)
    if not folds:
        raise InputError(f"{recipe.family.kind.value}: no fold to train on")
    # one thread for each of the fits that run side by side; and sums of floats that do not depend on the machine
    with threadpool_limits(1, user_api="blas"):
        done = [
            _complete_fold(
                recipe, rows, fold, Path(folder) / fold.name, jobs=jobs, copies=(copies or {}).get(fold.number, ())
            )
            for fold in folds
        ]
    tables = []
    for fold, (_, table) in zip(folds, done, strict=True):
        table.insert(0, "fold", fold.number)
        tables.append(table)
    return ClassifierRun(
        predictions=sort_predictions(pd.concat([predictions for predictions, _ in done], ignore_index=True)),
        search=pd.concat(tables, ignore_index=True),
    )


def _complete_fold(
    recipe: TrainingPlan, rows: FeatureRows, fold: Fold, folder: Path, *, jobs: int, copies: Sequence[pd.DataFrame]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train a fold unless it is done; return its predictions and search results as they are on disk."""
    train, test = rows.of_actors(fold.train).with_copies(copies), rows.of_actors(fold.test)
    check_disjoint(train.sample.groups, test.sample.groups)
    _check_sides(f"{recipe.family.kind.value}, {fold.name}", train.sample, test.sample)
    key = recipe.key(fold, train, test)
    if _is_done(folder, key):
        logger.info("%s, %s: already trained", recipe.family.kind.value, fold.name)
    else:
        result = _fit(recipe, train, fold, jobs=jobs)
        _keep_fold(result, _all_answers(result, test, fold), folder, key=key)
    return read_predictions(folder / PREDICTIONS_NAME), read_table(folder / SEARCH_NAME, schema=SEARCH_SCHEMA)


def _check_sides(name: str, train: Sample, test: Sample) -> None:
    for side, sample in (("train", train), ("test", test)):
        if not len(sample):
            raise InputError(f"{name}: the feature table has no take of the actors to {side} on")
    shown = [EMOTIONS[code] for code in train.encoded()[0]]
    if len(shown) < 2:
        raise InputError(f"{name}: the training actors show {shown[0]} only; a classifier needs two emotions or more")


def _is_done(folder: Path, key: str) -> bool:
    try:
        card = read_bundle(folder).card
    except BundleError:
        return False
    tables = card.get("tables", {})
    return card.get("key") == key and all(
        (folder / name).is_file() and hash_file(folder / name) == digest for name, digest in tables.items()
    )


@dataclass(frozen=True)
class ClassifierResult:
    """A trained classifier, its out-of-fold predictions, and the results of its search.

    Attributes
    ----------
    trained : TrainedClassifier
    out_of_fold : pandas.DataFrame or None
        A prediction table of ``oof`` rows: what the inner folds, on which its parameters were chosen, say of each
        take. None where there are too few actors for inner folds.
    search : pandas.DataFrame
        Columns `search.SEARCH_COLUMNS`, one row a candidate.
    """

    trained: TrainedClassifier
    out_of_fold: pd.DataFrame | None
    search: pd.DataFrame


def _all_answers(result: ClassifierResult, test: FeatureRows, fold: Fold) -> pd.DataFrame:
    probabilities = result.trained.predict_proba(test.sample.X, speakers=test.sample.groups)
    tested = prediction_table(test.takes, probabilities, fold=fold.number, role="test")
    if result.out_of_fold is None:
        return tested
    return pd.concat([result.out_of_fold, tested], ignore_index=True)


def _fit(recipe: TrainingPlan, train: FeatureRows, fold: Fold, *, jobs: int) -> ClassifierResult:
    """Choose parameters, calibrate and train on the rows of a fold's training actors."""
    family, sample, speaker = recipe.family, train.sample, None
    if recipe.adapt is Adaptation.SPEAKER:
        speaker = SpeakerScaler().fit(sample.X, sample.groups, sample.y)
        sample = adapt_sample(sample, speaker)
    projection = None
    if recipe.components is not None:
        projection = Projection.fit(sample.X, recipe.components)
        sample = projection.of_sample(sample)
    inner = make_inner_folds(sample, recipe.search.inner_folds, seed=recipe.seed)
    params, table = _choose(recipe, sample, inner, jobs=jobs)
    out_of_fold = None
    temperature = 1.0
    if inner is not None:
        scores = out_of_fold_scores(family, params, sample, inner, seed=recipe.seed, jobs=jobs)
        temperature = fit_temperature(scores, sample.y)
        calibrated = calibrate_out_of_fold(scores, sample.y, inner)
        out_of_fold = prediction_table(train.takes, calibrated, fold=fold.number, role="oof")
        table = score_fixed(params, scores, sample.y, inner) if table.empty else table
    trained = TrainedClassifier(
        kind=family.kind,
        pipeline=fit_pipeline(family, params, sample, seed=recipe.seed, jobs=jobs),
        feature_names=train.names,
        feature_set=recipe.feature_set,
        emotions=tuple(EMOTIONS[code] for code in sample.encoded()[0]),
        temperature=temperature,
        speaker=speaker,
        projection=projection,
        card={
            "parameters": params,
            "n_inner_folds": 0 if inner is None else int(inner.max()) + 1,
            "fold": {"number": fold.number, "train_actors": fold.train, "test_actors": fold.test},
            "n_train_takes": len(sample),
            "n_train_copies": 0 if sample.copies is None else len(sample.copies.owners),
            "seed": recipe.seed,
            "adapt": recipe.adapt,
        },
    )
    return ClassifierResult(trained, out_of_fold, table)


def adapt_sample(sample: Sample, speaker: SpeakerScaler) -> Sample:
    """Return a sample in which each actor is standardised by that actor's own rows.

    Copies of one kind are rows of a place of their own: each actor's are standardised by that actor's of that kind,
    as somebody's clips from a noisy place would be at a test.
    """
    copies = sample.copies
    if copies is not None:
        _, groups = np.unique(np.stack([sample.groups[copies.owners], copies.kinds]), axis=1, return_inverse=True)
        copies = replace(copies, X=speaker.transform(copies.X, groups))
    return replace(sample, X=speaker.transform(sample.X, sample.groups), copies=copies)


def _keep_fold(result: ClassifierResult, predictions: pd.DataFrame, folder: Path, *, key: str) -> None:
    """Write tables, then the bundle whose card lists them: a fold killed in between is done again."""
    (folder / CARD_NAME).unlink(missing_ok=True)
    write_predictions(folder / PREDICTIONS_NAME, predictions)
    write_table(folder / SEARCH_NAME, result.search, schema=SEARCH_SCHEMA)
    tables = {name: hash_file(folder / name) for name in (PREDICTIONS_NAME, SEARCH_NAME)}
    card = {**result.trained.card, "key": key, "tables": tables}
    save_classifier(folder, replace(result.trained, card=card))


def _choose(recipe: TrainingPlan, sample: Sample, inner: Integers | None, *, jobs: int) -> tuple[Params, pd.DataFrame]:
    """Search parameters by inner folds, or return those that need no search and an empty table."""
    width = sample.total_variance
    if inner is None or not recipe.family.spaces(width):
        return recipe.defaults(width), empty_table()
    budget = recipe.search
    return search_parameters(
        recipe.family, sample, inner, draws=budget.draws, refine=budget.refine, seed=recipe.seed, jobs=jobs
    )
