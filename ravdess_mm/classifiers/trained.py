"""Trained, calibrated classifiers, saved to and loaded from bundles."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ravdess_mm.arrays import Floats
from ravdess_mm.bundles.bundle import (
    Bundle,
    PartWriter,
    arrays_part,
    booster_part,
    network_part,
    read_bundle,
    sklearn_part,
    write_bundle,
)
from ravdess_mm.calibration import TEMPERATURE_LIMITS, probabilities
from ravdess_mm.classifiers.adaptation import SpeakerScaler, SpeakerStatistics
from ravdess_mm.classifiers.cross_fitting import pipeline_scores, spread
from ravdess_mm.classifiers.estimators import family_of
from ravdess_mm.classifiers.family import Kind
from ravdess_mm.classifiers.guards import check_loaded, check_scaler
from ravdess_mm.classifiers.projection import Projection
from ravdess_mm.classifiers.stored_machine import StoredMachine
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.errors import BundleError, InputError
from ravdess_mm.store import plain, read_json

PIPELINE_PART: Final = "pipeline.skops"
SCALER_PART: Final = "scaler.skops"
BOOSTER_PART: Final = "model.ubj"
NETWORK_PART: Final = "model.keras"
MACHINE_PART: Final = "machine.npz"
SPEAKER_PART: Final = "speaker.json"
PROJECTION_PART: Final = "projection.npz"
_MACHINES: Final = (Kind.SVC, Kind.KERNEL_RIDGE, Kind.RIDGE)


@dataclass(frozen=True)
class TrainedClassifier:
    """Standardisation, classifier and temperature of one model.

    Attributes
    ----------
    kind : Kind
    pipeline : sklearn.pipeline.Pipeline or StoredMachine
        Steps ``scale`` and ``model``; the model's classes are 0 .. K-1. A kernel machine that was loaded is a
        `StoredMachine`, which does both.
    feature_names : tuple of str
        The columns it was trained on, in order.
    feature_set : str or None
        Name of the set they belong to, where it has one.
    emotions : tuple of str [K]
        The label of each class of the model.
    temperature : float
        Divides the log-scores.
    speaker : SpeakerScaler or None
        The average training speaker of a speaker-adapted model; None for a plain one.
    projection : Projection or None
        Brings features to the components that the pipeline takes; None where it takes features.
    card : dict
        Everything else the bundle says.
    """

    kind: Kind
    pipeline: Any
    feature_names: tuple[str, ...]
    feature_set: str | None
    emotions: tuple[str, ...]
    temperature: float
    speaker: SpeakerScaler | None = None
    projection: Projection | None = None
    card: Mapping[str, Any] = field(default_factory=dict)

    @property
    def classes_(self) -> npt.NDArray[np.str_]:
        """The eight labels, in the order of the columns of :meth:`predict_proba`."""
        return np.array(EMOTIONS)

    def predict_proba(
        self,
        X: pd.DataFrame | npt.ArrayLike,
        *,
        speakers: npt.ArrayLike | None = None,
        enrolment: SpeakerStatistics | None = None,
    ) -> Floats:
        """Return calibrated probabilities.

        Parameters
        ----------
        X : pandas.DataFrame or array-like [shape=(n, n_features)]
            A table is read by column name and may have further columns; an array has the columns of `feature_names`.
        speakers : array-like [shape=(n,)], optional
            Who speaks in each row, for an adapted model: each is standardised by their own rows. Without it every row
            is a speaker of one clip, which is plain standardisation.
        enrolment : SpeakerStatistics, optional
            The one speaker of all rows, known from other clips.

        Returns
        -------
        numpy.ndarray of float64 [shape=(n, 8)]
            In the order of `EMOTIONS`. Rows sum to 1; an emotion absent from training has next to nothing.

        Raises
        ------
        InputError
            If features are missing, their number differs, or a value is not finite.
        """
        values = self._values(X)
        if len(values) == 0:
            return np.empty((0, len(EMOTIONS)))
        if self.speaker is not None:
            if enrolment is not None:
                values = self.speaker.transform_enrolled(values, enrolment)
            else:
                values = self.speaker.transform(values, np.arange(len(values)) if speakers is None else speakers)
        if self.projection is not None:
            values = self.projection.transform(values)
        columns = np.array([EMOTIONS.index(emotion) for emotion in self.emotions])
        scores = pipeline_scores(family_of(self.kind), self.pipeline, values)
        answers = probabilities(spread(scores, columns), temperature=self.temperature)
        if not np.isfinite(answers).all():
            raise BundleError(
                f"the {self.kind.value} model answers with numbers that are not finite; its file is unsound"
            )
        return answers

    def predict(self, X: pd.DataFrame | npt.ArrayLike) -> npt.NDArray[np.str_]:
        """Return the most probable emotion of each row [shape=(n,)]."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])

    def _values(self, X: pd.DataFrame | npt.ArrayLike) -> Floats:
        description = f"the {self.kind.value} model was trained on {len(self.feature_names)} features"
        if self.feature_set is not None:
            description += f" of the set {self.feature_set!r}"
        if isinstance(X, pd.DataFrame):
            missing = [name for name in self.feature_names if name not in X.columns]
            if missing:
                shown = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
                raise InputError(f"{description}; the table lacks {len(missing)} of them: {shown}")
            X = X[list(self.feature_names)]
        values = np.asarray(X, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] != len(self.feature_names):
            raise InputError(
                f"{description}; got an array of shape {values.shape}, expected (n, {len(self.feature_names)})"
            )
        if not np.isfinite(values).all():
            row, column = np.argwhere(~np.isfinite(values))[0]
            raise InputError(f"row {row} has no finite value of {self.feature_names[column]}")
        return values


