"""Who speaks when: segments of a recording told apart by their voices, where it is known how many people speak.

What is heard in a segment tells emotions from each other as well as people. So people are told apart in a space that
was
learned from many actors, each in every emotion: directions in which actors differ far more than one actor from take to
take (linear discriminant analysis: Fisher RA (1936), Annals of Eugenics 7(2):179-188).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ravdess_mm.arrays import Floats, Integers
from ravdess_mm.audio.decoding import Samples
from ravdess_mm.audio.embedding import FEATURE_SET
from ravdess_mm.bundles.bundle import Bundle, arrays_part, read_bundle, write_bundle
from ravdess_mm.errors import BundleError, InputError, MediaError
from ravdess_mm.parallel.progress import track
from ravdess_mm.store import plain

logger = logging.getLogger(__name__)

KIND: Final = "speaker-space"
SPACE_PART: Final = "space.npz"

COMPONENTS: Final = 200
"""Principal components that the directions are sought among."""
SHRINKAGE: Final = 0.1
"""Of the covariance of an actor's takes towards a multiple of the identity, 0-1."""
BOUND: Final = 5.0
"""Standardised features are held to this, so that one odd value does not decide who speaks."""


@dataclass(frozen=True)
class SpeakerSpace:
    """Directions in which people's voices differ.

    Attributes
    ----------
    mean, scale : numpy.ndarray [shape=(n_features,)]
        Standardise a feature.
    directions : numpy.ndarray [shape=(n_features, n_directions)]
        Scaled so that the takes of one actor vary by about 1 in each.
    """

    mean: Floats
    scale: Floats
    directions: Floats

    @classmethod
    def learn(cls, X: npt.ArrayLike, actors: npt.ArrayLike) -> SpeakerSpace:
        """Learn the space.

        Parameters
        ----------
        X : array-like [shape=(n, n_features)]
            Features of takes.
        actors : array-like [shape=(n,)]
            Who speaks in each.

        Raises
        ------
        InputError
            If there are fewer than two actors, or no actor has two takes.
        """
        from sklearn.decomposition import PCA
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

        values, speakers = np.asarray(X, dtype=np.float64), np.asarray(actors)
        n_speakers = len(np.unique(speakers))
        if not 2 <= n_speakers < len(values):
            raise InputError(
                f"{len(values)} takes of {n_speakers} actors; voices are told apart by two actors or more, of whom "
                "one at least has two takes"
            )
        mean, scale = values.mean(axis=0), values.std(axis=0)
        scale[scale < 1e-12] = 1.0
        found = cls(mean, scale, np.eye(values.shape[1]))
        rows = found.place(values)
        components = PCA(min(COMPONENTS, *rows.shape), svd_solver="full").fit(rows).components_
        apart = LinearDiscriminantAnalysis(solver="eigen", shrinkage=SHRINKAGE).fit(rows @ components.T, speakers)
        return cls(mean, scale, components.T @ apart.scalings_[:, : n_speakers - 1])

    def place(self, X: npt.ArrayLike) -> Floats:
        """Return where feature vectors [shape=(n, n_features)] lie in the space [shape=(n, n_directions)]."""
        standard = (np.asarray(X, dtype=np.float64) - self.mean) / self.scale
        return np.asarray(np.clip(standard, -BOUND, BOUND) @ self.directions)

    def tell_apart(self, X: npt.ArrayLike, n_speakers: int) -> Integers:
        """Tell who speaks in each of several segments.

        Parameters
        ----------
        X : array-like [shape=(n, n_features)]
            Features of the segments, n at least 1.
        n_speakers : int
            How many people there are, at least 1; no more than there are segments are found.

        Returns
        -------
        numpy.ndarray [shape=(n,), dtype=int64]
            1 for whoever speaks first, 2 for whoever is next to speak first, ...: clusters of least variance (Ward JH
            (1963), JASA 58(301):236-244).
        """
        points = self.place(X)
        n = min(n_speakers, len(points))
        if n < 2:
            return np.ones(len(points), dtype=np.int64)
        from sklearn.cluster import AgglomerativeClustering

        labels = AgglomerativeClustering(n, linkage="ward").fit_predict(points)
        _, first = np.unique(labels, return_index=True)
        numbers = np.empty(n, dtype=np.int64)
        numbers[np.argsort(first)] = np.arange(1, n + 1)
        return np.asarray(numbers[labels])

    def save(self, folder: Path, *, card: dict[str, Any], text: str) -> Bundle:
        """Write a bundle, in single precision, with what a reader has to know and a model card."""
        names = ("mean", "scale", "directions")
        arrays = {name: getattr(self, name).astype(np.float32) for name in names}
        return write_bundle(
            folder,
            kind=KIND,
            card={**plain(card), "feature_set": FEATURE_SET},
            files={SPACE_PART: arrays_part(arrays), "MODEL_CARD.md": text.encode()},
        )

    @classmethod
    def load(cls, folder: Path) -> SpeakerSpace:
        """Read a bundle.

        Raises
        ------
        BundleError
            If it is not a sound bundle of a speaker space.
        """
        bundle = read_bundle(folder)
        if bundle.kind != KIND:
            raise BundleError(f"{folder}: the bundle holds a {bundle.kind!r}; expected {KIND!r}")
        arrays = bundle.load_arrays(SPACE_PART)
        try:
            mean, scale, directions = (np.asarray(arrays[of], np.float64) for of in ("mean", "scale", "directions"))
            feature_set = str(bundle.card["feature_set"])
        except (KeyError, ValueError, TypeError) as error:
            raise BundleError(f"{folder}: no speaker space ({error!r})") from error
        if feature_set != FEATURE_SET:
            raise BundleError(f"{folder}: was learned from {feature_set!r} features; allowed: {FEATURE_SET!r}")
        if directions.ndim != 2 or not mean.shape == scale.shape == directions.shape[:1]:
            raise BundleError(f"{folder}: the arrays of the speaker space do not fit each other")
        return cls(mean, scale, directions)


