from __future__ import annotations

import pandas as pd
import pytest

from ravdess_mm.corpus.splits import Fold
from ravdess_mm.errors import LeakageError
from ravdess_mm.video.training import fold_split as sides


@pytest.fixture
def index() -> pd.DataFrame:
    return pd.DataFrame({"actor": [1, 1, 2, 3, 4, 5], "emotion": ["neutral", "calm", "sad", "sad", "angry", "happy"]})


def test_everybody_is_on_one_side(index: pd.DataFrame) -> None:
    found = sides.split_fold(index, Fold(-1, (1, 2, 3, 4), (5,)), share=0.3, seed=1)
    parts = (found.train, found.validation, found.test)
    assert sorted(row for part in parts for row in part.rows) == list(range(6))
    assert found.test.labels.tolist() == [2]
    assert len(found.validation.actors) == 1
    assert set(found.train.actors) | set(found.validation.actors) == {1, 2, 3, 4}


def test_one_training_actor_leaves_nobody_to_validate(index: pd.DataFrame) -> None:
    found = sides.split_fold(index, Fold(-1, (1,), (5,)), share=0.3, seed=1)
    assert found.validation.actors == ()
    assert len(found.validation.rows) == 0
    assert found.train.rows.tolist() == [0, 1]


def test_actor_on_two_sides_is_a_leak(index: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    fold = Fold(-1, (1, 2, 3, 4), (5,))
    monkeypatch.setattr(sides, "validation_actors", lambda *_, **__: (4, 5))
    with pytest.raises(LeakageError, match="actor 5 on both sides"):
        sides.split_fold(index, fold, share=0.3, seed=1)
