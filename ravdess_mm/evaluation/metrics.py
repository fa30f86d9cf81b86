"""Metrics of a model, computed from its prediction table alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from ravdess_mm.arrays import Floats, Integers
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.errors import InputError
from ravdess_mm.evaluation.intervals import (
    DRAWS,
    LEVEL,
    Estimate,
    actor_draws,
    check_draws,
    few_actors_note,
    percentile_estimate,
)
from ravdess_mm.evaluation.scores import (
    brier_score,
    class_recalls,
    confusion_by_group,
    expected_calibration_error,
    log_loss,
    rates,
)
from ravdess_mm.predictions import check_predictions, labels_of, probabilities_of
from ravdess_mm.schemas import METRICS_SCHEMA

HUMAN_ACCURACY: Final[dict[str, float]] = {"audio": 0.62, "video": 0.75, "audio-video": 0.80}
"""How often people name the expressed emotion of RAVDESS speech, by what they hear and see: see `HUMAN_SOURCE`."""
HUMAN_SOURCE: Final = "Livingstone & Russo (2018), PLoS ONE 13(5): e0196391"


@dataclass(frozen=True)
class Metrics:
    """Metrics of one prediction table.

    Attributes
    ----------
    n_takes : int
        Takes that were scored, over all folds together.
    actors, folds : tuple of int
        Whose takes, from which test folds (-1 is a plain holdout).
    accuracy, uar, macro_f1 : Estimate
        0-1, with intervals over actors. UAR and macro F1 are means over the classes that have takes.
    log_loss, brier, ece : float
        Nats; 0-2; 0-1 (15 bins of equal width).
    recall : dict of str to float
        By emotion, 0-1; emotions without takes are not in it.
    confusion : tuple of tuples of int [shape=(8, 8)]
        Takes; rows are true, columns predicted, in the order of `EMOTIONS`.
    actor_accuracy : dict of int to float
        By actor, 0-1.
    absent : tuple of str
        Emotions without takes: left out of UAR and macro F1.
    notes : tuple of str
        What a reader must know to read the figures.
    level, draws, seed : float, int, int
        Of the intervals.
    """

    n_takes: int
    actors: tuple[int, ...]
    folds: tuple[int, ...]
    accuracy: Estimate
    uar: Estimate
    macro_f1: Estimate
    log_loss: float
    brier: float
    ece: float
    recall: dict[str, float]
    confusion: tuple[tuple[int, ...], ...]
    actor_accuracy: dict[int, float]
    absent: tuple[str, ...]
    notes: tuple[str, ...]
    level: float
    draws: int
    seed: int

    @property
    def n_actors(self) -> int:
        """Number of actors that were scored."""
        return len(self.actors)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields and ``n_actors`` as what JSON knows: actors as text keys, tuples as lists."""
        fields = asdict(self)
        for name in ("actors", "folds", "absent", "notes"):
            fields[name] = list(fields[name])
        fields["confusion"] = [list(row) for row in self.confusion]
        fields["actor_accuracy"] = {str(actor): value for actor, value in self.actor_accuracy.items()}
        return {**fields, "n_actors": self.n_actors}


def evaluate(table: pd.DataFrame, *, seed: int, draws: int = DRAWS, source: str = "the prediction table") -> Metrics:
    """Score one model's test rows.

    Parameters
    ----------
    table : pandas.DataFrame
        A prediction table; the order of its rows does not matter.
    seed : int
        Seed of the bootstrap. Tables with the same actors are resampled alike.
    draws : int
        Bootstrap draws over actors.
    source : str
        What to call the table in messages.

    Returns
    -------
    Metrics
        Over all folds together.

    Raises
    ------
    InputError
        If the table is unsound, has no test row, or scores a take in more than one fold.
    """
    check_draws(draws)
    rows = scored_rows(table, source=source)
    labels, probabilities = labels_of(rows), probabilities_of(rows)
    actors, by_actor = confusion_by_group(labels, probabilities.argmax(axis=1), rows["actor"].to_numpy(np.int64))
    confusion = by_actor.sum(axis=0)
    accuracy, uar, macro_f1 = rate_estimates(by_actor, seed=seed, draws=draws)
    recall = class_recalls(confusion)
    absent = tuple(emotion for emotion, value in zip(EMOTIONS, recall, strict=True) if np.isnan(value))
    return Metrics(
        n_takes=len(rows),
        actors=tuple(int(actor) for actor in actors),
        folds=tuple(int(fold) for fold in sorted(set(rows["fold"]))),
        accuracy=accuracy,
        uar=uar,
        macro_f1=macro_f1,
        log_loss=log_loss(probabilities, labels),
        brier=brier_score(probabilities, labels),
        ece=expected_calibration_error(probabilities, labels),
        recall={emotion: float(value) for emotion, value in zip(EMOTIONS, recall, strict=True) if not np.isnan(value)},
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
        actor_accuracy={
            int(actor): float(value) for actor, value in zip(actors, rates(by_actor).accuracy, strict=True)
        },
        absent=absent,
        notes=_notes(absent, len(actors)),
        level=LEVEL,
        draws=draws,
        seed=seed,
    )