@dataclass(frozen=True)
class People:
    """How many people speak in a recording, and what tells their voices apart.

    Attributes
    ----------
    n_speakers : int
        At least 1.
    space : SpeakerSpace
        Where their voices differ.
    """

    n_speakers: int
    space: SpeakerSpace

    def name_speakers(self, segments: Sequence[Samples], sr: int, *, name: str) -> tuple[list[int | None], str]:
        """Tell who speaks in each segment of a recording.

        Parameters
        ----------
        segments : sequence of numpy.ndarray [shape=(n,)]
            Mono samples.
        sr : int
            Their sampling rate, in Hz.
        name : str
            Of the recording.

        Returns
        -------
        speakers : list of int or None
            One a segment; None where its sound cannot be used.
        note : str
            How many segments each speaker has.
        """
        from ravdess_mm.audio.voice_features import EmbeddingFeatures

        features = EmbeddingFeatures()
        speakers: list[int | None] = [None] * len(segments)
        vectors: dict[int, Any] = {}
        for number, samples in enumerate(track(segments, f"speakers of {name}", unit="segment")):
            try:
                vectors[number] = features.extract(samples, sr)
            except MediaError as error:
                logger.debug("%s: nobody's segment (%s)", name, error)
        if not vectors:
            return speakers, "speakers: not told apart, no segment has sound that can be used"
        numbers = self.space.tell_apart(np.stack(list(vectors.values())), self.n_speakers)
        for segment, speaker in zip(vectors, numbers.tolist(), strict=True):
            speakers[segment] = speaker
        counts = enumerate(np.bincount(numbers)[1:], start=1)
        listed = ", ".join(f"speaker {speaker} in {n} of the segments" for speaker, n in counts)
        return speakers, f"told apart by voice: {listed}"