def save_classifier(folder: str | Path, trained: TrainedClassifier) -> Bundle:
    """Write a trained classifier as a bundle."""
    files: dict[str, PartWriter | bytes]
    if trained.kind in _MACHINES:
        files = {MACHINE_PART: arrays_part(_machine_of(trained).to_arrays())}
    elif trained.kind in (Kind.XGBOOST, Kind.NETWORK):
        scaler, model = (step for _, step in trained.pipeline.steps)
        files = {SCALER_PART: sklearn_part(scaler)}
        if trained.kind is Kind.XGBOOST:
            files[BOOSTER_PART] = booster_part(model.get_booster())
        else:
            files[NETWORK_PART] = network_part(model.network_)
    else:
        files = {PIPELINE_PART: sklearn_part(trained.pipeline)}
    if trained.speaker is not None:
        files[SPEAKER_PART] = json.dumps(plain(trained.speaker.to_dict())).encode()
    if trained.projection is not None:
        files[PROJECTION_PART] = arrays_part(trained.projection.to_arrays())
    card = {
        **trained.card,
        "feature_names": trained.feature_names,
        "feature_set": trained.feature_set,
        "classes": trained.emotions,
        "temperature": trained.temperature,
    }
    return write_bundle(folder, kind=trained.kind, card=card, files=files)


def _machine_of(trained: TrainedClassifier) -> StoredMachine:
    if isinstance(trained.pipeline, StoredMachine):
        return trained.pipeline
    return StoredMachine.of_pipeline(trained.pipeline)


def load_classifier(folder: str | Path) -> TrainedClassifier:
    """Load a classifier from its bundle; no code from the folder runs.

    Parameters
    ----------
    folder : str or Path
        Such as ``artifacts/<run>/models/audio-svc/holdout``.

    Raises
    ------
    BundleError
        If the bundle is not whole, was changed, holds no classifier, or holds types that are not trusted.
    """
    bundle = read_bundle(folder)
    if bundle.kind not in set(Kind):
        raise BundleError(f"{bundle.folder}: holds a {bundle.kind}; classifiers are {', '.join(Kind)}")
    names = _texts(bundle, "feature_names")
    emotions = _texts(bundle, "classes")
    if not set(emotions) <= set(EMOTIONS) or len(set(emotions)) != len(emotions):
        raise BundleError(f"{bundle.folder}: its classes are {', '.join(emotions)}; allowed: {', '.join(EMOTIONS)}")
    if emotions != tuple(emotion for emotion in EMOTIONS if emotion in emotions):
        raise BundleError(f"{bundle.folder}: its classes are out of order; allowed: {', '.join(EMOTIONS)}")
    temperature = bundle.number("temperature", *TEMPERATURE_LIMITS)
    projection = _load_projection(bundle, n_features=len(names))
    n_inputs = len(names) if projection is None else projection.n_components
    own_fields = {"feature_names", "feature_set", "classes", "temperature"}
    return TrainedClassifier(
        kind=Kind(bundle.kind),
        pipeline=_load_pipeline(bundle, n_features=n_inputs, n_classes=len(emotions)),
        feature_names=names,
        feature_set=bundle.card.get("feature_set"),
        emotions=emotions,
        temperature=float(temperature),
        speaker=_load_speaker(bundle, n_features=len(names)),
        projection=projection,
        card={name: value for name, value in bundle.card.items() if name not in own_fields},
    )


