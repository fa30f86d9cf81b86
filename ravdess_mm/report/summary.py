"""The headline of the report: the result in one sentence, and key figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd
from markupsafe import Markup

from ravdess_mm.corpus.splits import format_actors
from ravdess_mm.evaluation import Estimate, permutation_test
from ravdess_mm.predictions import ADAPTED, hits, rows_out_of_fold
from ravdess_mm.report.formatting import branch_of, count, listing, p_value, percent, spelled, with_interval
from ravdess_mm.report.run_files import RunFiles

COMPARABLE: Final = 0.9
"""Share of the headline's takes below which a branch's figure is not put beside it without a remark."""

HUMAN_WORDS: Final[dict[str, str]] = {"audio": "hearing only", "video": "seeing only", "audio-video": "both"}
"""Keys of the human reference in words."""


@dataclass(frozen=True)
class TableGroup:
    """What may stand in one table: rows and panels of the plain models, or of the speaker-adapted ones."""

    title: str
    adapted: bool
    rows: tuple[Any, ...]
    models: tuple[str, ...] = ()
    panels: tuple[tuple[str, Markup], ...] = ()


@dataclass(frozen=True)
class Summary:
    """The headline, and the models it is about.

    Attributes
    ----------
    main : str or None
        The model of the headline: ``fused`` where there is one.
    voice, face : str or None
        The model of each branch that stands for it. None was chosen by its test figures.
    sentence : str
        The result in words.
    facts : tuple of (str, str, str)
        Name, value and explanation.
    """

    main: str | None
    voice: str | None
    face: str | None
    sentence: str
    facts: tuple[tuple[str, str, str], ...]

    @property
    def shown(self) -> tuple[str, ...]:
        """Return the models worth a figure of their own: the headline's and the branches'."""
        return tuple(dict.fromkeys(name for name in (self.main, self.voice, self.face) if name is not None))


def make_summary(files: RunFiles) -> Summary:
    """Choose the models that stand for fusion, voice and face, and say how they did.

    The model of a branch is the one that fusion used (``recipe.json``), in most folds if they differ, else the one
    with the best out-of-fold accuracy: never the one that happened to do best on the test actors.
    """
    if not files.tables:
        return Summary(None, None, None, f"Run {files.name} has no predictions yet", ())
    voice, face = (_representative(files, branch) for branch in ("voice", "face"))
    main = "fused" if "fused" in files.tables else voice or face or next(iter(files.tables))
    return Summary(main, voice, face, _sentence(files, main, voice, face), _facts(files, main))


def estimate_of(metrics: Mapping[str, Any], name: str) -> Estimate:
    """Return one figure of a model, such as ``accuracy``, from its metrics."""
    figure = metrics[name]
    return Estimate(float(figure["value"]), figure.get("low"), figure.get("high"))


def _representative(files: RunFiles, branch: str) -> str | None:
    names = [name for name in files.tables if branch_of(name) == branch and not name.endswith(ADAPTED)]
    used = Counter(model for fold in files.recipe.get("folds", ()) for model in fold["models"].values())
    fused = [name for name in names if name in used]
    if fused:
        return max(fused, key=lambda name: used[name])
    return max(names, key=lambda name: (_out_of_fold_accuracy(files.tables[name]), name), default=None)


def _out_of_fold_accuracy(table: pd.DataFrame) -> float:
    rows = rows_out_of_fold(table)
    return float(hits(rows).mean()) if len(rows) else 0.0


def _sentence(files: RunFiles, main: str, voice: str | None, face: str | None) -> str:
    metrics = files.metrics[main]
    tested_on = _tested_on(metrics)
    subject = {"both": "Fused", "voice": "Voice alone", "face": "Face alone", "other": main}[branch_of(main)]
    text = f"{subject}: {with_interval(estimate_of(metrics, 'accuracy'))} on {tested_on}"
    others = []
    for name, words in ((voice, "voice alone"), (face, "face alone")):
        if name is not None and name != main:
            branch = files.metrics[name]
            others.append(f"{words} {percent(estimate_of(branch, 'accuracy').value)}{_fewer_takes(branch, metrics)}")
    if others:
        return f"{text}; {', '.join(others)}"
    missing = {"voice": "face", "face": "voice"}.get(branch_of(main))
    return f"{text}; there is no {missing} model in this run" if missing else text


def _tested_on(metrics: Mapping[str, Any]) -> str:
    actors = len(metrics["actors"])
    folds = [fold for fold in metrics["folds"] if fold >= 0]
    if folds:
        plural = "" if len(folds) == 1 else "s"
        return f"{count(actors, 'actor')} in {spelled(len(folds))} actor-disjoint fold{plural}"
    return f"{count(actors, 'test actor')} nobody trained on"


def _fewer_takes(metrics: Mapping[str, Any], main: Mapping[str, Any]) -> str:
    """Return a remark where a branch has scored so many fewer takes that the figures do not compare."""
    few = metrics["n_takes"] < COMPARABLE * main["n_takes"]
    return f" (of {count(metrics['n_takes'], 'take')})" if few else ""


def _facts(files: RunFiles, main: str) -> tuple[tuple[str, str, str], ...]:
    metrics = files.metrics[main]
    rows = files.tested[main]
    shares = rows["emotion"].value_counts(normalize=True)
    chance = permutation_test(rows, seed=files.seed, draws=files.draws)
    digest = files.digests.get(main)
    facts = [
        (
            "Takes scored",
            f"{metrics['n_takes']:,}",
            f"by {count(len(metrics['actors']), 'actor')}: {format_actors(metrics['actors'])}",
        ),
        (
            "Chance level",
            percent(1 / len(shares)),
            f"one of {spelled(len(shares))} emotions at random; always saying “{shares.index[0]}” gives "
            f"{percent(float(shares.iloc[0]))}",
        ),
        (
            "Permutation test",
            f"p {p_value(chance.p_value)}" if chance.p_value < 0.001 else f"p = {p_value(chance.p_value)}",
            f"with the labels shuffled within each actor, 95 % of {chance.draws:,} tries reach "
            f"{percent(chance.chance_high)} at most",
        ),
        (
            "Calibration",
            f"ECE {percent(metrics['ece'])}",
            "expected calibration error: mean gap between confidence and accuracy",
        ),
    ]
    if digest:
        facts.append(
            (
                "Fingerprint",
                digest[:8],
                f"first digits of the SHA-256 of this model’s prediction table: data, command, seed ({files.seed}) and "
                "versions at the end of this page give it again",
            )
        )
    if files.is_real_speech and files.human.get("accuracy"):
        human_accuracy = files.human["accuracy"]
        text = listing(
            f"{what} {percent(human_accuracy[key], digits=0)}"
            for key, what in HUMAN_WORDS.items()
            if key in human_accuracy
        )
        facts.append(
            ("People", percent(human_accuracy.get("audio-video"), digits=0), f"{text}; {files.human['source']}")
        )
    return tuple(facts)
