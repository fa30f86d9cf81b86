"""Method, data and limits in plain words, as far as they concern one run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ravdess_mm.report.formatting import branch_of, count, kind_label, listing, percent
from ravdess_mm.report.run_files import RunFiles
from ravdess_mm.report.summary import Summary

PROTOCOLS: Final[dict[str, str]] = {
    "holdout": "The split is a plain holdout: some actors are tested, all others are trained on.",
    "luna5": "The split is luna5, the five folds of Luna-Jiménez et al. (2021), Sensors 21(22): 7665.",
    "emobox6": "The split is emobox6, the six folds of EmoBox (Ma et al. 2024).",
    "loso": "The split leaves one speaker out: every actor is tested once by models that never met them.",
}
"""The protocols in words."""

RULES: Final[dict[str, str]] = {
    "mean": "the mean of the branches’ calibrated probabilities",
    "product": "the normalised product of the branches’ calibrated probabilities",
    "weighted": "a weighted mean of the branches’ probabilities, with weights learned from takes it does not score",
    "stacking": "a logistic regression on the branches’ probabilities, fitted on takes it does not score",
    "pool": "a product of the branches’ probabilities, each to a power learned from takes it does not score",
}
"""The rules of fusion in words."""


def split_in_words(files: RunFiles) -> str:
    """Return how actors were split."""
    protocol = str(files.settings.get("protocol", ""))
    return PROTOCOLS.get(protocol, "Actors, not takes, were split.")


def method_in_words(files: RunFiles, headline: Summary) -> list[tuple[str, str]]:
    """Return title and text of the paragraphs on method, data and limits."""
    parts = [("The task", _task(files)), ("The voice", _voice(files)), ("The face", _face(files))]
    if "fused" in files.tables:
        parts.append(("Fusion", _fusion(files)))
    parts.append(("What was learned from whom", _learned(files)))
    parts.append(("Figures and intervals", _figures(files)))
    parts.append(("Limits", _limits(files, headline)))
    return [(title, text) for title, text in parts if text]


def _task(files: RunFiles) -> str:
    if files.is_synthetic:
        source = (
            "The clips are a synthetic sample: sounds and drawn faces made by a program from an emotion, an "
            "intensity and an invented actor, with enough noise that no model is perfect."
        )
    else:
        source = (
            "The clips follow the naming of RAVDESS, in which 24 professional actors speak and sing two sentences "
            "(Livingstone & Russo 2018, PLoS ONE 13(5): e0196391)."
        )
    return (
        "Given one performance of a short sentence, name the emotion it expresses: neutral, calm, happy, sad, angry, "
        f"fearful, disgust or surprised. {source}"
    )


def _voice(files: RunFiles) -> str:
    names = [kind_label(name) for name in files.tables if branch_of(name) == "voice"]
    if not names:
        return "There is no voice model in this run."
    described = (
        "Each voice becomes 160 numbers: 13 mel-frequency cepstral coefficients, their first and second differences "
        "and the loudness, each summarised over time by mean, maximum, minimum and deviation. "
    )
    adapted = (
        "For the models called adapted, each actor’s features are standardised with that actor’s own unlabelled clips. "
        if files.settings.get("adapt") == "speaker"
        else ""
    )
    return f"{described}{adapted}Models on them: {listing(names)}."


def _face(files: RunFiles) -> str:
    names = [kind_label(name) for name in files.tables if branch_of(name) == "face"]
    if not names:
        return "There is no face model in this run."
    text = f"Models: {listing(names)}."
    if "video-cnn" in files.tables:
        step = files.settings.get("frame_step")
        frames = f"Frame 0 and every {step}th frame after it" if step and step != 1 else "Every frame"
        text += (
            f" {frames} is shrunk to 256 × 256 gray pixels. A convolutional network answers for each frame; the answer "
            "for a take is the mean over its frames."
        )
    return text


def _fusion(files: RunFiles) -> str:
    rule = str(files.settings.get("rule", ""))
    text = f"The fused answer is {RULES.get(rule, 'a combination of the branches’ probabilities')}."
    text += " A take with one branch missing is answered by the other and marked."
    return text


def _learned(files: RunFiles) -> str:
    text = (
        "Parameters, calibration, stopping times and fusion weights were chosen on training actors only: by inner "
        "folds in which no actor stands on both sides, or by validation actors taken from the training side."
    )
    if "video-cnn" in files.tables:
        text += (
            " The video network is too expensive for inner folds: its out-of-fold takes are those of its validation "
            "actors, who were never trained on but decide early stopping, so these rows are slightly too good."
        )
    return text


def _figures(files: RunFiles) -> str:
    any_metrics: Mapping[str, Any] = next(iter(files.metrics.values()), {})
    if not any_metrics:
        return ""
    return (
        "Everything is recomputed from the tables of predictions in the run’s folder. Takes of one actor are not "
        f"independent, so intervals ({percent(any_metrics['level'], digits=0)}, percentile bootstrap, "
        f"{any_metrics['draws']:,} draws) resample actors."
    )


def _limits(files: RunFiles, headline: Summary) -> str:
    parts = []
    if headline.main is not None:
        actors = len(files.metrics[headline.main]["actors"])
        parts.append(f"The figures rest on {count(actors, 'tested actor')}.")
    if files.is_synthetic:
        parts.append("They come from a synthetic sample and say nothing about people.")
    else:
        parts.append(
            "The clips are acted, in one accent of English and in a studio: the figures say little about everyday "
            "emotion, and nothing about what a person really feels. The data are licensed CC BY-NC-SA 4.0, and "
            "models trained on them carry its non-commercial terms."
        )
    return " ".join(parts)
