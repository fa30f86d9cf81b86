"""A voice model that learned from several corpora: ridge regression onto the emotions, one row of weights each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ravdess_mm.arrays import Floats, Integers
from ravdess_mm.classifiers.adaptation import SpeakerScaler
from ravdess_mm.classifiers.estimators import LinearRidge
from ravdess_mm.classifiers.family import Kind
from ravdess_mm.classifiers.kernel_machine import KernelRidge
from ravdess_mm.classifiers.trained import TrainedClassifier
from ravdess_mm.corpus.identifier import EMOTIONS


def train_linear_voice(
    X: Floats,
    y: Integers,
    speakers: npt.ArrayLike,
    *,
    sample_weight: Floats,
    strength: float,
    temperature: float,
    adapted: bool,
    feature_names: Sequence[str],
    feature_set: str,
    card: Mapping[str, Any],
) -> TrainedClassifier:
    """Fit on all clips there are.

    Parameters
    ----------
    X : numpy.ndarray [shape=(n, n_features)]
        Features as they are.
    y : numpy.ndarray of int [shape=(n,)]
        Places in `EMOTIONS`.
    speakers : array-like [shape=(n,)]
        Who speaks, unique among all corpora; clips of one person from another place are another speaker.
    sample_weight : numpy.ndarray [shape=(n,)]
        How much a clip counts.
    strength : float
        Of the ridge, for a kernel whose mean diagonal is 1.
    temperature : float
        Divides the machine's decision values.
    adapted : bool
        Whether each speaker is standardised by their own clips.
    feature_names, feature_set, card
        Kept with the model.
    """
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    speaker = None
    if adapted:
        speaker = SpeakerScaler().fit(X, speakers, y)
        X = speaker.transform(X, speakers)
    classes, codes = np.unique(y, return_inverse=True)
    scaler = StandardScaler().fit(X, sample_weight=sample_weight)
    machine = KernelRidge(kernel="linear", alpha=strength * X.shape[1])
    machine.fit(scaler.transform(X), codes, sample_weight=sample_weight)
    return TrainedClassifier(
        kind=Kind.RIDGE,
        pipeline=Pipeline([("scale", scaler), ("model", machine)]),
        feature_names=tuple(feature_names),
        feature_set=feature_set,
        emotions=tuple(EMOTIONS[place] for place in classes),
        # scores of this kind are so many times the decision values that the temperature was found with
        temperature=temperature * LinearRidge.SLOPE,
        speaker=speaker,
        card={**card, "strength": strength},
    )
