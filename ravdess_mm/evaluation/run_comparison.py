"""Comparison of runs: models of the same name, on the takes that both runs have scored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ravdess_mm.errors import InputError
from ravdess_mm.evaluation.comparison import Comparison, PermutationTest, compare, correct_family, permutation_test
from ravdess_mm.evaluation.intervals import DRAWS
from ravdess_mm.predictions import rows_for_test

Tables = Mapping[str, pd.DataFrame]
"""Model name to prediction table: the predictions of one run."""


@dataclass(frozen=True)
class Pair:
    """One model in two runs.

    Attributes
    ----------
    run : str
        The run that is set against the first one.
    model : str
        The model, of the same name in both.
    comparison : Comparison
        That run minus the first one, on common takes; Holm over all pairs.
    n_takes_run, n_takes_first : int
        Takes that each of the two scored by itself.
    """

    run: str
    model: str
    comparison: Comparison
    n_takes_run: int
    n_takes_first: int


@dataclass(frozen=True)
class RunComparison:
    """Runs against the first of them.

    Attributes
    ----------
    first : str
        The run all others are set against.
    pairs : tuple of Pair
        By run, then by model.
    chance : dict of str to PermutationTest
        Each run's main model (``fused`` where it is there) against chance.
    alone : dict of str to tuple of str
        Run to the models that have no counterpart in the first run, or for the first run, in no other.
    """

    first: str
    pairs: tuple[Pair, ...]
    chance: dict[str, PermutationTest]
    alone: dict[str, tuple[str, ...]]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as what JSON knows."""
        return {
            "schema": "comparison/1",
            "first": self.first,
            "pairs": [
                {
                    "run": pair.run,
                    "model": pair.model,
                    "n_takes_run": pair.n_takes_run,
                    "n_takes_first": pair.n_takes_first,
                    **pair.comparison.to_dict(),
                }
                for pair in self.pairs
            ],
            "chance": {run: test.to_dict() for run, test in self.chance.items()},
            "alone": {run: list(models) for run, models in self.alone.items()},
        }


def compare_runs(runs: Mapping[str, Tables], *, seed: int, draws: int = DRAWS) -> RunComparison:
    """Compare every run with the first one, model by model, on the takes that both have scored.

    Parameters
    ----------
    runs : mapping of str to mapping of str to pandas.DataFrame
        Run to model to prediction table; two runs or more.
    seed, draws : int
        Of the bootstrap and the permutations.

    Raises
    ------
    InputError
        If there are fewer than two runs, or a run has no model of a name that the first one has with a take in
        common.
    """
    if len(runs) < 2:
        raise InputError(f"comparing needs two runs or more; got {', '.join(runs) or 'none'}")
    (first, reference), *others = runs.items()
    pairs: list[Pair] = []
    for run, tables in others:
        names = [name for name in tables if name in reference]
        if not names:
            raise InputError(
                f"{run} and {first} have no model in common ({', '.join(tables) or 'none'}; "
                f"{', '.join(reference) or 'none'})"
            )
        candidates = [_pair(first, run, name, reference[name], tables[name], seed, draws) for name in names]
        compared = [pair for pair in candidates if pair is not None]
        if not compared:
            raise InputError(
                f"{run} and {first} have no test take in common, so there is nothing to compare; they need test "
                "actors, channel and data that overlap"
            )
        pairs += compared
    corrected = correct_family([pair.comparison for pair in pairs])
    matched = {pair.model for pair in pairs}
    alone = {run: tuple(name for name in tables if name not in reference) for run, tables in others}
    alone[first] = tuple(name for name in reference if name not in matched)
    return RunComparison(
        first=first,
        pairs=tuple(
            Pair(pair.run, pair.model, comparison, pair.n_takes_run, pair.n_takes_first)
            for pair, comparison in zip(pairs, corrected, strict=True)
        ),
        chance={run: _against_chance(tables, seed=seed, draws=draws) for run, tables in runs.items()},
        alone={run: models for run, models in alone.items() if models},
    )


def _pair(
    first: str, run: str, name: str, reference: pd.DataFrame, table: pd.DataFrame, seed: int, draws: int
) -> Pair | None:
    scored, scored_first = rows_for_test(table), rows_for_test(reference)
    if not set(scored["take"]) & set(scored_first["take"]):
        return None
    comparison = compare(table, reference, seed=seed, draws=draws, names=(run, first))
    return Pair(run, name, comparison, len(scored), len(scored_first))


def _against_chance(tables: Tables, *, seed: int, draws: int) -> PermutationTest:
    main = "fused" if "fused" in tables else sorted(tables)[0]
    return permutation_test(tables[main], seed=seed, draws=draws)
