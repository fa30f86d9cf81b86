"""Bootstrap intervals that resample actors: takes of one actor are not independent.

The draws are multinomial counts of actors, so that the statistic of all draws is one matrix product over sums that
were taken once an actor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ravdess_mm.arrays import Floats, Integers
from ravdess_mm.errors import InputError

DRAWS: Final = 2000
LEVEL: Final = 0.95
FEW_ACTORS: Final = 10
"""Below this many actors a percentile interval is visibly too narrow: ``tests/evaluation/test_intervals.py``."""


@dataclass(frozen=True)
class Estimate:
    """A figure and its interval; both ends are None where the interval is undefined."""

    value: float
    low: float | None
    high: float | None

    @classmethod
    def of(cls, value: float, low: float, high: float) -> Estimate:
        """Return an estimate from a table, where ends that are not finite stand for an undefined interval."""
        is_defined = np.isfinite(low) and np.isfinite(high)
        return cls(float(value), float(low) if is_defined else None, float(high) if is_defined else None)

    def to_dict(self) -> dict[str, float | None]:
        """Return ``{"value", "low", "high"}``."""
        return {"value": self.value, "low": self.low, "high": self.high}


def actor_draws(n_actors: int, *, draws: int, seed: int) -> Integers:
    """Draw actors with replacement.

    Returns
    -------
    ndarray of int [shape=(draws, n_actors)]
        How often each actor was drawn; every row sums to `n_actors`.
    """
    shares = np.full(n_actors, 1 / n_actors)
    return np.random.default_rng(seed).multinomial(n_actors, shares, size=draws)


def percentile_estimate(value: float, resampled: Floats | None, *, level: float = LEVEL) -> Estimate:
    """Return `value` with the percentile interval of its bootstrap draws.

    Parameters
    ----------
    value : float
        The figure on all actors.
    resampled : ndarray [shape=(draws,)] or None
        The same figure on each draw; None where there is only one actor.
    level : float
        Share of the draws inside, such as 0.95.

    References
    ----------
    Efron B, Tibshirani RJ (1993), An introduction to the bootstrap, chapter 13.
    """
    if resampled is None:
        return Estimate(float(value), None, None)
    tail = (1 - level) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return Estimate(float(value), float(low), float(high))


def mean_estimate(sums: Floats, counts: Integers, *, draws: int, seed: int, level: float = LEVEL) -> Estimate:
    """Return a mean over takes with its actor-level interval.

    Parameters
    ----------
    sums : ndarray [shape=(n_actors,)]
        Sum of the quantity over the takes of each actor.
    counts : ndarray of int [shape=(n_actors,)]
        Number of takes of each actor.
    """
    value = float(sums.sum() / counts.sum())
    if len(sums) < 2:
        return Estimate(value, None, None)
    drawn = actor_draws(len(sums), draws=draws, seed=seed)
    return percentile_estimate(value, (drawn @ sums) / (drawn @ counts), level=level)


def few_actors_note(n_actors: int) -> str | None:
    """Return the words of caution that belong to an interval from few actors, or None."""
    if n_actors == 1:
        return "one actor: an interval over actors is undefined"
    if n_actors < FEW_ACTORS:
        return f"intervals rest on {n_actors} actors only and are likely too narrow"
    return None


def check_draws(draws: int) -> None:
    """Raise `InputError` if a bootstrap or a permutation test has fewer than one draw."""
    if draws < 1:
        raise InputError(f"bootstrap draws is {draws}; allowed: 1 or more")
