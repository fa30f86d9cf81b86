"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REAL_DATA = Path(os.environ.get("RAVDESS_MM_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder that holds ``ravdess/`` and ``faces/``; tests that need it skip where it is not."""
    if not (REAL_DATA / "ravdess").is_dir():
        pytest.skip(f"no real data at {REAL_DATA} (set RAVDESS_MM_REAL_DATA to a folder that holds ravdess/)")
    return REAL_DATA
