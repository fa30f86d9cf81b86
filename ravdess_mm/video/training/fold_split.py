"""Train, validation and test actors of a fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.corpus.splits import Fold, check_disjoint, validation_actors


@dataclass(frozen=True)
class FoldSide:
    """Some frames of a store, and who is on them.

    Attributes
    ----------
    rows : numpy.ndarray of int [n]
        Which frames.
    labels : numpy.ndarray of int [n]
        Their classes, as positions in `EMOTIONS`.
    actors : tuple of int
        Who was asked for.
    """

    rows: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    actors: tuple[int, ...]

    @classmethod
    def of(cls, index: pd.DataFrame, actors: Sequence[int]) -> FoldSide:
        """Find the frames of some actors."""
        rows = np.flatnonzero(index["actor"].isin(actors).to_numpy())
        labels = pd.Categorical(index["emotion"].iloc[rows], categories=EMOTIONS).codes.astype(np.int64)
        return cls(rows, labels, tuple(actors))


@dataclass(frozen=True)
class FoldSplit:
    """Who is trained on, who watches the training, who is tested."""

    train: FoldSide
    validation: FoldSide
    test: FoldSide


def split_fold(index: pd.DataFrame, fold: Fold, *, share: float, seed: int) -> FoldSplit:
    """Set validation actors apart and find everybody's frames.

    Parameters
    ----------
    index : pandas.DataFrame
        The index of a frame store.
    fold : Fold
        Who is trained on and who is tested.
    share : float
        Wanted share of validation actors among the training actors, 0-1 exclusive.
    seed : int
        Seed of their choice.

    Raises
    ------
    LeakageError
        If an actor is on two sides.
    """
    watching = validation_actors(fold.train, share=share, seed=seed)
    trained = tuple(actor for actor in fold.train if actor not in watching)
    sides = FoldSplit(FoldSide.of(index, trained), FoldSide.of(index, watching), FoldSide.of(index, fold.test))
    actors = index["actor"].to_numpy()
    check_disjoint(actors[sides.train.rows], actors[sides.validation.rows])
    check_disjoint(actors[np.r_[sides.train.rows, sides.validation.rows]], actors[sides.test.rows])
    return sides
