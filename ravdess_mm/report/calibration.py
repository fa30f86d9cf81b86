"""Predictions before temperature scaling, computed back from the calibrated ones for the reliability diagrams.

A temperature divides log-probabilities, so multiplying by it undoes it; what the smallest probability allowed in a
table hides of very sure answers is lost, which moves no bin.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from ravdess_mm.arrays import Floats
from ravdess_mm.calibration import FLOOR, probabilities
from ravdess_mm.predictions import PROBABILITIES, probabilities_of
from ravdess_mm.report.run_files import RunFiles

FRAME_MODEL: Final = "video-cnn"
"""The model whose temperature works on single frames, before they are averaged to takes."""


def uncalibrated_rows(files: RunFiles, name: str) -> pd.DataFrame | None:
    """Return the test rows of a model as they were before calibration.

    Parameters
    ----------
    files : RunFiles
        The run.
    name : str
        The model.

    Returns
    -------
    pandas.DataFrame or None
        The rows of `files.tested` with other probabilities; None where the model has no temperature of its own in some
        fold (a combination of models), where it was not calibrated in any, or where its frames are missing.
    """
    temperatures = files.temperatures.get(name, {})
    rows = files.tested[name]
    folds = {int(fold) for fold in rows["fold"]}
    if not folds <= set(temperatures) or all(temperatures[fold] == 1.0 for fold in folds):
        return None
    if name == FRAME_MODEL:
        return _from_frames(files, rows, temperatures)
    factor = np.asarray(rows["fold"].map(temperatures), dtype=np.float64)[:, None]
    return rows.assign(**_columns(_multiplied(probabilities_of(rows), factor)))


def _from_frames(files: RunFiles, rows: pd.DataFrame, temperatures: dict[int, float]) -> pd.DataFrame | None:
    if files.frame_predictions is None or "fold" not in files.frame_predictions.columns:
        return None
    frames = files.frame_predictions[files.frame_predictions["role"] == "test"]
    factor = np.asarray(frames["fold"].map(temperatures), dtype=np.float64)[:, None]
    raw = pd.DataFrame(_multiplied(probabilities_of(frames), factor), columns=list(PROBABILITIES))
    means = raw.groupby(frames["take"].to_numpy()).mean()
    if not set(rows["take"]) <= set(means.index):
        return None
    return rows.assign(**_columns(means.loc[rows["take"]].to_numpy(np.float64)))


def _multiplied(values: Floats, factor: Floats) -> Floats:
    return probabilities(np.log(np.maximum(values, FLOOR)) * factor)


def _columns(values: Floats) -> dict[str, Floats]:
    return {name: values[:, index] for index, name in enumerate(PROBABILITIES)}
