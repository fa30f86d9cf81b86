"""The sections on model performance: leaderboard, confusion matrices, actors, groups, calibration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from ravdess_mm.corpus.identifier import EMOTIONS, Sex, actor_sex
from ravdess_mm.errors import InputError
from ravdess_mm.evaluation import Estimate, reliability, slices, worst_slice
from ravdess_mm.evaluation.scores import expected_calibration_error
from ravdess_mm.predictions import ADAPTED, labels_of, probabilities_of
from ravdess_mm.report import figures
from ravdess_mm.report.calibration import uncalibrated_rows
from ravdess_mm.report.formatting import branch_of, model_label, percent
from ravdess_mm.report.run_files import RunFiles
from ravdess_mm.report.summary import HUMAN_WORDS, Summary, TableGroup, estimate_of

SHADES: Final = 10
"""Steps of the shading of a confusion matrix."""

CALIBRATION_DRAWS: Final = 200
"""Draws behind the calibration error that is due to chance."""

_SLICE_WORDS: Final[dict[str, str]] = {"kids": "“Kids are …”", "dogs": "“Dogs are …”"}


@dataclass(frozen=True)
class LeaderRow:
    """One model of the leaderboard; figures are 0-1."""

    name: str
    label: str
    branch: str
    is_main: bool
    accuracy: Estimate
    uar: Estimate
    macro_f1: Estimate
    log_loss: float
    ece: float
    n_takes: int
    n_actors: int
    strip: Markup


@dataclass(frozen=True)
class ConfusionCell:
    """One cell of a confusion matrix: number of takes, and share of its row's takes."""

    n: int
    share: float | None
    shade: int


@dataclass(frozen=True)
class ConfusionMatrix:
    """The confusion matrix of one model; rows are true, columns answered."""

    name: str
    label: str
    is_open: bool
    rows: tuple[tuple[str, tuple[ConfusionCell, ...]], ...]
    worst: str


@dataclass(frozen=True)
class ActorRow:
    """Accuracy of fusion and of the branches on one test actor."""

    actor: int
    sex: str
    n_takes: int
    shares: Mapping[str, float]
    strip: Markup


@dataclass(frozen=True)
class ReliabilityPanel:
    """A reliability diagram and its ECE (0-1): after calibration, before it, and expected by chance."""

    label: str
    gap: float
    gap_before: float | None
    gap_by_chance: float
    panel: Markup


@dataclass(frozen=True)
class SliceRow:
    """Accuracy on one group of the test takes."""

    dimension: str
    part: str
    n_takes: int
    estimate: Estimate
    is_worst: bool
    strip: Markup


def leaderboards(files: RunFiles, headline: Summary) -> list[TableGroup]:
    """Return the plain models and, apart from them, the speaker-adapted ones; groups without models are left out."""
    rows = leader_rows(files, headline)
    groups = [
        TableGroup(title, adapted, tuple(row for row in rows if row.name.endswith(ADAPTED) is adapted))
        for title, adapted in (("Every model", False), ("Every speaker-adapted model", True))
    ]
    return [group for group in groups if group.rows]


def leader_rows(files: RunFiles, headline: Summary) -> list[LeaderRow]:
    """Return one row a model, the most accurate first."""
    references = reference_lines(files)
    rows = []
    for name in files.tables:
        metrics = files.metrics[name]
        accuracy = estimate_of(metrics, "accuracy")
        label, branch = model_label(name), branch_of(name)
        rows.append(
            LeaderRow(
                name=name,
                label=label,
                branch=branch,
                is_main=name == headline.main,
                accuracy=accuracy,
                uar=estimate_of(metrics, "uar"),
                macro_f1=estimate_of(metrics, "macro_f1"),
                log_loss=float(metrics["log_loss"]),
                ece=float(metrics["ece"]),
                n_takes=int(metrics["n_takes"]),
                n_actors=len(metrics["actors"]),
                strip=figures.interval_strip(accuracy, branch=branch, references=references, label=label),
            )
        )
    return sorted(rows, key=lambda row: (-row.accuracy.value, row.name))


def reference_lines(files: RunFiles) -> dict[str, float]:
    """Return the lines that drawn intervals stand beside: chance, and people where they can be compared."""
    emotions = {emotion for table in files.tested.values() for emotion in table["emotion"]}
    lines = {"chance": 1 / max(1, len(emotions))}
    if files.is_real_speech:
        human_accuracy = files.human.get("accuracy", {})
        lines.update(
            {
                f"people, {words}": float(human_accuracy[key])
                for key, words in HUMAN_WORDS.items()
                if key in human_accuracy
            }
        )
    return lines


def confusions(files: RunFiles, headline: Summary) -> list[ConfusionMatrix]:
    """Return the confusion matrices, those of the headline and the branches first."""
    order = [*headline.shown, *(name for name in files.tables if name not in headline.shown)]
    return [_confusion(name, files.metrics[name], is_open=name in headline.shown) for name in order]


