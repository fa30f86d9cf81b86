"""Thousands of features brought to a few hundred: principal components of the training rows.

Kernel machines see distances alone, and a few hundred components keep those; what a fold stores and computes becomes
ten times smaller (Jolliffe IT (2002), Principal component analysis, 2nd ed., Springer).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ravdess_mm.arrays import Floats
from ravdess_mm.classifiers.rows import Sample
from ravdess_mm.classifiers.stored_machine import bounded


@dataclass(frozen=True)
class Projection:
    """Standardise features, then take their principal components in their right proportions.

    Attributes
    ----------
    mean, scale : numpy.ndarray of float64 [shape=(n_features,)]
        A feature is standardised as (x - mean) / scale.
    components : numpy.ndarray of float16 [shape=(n_features, n_components)]
        Directions of unit length, to the precision in which they are stored.
    spread : float
        What components are divided by: the deviation of the first one, so that none is clipped by a kernel machine.
    """

    mean: Floats
    scale: Floats
    components: npt.NDArray[np.float16]
    spread: float

    @classmethod
    def fit(cls, X: Floats, n_components: int) -> Projection:
        """Learn the components, without labels, from training rows [shape=(n, n_features)].

        There are at most n - 1 of them.
        """
        mean, scale = X.mean(axis=0), X.std(axis=0)
        scale = np.where(scale > 1e-12, scale, 1.0)
        rows = bounded((X - mean) / scale)
        centred = rows - rows.mean(axis=0)
        # as many rows as takes and far more features: components from the inner products of rows
        values, vectors = np.linalg.eigh(centred @ centred.T)
        kept = np.flatnonzero(values > values[-1] * 1e-9)[::-1][:n_components]
        directions = centred.T @ (vectors[:, kept] / np.sqrt(values[kept]))
        # the sign of an eigenvector is nobody's choice: the largest entry is positive
        largest = np.abs(directions).argmax(axis=0)
        directions *= np.sign(directions[largest, np.arange(len(kept))])
        return cls(mean, scale, directions.astype(np.float16), float(np.sqrt(values[kept[0]] / len(X))))

    @property
    def n_components(self) -> int:
        """How many components there are."""
        return int(self.components.shape[1])

    def transform(self, X: Floats) -> Floats:
        """Return the components [shape=(n, n_components)] of rows [shape=(n, n_features)]."""
        rows = np.asarray(bounded((X - self.mean) / self.scale), dtype=np.float32)
        return np.asarray(rows @ self.components.astype(np.float32), dtype=np.float64) / self.spread

    def of_sample(self, sample: Sample) -> Sample:
        """Return a sample whose rows and copies are components, which are not standardised again."""
        copies = sample.copies
        if copies is not None:
            copies = replace(copies, X=self.transform(copies.X))
        return replace(sample, X=self.transform(sample.X), copies=copies, is_scaled=True)

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return what `of_arrays` needs."""
        return {**vars(self), "spread": np.array(self.spread)}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], *, n_features: int) -> Projection:
        """Become the projection that `to_arrays` was called on.

        Raises
        ------
        ValueError
            If an array is missing, has another shape or type, or holds anything but finite numbers.
        """
        wanted: dict[str, tuple[type, int]] = {
            "mean": (np.float64, 1),
            "scale": (np.float64, 1),
            "components": (np.float16, 2),
            "spread": (np.float64, 0),
        }
        for name, (kind, n_dimensions) in wanted.items():
            array = arrays.get(name)
            if array is None:
                raise ValueError(f"no array {name!r}")
            fits = array.dtype == kind and array.ndim == n_dimensions and array.shape[:1] in ((), (n_features,))
            if not fits or not np.isfinite(array).all():
                raise ValueError(f"array {name!r} is not of {n_features} features in finite numbers")
        if not (arrays["scale"] > 0).all() or not arrays["spread"] > 0 or not arrays["components"].shape[1]:
            raise ValueError("its arrays contradict each other")
        return cls(arrays["mean"], arrays["scale"], arrays["components"], float(arrays["spread"]))
