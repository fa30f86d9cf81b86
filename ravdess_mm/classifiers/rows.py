"""Rows of a feature table: checked once, sorted by take, so that no result depends on the order of files."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from ravdess_mm.classifiers.family import Floats, Integers
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.errors import InputError
from ravdess_mm.store import fingerprint

LABEL_COLUMNS: Final[tuple[str, ...]] = ("take", "actor", "emotion")


@dataclass(frozen=True)
class Sample:
    """Labelled rows.

    Attributes
    ----------
    X : numpy.ndarray of float64 [shape=(n, n_features)]
        Features as they are, not standardised.
    y : numpy.ndarray of int [shape=(n,)]
        Places in `EMOTIONS`.
    groups : numpy.ndarray of int [shape=(n,)]
        The actor of each row.
    """

    X: Floats
    y: Integers
    groups: Integers

    def __len__(self) -> int:
        return len(self.y)

    def rows(self, chosen: Any) -> Sample:
        """Return the rows that an index or mask chooses."""
        return Sample(self.X[chosen], self.y[chosen], self.groups[chosen])

    def encoded(self) -> tuple[Integers, Integers]:
        """Return the places in `EMOTIONS` that occur, sorted, and each row's place among those."""
        classes, codes = np.unique(self.y, return_inverse=True)
        return classes.astype(np.int64), codes.astype(np.int64)


@dataclass(frozen=True)
class FeatureRows:
    """A checked feature table, sorted by take.

    Attributes
    ----------
    takes : tuple of str [n]
    names : tuple of str [n_features]
    sample : Sample [n]
    """

    takes: tuple[str, ...]
    names: tuple[str, ...]
    sample: Sample

    def of_actors(self, actors: Collection[int]) -> FeatureRows:
        """Return the rows of some actors."""
        chosen = np.isin(self.sample.groups, list(actors))
        takes = tuple(take for take, keep in zip(self.takes, chosen, strict=True) if keep)
        return FeatureRows(takes, self.names, self.sample.rows(chosen))

    def digest(self) -> str:
        """Return a SHA-256 of names, takes, labels and values."""
        values = hashlib.sha256(np.ascontiguousarray(self.sample.X).tobytes()).hexdigest()
        return fingerprint(self.names, self.takes, self.sample.y, self.sample.groups, values)


def check_features(features: pd.DataFrame) -> FeatureRows:
    """Check a feature table and sort it by take.

    Parameters
    ----------
    features : pandas.DataFrame
        Columns take, actor, emotion and any number of numeric ones.

    Raises
    ------
    InputError
        Names the column, take or label that is wrong: one is missing, not numeric, not finite, or there twice.
    """
    missing = [name for name in LABEL_COLUMNS if name not in features.columns]
    if missing:
        raise InputError(f"the feature table has no column {missing[0]!r}; it needs {', '.join(LABEL_COLUMNS)}")
    names = tuple(str(name) for name in features.columns if name not in LABEL_COLUMNS)
    if not names or features.empty:
        raise InputError(f"the feature table has {len(features)} rows and {len(names)} features; both are needed")
    table = features.sort_values("take", kind="stable")
    doubled = table["take"].duplicated()
    if doubled.any():
        raise InputError(f"the feature table has take {table['take'][doubled].iloc[0]} twice")
    unknown = sorted(set(table["emotion"]) - set(EMOTIONS))
    if unknown:
        raise InputError(f"unknown emotion {unknown[0]!r}; allowed: {', '.join(EMOTIONS)}")
    y = np.array([EMOTIONS.index(emotion) for emotion in table["emotion"]], dtype=np.int64)
    groups = table["actor"].to_numpy(dtype=np.int64)
    return FeatureRows(tuple(table["take"]), names, Sample(_finite_values(table, names), y, groups))


def _finite_values(table: pd.DataFrame, names: tuple[str, ...]) -> Floats:
    wrong = [name for name in names if not pd.api.types.is_numeric_dtype(table[name])]
    if wrong:
        raise InputError(f"feature {wrong[0]!r} is not numeric; its type is {table[wrong[0]].dtype}")
    values = table[list(names)].to_numpy(dtype=np.float64)
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise InputError(f"take {table['take'].iloc[row]} has no finite value of {names[column]}")
    return values
