from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from ravdess_mm.video.training.callbacks import TrainingState


def test_state_is_read_as_written(tmp_path: Path) -> None:
    state = TrainingState(
        epochs=3,
        is_over=True,
        history=[{"epoch": 2.0, "loss": 0.5, "val_loss": math.nan}],
        counters=[{"best": None, "wait": 2.0}, {}],
        variables=[np.arange(6, dtype=np.float32).reshape(2, 3), np.array([1, 2], np.uint32), np.array(4)],
    )
    state.write(tmp_path / "state.npz")
    found = TrainingState.read(tmp_path / "state.npz")
    assert (found.epochs, found.is_over, found.counters) == (3, True, state.counters)
    assert math.isnan(found.history[0].pop("val_loss"))
    assert found.history == [{"epoch": 2.0, "loss": 0.5}]
    for variable, expected in zip(found.variables, state.variables, strict=True):
        assert variable.dtype == expected.dtype
        np.testing.assert_array_equal(variable, expected)


def test_no_state_is_the_beginning(tmp_path: Path) -> None:
    assert TrainingState.read(tmp_path / "state.npz") == TrainingState()
