"""Fusion of the test takes of one fold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ravdess_mm.arrays import Floats
from ravdess_mm.calibration import fit_temperature
from ravdess_mm.config import Rule
from ravdess_mm.fusion.evidence import Evidence, at_temperatures, collect_evidence, join_by_take
from ravdess_mm.fusion.rules import LEARNED_RULES, Combiner, learn_rule
from ravdess_mm.fusion.selection import choose_model
from ravdess_mm.fusion.tables import Candidates
from ravdess_mm.predictions import prediction_table


@dataclass(frozen=True)
class FittedCombiner:
    """A combination of branches and its fitted combiner.

    Attributes
    ----------
    sources : tuple of str
        The branches that are there.
    combiner : WeightedMean, Product, Pool or Stacking
        How their probabilities become one.
    n_takes, n_actors : int
        What it was learned from; 0 for a rule that learns nothing or had nothing to learn from.
    """

    sources: tuple[str, ...]
    combiner: Combiner
    n_takes: int
    n_actors: int


@dataclass(frozen=True)
class FoldRecipe:
    """How the test takes of one fold were fused.

    Attributes
    ----------
    fold : int
        -1 for a holdout.
    models : dict of str to str
        Branch to the model that speaks for it.
    temperatures : dict of str to float
        Branch to the temperature of its probabilities; 1 leaves them as they are.
    combiners : tuple of FittedCombiner
        One for each combination of two branches or more that occurs.
    unchecked : tuple of str
        Branches that no out-of-fold row speaks for, while one speaks for another: see :func:`fuse_fold`.
    """

    fold: int
    models: dict[str, str]
    temperatures: dict[str, float]
    combiners: tuple[FittedCombiner, ...]
    unchecked: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as what JSON knows."""
        return {
            "fold": self.fold,
            "models": dict(self.models),
            "temperatures": dict(self.temperatures),
            "lessons": [
                {
                    "sources": list(fitted.sources),
                    "n_takes": fitted.n_takes,
                    "n_actors": fitted.n_actors,
                    **fitted.combiner.to_dict(),
                }
                for fitted in self.combiners
            ],
            "unchecked": list(self.unchecked),
        }


@dataclass(frozen=True)
class FusedFold:
    """The takes of one fold, fused.

    Attributes
    ----------
    takes : tuple of str [n]
        Sorted.
    probabilities : ndarray [shape=(n, 8)]
        Rows sum to 1.
    sources : tuple of str [n]
        The branches that each answer rests on, such as ``audio+video``.
    recipe : FoldRecipe
        How.
    messages : tuple of str
        What could not be learned.
    """

    takes: tuple[str, ...]
    probabilities: Floats
    sources: tuple[str, ...]
    recipe: FoldRecipe
    messages: tuple[str, ...]

    def to_table(self, *, role: str) -> pd.DataFrame:
        """Return a prediction table with the column ``sources``."""
        table = prediction_table(self.takes, self.probabilities, fold=self.recipe.fold, role=role)
        return table.assign(sources=table["take"].map(dict(zip(self.takes, self.sources, strict=True))))


