"""Leakage of a split that ignores subjects: a demonstration, never a result."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ravdess_mm.video.stills.datasets import Stills, subject_folds


@dataclass(frozen=True)
class StillLeakage:
    """Accuracy of a nearest neighbour on raw pixels under two splits.

    Attributes
    ----------
    random_split : float
        Accuracy of ten random folds. Near-duplicates of every test image are in the training folds.
    by_subject : float
        Accuracy of ten folds by subject.
    """

    random_split: float
    by_subject: float

    def __str__(self) -> str:
        return (
            "demonstration of leakage, not a result: a nearest neighbour on raw pixels scores "
            f"{self.random_split:.1%} on a random split of CK+48 and {self.by_subject:.1%} by subject"
        )


def demonstrate_still_leakage(stills: Stills) -> StillLeakage:
    """Show what a random split of consecutive video frames is worth, next to the split by subject."""
    random_folds = np.random.default_rng(0).permutation(len(stills)) % 10
    return StillLeakage(
        random_split=_nearest_neighbour_accuracy(stills, random_folds),
        by_subject=_nearest_neighbour_accuracy(stills, subject_folds(stills)),
    )


def _nearest_neighbour_accuracy(stills: Stills, folds: npt.NDArray[np.int64]) -> float:
    pixels = stills.images.reshape(len(stills), -1).astype(np.float64)
    squares = (pixels**2).sum(axis=1)
    distances = squares[:, None] + squares[None, :] - 2 * pixels @ pixels.T
    distances[folds[:, None] == folds[None, :]] = np.inf
    return float((stills.labels[distances.argmin(axis=1)] == stills.labels).mean())