def _confusion(name: str, metrics: Mapping[str, Any], *, is_open: bool) -> ConfusionMatrix:
    counts = np.asarray(metrics["confusion"], dtype=np.int64)
    support = counts.sum(axis=1)
    rows = []
    for emotion, row, total in zip(EMOTIONS, counts, support, strict=True):
        shares = [float(n) / total if total else None for n in row]
        cells = tuple(ConfusionCell(int(n), s, round(SHADES * (s or 0))) for n, s in zip(row, shares, strict=True))
        rows.append((emotion, cells))
    return ConfusionMatrix(name, model_label(name), is_open, tuple(rows), _worst_confusion(counts, support))


def _worst_confusion(counts: np.ndarray[Any, np.dtype[np.int64]], support: np.ndarray[Any, Any]) -> str:
    wrong = np.where(np.eye(len(EMOTIONS), dtype=bool), 0, counts)
    if not wrong.any():
        return "No take is confused."
    true, answered = np.unravel_index(int(wrong.argmax()), wrong.shape)
    return (
        f"Most often confused: {wrong[true, answered]} of {support[true]} {EMOTIONS[true]} takes "
        f"are called {EMOTIONS[answered]}."
    )


def actor_rows(files: RunFiles, headline: Summary) -> list[ActorRow]:
    """Return one row a test actor, the least accurate first."""
    if headline.main is None:
        return []
    by_branch = {branch_of(name): files.metrics[name]["actor_accuracy"] for name in headline.shown}
    tested = files.tested[headline.main].groupby("actor").size()
    rows = []
    for actor, n_takes in tested.items():
        number = int(str(actor))
        shares = {
            branch: float(by_actor[str(number)]) for branch, by_actor in by_branch.items() if str(number) in by_actor
        }
        sex = actor_sex(number)
        strip = figures.actor_strip(shares, label=f"Actor {number:02d}")
        rows.append(ActorRow(number, "male" if sex is Sex.MALE else "female", int(n_takes), shares, strip))
    return sorted(rows, key=lambda row: (next(iter(row.shares.values())), row.actor))


def slice_rows(files: RunFiles, headline: Summary) -> tuple[list[SliceRow], str | None]:
    """Return the parts of the headline model's test takes, and the worst of them in words."""
    if headline.main is None:
        return [], None
    table = slices(files.tested[headline.main], seed=files.seed, draws=files.draws)
    try:
        worst = worst_slice(table)
    except InputError:  # one take, or takes of one kind: no part is worse than the rest
        worst = None
    rows = []
    for group in table[table["dimension"] != "actor"].to_dict("records"):
        estimate = Estimate.of(group["accuracy"], group["low"], group["high"])
        part = _SLICE_WORDS.get(group["part"], group["part"])
        strip = figures.interval_strip(estimate, branch=branch_of(headline.main), references={}, label=part)
        rows.append(SliceRow(group["dimension"], part, int(group["n_takes"]), estimate, bool(group["worst"]), strip))
    return rows, worst


def reliability_panels(files: RunFiles, headline: Summary) -> list[ReliabilityPanel]:
    """Return the reliability diagrams of the headline's model and the branches."""
    panels = []
    for name in headline.shown:
        label, gap, rows = model_label(name), float(files.metrics[name]["ece"]), files.tested[name]
        text = f"{label}: accuracy against confidence, calibration error {percent(gap)}"
        before = uncalibrated_rows(files, name)
        gap_before, bins_before = None, None
        if before is not None:
            gap_before = expected_calibration_error(probabilities_of(before), labels_of(before))
            bins_before = reliability(before)
            text += f", before calibration {percent(gap_before)}"
        panel = figures.reliability_panel(reliability(rows), branch=branch_of(name), label=text, before=bins_before)
        by_chance = _gap_by_chance(probabilities_of(rows), seed=files.seed)
        panels.append(ReliabilityPanel(label, gap, gap_before, by_chance, panel))
    return panels


def _gap_by_chance(probabilities: npt.NDArray[np.float64], *, seed: int) -> float:
    """Return the calibration error that a perfectly calibrated model shows on so many takes, on average.

    The error is a mean of absolute values, so with few takes in a bin it is above zero by chance alone. Labels are
    drawn from the probabilities themselves, which makes these exactly calibrated.
    """
    generator = np.random.default_rng(seed)
    steps = probabilities.cumsum(axis=1)
    steps[:, -1] = 1.0  # sums may fall short of 1 by a rounding error
    drawn = ((generator.random((len(steps), 1)) > steps).sum(axis=1) for _ in range(CALIBRATION_DRAWS))
    return float(np.mean([expected_calibration_error(probabilities, labels) for labels in drawn]))