def rate_estimates(confusions: Integers, *, seed: int, draws: int = DRAWS) -> tuple[Estimate, Estimate, Estimate]:
    """Return accuracy, UAR and macro F1 with intervals over groups, such as actors.

    Parameters
    ----------
    confusions : ndarray of int [shape=(g, 8, 8)]
        A confusion matrix of each group; see :func:`~ravdess_mm.evaluation.scores.confusion_by_group`.
    seed : int
        Seed of the bootstrap.
    draws : int
        Bootstrap draws over groups.
    """
    on_all = rates(confusions.sum(axis=0))
    drawn: Iterable[Floats | None] = (None,) * len(on_all)
    if len(confusions) > 1:
        counts = actor_draws(len(confusions), draws=draws, seed=seed)
        drawn = rates((counts @ confusions.reshape(len(confusions), -1)).reshape(draws, *confusions.shape[1:]))
    accuracy, uar, macro_f1 = (
        percentile_estimate(float(value), resampled) for value, resampled in zip(on_all, drawn, strict=True)
    )
    return accuracy, uar, macro_f1


def evaluate_many(tables: Mapping[str, pd.DataFrame], *, seed: int, draws: int = DRAWS) -> dict[str, Any]:
    """Score many models: the content of ``metrics.json``.

    Parameters
    ----------
    tables : mapping of str to pandas.DataFrame
        Model name to prediction table.

    Returns
    -------
    dict
        ``schema`` (``metrics/1``); ``emotions`` (the order of every confusion matrix); ``level``, ``draws``, ``seed``
        of the intervals; ``models``: name to the fields of :class:`Metrics`, in the order of `tables`; ``human``:
        ``accuracy`` by what people hear or see, and ``source``.

    Raises
    ------
    InputError
        As :func:`evaluate`; the message names the model.
    """
    models = {name: evaluate(table, seed=seed, draws=draws, source=name).to_dict() for name, table in tables.items()}
    return {
        "schema": METRICS_SCHEMA,
        "emotions": list(EMOTIONS),
        "level": LEVEL,
        "draws": draws,
        "seed": seed,
        "models": models,
        "human": {"accuracy": dict(HUMAN_ACCURACY), "source": HUMAN_SOURCE},
    }


def scored_rows(table: pd.DataFrame, *, source: str = "the prediction table") -> pd.DataFrame:
    """Return the checked test rows, sorted by take, each take once.

    Raises
    ------
    InputError
        If the table is unsound, has no test row, or scores a take in more than one fold.
    """
    rows = check_predictions(table, source=source)
    rows = rows[rows["role"] == "test"].sort_values("take", kind="stable").reset_index(drop=True)
    if rows.empty:
        raise InputError(f"{source}: has no rows of role 'test'; there is nothing to score")
    doubled = rows["take"].duplicated(keep=False)
    if doubled.any():
        take = rows["take"][doubled].iloc[0]
        folds = ", ".join(str(fold) for fold in sorted(rows["fold"][rows["take"] == take]))
        raise InputError(f"{source}: take {take} has role 'test' in folds {folds}; a take is scored once")
    return rows


def _notes(absent: tuple[str, ...], n_actors: int) -> tuple[str, ...]:
    notes = []
    if absent:
        notes.append(f"no takes of {', '.join(absent)}: left out of UAR and macro F1")
    caution = few_actors_note(n_actors)
    if caution:
        notes.append(caution)
    return tuple(notes)
