"""Speaker adaptation: features standardised with the speaker's own unlabelled clips.

A voice's resting pitch and loudness differ more between people than between emotions. Standardising each speaker by
that speaker's own clips removes who speaks and keeps how they speak (speaker normalisation, as in Schuller B et al.
(2010), "Cross-corpus acoustic emotion recognition", IEEE Trans. Affective Computing 1(2):119-131). It looks at the
test speaker's clips, though never at their labels, so its figures stand apart from the plain ones.

An actor of RAVDESS shows every emotion; somebody's own clips may hold two. Their mean is then the mean of those
emotions
as much as of that voice, and taking it away takes away what was to be found. So what a plain model believes to hear in
each clip is taken into account where a speaker gets to be known (`SpeakerStatistics.of_emotion_shares`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ravdess_mm.arrays import Floats
from ravdess_mm.config import FEWEST_CLIPS, PRIOR_CLIPS
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.errors import InputError
from ravdess_mm.store import read_json, write_json

SCHEMA: Final = "enrolment/2"
MOST_CLIPS: Final = 1_000_000
"""Nobody is enrolled with more."""
LARGEST: Final = 1e100
"""A mean or deviation of a feature is smaller."""


@dataclass(frozen=True)
class EmotionEffects:
    """What each emotion adds to the voice of the average training speaker.

    Attributes
    ----------
    effects : ndarray [shape=(8, n_features)]
        Mean of a speaker's clips of an emotion less the mean of all of that speaker's clips, averaged over speakers; 0
        where nobody showed it. In the order of `EMOTIONS`.
    frequencies : ndarray [shape=(8,)]
        Share of each emotion among the training clips.
    """

    effects: Floats
    frequencies: Floats

    @classmethod
    def of(cls, X: Floats, y: npt.ArrayLike, groups: npt.ArrayLike) -> EmotionEffects:
        """Learn from clips [shape=(n, n_features)], the places of their emotions in `EMOTIONS`, and who speaks."""
        emotions, speakers = np.asarray(y), np.asarray(groups)
        found: list[list[Floats]] = [[] for _ in EMOTIONS]
        for speaker in np.unique(speakers):
            own = speakers == speaker
            mean = X[own].mean(axis=0)
            for emotion in np.unique(emotions[own]):
                found[int(emotion)].append(X[own & (emotions == emotion)].mean(axis=0) - mean)
        effects = np.array([np.mean(some, axis=0) if some else np.zeros(X.shape[1]) for some in found])
        frequencies = np.bincount(emotions.astype(np.int64), minlength=len(EMOTIONS)) / len(emotions)
        # six digits are enough, and a bundle holds them as text
        return cls(np.char.mod("%.6g", effects).astype(np.float64), frequencies)

    @property
    def variance(self) -> Floats:
        """What emotions add to the variance of each feature [shape=(n_features,)]."""
        return np.asarray(self.frequencies @ self.effects**2)


@dataclass(frozen=True)
class SpeakerStatistics:
    """Mean and deviation of one speaker's features, known without any label.

    Parameters
    ----------
    n_clips : int
        How many clips were seen.
    mean : ndarray [shape=(n_features,)]
        Mean of each feature over the clips.
    deviation : ndarray [shape=(n_features,)]
        Standard deviation of each feature over the clips.
    """

    n_clips: int
    mean: Floats
    deviation: Floats

    @classmethod
    def of(cls, X: npt.ArrayLike) -> SpeakerStatistics:
        """Enrol a speaker from feature vectors [shape=(n_clips, n_features)].

        Raises
        ------
        InputError
            If there is no clip.
        """
        values = np.atleast_2d(np.asarray(X, dtype=np.float64))
        if values.shape[0] == 0:
            raise InputError("a speaker cannot be enrolled from no clips; one or more are needed")
        return cls(len(values), values.mean(axis=0), values.std(axis=0))

    @classmethod
    def of_emotion_shares(
        cls, X: npt.ArrayLike, shares: npt.ArrayLike, emotion_effects: EmotionEffects
    ) -> SpeakerStatistics:
        """Enrol a speaker as if the clips were in every emotion as often as those of the average training speaker.

        Parameters
        ----------
        X : array-like [shape=(n_clips, n_features)]
            Feature vectors.
        shares : array-like [shape=(n_clips, 8)]
            What a plain model says of each clip: probabilities, in the order of `EMOTIONS`.
        emotions : EmotionEffects
            What each emotion adds to a voice.

        Raises
        ------
        InputError
            If there is no clip.
        """
        believed = np.atleast_2d(np.asarray(shares, dtype=np.float64))
        rest = cls.of(np.atleast_2d(np.asarray(X, dtype=np.float64)) - believed @ emotion_effects.effects)
        return cls(rest.n_clips, rest.mean, np.sqrt(rest.deviation**2 + emotion_effects.variance))

    @classmethod
    def unknown(cls, n_features: int) -> SpeakerStatistics:
        """Return what is known of a speaker of whom nothing was heard: 0 clips, and zeros."""
        return cls(0, np.zeros(n_features), np.zeros(n_features))

    @property
    def is_enough(self) -> bool:
        """Whether a voice can be adapted by it: `FEWEST_CLIPS` or more were heard."""
        return self.n_clips >= FEWEST_CLIPS

    def save(self, path: str | Path, *, features: str, **more: Any) -> None:
        """Write the enrolment as JSON, with what its features are and whatever else is known of the speaker."""
        write_json(
            path,
            {
                "schema": SCHEMA,
                "n_clips": self.n_clips,
                "features": features,
                "mean": self.mean,
                "deviation": self.deviation,
                **more,
            },
        )

    @classmethod
    def load(cls, path: str | Path, *, features: str, n_features: int) -> SpeakerStatistics:
        """Read an enrolment made by :meth:`save`.

        Raises
        ------
        InputError
            If the file is no enrolment, or was made from other features.
        """
        content: Any = read_json(path)
        if not isinstance(content, dict) or content.get("schema") != SCHEMA:
            raise InputError(f"{path}: not an enrolment of schema {SCHEMA!r}")
        try:
            found = str(content["features"])
            known = cls(int(content["n_clips"]), *(np.asarray(content[of], float) for of in ("mean", "deviation")))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InputError(f"{path}: a damaged enrolment ({error!r}); enrol the speaker again") from error
        if found != features:
            raise InputError(
                f"{path}: enrolled with {found!r} features, not with the model's {features!r}; enrol the speaker again "
                "with this model"
            )
        if not 0 <= known.n_clips <= MOST_CLIPS:
            raise InputError(f"{path}: a damaged enrolment ({known.n_clips:g} clips); enrol the speaker again")
        if any(
            values.shape != (n_features,) or not (np.abs(values) < LARGEST).all()
            for values in (known.mean, known.deviation)
        ):
            raise InputError(f"{path}: a damaged enrolment (not a finite number a feature); enrol the speaker again")
        return known


class SpeakerScaler:
    """Standardise each speaker by their own clips, drawn towards the average training speaker.

    With ``n`` own clips and a prior worth ``k`` clips, the mean used is ``(n m + k M) / (n + k)`` and the variance
    likewise, where ``M`` is the mean over training speakers of their means and the prior variance the mean of their
    variances. With one clip a speaker's own variance is nothing and the result is close to plain standardisation, so
    adaptation degrades gently; with sixty it is that of the speaker.

    Parameters
    ----------
    prior_clips : float
        ``k``; larger trusts the training speakers more.
    """

    def __init__(self, *, prior_clips: float = PRIOR_CLIPS) -> None:
        self.prior_clips = prior_clips

    def fit(self, X: npt.ArrayLike, groups: npt.ArrayLike, y: npt.ArrayLike | None = None) -> SpeakerScaler:
        """Learn the average speaker.

        Parameters
        ----------
        X : array-like [shape=(n, n_features)]
            Features of training clips.
        groups : array-like [shape=(n,)]
            Who speaks.
        y : array-like of int [shape=(n,)], optional
            The place of each clip's emotion in `EMOTIONS`; without it `emotion_effects_` is None.
        """
        values, speakers = np.asarray(X, dtype=np.float64), np.asarray(groups)
        self.emotion_effects_: EmotionEffects | None = None if y is None else EmotionEffects.of(values, y, groups)
        known = [SpeakerStatistics.of(values[speakers == speaker]) for speaker in np.unique(speakers)]
        self.mean_: Floats = np.mean([speaker.mean for speaker in known], axis=0)
        within = np.mean([speaker.deviation**2 for speaker in known], axis=0)
        between = np.var([speaker.mean for speaker in known], axis=0)
        self.within_variance_: Floats = within
        self.total_variance_: Floats = within + between
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return the average speaker as what JSON knows; :meth:`from_dict` reads it back to the last bit."""
        return {
            "prior_clips": self.prior_clips,
            "mean": self.mean_,
            "within_variance": self.within_variance_,
            "total_variance": self.total_variance_,
            **({} if self.emotion_effects_ is None else {"emotion_effects": vars(self.emotion_effects_)}),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> SpeakerScaler:
        """Return a fitted scaler from what :meth:`to_dict` gave."""
        scaler = cls(prior_clips=float(content["prior_clips"]))
        scaler.mean_ = np.asarray(content["mean"], dtype=np.float64)
        scaler.within_variance_ = np.asarray(content["within_variance"], dtype=np.float64)
        scaler.total_variance_ = np.asarray(content["total_variance"], dtype=np.float64)
        emotion_effects = content.get("emotion_effects")
        scaler.emotion_effects_ = None
        if emotion_effects is not None:
            effects, frequencies = (
                np.asarray(emotion_effects[of], dtype=np.float64) for of in ("effects", "frequencies")
            )
            if effects.shape != (len(EMOTIONS), len(scaler.mean_)) or frequencies.shape != (len(EMOTIONS),):
                raise ValueError(f"emotion effects of shapes {effects.shape} and {frequencies.shape}")
            scaler.emotion_effects_ = EmotionEffects(effects, frequencies)
        return scaler

    def transform(self, X: npt.ArrayLike, groups: npt.ArrayLike) -> Floats:
        """Standardise each speaker's rows by that speaker's own rows in `X`.

        Returns
        -------
        ndarray [shape=(n, n_features)]
            About zero mean and unit variance within each speaker.
        """
        values, speakers = np.asarray(X, dtype=np.float64), np.asarray(groups)
        scaled = np.empty_like(values)
        for speaker in np.unique(speakers):
            rows = speakers == speaker
            scaled[rows] = self.transform_enrolled(values[rows], SpeakerStatistics.of(values[rows]))
        return scaled

    def transform_enrolled(self, X: npt.ArrayLike, enrolment: SpeakerStatistics) -> Floats:
        """Standardise rows of one speaker by an enrolment made from other clips of that speaker."""
        n, k = float(enrolment.n_clips), self.prior_clips
        n = 0.0 if n < FEWEST_CLIPS else n
        mean = (n * enrolment.mean + k * self.mean_) / (n + k)
        prior = self.within_variance_ if n else self.total_variance_
        variance = (n * enrolment.deviation**2 + k * prior) / (n + k)
        deviation = np.sqrt(variance)
        deviation = np.where(deviation > 1e-12, deviation, 1.0)
        return np.asarray((np.asarray(X, dtype=np.float64) - mean) / deviation)