def fuse_fold(scored: Candidates, *, taught: Candidates, fold: int, rule: Rule, calibrate: bool) -> FusedFold:
    """Fuse the takes of one fold.

    Parameters
    ----------
    scored : Candidates
        The rows to fuse, each take once a model; branches and models without such rows may be missing.
    taught : Candidates
        The tables of the same models, of which the evidence is taken.
    fold : int
        Number of the fold; -1 for a holdout.
    rule : Rule
        How branches are combined.
    calibrate : bool
        Whether each branch is first brought to its temperature.

    Notes
    -----
    A branch without any out-of-fold row is *unchecked*: it may be worse than chance, and how sure it says it is means
    nothing. Every rule here takes a probability at its word, the product most of all, so such a branch is not heard
    where a checked one answers: its weight is what is known of its worth, nothing. It answers where it is alone. Where
    no branch is checked, none is known to be better, and all are heard.
    """
    chosen = _BranchModels(scored, taught=taught, fold=fold)
    alone = {branch: chosen.evidence((branch,)) for branch in chosen.models}
    unchecked = tuple(branch for branch, evidence in alone.items() if not len(evidence))
    messages = [*chosen.messages, *_unchecked_messages(unchecked, tuple(alone))]
    if len(unchecked) == len(alone):
        unchecked = ()
    temperatures = {
        branch: fit_temperature(evidence.log_probabilities[:, 0], evidence.labels)
        if calibrate and len(evidence)
        else 1.0
        for branch, evidence in alone.items()
    }
    rows, values = join_by_take({branch: scored[branch][model] for branch, model in chosen.models.items()})
    values = at_temperatures(values, list(temperatures.values()))
    answers = np.empty((len(rows), values.shape[2]))
    sources = np.empty(len(rows), dtype=object)
    combiners: dict[tuple[str, ...], FittedCombiner] = {}
    present = ~np.isnan(values).any(axis=2)
    checked = np.array([branch not in unchecked for branch in chosen.models])
    used = np.where((present & checked).any(axis=1, keepdims=True), present & checked, present)
    for pattern in np.unique(used, axis=0)[::-1]:
        matching = (used == pattern).all(axis=1)
        names = tuple(branch for branch, is_used in zip(chosen.models, pattern, strict=True) if is_used)
        sources[matching] = "+".join(names)
        if len(names) == 1:
            answers[matching] = np.exp(values[matching][:, pattern][:, 0])
            continue
        evidence = chosen.evidence(names).calibrated([temperatures[name] for name in names])
        combiners[names] = _learn(rule, evidence)
        answers[matching] = combiners[names].combiner(values[matching][:, pattern])
        if rule in LEARNED_RULES and combiners[names].n_takes == 0:
            messages.append(f"{'+'.join(names)}: no out-of-fold take in common, so all have equal weight")
    return FusedFold(
        takes=tuple(rows["take"]),
        probabilities=answers,
        sources=tuple(str(source) for source in sources),
        recipe=FoldRecipe(fold, chosen.models, temperatures, tuple(combiners.values()), unchecked),
        messages=tuple(messages),
    )


def _unchecked_messages(unchecked: tuple[str, ...], branches: tuple[str, ...]) -> list[str]:
    heard = ", and it is not heard where another branch answers" if len(unchecked) < len(branches) else ""
    return [f"{branch}: no out-of-fold rows, so it is not calibrated{heard}" for branch in unchecked]


class _BranchModels:
    """The model chosen for each branch in one fold, and the evidence of these models.

    Attributes
    ----------
    models : dict of str to str
        Branch to model.
    messages : list of str
        What a reader must know about the choices.
    """

    def __init__(self, scored: Candidates, *, taught: Candidates, fold: int) -> None:
        rows = [table for models in scored.values() for table in models.values()]
        self._actors = sorted({int(actor) for table in rows for actor in table["actor"]})
        self._fold = fold
        self._tables: dict[str, pd.DataFrame] = {}
        self.models: dict[str, str] = {}
        self.messages: list[str] = []
        for branch, models in scored.items():
            candidates = {name: taught[branch][name] for name in models}
            choice = choose_model(candidates, scored_fold=fold, scored_actors=self._actors)
            self.models[branch] = choice.model
            self._tables[branch] = candidates[choice.model]
            self.messages += [f"{branch}: {choice.message}"] if choice.message else []

    def evidence(self, branches: tuple[str, ...]) -> Evidence:
        """Return the takes that all of `branches` have out of fold."""
        tables = {branch: self._tables[branch] for branch in branches}
        return collect_evidence(tables, scored_fold=self._fold, scored_actors=self._actors)


def _learn(rule: Rule, evidence: Evidence) -> FittedCombiner:
    combiner = learn_rule(rule, evidence)
    learned = rule in LEARNED_RULES
    return FittedCombiner(
        sources=evidence.names,
        combiner=combiner,
        n_takes=len(evidence) if learned else 0,
        n_actors=evidence.n_actors if learned else 0,
    )
