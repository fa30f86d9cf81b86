"""A voice model that learned from several corpora and from copies of their clips, and keeps nothing of any clip."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ravdess_mm.arrays import Floats, Integers
from ravdess_mm.classifiers.adaptation import SpeakerScaler
from ravdess_mm.classifiers.cross_fitting import pipeline_scores, spread
from ravdess_mm.classifiers.estimators import family_of
from ravdess_mm.classifiers.family import Kind
from ravdess_mm.classifiers.projection import Projection
from ravdess_mm.classifiers.radial_basis import draw_centres, fit_radial_basis
from ravdess_mm.classifiers.stored_machine import StoredMachine
from ravdess_mm.classifiers.trained import TrainedClassifier
from ravdess_mm.corpus.identifier import EMOTIONS

PLAIN_COMPONENTS: Final = 256
ADAPTED_COMPONENTS: Final = 128
"""Principal components that are kept: once it is known who speaks, fewer say as much."""
WIDTH: Final = 0.3
"""Of the kernel: its gamma, in units of 1 / total variance of the components."""
N_CENTRES: Final = 2048
"""Centres of the machines; of few clips, `CENTRES_A_ROW` times as many as there are rows."""
CENTRES_A_ROW: Final = 4
MOST_PROJECTED: Final = 2048
"""Clips that the components are found by; of more, some are drawn."""
SEED: Final = 20


@dataclass(frozen=True)
class CorporaVoice:
    """What learned from the clips, once for each strength of the ridge.

    Attributes
    ----------
    speaker : SpeakerScaler or None
        The average speaker of an adapted voice.
    projection : Projection
        From features to components.
    machines : tuple of StoredMachine
        One for each strength.
    emotions : ndarray of int [shape=(K,)]
        Places in `EMOTIONS` of the machines' classes.
    """

    speaker: SpeakerScaler | None
    projection: Projection
    machines: tuple[StoredMachine, ...]
    emotions: Integers

    @classmethod
    def fit(
        cls,
        X: npt.ArrayLike,
        y: Integers,
        speakers: npt.ArrayLike,
        *,
        is_copy: npt.NDArray[np.bool_],
        sample_weight: Floats,
        strengths: Iterable[float],
        adapted: bool,
    ) -> CorporaVoice:
        """Fit on all clips there are.

        Parameters
        ----------
        X : array-like [shape=(n, n_features)]
            Features as they are.
        y : numpy.ndarray of int [shape=(n,)]
            Places in `EMOTIONS`.
        speakers : array-like [shape=(n,)]
            Who speaks, unique among all corpora; clips of one person from another place are another speaker.
        is_copy : numpy.ndarray of bool [shape=(n,)]
            Rows that are learned from, and by which no components are found.
        sample_weight : numpy.ndarray [shape=(n,)]
            How much a clip counts; mean 1.
        strengths : iterable of float
            Of the ridge.
        adapted : bool
            Whether each speaker is standardised by their own clips.
        """
        values = np.asarray(X, dtype=np.float64)
        speaker = None
        if adapted:
            speaker = SpeakerScaler().fit(values, speakers, y)
            values = speaker.transform(values, speakers)
        random = np.random.default_rng(SEED)
        clips = np.flatnonzero(~is_copy)
        chosen = np.sort(random.choice(clips, min(len(clips), MOST_PROJECTED), replace=False))
        projection = Projection.fit(values[chosen], ADAPTED_COMPONENTS if adapted else PLAIN_COMPONENTS)
        rows = projection.transform(values)
        classes, codes = np.unique(y, return_inverse=True)
        machines = fit_radial_basis(
            rows,
            codes,
            sample_weight=sample_weight,
            centres=draw_centres(rows[chosen], min(N_CENTRES, CENTRES_A_ROW * len(rows)), seed=SEED),
            gamma=WIDTH / float(rows[chosen].var(axis=0).sum()),
            strengths=strengths,
        )
        return cls(speaker, projection, tuple(machines), classes)

    def scores(self, X: npt.ArrayLike, speakers: npt.ArrayLike) -> list[Floats]:
        """Return log-scores [shape=(n, 8)] for each strength, of clips of these speakers [shape=(n,)].

        Minus infinity for emotions that nobody showed.
        """
        values = np.asarray(X, dtype=np.float64)
        if self.speaker is not None:
            values = self.speaker.transform(values, speakers)
        rows = self.projection.transform(values)
        family = family_of(Kind.KERNEL_RIDGE)
        return [spread(pipeline_scores(family, machine, rows), self.emotions) for machine in self.machines]

    def trained(
        self,
        place: int,
        *,
        temperature: float,
        feature_names: Sequence[str],
        feature_set: str,
        card: Mapping[str, Any],
    ) -> TrainedClassifier:
        """Return the classifier of one of the strengths, which divides its scores by a temperature."""
        return TrainedClassifier(
            kind=Kind.KERNEL_RIDGE,
            pipeline=self.machines[place],
            feature_names=tuple(feature_names),
            feature_set=feature_set,
            emotions=tuple(EMOTIONS[emotion] for emotion in self.emotions),
            temperature=temperature,
            speaker=self.speaker,
            projection=self.projection,
            card=card,
        )
