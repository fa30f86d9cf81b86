"""The choice of a branch's model: the best UAR on out-of-fold rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ravdess_mm.evaluation.scores import confusion_matrix, log_loss, rates
from ravdess_mm.fusion.evidence import collect_evidence


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
        name: collect_evidence({name: table}, scored_fold=scored_fold, scored_actors=scored_actors)
        for name, table in models.items()
    }
    comparable = {name: models[name] for name, evidence in single.items() if len(evidence)}
    if not comparable:
        return Choice(first, pd.DataFrame(), f"{first} taken without comparison: no model has out-of-fold rows")
    evidence = collect_evidence(comparable, scored_fold=scored_fold, scored_actors=scored_actors)
    if len(evidence) == 0:
        return Choice(first, pd.DataFrame(), f"{first} taken without comparison: no out-of-fold take in common")
    passed = sorted(set(models) - set(comparable))
    message = f"{', '.join(passed)} passed over: no out-of-fold rows to compare by" if passed else ""
    labels = evidence.labels
    scored = []
    for column, name in enumerate(evidence.names):
        values = np.exp(evidence.log_probabilities[:, column])
        uar = float(rates(confusion_matrix(labels, values.argmax(axis=1))).uar)
        scored.append((name, uar, log_loss(values, labels), len(evidence), evidence.n_actors))
    scores = pd.DataFrame(scored, columns=["model", "uar", "log_loss", "n_takes", "n_actors"])
    best = min(scored, key=lambda row: (-round(row[1], 9), row[2], row[0]))
    return Choice(best[0], scores, message)
