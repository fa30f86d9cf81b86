"""The section on late fusion: agreement of the branches, weights and temperatures, missing modalities, comparisons."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd
from markupsafe import Markup

from ravdess_mm.errors import RavdessError
from ravdess_mm.evaluation import Comparison, compare_all
from ravdess_mm.fusion import fuse_missing_curve
from ravdess_mm.predictions import hits
from ravdess_mm.report import figures
from ravdess_mm.report.formatting import BRANCHES, count, listing, model_label
from ravdess_mm.report.run_files import RunFiles
from ravdess_mm.report.summary import Summary

CASES: Final[tuple[tuple[str, bool, bool], ...]] = (
    ("voice and face right", True, True),
    ("only the voice right", True, False),
    ("only the face right", False, True),
    ("both wrong", False, False),
)
"""How voice and face can agree: words, whether the voice is right, whether the face is."""


@dataclass(frozen=True)
class AgreementRow:
    """The takes of one case of agreement between voice and face, and how many of them fusion has right."""

    case: str
    n_takes: int
    n_right: int
    strip: Markup


@dataclass(frozen=True)
class RecipeRow:
    """Model, temperature and weight of one branch in one fold."""

    fold: str
    model: str
    temperature: str
    weight: str
    evidence: str


@dataclass(frozen=True)
class MissingCurve:
    """Accuracy with one branch missing from a growing share of the takes."""

    n_takes: int
    panel: Markup
    rows: tuple[tuple[str, tuple[float, ...]], ...]
    shares: tuple[float, ...]


def comparisons(files: RunFiles, headline: Summary) -> tuple[Comparison, ...]:
    """Return every other model against the one of the headline, paired by actor, corrected for the family."""
    if headline.main is None:
        return ()
    main_takes = set(files.tested[headline.main]["take"])
    family = {name: table for name, table in files.tested.items() if main_takes & set(table["take"])}
    return compare_all(family, against=headline.main, seed=files.seed, draws=files.draws)


def agreement(files: RunFiles, headline: Summary) -> list[AgreementRow]:
    """Return how voice and face agreed on the takes that both scored, and what fusion made of it."""
    if headline.main != "fused" or headline.voice is None or headline.face is None:
        return []
    names = (headline.voice, headline.face, headline.main)
    right = pd.concat(
        [pd.Series(hits(files.tested[name]), files.tested[name]["take"]) for name in names], axis=1, join="inner"
    ).to_numpy(dtype=bool)
    if not len(right):
        return []
    rows = []
    for case, voice, face in CASES:
        chosen = right[(right[:, 0] == voice) & (right[:, 1] == face)]
        n_right = int(chosen[:, 2].sum())
        strip = figures.agreement_strip(
            len(chosen) / len(right),
            n_right / len(chosen) if len(chosen) else 0.0,
            label=f"{case}: {count(len(chosen), 'take')}, fused right in {n_right}",
        )
        rows.append(AgreementRow(case, len(chosen), n_right, strip))
    return rows


def recipe_rows(files: RunFiles) -> list[RecipeRow]:
    """Return what fusion used and learned, a row for each fold and branch."""
    rows = []
    for fold in files.recipe.get("folds", ()):
        combiners = fold.get("lessons", ())
        # the combination of the most branches is the one that most takes rest on
        combiner = max(combiners, key=lambda one: len(one["sources"]), default=None)
        weights = dict(zip(combiner["sources"], combiner.get("weights", ()), strict=False)) if combiner else {}
        for branch, model in fold["models"].items():
            weight, temperature = weights.get(branch), fold["temperatures"].get(branch)
            rows.append(
                RecipeRow(
                    fold="holdout" if fold["fold"] < 0 else f"fold {fold['fold']}",
                    model=model_label(model),
                    temperature="–" if temperature is None else f"{temperature:.2f}",
                    weight="–" if weight is None else f"{weight:.2f}",
                    evidence=_evidence(combiner) if combiner else "–",
                )
            )
    return rows


def _evidence(combiner: Mapping[str, Any]) -> str:
    if not combiner["n_takes"]:
        return "learns nothing"
    return f"{count(combiner['n_takes'], 'take')} of {count(combiner['n_actors'], 'actor')}"


def sources_in_words(files: RunFiles) -> str | None:
    """Return on which branches the fused answers rest, where the table says so."""
    table = files.tested.get("fused")
    if table is None or "sources" not in table.columns:
        return None
    counts = table["sources"].astype(str).value_counts()
    phrases = (
        f"{n:,} on {listing(BRANCHES.get(branch, branch) for branch in str(source).split('+'))}"
        for source, n in counts.items()
    )
    return listing(phrases)


def missing_curve(files: RunFiles) -> MissingCurve | None:
    """Take the voice or the face away from a growing share of the takes and see what fusion still knows."""
    tables = {
        branch: {name: table for name, table in files.tables.items() if name.startswith(f"{branch}-")}
        for branch in ("audio", "video")
    }
    rule = files.recipe.get("rule")
    if rule is None or not all(tables.values()):
        return None
    try:
        with _quiet():
            curve = fuse_missing_curve(tables, rule=rule, seed=files.seed)
    except RavdessError:  # no take has both branches, or the tables are not of one split: there is no curve to draw
        return None
    rows, drawn = [], []
    for branch, rows_of_branch in curve.groupby("missing", sort=True):
        values = tuple(float(value) for value in rows_of_branch["accuracy"])
        rows.append((BRANCHES[str(branch)], values))
        drawn.append((BRANCHES[str(branch)], rows_of_branch))
    shares = tuple(float(share) for share in curve["share"].drop_duplicates())
    return MissingCurve(int(curve["n_takes"].iloc[0]), figures.missing_panel(drawn), tuple(rows), shares)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what fusion says while branches are taken away: it is about the experiment, not about the run."""
    fusion = logging.getLogger("ravdess_mm.fusion.late_fusion")
    was_disabled, fusion.disabled = fusion.disabled, True
    try:
        yield
    finally:
        fusion.disabled = was_disabled
