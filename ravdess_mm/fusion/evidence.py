"""The rows that a fusion rule may be fitted on: out of fold, and of actors that it is not scored on.

There is no other way into the functions that learn (temperatures, weights, stacking, the choice of a model): they take
:class:`Evidence` only, and evidence checks its rows when it is made. A prediction table has no role for rows a model
was fitted on, so in-sample probabilities have no way in either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ravdess_mm.arrays import Floats, Integers
from ravdess_mm.calibration import FLOOR, probabilities
from ravdess_mm.corpus.splits import HOLDOUT_NUMBER, check_disjoint
from ravdess_mm.errors import LeakageError
from ravdess_mm.predictions import labels_of, probabilities_of


@dataclass(frozen=True)
class Evidence:
    """Takes that every one of some models has predicted out of fold.

    Parameters
    ----------
    names : tuple of str [m]
        The models.
    rows : pandas.DataFrame [n]
        ``take``, ``actor``, ``emotion``, ``fold``, ``role`` of each take, sorted by take; may be empty.
    log_probabilities : ndarray [shape=(n, m, 8)]
        Of each take and model; no smaller than the logarithm of `FLOOR`.
    scored_fold : int
        The fold that what is learned here will be applied to; -1 for a holdout.
    scored_actors : tuple of int
        The actors that what is learned here will be applied to.

    Raises
    ------
    LeakageError
        If an actor is on both sides, or a row is neither out-of-fold within the scored fold nor a test row of another
        fold.
    """

    names: tuple[str, ...]
    rows: pd.DataFrame
    log_probabilities: Floats
    scored_fold: int
    scored_actors: tuple[int, ...]

    def __post_init__(self) -> None:
        same_fold = self.rows["fold"] == self.scored_fold
        inner = (self.rows["role"] == "oof") & same_fold
        other = (self.rows["role"] == "test") & ~same_fold
        if not (inner | other).all():
            bad = self.rows[~(inner | other)].iloc[0]
            raise LeakageError(
                f"take {bad['take']} (role {bad['role']}, fold {bad['fold']}) cannot teach what is applied to fold "
                f"{self.scored_fold}; allowed: role oof of that fold, role test of other folds"
            )
        check_disjoint(self.rows["actor"].to_numpy(), np.array(self.scored_actors, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def labels(self) -> Integers:
        """True labels [shape=(n,)] as positions in `EMOTIONS`."""
        return labels_of(self.rows)

    @property
    def n_actors(self) -> int:
        """Whose takes these are, counted."""
        return int(self.rows["actor"].nunique())

    def calibrated(self, temperatures: Sequence[float]) -> Evidence:
        """Return the same takes with each model's probabilities at its temperature."""
        return replace(self, log_probabilities=at_temperatures(self.log_probabilities, temperatures))


def collect_evidence(tables: Mapping[str, pd.DataFrame], *, scored_fold: int, scored_actors: Sequence[int]) -> Evidence:
    """Collect the takes that all of some models have predicted out of fold, for what is applied to one fold.

    Rows of role ``oof`` of that fold come first: no model behind them has seen the actors of the fold. Only where a
    model has none do the test rows of the *other* folds stand in, for all models alike. Those come from models that
    were fitted on the scored actors too, so what they teach is a little contrary to what the scored fold needs.

    Parameters
    ----------
    tables : mapping of str to pandas.DataFrame
        Model name to checked prediction table.
    scored_fold : int
        -1 for a holdout, which has out-of-fold rows or nothing.
    scored_actors : sequence of int
        The actors that what is learned will be applied to.

    Returns
    -------
    Evidence
        Empty where the models have no such take in common.

    Raises
    ------
    LeakageError
        If a row would teach about an actor it is applied to.
    """
    parts = {name: table[(table["role"] == "oof") & (table["fold"] == scored_fold)] for name, table in tables.items()}
    if scored_fold != HOLDOUT_NUMBER and any(part.empty for part in parts.values()):
        parts = {
            name: table[(table["role"] == "test") & (table["fold"] != scored_fold)] for name, table in tables.items()
        }
    rows, values = join_by_take(parts)
    complete = np.flatnonzero(~np.isnan(values).any(axis=(1, 2)))
    return Evidence(
        names=tuple(parts),
        rows=rows.iloc[complete].reset_index(drop=True),
        log_probabilities=values[complete],
        scored_fold=scored_fold,
        scored_actors=tuple(sorted(set(scored_actors))),
    )


def join_by_take(parts: Mapping[str, pd.DataFrame]) -> tuple[pd.DataFrame, Floats]:
    """Put the rows of several models side by side.

    Parameters
    ----------
    parts : mapping of str to pandas.DataFrame
        Model name to prediction rows, each take once.

    Returns
    -------
    rows : pandas.DataFrame [n]
        ``take``, ``actor``, ``emotion``, ``fold``, ``role`` of every take that a model has, sorted by take.
    log_probabilities : ndarray [shape=(n, m, 8)]
        In the order of `parts`; NaN where a model does not have the take.
    """
    label_columns = ["take", "actor", "emotion", "fold", "role"]
    all_rows = pd.concat([part[label_columns] for part in parts.values()])
    rows = all_rows.drop_duplicates("take").sort_values("take").reset_index(drop=True)
    index = pd.Index(rows["take"])
    values = np.full((len(rows), len(parts), 8), np.nan)
    for column, part in enumerate(parts.values()):
        values[index.get_indexer(pd.Index(part["take"])), column] = np.log(np.maximum(probabilities_of(part), FLOOR))
    return rows, values


def at_temperatures(log_probabilities: Floats, temperatures: Sequence[float]) -> Floats:
    """Return log-probabilities [shape=(n, m, 8)] with each model's own temperature [m]; NaN stays NaN."""
    calibrated = [
        np.log(probabilities(log_probabilities[:, column], temperature=temperature))
        for column, temperature in enumerate(temperatures)
    ]
    return np.stack(calibrated, axis=1)
