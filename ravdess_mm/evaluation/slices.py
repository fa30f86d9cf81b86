"""Accuracy by group: sex, intensity, statement, emotion and actor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import pandas as pd

from ravdess_mm.corpus.identifier import Take
from ravdess_mm.errors import InputError
from ravdess_mm.evaluation.intervals import DRAWS, check_draws, mean_estimate
from ravdess_mm.evaluation.metrics import scored_rows
from ravdess_mm.predictions import hits

DIMENSIONS: Final[dict[str, Callable[[Take], tuple[int, str]]]] = {
    "sex": lambda take: (take.actor % 2, take.sex.value),
    "intensity": lambda take: (take.intensity, take.intensity.label),
    "statement": lambda take: (take.statement, take.statement.name.lower()),
    "emotion": lambda take: (take.emotion, take.emotion.label),
    "actor": lambda take: (take.actor, f"{take.actor:02d}"),
}
"""By what a table is sliced: from a take to the place and the name of its part."""


def slices(table: pd.DataFrame, *, seed: int, draws: int = DRAWS) -> pd.DataFrame:
    """Score the parts of a model's test takes.

    Parameters
    ----------
    table : pandas.DataFrame
        A prediction table; its test rows count.
    seed, draws : int
        Of the bootstrap over actors.

    Returns
    -------
    pandas.DataFrame
        One row a part: ``dimension`` (a key of `DIMENSIONS`), ``part`` (such as ``female``), ``n_takes``,
        ``n_actors``, ``accuracy`` (0-1), ``low``, ``high`` (NaN for a part with one actor) and ``worst`` (whether it
        is the least accurate part of its dimension). The parts of one dimension add up to all test takes.

    Raises
    ------
    InputError
        If the table is unsound or an option is out of range.
    """
    check_draws(draws)
    rows = scored_rows(table)
    takes = [Take.parse(take) for take in rows["take"]]
    scored = []
    for dimension, part_of in DIMENSIONS.items():
        frame = pd.DataFrame([part_of(take) for take in takes], columns=["place", "part"])
        frame = frame.assign(actor=rows["actor"], right=hits(rows))
        for (_, part), group in frame.groupby(["place", "part"]):
            by_actor = group.groupby("actor")["right"].agg(["sum", "size"])
            sums, counts = by_actor["sum"].to_numpy(np.float64), by_actor["size"].to_numpy(np.int64)
            estimate = mean_estimate(sums, counts, draws=draws, seed=seed)
            scored.append((dimension, part, len(group), len(by_actor), estimate.value, estimate.low, estimate.high))
    columns = ["dimension", "part", "n_takes", "n_actors", "accuracy", "low", "high"]
    table_of_slices = pd.DataFrame(scored, columns=columns).astype({"low": np.float64, "high": np.float64})
    worst = table_of_slices.groupby("dimension")["accuracy"].idxmin()
    return table_of_slices.assign(worst=table_of_slices.index.isin(worst))


def worst_slice(table_of_slices: pd.DataFrame) -> str:
    """Name the least accurate part of all, in words such as ``emotion surprised: 46.9 % [40.1, 54.2] of 160 takes``.

    Parts that stand alone in their dimension are the whole and cannot be worse than the rest: they do not count.

    Raises
    ------
    InputError
        If no dimension has two parts.
    """
    parts = table_of_slices.groupby("dimension")["part"].transform("size")
    candidates = table_of_slices[parts > 1]
    if candidates.empty:
        raise InputError("no dimension has two parts to compare; the table has one take, or takes of one kind")
    worst = candidates.iloc[int(candidates["accuracy"].argmin())]
    interval = "" if np.isnan(worst["low"]) else f" [{100 * worst['low']:.1f}, {100 * worst['high']:.1f}]"
    return (
        f"{worst['dimension']} {worst['part']}: {100 * worst['accuracy']:.1f} %{interval} of {worst['n_takes']} takes"
    )