def _load_projection(bundle: Bundle, *, n_features: int) -> Projection | None:
    if PROJECTION_PART not in bundle.parts:
        return None
    try:
        return Projection.of_arrays(bundle.load_arrays(PROJECTION_PART), n_features=n_features)
    except ValueError as error:
        raise BundleError(f"{bundle.folder / PROJECTION_PART}: {error}") from error


def _load_speaker(bundle: Bundle, *, n_features: int) -> SpeakerScaler | None:
    if SPEAKER_PART not in bundle.parts:
        return None
    try:
        speaker = SpeakerScaler.from_dict(read_json(bundle.part(SPEAKER_PART)))
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{bundle.folder / SPEAKER_PART}: not an average speaker ({error!r})") from error
    if {values.shape for values in (speaker.mean_, speaker.within_variance_, speaker.total_variance_)} != {
        (n_features,)
    }:
        raise BundleError(f"{bundle.folder / SPEAKER_PART}: is not of {n_features} features")
    return speaker


def _texts(bundle: Bundle, name: str) -> tuple[str, ...]:
    values = bundle.card.get(name)
    if not isinstance(values, list) or not values or not all(isinstance(value, str) for value in values):
        raise BundleError(f"{bundle.folder}: its card has no usable {name!r}")
    return tuple(values)


def _load_pipeline(bundle: Bundle, *, n_features: int, n_classes: int) -> Any:
    kind = Kind(bundle.kind)
    if kind in _MACHINES:
        return _load_machine(bundle, n_features=n_features, n_classes=n_classes)
    if kind not in (Kind.XGBOOST, Kind.NETWORK):
        pipeline = bundle.load_sklearn(PIPELINE_PART)
        source = str(bundle.folder / PIPELINE_PART)
        check_loaded(kind, pipeline, n_features=n_features, n_classes=n_classes, source=source)
        return pipeline
    from sklearn.pipeline import Pipeline

    scaler = _load_scaler(bundle, n_features=n_features)
    model = _load_booster(bundle) if kind is Kind.XGBOOST else _load_network(bundle)
    shape = (model.n_features_in_, len(model.classes_))
    if shape != (n_features, n_classes):
        raise BundleError(
            f"{bundle.folder}: the model maps {shape[0]} features to {shape[1]} classes; "
            f"the card says {n_features} and {n_classes}"
        )
    return Pipeline([("scale", scaler), ("model", model)])


def _load_machine(bundle: Bundle, *, n_features: int, n_classes: int) -> StoredMachine:
    arrays = bundle.load_arrays(MACHINE_PART)
    if SCALER_PART in bundle.parts:  # as before a machine's arrays held its standardisation
        scaler = _load_scaler(bundle, n_features=n_features)
        arrays |= {"mean": scaler.mean_, "scale": scaler.scale_}
    try:
        return StoredMachine.of_arrays(arrays, n_features=n_features, n_classes=n_classes)
    except ValueError as error:
        raise BundleError(f"{bundle.folder / MACHINE_PART}: {error}") from error


def _load_scaler(bundle: Bundle, *, n_features: int) -> Any:
    scaler = bundle.load_sklearn(SCALER_PART)
    try:
        check_scaler(scaler, n_features=n_features)
    except (AttributeError, ValueError) as error:
        raise BundleError(f"{bundle.folder / SCALER_PART}: {error}") from error
    return scaler


def _load_booster(bundle: Bundle) -> Any:
    from xgboost import XGBClassifier

    bundle.load_booster(BOOSTER_PART)  # refuses what XGBoost cannot read
    model = XGBClassifier(n_jobs=1)
    model.load_model(bundle.part(BOOSTER_PART))
    return model


def _load_network(bundle: Bundle) -> Any:
    from ravdess_mm.classifiers.dense import DenseClassifier

    return DenseClassifier.of_network(bundle.open_network(NETWORK_PART))
