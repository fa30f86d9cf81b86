"""The page that compares several runs, model by model, with the first."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from ravdess_mm.evaluation import Estimate
from ravdess_mm.evaluation.run_comparison import RunComparison
from ravdess_mm.report import formatting
from ravdess_mm.report.page import render
from ravdess_mm.report.svg import drawing, element
from ravdess_mm.store import write_text

SHOWN_SETTINGS: Final[tuple[str, ...]] = ("protocol", "test_actors", "adapt", "net", "crop", "rule", "seed")
"""Settings in which runs are most likely to differ."""
STRIP_PX: Final = 22


def write_comparison(comparison: RunComparison, records: Mapping[str, Mapping[str, Any]], path: Path) -> Path:
    """Write the page of a comparison.

    Parameters
    ----------
    comparison : RunComparison
        What was compared.
    records : mapping of str to mapping
        Run to the content of its ``run.json``; may be empty.
    path : Path
        The HTML file; written whole or not at all, self-contained, without scripts. The same comparison gives the
        same bytes.
    """
    ends = [end for pair in comparison.pairs for end in _ends(pair.comparison.difference)]
    span = max(0.05, math.ceil(20 * max(map(abs, ends))) / 20)
    runs = [comparison.first, *dict.fromkeys(pair.run for pair in comparison.pairs)]
    text = render(
        "across.html.j2",
        comparison=comparison,
        runs=runs,
        title=f"{formatting.listing(runs[1:])} against {comparison.first}",
        synthetic=[run for run in runs if records.get(run, {}).get("synthetic")],
        settings=_settings_rows(runs, records),
        commands={run: records.get(run, {}).get("command", "") for run in runs},
        notes=sorted({formatting.sentence(note) for pair in comparison.pairs for note in pair.comparison.notes}),
        strips=[
            _strip(pair.comparison.difference, span, formatting.model_label(pair.model)) for pair in comparison.pairs
        ],
        span=formatting.percent(span, digits=0),
        model_label=formatting.model_label,
        percent=formatting.percent,
        p_value=formatting.p_value,
        count=formatting.count,
        points=lambda share: f"{100 * share:+.1f}".replace("-", "−"),
    )
    write_text(path, text)
    return path


def _settings_rows(runs: list[str], records: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, list[str], bool]]:
    """Return name, values by run, and whether the runs differ in it."""
    rows = []
    for name in SHOWN_SETTINGS:
        values = [_short((records.get(run, {}).get("settings") or {}).get(name)) for run in runs]
        rows.append((name.replace("_", " "), values, len(set(values)) > 1))
    return rows


def _short(value: Any) -> str:
    if value is None:
        return "–"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _ends(estimate: Estimate) -> list[float]:
    return [end for end in (estimate.value, estimate.low, estimate.high) if end is not None]


def _strip(estimate: Estimate, span: float, label: str) -> Markup:
    """Return a difference on its interval, between minus and plus `span`, with a line at zero."""

    def at(value: float) -> str:
        return f"{50 + 50 * value / span:.2f}%"

    marks = [element("line", x1="50%", x2="50%", y1=0, y2=STRIP_PX, class_="reference")]
    if estimate.low is not None and estimate.high is not None:
        width = f"{50 * (estimate.high - estimate.low) / span:.2f}%"
        bar = element("rect", x=at(estimate.low), width=width, y=3, height=16, rx=2, class_="interval c-both")
        marks.append(bar)
    marks.append(element("circle", cx=at(estimate.value), cy=STRIP_PX / 2, r=5, class_="dot c-both"))
    return drawing(*marks, label=f"{label}: {100 * estimate.value:+.1f} points", height=STRIP_PX)
