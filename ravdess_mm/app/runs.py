"""The finished runs of a folder, as the page lists them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ravdess_mm.errors import InputError
from ravdess_mm.store import read_json


@dataclass(frozen=True)
class FinishedRun:
    """One run: its folder, its pages, and what its fused answer scored.

    Attributes
    ----------
    name : str
        Of the folder.
    folder : Path
        Such as ``artifacts/mine``.
    pages : tuple of Path
        Its report and what else is beside it.
    accuracy : dict or None
        ``value``, ``low`` and ``high`` of the fused answer, 0-1; None where nothing was measured.
    is_synthetic : bool
        Whether it learned from the sample corpus, and so knows nothing of people.
    """

    name: str
    folder: Path
    pages: tuple[Path, ...]
    accuracy: dict[str, float] | None
    is_synthetic: bool


def finished_runs(folder: Path, reports: Path) -> dict[str, FinishedRun]:
    """Return the runs under a folder whose models can answer, by name.

    Parameters
    ----------
    folder : Path
        Such as ``artifacts``; it may be missing.
    reports : Path
        Such as ``reports``: the pages of a run are in the folder of its name.
    """
    found = sorted(path.parents[2] for path in folder.glob("*/models/fused/recipe.json"))
    return {run.name: _read(run, reports / run.name) for run in found}


def _read(run: Path, reports: Path) -> FinishedRun:
    facts, metrics = _object(run / "run.json"), _object(run / "metrics.json")
    models = metrics.get("models")
    fused = models.get("fused") if isinstance(models, dict) else None
    accuracy = fused.get("accuracy") if isinstance(fused, dict) else None
    return FinishedRun(
        run.name,
        run,
        tuple(sorted(reports.glob("*.html"), key=lambda page: (page.name != "index.html", page.name))),
        accuracy if isinstance(accuracy, dict) else None,
        facts.get("synthetic") is True,
    )


def _object(path: Path) -> dict[str, Any]:
    """Return a JSON object; an empty one where the file is missing or damaged."""
    try:
        content = read_json(path)
    except (InputError, OSError):
        return {}
    return content if isinstance(content, dict) else {}
