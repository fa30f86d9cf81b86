"""Late fusion: the probabilities of several branches become one, take by take."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from ravdess_mm.config import Rule
from ravdess_mm.corpus.splits import group_folds
from ravdess_mm.errors import InputError
from ravdess_mm.fusion.folds import FoldRecipe, FusedFold, fuse_fold
from ravdess_mm.fusion.tables import (
    Branch,
    Candidates,
    actors_of,
    assign_test_folds,
    check_branches,
    lack_evidence,
    select_rows,
)
from ravdess_mm.predictions import sort_predictions

logger = logging.getLogger(__name__)

CROSS_FIT_FOLDS: Final = 5
"""Groups of actors in which out-of-fold rows are fused, each by what the others teach."""


@dataclass(frozen=True)
class FusionResult:
    """A fused prediction table and how it came about.

    Attributes
    ----------
    table : pandas.DataFrame
        A prediction table with one more column, ``sources``: the branches that a take's answer rests on, such as
        ``audio+video`` or ``audio``. Where all branches have a take out of fold, it has a row of role ``oof`` too,
        fused by what the takes of other actors taught: so a fused table can be chosen, calibrated and fused again.
    rule : Rule
        How branches were combined.
    recipes : tuple of FoldRecipe
        Of the test rows, by fold.
    messages : tuple of str
        What a reader must know: what could not be learned, which takes lack a branch.
    """

    table: pd.DataFrame
    rule: Rule
    recipes: tuple[FoldRecipe, ...]
    messages: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the table as what JSON knows: the content of ``recipe.json``."""
        return {
            "schema": "fusion/1",
            "rule": self.rule.value,
            "folds": [recipe.to_dict() for recipe in self.recipes],
            "messages": list(self.messages),
        }


def fuse(
    tables: Mapping[str, Branch], *, rule: Rule | str, seed: int, calibrate: bool = True, cross_fit_test: bool = False
) -> FusionResult:
    """Fuse branches: one answer a take, from all of them or from those that have it.

    Parameters
    ----------
    tables : mapping of str to DataFrame, or to a mapping of str to DataFrame
        Branch name to its prediction table; or to the tables of several models by name, of which each fold takes the
        one with the best UAR on rows it does not score. One branch alone is calibrated and passed on.
    rule : Rule
        ``mean``; ``product`` (normalised); ``weighted`` (mean, weights by UAR); ``stacking`` (logistic regression);
        ``pool`` (product of powers, weights by log-loss).
    seed : int
        Seed of the deal of actors into groups, in which out-of-fold rows (and with `cross_fit_test` test rows) are
        fused.
    calibrate : bool
        Whether each branch's probabilities are first brought to the temperature with the lowest log-loss.
    cross_fit_test : bool
        Whether tables of one split that have no out-of-fold rows at all, as published ones often are, may teach one
        another: their test actors are fused in groups, each by what the test rows of the other groups teach, and the
        recipes are those of the groups. A message says so.

    Returns
    -------
    FusionResult
        The same for any order of rows and of tables.

    Notes
    -----
    Whatever is learned (model, temperatures, weights, coefficients) comes from :class:`Evidence`: out-of-fold rows for
    a holdout and, with folds, out-of-fold rows of the fold or else test rows of the other folds; never from an actor it
    is applied to. A branch that has none, while another has, is not calibrated and is heard only where it is alone
    (:func:`ravdess_mm.fusion.folds.fuse_fold` says why); a combination that has none gets equal weights, each with a
    message.

    Raises
    ------
    InputError
        If the rule is unknown, or the tables are unsound, contradict one another or have no take in common.
    LeakageError
        If an actor would be on both sides of what is learned and what is scored.
    """
    rule = _known_rule(rule)
    branches = check_branches(tables)
    grouped = cross_fit_test and lack_evidence(branches)
    split = next(int(table["fold"].iloc[0]) for models in branches.values() for table in models.values())
    if grouped:
        branches = assign_test_folds(branches, CROSS_FIT_FOLDS, seed=seed)
    test = select_rows(branches, role="test")
    folds = sorted({int(fold) for models in test.values() for table in models.values() for fold in table["fold"]})
    parts = [
        fuse_fold(select_rows(test, fold=fold), taught=branches, fold=fold, rule=rule, calibrate=calibrate)
        for fold in folds
    ]
    fused = [part.to_table(role="test") for part in parts]
    for fold in folds:
        fused += _fuse_out_of_fold(branches, fold=fold, rule=rule, seed=seed, calibrate=calibrate)
    messages = _messages(parts, branches)
    if grouped:
        messages = (
            f"no table has out-of-fold rows: test actors are fused in {len(parts)} groups, each by what the others' "
            "rows teach",
            *messages,
        )
    for message in messages:
        logger.warning("%s", message)
    table = sort_predictions(pd.concat(fused))
    return FusionResult(
        table=sort_predictions(table.assign(fold=split)) if grouped else table,
        rule=rule,
        recipes=tuple(part.recipe for part in parts),
        messages=messages,
    )


def _known_rule(rule: Rule | str) -> Rule:
    try:
        return Rule(rule)
    except ValueError as error:
        raise InputError(f"unknown rule {rule!r}; allowed: {', '.join(Rule)}") from error


def _fuse_out_of_fold(branches: Candidates, *, fold: int, rule: Rule, seed: int, calibrate: bool) -> list[pd.DataFrame]:
    """Fuse the out-of-fold rows of one fold by groups of actors, each by what the other actors teach."""
    inner = select_rows(branches, role="oof", fold=fold)
    if len(inner) < len(branches):
        return []
    actors = sorted(set.intersection(*(actors_of(models) for models in inner.values())))
    if len(actors) < 2:
        return []
    groups = group_folds(actors, CROSS_FIT_FOLDS, seed=seed)
    fused = []
    for group in np.unique(groups):
        inside = [actor for actor, is_inside in zip(actors, groups == group, strict=True) if is_inside]
        scored = select_rows(inner, actors=inside)
        taught = {
            branch: {name: table[~table["actor"].isin(inside)] for name, table in models.items()}
            for branch, models in inner.items()
        }
        part = fuse_fold(scored, taught=taught, fold=fold, rule=rule, calibrate=calibrate)
        table = part.to_table(role="oof")
        fused.append(table[table["sources"] == "+".join(branches)])
    return [table for table in fused if not table.empty]


def _messages(parts: Sequence[FusedFold], branches: Candidates) -> tuple[str, ...]:
    """Return what must be said: each thing once, with the folds it holds for where they are not all."""
    folds_of: dict[str, list[int]] = {}
    for part in parts:
        for message in part.messages:
            folds_of.setdefault(message, []).append(part.recipe.fold)
    messages = [
        message if len(folds) == len(parts) else f"{message} (fold {', '.join(str(fold) for fold in folds)})"
        for message, folds in folds_of.items()
    ]
    if len(branches) == 1:
        return (*messages, f"only {next(iter(branches))} is there: nothing to fuse it with")
    counts = Counter(sources for part in parts for sources in part.sources)
    messages += [
        f"{count} of {counts.total()} test takes rest on {sources.replace('+', ' and ')} alone"
        for sources, count in sorted(counts.items())
        if sources != "+".join(branches)
    ]
    return tuple(messages)
