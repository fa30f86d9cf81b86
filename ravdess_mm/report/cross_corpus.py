"""The section on cross-corpus evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from ravdess_mm.evaluation import Estimate
from ravdess_mm.report import figures
from ravdess_mm.report.formatting import listing
from ravdess_mm.report.run_files import RunFiles
from ravdess_mm.report.summary import TableGroup, estimate_of


@dataclass(frozen=True)
class CorpusScores:
    """Scores on one corpus of a model trained on the others; shares are 0-1, log-loss in nats."""

    title: str
    language: str
    n_clips: int
    n_speakers: int
    emotions: str
    chance: float
    uar: Estimate
    accuracy: Estimate
    confidence: float
    log_loss: float
    strip: Markup


@dataclass(frozen=True)
class CrossCorpusSection:
    """What the section shows.

    Attributes
    ----------
    groups : tuple of TableGroup
    sources : tuple of (str, str, str)
        Title, terms and reference of each corpus that is not the run's own.
    left_out : tuple of (str, str)
        Title of a corpus, and what of it was left out.
    """

    groups: tuple[TableGroup, ...]
    sources: tuple[tuple[str, str, str], ...]
    left_out: tuple[tuple[str, str], ...]


def cross_corpus_section(files: RunFiles) -> CrossCorpusSection | None:
    """Return the section, or None where nobody ran `make cross-corpus`."""
    metrics = files.cross_corpus
    if not metrics:
        return None
    corpora = metrics["corpora"]
    groups = []
    for variant, title in (("plain", "Corpora left out"), ("adapted", "Corpora left out, speaker-adapted")):
        rows = tuple(_row(one, corpora[one["corpus"]]) for one in metrics["results"] if one["variant"] == variant)
        if rows:
            groups.append(TableGroup(title, variant == "adapted", rows))
    cited = [corpus for corpus in corpora.values() if corpus.get("reference")]
    return CrossCorpusSection(
        groups=tuple(groups),
        sources=tuple((corpus["title"], corpus["terms"], corpus["reference"]) for corpus in cited),
        left_out=tuple((corpus["title"], corpus["left_out"]) for corpus in cited if corpus["left_out"]),
    )


def _row(one: Mapping[str, Any], corpus: Mapping[str, Any]) -> CorpusScores:
    chance = 1 / len(one["emotions"])
    uar = estimate_of(one, "uar")
    return CorpusScores(
        title=corpus["title"],
        language=corpus["language"],
        n_clips=one["n_clips"],
        n_speakers=one["n_speakers"],
        emotions=listing(one["emotions"]),
        chance=chance,
        uar=uar,
        accuracy=estimate_of(one, "accuracy"),
        confidence=one["confidence"],
        log_loss=one["log_loss"],
        strip=figures.interval_strip(
            uar, branch="voice", references={"chance": chance}, label=f"UAR, {corpus['title']}"
        ),
    )
