"""Rows of a feature table: checked once, sorted by take, so that no result depends on the order of files."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd

from ravdess_mm.arrays import Floats, Integers
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.errors import InputError, LeakageError
from ravdess_mm.store import fingerprint

LABEL_COLUMNS: Final[tuple[str, ...]] = ("take", "actor", "emotion")


@dataclass(frozen=True)
class Copies:
    """Changed copies of the rows of a sample: learned from, never scored, always on the side of their row.

    Attributes
    ----------
    X : numpy.ndarray of float64 [shape=(m, n_features)]
    owners : numpy.ndarray of int [shape=(m,)]
        Which row each is a copy of.
    kinds : numpy.ndarray of int [shape=(m,)]
        How it was changed; copies of one kind are as alike as recordings of one place.
    """

    X: Floats
    owners: Integers
    kinds: Integers

    def of_rows(self, kept: Integers, n_rows: int) -> Copies:
        """Return the copies of the rows `kept` [shape=(k,)] out of `n_rows`, whose places are now 0 .. k-1."""
        new_index = np.full(n_rows, -1, dtype=np.int64)
        new_index[kept] = np.arange(len(kept))
        owners = new_index[self.owners]
        return Copies(self.X[owners >= 0], owners[owners >= 0], self.kinds[owners >= 0])


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
    copies : Copies or None
        What a model may learn from besides.
    is_scaled : bool
        Whether the features stand in their right proportions already: they are then not standardised again.
    """

    X: Floats
    y: Integers
    groups: Integers
    copies: Copies | None = None
    is_scaled: bool = False

    def __len__(self) -> int:
        return len(self.y)

    def rows(self, chosen: Any) -> Sample:
        """Return the rows that an index or mask chooses, with their copies."""
        kept = np.arange(len(self))[chosen]
        copies = None if self.copies is None else self.copies.of_rows(kept, len(self))
        return replace(self, X=self.X[chosen], y=self.y[chosen], groups=self.groups[chosen], copies=copies)

    def learned(self) -> Sample:
        """Return what a model is fitted on: the rows, then their copies as rows of the same emotion and actor."""
        if self.copies is None:
            return self
        owners = self.copies.owners
        return Sample(
            np.concatenate([self.X, self.copies.X]),
            np.concatenate([self.y, self.y[owners]]),
            np.concatenate([self.groups, self.groups[owners]]),
            is_scaled=self.is_scaled,
        )

    @property
    def total_variance(self) -> float:
        """Sum of the variances of the features as a model sees them; of standardised ones, their number."""
        return float(self.X.var(axis=0).sum()) if self.is_scaled else float(self.X.shape[1])

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

    def with_copies(self, tables: Sequence[pd.DataFrame]) -> FeatureRows:
        """Return the same rows with changed copies beside them.

        Parameters
        ----------
        tables : sequence of pandas.DataFrame
            Feature tables, one a kind of change, of some of these takes or all.

        Raises
        ------
        LeakageError
            If a table has a take that is not among these rows: nobody else may be learned from.
        InputError
            If a table is unsound or has other columns.
        """
        row_of = {take: index for index, take in enumerate(self.takes)}
        values, owners, kinds = [], [], []
        for kind, table in enumerate(tables):
            rows = check_features(table)
            foreign = [take for take in rows.takes if take not in row_of]
            if foreign:
                raise LeakageError(f"take {foreign[0]} has a changed copy, but it is not among the takes to train on")
            if rows.names != self.names:
                raise InputError(f"changed copies have {len(rows.names)} features that are not the {len(self.names)}")
            values.append(rows.sample.X)
            owners += [row_of[take] for take in rows.takes]
            kinds += [kind] * len(rows.takes)
        if not owners:
            return self
        copies = Copies(np.concatenate(values), np.array(owners, dtype=np.int64), np.array(kinds, dtype=np.int64))
        return FeatureRows(self.takes, self.names, replace(self.sample, copies=copies))

    def digest(self) -> str:
        """Return a SHA-256 of names, takes, labels and values, and of the copies where there are any."""
        parts = [self.names, self.takes, self.sample.y, self.sample.groups, _digest_of(self.sample.X)]
        if self.sample.copies is not None:
            parts += [self.sample.copies.owners, self.sample.copies.kinds, _digest_of(self.sample.copies.X)]
        return fingerprint(*parts)


def _digest_of(values: Floats) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


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
