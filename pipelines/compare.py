"""From the predictions of several runs to paired tests of their models, as text and as one HTML page."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ravdess_mm.config import Settings
from ravdess_mm.errors import InputError
from ravdess_mm.predictions import read_predictions
from ravdess_mm.run.entry import stage_main
from ravdess_mm.run.settings import VARIABLES, load_settings, read_words
from ravdess_mm.store import read_json, write_json


@dataclass(frozen=True)
class Request:
    """Which runs are compared, and with which seed and folders."""

    runs: tuple[str, ...]
    settings: Settings

    @property
    def name(self) -> str:
        """Name of the folder of the page."""
        return f"compare-{'-'.join(self.runs)}"


def load_request(arguments: Sequence[str] = ()) -> Request:
    """Read ``RUNS="a b"`` and the variables of a run (``SEED``, ``CONFIG``) from ``NAME=value`` arguments.

    Raises
    ------
    InputError
        If fewer than two runs are named, one is named twice, or another variable is wrong.
    """
    words = read_words(arguments, ("RUNS", *VARIABLES))
    runs = tuple(words.pop("RUNS", "").replace(",", " ").split())
    if len(runs) < 2 or len(set(runs)) < len(runs):
        raise InputError(f"RUNS={' '.join(runs)}: allowed: two or more different runs, separated by spaces")
    return Request(runs, load_settings(words))


def read_run(folder: Path) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """Return the prediction tables and the record of one run.

    Raises
    ------
    InputError
        If there is no such run, or it has no predictions yet.
    """
    paths = sorted((folder / "predictions").glob("*.parquet"))
    if not paths:
        known = ", ".join(sorted(path.parent.name for path in folder.parent.glob("*/predictions"))) or "none"
        raise InputError(f"{folder}: no run with predictions; there are: {known}")
    record = folder / "run.json"
    return {path.stem: read_predictions(path) for path in paths}, read_json(record) if record.is_file() else {}


def compare(request: Request) -> None:
    """Set the models of RUNS="a b" side by side, each against the first run, on the takes that both have scored."""
    from ravdess_mm.evaluation.run_comparison import compare_runs
    from ravdess_mm.report.run_comparison import write_comparison

    settings = request.settings
    runs = {name: read_run(settings.artifacts_dir / name) for name in request.runs}
    found = compare_runs(
        {name: tables for name, (tables, _) in runs.items()}, seed=settings.seed, draws=settings.bootstrap_draws
    )
    show(found)
    folder = settings.reports_dir / request.name
    write_json(folder / "comparison.json", found.to_dict())
    page = write_comparison(found, {name: record for name, (_, record) in runs.items()}, folder / "index.html")
    sys.stdout.write(f"page: {page}\n")


def show(found: Any) -> None:
    """Print the comparison for people."""
    from ravdess_mm.cli.command import console
    from ravdess_mm.cli.tables import comparison_table

    console().print(comparison_table(found.to_dict()))
    for run, models in found.alone.items():
        console().print(f"only in {run}: {', '.join(models)}")


if __name__ == "__main__":
    sys.exit(stage_main(compare, load=load_request))
