"""Checks of tables that are to be fused: sound, split alike, with takes in common and actors apart."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pandas as pd

from ravdess_mm.corpus.splits import HOLDOUT_NUMBER, check_disjoint, format_actors, group_folds
from ravdess_mm.errors import InputError, LeakageError
from ravdess_mm.predictions import check_predictions

Branch = pd.DataFrame | Mapping[str, pd.DataFrame]
"""One prediction table, or several models of one branch by name, of which the best is chosen without the test rows."""
Candidates = dict[str, dict[str, pd.DataFrame]]
"""Branch name to model name to checked table, in the order of the names of branches."""


def check_branches(tables: Mapping[str, Branch]) -> Candidates:
    """Check tables that are to be fused, alone and against one another.

    Parameters
    ----------
    tables : mapping of str to Branch
        Branch name to its table, or to its models' tables.

    Returns
    -------
    Candidates
        Tables with rows sorted by take, so that nothing depends on their order.

    Raises
    ------
    InputError
        If there is no table, a table is unsound, two models have the same name, the tables are split differently, or
        a branch shares no test take with another.
    LeakageError
        If an actor is tested in two folds, or is tested in a fold where a table has out-of-fold rows of that actor.
    """
    if not tables:
        raise InputError("nothing to fuse: no prediction table")
    checked: Candidates = {}
    models: dict[str, pd.DataFrame] = {}
    for branch, branch_tables in sorted(tables.items()):
        named = {branch: branch_tables} if isinstance(branch_tables, pd.DataFrame) else dict(branch_tables)
        if not named:
            raise InputError(f"branch {branch!r} has no model")
        doubled = sorted(set(named) & set(models))
        if doubled:
            raise InputError(f"two tables are named {doubled[0]!r}; names tell models apart")
        checked[branch] = {model: _checked(table, model) for model, table in named.items()}
        models.update(checked[branch])
    _check_split(models)
    _check_pairs(checked)
    return checked


def select_rows(
    branches: Candidates, *, role: str | None = None, fold: int | None = None, actors: Collection[int] | None = None
) -> Candidates:
    """Return the rows of a role, a fold, some actors; models and branches left without rows are left out."""
    selected: Candidates = {}
    for branch, models in branches.items():
        for name, table in models.items():
            keep = pd.Series(True, index=table.index)
            if role is not None:
                keep &= table["role"] == role
            if fold is not None:
                keep &= table["fold"] == fold
            if actors is not None:
                keep &= table["actor"].isin(actors)
            if keep.any():
                selected.setdefault(branch, {})[name] = table[keep]
    return selected


def actors_of(models: Mapping[str, pd.DataFrame]) -> set[int]:
    """Return the actors that any of the tables has."""
    return {int(actor) for table in models.values() for actor in table["actor"]}


def lack_evidence(branches: Candidates) -> bool:
    """Return whether no table has out-of-fold rows or a second fold, though there are two test actors or more."""
    tables = [table for models in branches.values() for table in models.values()]
    rows = pd.concat([table[["role", "fold", "actor"]] for table in tables])
    return set(rows["role"]) == {"test"} and len(set(rows["fold"])) == 1 and len(set(rows["actor"])) > 1


def assign_test_folds(branches: Candidates, n_folds: int, *, seed: int) -> Candidates:
    """Return tables of which :func:`lack_evidence` is true, with their actors dealt into folds."""
    actors = sorted(set().union(*(actors_of(models) for models in branches.values())))
    fold_of = dict(zip(actors, group_folds(actors, n_folds, seed=seed), strict=True))
    return {
        branch: {name: table.assign(fold=table["actor"].map(fold_of)) for name, table in models.items()}
        for branch, models in branches.items()
    }


def _checked(table: pd.DataFrame, name: str) -> pd.DataFrame:
    table = check_predictions(table, source=name).sort_values(["role", "fold", "take"]).reset_index(drop=True)
    if "model" in table.columns and len(set(table["model"])) > 1:
        # the model of one fold was chosen by the rows of the others: rows that would then teach the rule for them
        raise LeakageError(f"{name}: its rows come from several models; fuse the models themselves, as one branch")
    if not (table["role"] == "test").any():
        raise InputError(f"{name}: has no rows of role 'test'; there is nothing to fuse")
    return table


def _check_split(models: Mapping[str, pd.DataFrame]) -> None:
    kinds = {name: _kind_of_split(name, table) for name, table in models.items()}
    first_name, first_kind = next(iter(kinds.items()))
    for name, kind in kinds.items():
        if kind != first_kind:
            raise InputError(f"{first_name} is of a {first_kind}, {name} of a {kind}; fuse tables of one protocol")
    fold_of: dict[int, tuple[int, str]] = {}
    for name, table in models.items():
        test = table[table["role"] == "test"]
        for actor, fold in sorted(set(zip(test["actor"], test["fold"], strict=True))):
            known_fold, known_name = fold_of.setdefault(int(actor), (int(fold), name))
            if known_fold != fold:
                error = LeakageError if known_name == name else InputError
                raise error(
                    f"actor {actor} is tested in fold {known_fold} of {known_name} and in fold {fold} of {name}"
                )
    for name, table in models.items():
        out_of_fold = table[table["role"] == "oof"]
        for fold in sorted({int(fold) for fold in out_of_fold["fold"]}):
            inner = out_of_fold[out_of_fold["fold"] == fold]
            tested = [actor for actor, (test_fold, _) in fold_of.items() if test_fold == fold]
            try:
                check_disjoint(inner["actor"].to_numpy(), tested)
            except LeakageError as error:
                raise LeakageError(
                    f"{name}: out-of-fold rows of fold {fold} hold actors that a table tests in that fold "
                    f"({format_actors(set(inner['actor']) & set(tested))})"
                ) from error


def _kind_of_split(name: str, table: pd.DataFrame) -> str:
    holdout = table["fold"] == HOLDOUT_NUMBER
    if holdout.all():
        return "holdout"
    if holdout.any() or (table["fold"] < HOLDOUT_NUMBER).any():
        raise InputError(f"{name}: folds are {sorted(set(table['fold']))}; allowed: -1 alone, or 0 and above")
    return "protocol with folds"


def _check_pairs(branches: Candidates) -> None:
    if len(branches) == 1:
        return
    tested = {
        branch: {take for table in models.values() for take in table["take"][table["role"] == "test"]}
        for branch, models in branches.items()
    }
    for branch, takes in tested.items():
        others = set().union(*(tested[other] for other in tested if other != branch))
        if not takes & others:
            raise InputError(f"{branch} has no test take in common with {', '.join(b for b in tested if b != branch)}")
