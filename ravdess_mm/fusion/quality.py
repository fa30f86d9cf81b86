"""Should a branch be believed less where its clip is poor? An experiment on out-of-fold rows.

A branch enters fusion at one temperature. Here the temperature may depend on the quality of the clip, ``log T = a + b *
q`` with q the standardised quality. Whether that is worth it is asked of out-of-fold rows alone, by the log-loss of
actors that a and b were not fitted on. It stays out of the default path: see docs/results.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from ravdess_mm.classifiers.calibration import FLOOR, fit_temperature, log_loss, probabilities
from ravdess_mm.corpus.splits import check_disjoint, group_folds
from ravdess_mm.errors import InputError
from ravdess_mm.evaluation.intervals import Estimate, mean_estimate
from ravdess_mm.fusion.evidence import Floats, Integers
from ravdess_mm.predictions import check_predictions, labels_of, probabilities_of, rows_out_of_fold

GROUPS: Final = 5
"""Groups of actors; each is scored by what the others teach."""
RIDGE: Final = 0.01
"""Pull of the slope towards 0, in nats a take for a slope of 1."""


@dataclass(frozen=True)
class QualityResult:
    """What a temperature that depends on quality gains for one model.

    Attributes
    ----------
    n_takes, n_actors : int
        Out-of-fold rows that have a quality, over all folds; and whose they are.
    slope : float
        Mean b over folds and groups: below 0 where better clips deserve bolder answers.
    loss_constant, loss_dependent : float
        Log-loss in nats, of actors the temperature was not fitted on.
    gain : Estimate
        The first less the second, with an interval over actors: it wins where all of that is above 0.
    """

    n_takes: int
    n_actors: int
    slope: float
    loss_constant: float
    loss_dependent: float
    gain: Estimate

    @property
    def wins(self) -> bool:
        """Whether the gain is above 0 beyond doubt."""
        return self.gain.low is not None and self.gain.low > 0

    def to_dict(self) -> dict[str, Any]:
        """Return the fields and ``wins`` as what JSON knows."""
        return {**asdict(self), "wins": self.wins}


def quality_experiment(
    table: pd.DataFrame, quality: Mapping[str, float], *, seed: int, draws: int = 2000, level: float = 0.95
) -> QualityResult:
    """Compare one temperature with one that depends on quality, on out-of-fold rows.

    Parameters
    ----------
    table : pandas.DataFrame
        A prediction table; its rows of role ``oof`` count, each fold by itself. Test rows are not looked at.
    quality : mapping of str to float
        Take to the quality of its clip, such as a signal-to-noise ratio in dB; takes without one do not count.
    seed, draws, level : int, int, float
        Of the deal of actors and of the bootstrap.

    Raises
    ------
    InputError
        If fewer than two actors have out-of-fold rows with a quality in some fold, or the quality never varies.
    """
    rows = rows_out_of_fold(check_predictions(table, source="the prediction table"))
    rows = rows[rows["take"].isin(list(quality))].reset_index(drop=True)
    if rows["actor"].nunique() < 2:
        raise InputError("too few out-of-fold rows with a known quality: two actors or more are needed")
    values = np.array([quality[take] for take in rows["take"]], dtype=np.float64)
    if not np.ptp(values) > 0:
        raise InputError(f"the quality of all clips is {values[0]:g}: there is nothing to depend on")
    scaled = (values - values.mean()) / values.std()
    logs, labels = np.log(np.maximum(probabilities_of(rows), FLOOR)), labels_of(rows)
    actors, folds = rows["actor"].to_numpy(np.int64), rows["fold"].to_numpy(np.int64)
    losses, slopes = np.empty((len(rows), 2)), []
    for fold in np.unique(folds):
        own = np.flatnonzero(folds == fold)
        groups = group_folds(actors[own], GROUPS, seed=seed)
        for group in np.unique(groups):
            taught, scored = own[groups != group], own[groups == group]
            check_disjoint(actors[taught], actors[scored])
            constant = fit_temperature(logs[taught], labels[taught])
            intercept, slope = fit_dependence(logs[taught], labels[taught], scaled[taught])
            slopes.append(slope)
            dependent = np.exp(intercept + slope * scaled[scored])[:, None]
            for column, temperature in enumerate((np.full_like(dependent, constant), dependent)):
                answers = probabilities(logs[scored] / temperature)
                losses[scored, column] = -np.log(answers[np.arange(len(scored)), labels[scored]])
    by_actor = pd.DataFrame({"actor": actors, "gain": losses[:, 0] - losses[:, 1]}).groupby("actor")["gain"]
    return QualityResult(
        n_takes=len(rows),
        n_actors=int(rows["actor"].nunique()),
        slope=float(np.mean(slopes)),
        loss_constant=float(losses[:, 0].mean()),
        loss_dependent=float(losses[:, 1].mean()),
        gain=mean_estimate(
            np.asarray(by_actor.sum(), dtype=np.float64),
            np.asarray(by_actor.size(), dtype=np.int64),
            draws=draws,
            seed=seed,
            level=level,
        ),
    )


def fit_dependence(logs: Floats, labels: Integers, quality: Floats) -> tuple[float, float]:
    """Fit ``log T = a + b * quality`` by log-loss, b pulled towards 0.

    Parameters
    ----------
    logs : ndarray [shape=(n, 8)]
        Log-probabilities of rows that no model was fitted on.
    labels : ndarray of int [shape=(n,)]
        Positions in `EMOTIONS`.
    quality : ndarray [shape=(n,)]
        Standardised.

    Returns
    -------
    tuple of float
        a and b.
    """
    from scipy.optimize import minimize

    def loss(point: Floats) -> float:
        temperature = np.exp(np.clip(point[0] + point[1] * quality, -3.0, 3.0))[:, None]
        return log_loss(logs / temperature, labels) + RIDGE * float(point[1] ** 2)

    found = minimize(loss, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-7})
    return float(found.x[0]), float(found.x[1])
