"""Scripts on another Keras backend, each in a process of its own."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest


def run_on(backend: str, script: str) -> str:
    """Return what a script prints on a backend; skip the test where the backend is not installed."""
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    finished = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout
