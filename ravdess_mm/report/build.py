"""Write the report of a run: one self-contained HTML file, readable offline, on a phone and on paper."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.report import (
    cross_corpus,
    data_and_training,
    figures,
    formatting,
    fusion,
    importance,
    leak_demonstration,
    model_results,
    noise_robustness,
)
from ravdess_mm.report.feature_map import make_feature_map
from ravdess_mm.report.frame_images import sample_pictures
from ravdess_mm.report.gradcam import gradcam_section
from ravdess_mm.report.method import method_in_words, split_in_words
from ravdess_mm.report.page import own_text, render
from ravdess_mm.report.run_files import RunFiles
from ravdess_mm.report.run_reader import read_run
from ravdess_mm.report.summary import Summary, make_summary
from ravdess_mm.report.svg import element
from ravdess_mm.report.take_explorer import explorer_actors, explorer_data
from ravdess_mm.store import write_text

CONTENTS: Final[dict[str, str]] = {
    "summary": "Summary",
    "models": "Model performance",
    "fusion": "Late fusion",
    "confusion": "Confusion matrices",
    "actors": "Accuracy by actor",
    "slices": "Worst groups",
    "calibration": "Calibration",
    "noise": "Robustness",
    "cross-corpus": "Cross-corpus evaluation",
    "importance": "Feature importance",
    "takes": "Predictions by take",
    "frames": "Predictions by frame",
    "gradcam": "Grad-CAM",
    "split": "Train/test split",
    "data": "Data",
    "feature-map": "Feature map",
    "training": "Hyperparameter search and learning curves",
    "method": "Method",
    "reproduction": "Reproduction",
    "notes": "Notes and omissions",
}
"""Sections of the page: anchor to title."""

NEED_PREDICTIONS: Final = frozenset({"fusion", "confusion", "actors", "slices", "calibration", "takes"})
"""Sections that are left out where no model has predicted anything."""


def write_report(run_dir: Path, report_path: Path) -> Path:
    """Write the report of a run.

    Parameters
    ----------
    run_dir : Path
        ``artifacts/<run>``. Files that are missing cost their section; the report says what was left out.
    report_path : Path
        The HTML file; written whole or not at all. The same run gives the same bytes.

    Returns
    -------
    Path
        `report_path`.

    Raises
    ------
    InputError
        If the folder of the run is missing.
    """
    report_path = Path(report_path)
    write_text(report_path, render_report(read_run(run_dir)))
    return report_path


def render_report(run: RunFiles) -> str:
    """Return the report of a run as HTML."""
    return render("report.html.j2", **_script(), **_words(), **_content(run, make_summary(run)))


def _script() -> dict[str, Any]:
    """Return the page's script, and the hash that allows this one script and no other to run."""
    script = own_text("script.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return {"script": script, "script_hash": f"sha256-{digest}"}


def _words() -> dict[str, Any]:
    """Return what templates say numbers and names with."""
    numbers: dict[str, int] = {}

    def number(kind: str) -> int:
        numbers[kind] = numbers.get(kind, 0) + 1
        return numbers[kind]

    return {
        "number": number,
        "count": formatting.count,
        "interval": formatting.interval,
        "model_label": formatting.model_label,
        "p_value": formatting.p_value,
        "percent": formatting.percent,
        "points": lambda share: f"{100 * share:+.1f}".replace("-", "−"),
        "mark_labels": figures.MARK_LABELS,
        "swatch": _swatch,
        "emotions": EMOTIONS,
        "axis": figures.strip_axis(),
    }


def _swatch(branch: str) -> Markup:
    """Return the mark of a branch as it stands in the drawings, small enough for a line of text."""
    return element(
        "svg", figures.mark(0.5, branch), width=16, height=figures.STRIP_PX, class_="swatch", aria_hidden="true"
    )


def _content(run: RunFiles, headline: Summary) -> dict[str, Any]:
    """Return what the page says about this run."""
    main = run.metrics.get(headline.main, {}) if headline.main else {}
    leaders = model_results.leaderboards(run, headline) if run.tables else []
    slices, worst_slice = model_results.slice_rows(run, headline)
    actors = model_results.actor_rows(run, headline)
    explorer = explorer_data(run, headline.shown)
    split_actors, split = data_and_training.split_rows(run.splits)
    feature_map = make_feature_map(run.features, seed=run.seed) if run.features is not None else None
    measured = {
        "noise": noise_robustness.noise_section(run),
        "cross-corpus": cross_corpus.cross_corpus_section(run),
        "importance": importance.importance_section(run),
    }
    messages = [str(message) for message in run.record.get("messages") or ()]
    return {
        "files": run,
        "titles": CONTENTS,
        "contents": [
            anchor
            for anchor in CONTENTS
            if (leaders or anchor not in NEED_PREDICTIONS) and measured.get(anchor, True) is not None
        ],
        **{anchor.replace("-", "_"): section for anchor, section in measured.items()},
        "headline": headline,
        "level": main.get("level", 0.95),
        "adapted": run.settings.get("adapt") == "speaker",
        "notes": [formatting.sentence(str(note)) for note in (*main.get("notes", ()), *messages)],
        "messages": messages,
        "leaders": leaders,
        "references": model_results.reference_lines(run),
        "branches_present": list(dict.fromkeys(row.branch for group in leaders for row in group.rows)),
        "agreement": fusion.agreement(run, headline),
        "recipe": fusion.recipe_rows(run),
        "sources": fusion.sources_in_words(run),
        "comparisons": fusion.comparisons(run, headline),
        "missing": fusion.missing_curve(run),
        "confusions": model_results.confusions(run, headline),
        "actors": actors,
        "actor_branches": list(dict.fromkeys(formatting.branch_of(name) for name in headline.shown)),
        "slices": slices,
        "worst_slice": worst_slice,
        "reliability": model_results.reliability_panels(run, headline),
        "explorer": explorer,
        "explorer_actors": explorer_actors(explorer),
        "n_filmed": len(set(explorer["takes"]) & set(run.frames.index["take"])) if run.frames else 0,
        "n_heard": len(set(explorer["takes"]) & set(run.catalog.query("voice")["take"]))
        if run.catalog is not None
        else 0,
        "pictures": sample_pictures(run.frames, run.frame_predictions, seed=run.seed) if run.frames else [],
        "gradcam": gradcam_section(run),
        "split": split,
        "split_actors": split_actors,
        "split_words": split_in_words(run),
        "data": data_and_training.data_overview(run.catalog),
        "rejected": data_and_training.rejected_rows(run.rejected),
        "most_rejected": data_and_training.MOST_REJECTED,
        "feature_map": feature_map,
        "feature_map_drawing": data_and_training.map_drawing(feature_map) if feature_map else None,
        "feature_map_neighbours": data_and_training.neighbour_drawing(feature_map) if feature_map else None,
        "leak": leak_demonstration.leak_section(run),
        "searches": data_and_training.search_rows(run),
        "curves": data_and_training.curve_panels(run),
        "method": method_in_words(run, headline),
        "stages": [(name, formatting.seconds(float(s))) for name, s in (run.record.get("stages") or {}).items()],
        "versions": data_and_training.version_rows(run.record.get("versions") or {}),
        "settings": data_and_training.flat_settings(run.settings),
    }
