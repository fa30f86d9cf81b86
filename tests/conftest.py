"""Fixtures shared by all tests."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import settings

from ravdess_mm.predictions import prediction_table

# the same examples every time, and no failure because a machine is busy
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

NOBODY = 65534
REAL_DATA = Path(os.environ.get("RAVDESS_MM_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(autouse=True)
def _logs_reach_pytest() -> Iterator[None]:
    """Undo what a command run in this process did to the package's logger, so that `caplog` sees its messages."""
    logger = logging.getLogger("ravdess_mm")
    logger.propagate = True
    yield
    logger.handlers.clear()
    logger.propagate = True


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder that holds ``ravdess/`` and ``faces/``; tests that need it skip where it is not."""
    if not (REAL_DATA / "ravdess").is_dir():
        pytest.skip(f"no real data at {REAL_DATA} (set RAVDESS_MM_REAL_DATA to a folder that holds ravdess/)")
    return REAL_DATA


@pytest.fixture(scope="session")
def real_cases(real_data: Path) -> Path:
    """Folder of recordings as people have them; tests that need it skip where it is not."""
    folder = real_data.parent / "cases"
    if not folder.is_dir():
        pytest.skip(f"no cases at {folder}")
    return folder


def simulated_predictions(
    actors: Iterable[int],
    *,
    seed: int,
    skill: float = 2.0,
    sharpness: float = 1.0,
    fold: int | Mapping[int, int] = -1,
    role: str = "test",
    repetitions: Iterable[int] = (1, 2),
) -> pd.DataFrame:
    """Predict 16 takes an actor and repetition, with logits of `skill` for the truth plus unit normal noise.

    `sharpness` multiplies the logits: 1 is calibrated but for the skill, more is too sure. `fold` may be by actor.
    """
    takes = [
        f"01-{emotion:02d}-01-{statement:02d}-{repetition:02d}-{actor:02d}"
        for actor in actors
        for emotion in range(1, 9)
        for statement in (1, 2)
        for repetition in repetitions
    ]
    logits = np.random.default_rng(seed).normal(size=(len(takes), 8))
    logits[np.arange(len(takes)), [int(take[3:5]) - 1 for take in takes]] += skill
    folds = fold if isinstance(fold, int) else [fold[int(take[-2:])] for take in takes]
    return prediction_table(takes, np.exp(sharpness * logits), fold=folds, role=role)


@pytest.fixture(scope="session")
def simulate() -> Callable[..., pd.DataFrame]:
    """Make prediction tables of a known quality; see :func:`simulated_predictions`."""
    return simulated_predictions


@contextmanager
def _as_nobody() -> Iterator[None]:
    # root may read everything, so tests of permissions need another user
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def as_nobody() -> object:
    """Return a context manager in which this process has no more rights than anybody."""
    return _as_nobody


@pytest.fixture
def public_path() -> Iterator[Path]:
    """Return a folder that any user can enter (pytest's own is closed to others)."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(folder)
