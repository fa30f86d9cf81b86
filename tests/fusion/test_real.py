"""The brows and eyes of real faces against their mouths: two weak branches, read from the real action units."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ravdess_mm.corpus.splits import group_folds, make_folds
from ravdess_mm.evaluation import compare, evaluate, permutation_test
from ravdess_mm.fusion import fuse
from ravdess_mm.predictions import prediction_table

UPPER = ("AU01", "AU02", "AU04", "AU05", "AU06", "AU07", "AU45")
LOWER = ("AU09", "AU10", "AU12", "AU14", "AU15", "AU17", "AU20", "AU23", "AU25", "AU26")

pytestmark = pytest.mark.real


def _predict(takes: np.ndarray, values: np.ndarray) -> pd.DataFrame:
    """Predict every actor by a regression on others, with rows out of fold within each training side."""
    emotions = np.array([int(take[3:5]) - 1 for take in takes])
    actors = np.array([int(take[-2:]) for take in takes])

    def answers(train: np.ndarray, test: np.ndarray) -> np.ndarray:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
        return model.fit(values[train], emotions[train]).predict_proba(values[test])

    parts = []
    for fold in make_folds("luna5", actors):
        test = np.isin(actors, fold.test)
        parts.append(prediction_table(takes[test], answers(~test, test), fold=fold.number, role="test"))
        inner = group_folds(actors[~test], 3, seed=0)
        places = np.flatnonzero(~test)
        for group in range(3):
            inside, rest = places[inner == group], places[inner != group]
            parts.append(prediction_table(takes[inside], answers(rest, inside), fold=fold.number, role="oof"))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def halves(real_data: Path) -> dict[str, pd.DataFrame]:
    units = pd.read_csv(real_data / "ravdess" / "action_units.csv").sort_values("clip_id")
    takes = units["clip_id"].str.slice(3, 20).to_numpy(dtype=object)
    columns = {"upper": UPPER, "lower": LOWER}
    return {name: _predict(takes, units[[f"{unit}_r" for unit in names]].to_numpy()) for name, names in columns.items()}


@pytest.mark.parametrize("rule", ["product", "stacking", "pool"])
def test_halves_of_the_face_are_better_together(halves: dict[str, pd.DataFrame], rule: str) -> None:
    fused = fuse(halves, rule=rule, seed=0)
    assert fused.messages == ()
    scored = evaluate(fused.table, seed=0)
    for table in halves.values():
        assert permutation_test(table, seed=0, draws=199).p_value < 0.01
        found = compare(fused.table, table, seed=0)
        assert found.n_takes == 1200
        assert found.difference.value > 0.02
        assert scored.log_loss < evaluate(table, seed=0).log_loss
    upper = compare(fused.table, halves["upper"], seed=0)
    assert upper.difference.low is not None
    assert upper.difference.low > 0
    assert upper.wilcoxon_p < 0.01
