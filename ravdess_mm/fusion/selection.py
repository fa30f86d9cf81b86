"""Which model of a branch speaks for it: the one with the best UAR on rows that are not scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ravdess_mm.evaluation.scores import confusion_matrix, log_loss, rates
from ravdess_mm.fusion.evidence import gather_evidence
from ravdess_mm.fusion.tables import check_branches
from ravdess_mm.predictions import sort_predictions


@dataclass(frozen=True)
class Choice:
    """The model that was chosen for one fold.

    Attributes
    ----------
    model : str
        Its name.
    scores : pandas.DataFrame
        One row a model that could be compared: ``model``, ``uar`` (0-1), ``log_loss`` (nats), ``n_takes``,
        ``n_actors``; empty where there was nothing to compare.
    message : str
        What a reader must know about the choice; may be empty.
    """

    model: str
    scores: pd.DataFrame
    message: str


@dataclass(frozen=True)
class Selection:
    """The best model of a branch, fold by fold.

    Attributes
    ----------
    table : pandas.DataFrame
        Test rows of each fold from the model chosen for it, with the column ``model``. It is for evaluation; a
        fusion takes the models themselves, since with folds the choices rest on rows of each other.
    chosen : dict of int to str
        Fold to model.
    scores : pandas.DataFrame
        What the choices rest on: ``fold`` and the columns of :attr:`Choice.scores`.
    messages : tuple of str
        What a reader must know about the choices.
    """

    table: pd.DataFrame
    chosen: dict[int, str]
    scores: pd.DataFrame
    messages: tuple[str, ...]


def select_best(tables: Mapping[str, pd.DataFrame]) -> Selection:
    """Choose the model of a branch for each fold, never by rows of that fold's actors.

    Parameters
    ----------
    tables : mapping of str to pandas.DataFrame
        Model name to prediction table. Where nothing can be compared, the first one is taken and a message says so.

    Raises
    ------
    InputError, LeakageError
        As :func:`ravdess_mm.fusion.fuse`.
    """
    (models,) = check_branches({"branch": tables}).values()
    tested = {name: table[table["role"] == "test"] for name, table in models.items()}
    folds = sorted({int(fold) for table in tested.values() for fold in table["fold"]})
    chosen, rows, scores, messages = {}, [], [], []
    for fold in folds:
        own = {name: table[table["fold"] == fold] for name, table in tested.items()}
        actors = sorted({int(actor) for table in own.values() for actor in table["actor"]})
        candidates = {name: table for name, table in models.items() if not own[name].empty}
        choice = choose_model(candidates, scored_fold=fold, scored_actors=actors)
        chosen[fold] = choice.model
        rows.append(own[choice.model].assign(model=choice.model))
        scores.append(choice.scores.assign(fold=fold))
        messages.append(choice.message)
    return Selection(
        table=sort_predictions(pd.concat(rows)),
        chosen=chosen,
        scores=pd.concat(scores, ignore_index=True),
        messages=tuple(dict.fromkeys(message for message in messages if message)),
    )


def choose_model(models: Mapping[str, pd.DataFrame], *, scored_fold: int, scored_actors: Sequence[int]) -> Choice:
    """Choose by UAR over the takes that all models have out of fold; of equal ones by log-loss, then by name.

    Models without any out-of-fold row cannot be compared and are passed over while another can.

    Parameters
    ----------
    models : mapping of str to pandas.DataFrame
        Model name to checked prediction table; at least one.
    scored_fold, scored_actors : int, sequence of int
        What the chosen model will be scored on.
    """
    first = next(iter(models))
    if len(models) == 1:
        return Choice(first, pd.DataFrame(), "")
    single = {
        name: gather_evidence({name: table}, scored_fold=scored_fold, scored_actors=scored_actors)
        for name, table in models.items()
    }
    known = {name: models[name] for name, evidence in single.items() if len(evidence)}
    if not known:
        return Choice(first, pd.DataFrame(), f"{first} taken without comparison: no model has out-of-fold rows")
    evidence = gather_evidence(known, scored_fold=scored_fold, scored_actors=scored_actors)
    if len(evidence) == 0:
        return Choice(first, pd.DataFrame(), f"{first} taken without comparison: no out-of-fold take in common")
    passed = sorted(set(models) - set(known))
    message = f"{', '.join(passed)} passed over: no out-of-fold rows to compare by" if passed else ""
    labels = evidence.labels
    found = []
    for column, name in enumerate(evidence.names):
        values = np.exp(evidence.log_probabilities[:, column])
        uar = float(rates(confusion_matrix(labels, values.argmax(axis=1))).uar)
        found.append((name, uar, log_loss(values, labels), len(evidence), evidence.n_actors))
    scores = pd.DataFrame(found, columns=["model", "uar", "log_loss", "n_takes", "n_actors"])
    best = min(found, key=lambda row: (-round(row[1], 9), row[2], row[0]))
    return Choice(best[0], scores, message)
