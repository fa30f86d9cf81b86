"""The section on leakage: what splits that ignore actors would claim."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from ravdess_mm.evaluation import Estimate
from ravdess_mm.report import figures
from ravdess_mm.report.run_files import RunFiles
from ravdess_mm.report.summary import estimate_of

ACTOR_SPLIT = "actors"
"""The split that the others are set against."""


@dataclass(frozen=True)
class LeakRow:
    """One kind of split; figures are None where it could not be measured."""

    words: str
    is_honest: bool
    accuracy: Estimate | None
    inflation: Estimate | None
    p: float | None
    strip: Markup


@dataclass(frozen=True)
class LeakSection:
    """The model of the demonstration and the accuracy of each split."""

    model: str
    n_folds: int
    n_takes: int
    rows: tuple[LeakRow, ...]


def leak_section(files: RunFiles) -> LeakSection | None:
    """Return the demonstration of this run, or None where nobody ran it."""
    figures_of = files.leak_demo
    if not figures_of:
        return None
    models = figures_of["metrics"]["models"]
    against = {one["first"]: one for one in figures_of["comparisons"]}
    rows = []
    for name, words in figures_of["words"].items():
        accuracy = estimate_of(models[name], "accuracy") if name in models else None
        test = against.get(name)
        strip = Markup("")
        if accuracy is not None:
            branch = "voice" if name == ACTOR_SPLIT else "other"
            strip = figures.interval_strip(accuracy, branch=branch, references={}, label=words)
        inflation = estimate_of(test, "difference") if test is not None else None
        rows.append(LeakRow(words, name == ACTOR_SPLIT, accuracy, inflation, test["holm_p"] if test else None, strip))
    return LeakSection(
        model=str(figures_of["model"]).replace("-", " "),
        n_folds=int(figures_of["n_folds"]),
        n_takes=int(models[ACTOR_SPLIT]["n_takes"]),
        # the honest split last: json sorts words by name
        rows=tuple(sorted(rows, key=lambda row: (row.is_honest, row.words))),
    )
