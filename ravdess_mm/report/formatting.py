"""Numbers and names as people read them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from ravdess_mm.corpus.identifier import Take
from ravdess_mm.evaluation import Estimate
from ravdess_mm.predictions import ADAPTED

BRANCHES: Final[dict[str, str]] = {"fused": "both", "audio": "voice", "video": "face"}
"""First word of a model's name to the branch it belongs to."""

_KINDS: Final[dict[str, str]] = {
    "cnn": "CNN",
    "embedding": "face embedding",
    "kernel-ridge": "kernel ridge",
    "logistic": "logistic regression",
    "network": "dense network",
    "ridge": "ridge regression",
    "svc": "SVC",
    "xgboost": "XGBoost",
}
_SMALL_NUMBERS: Final = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def percent(share: float | None, *, digits: int = 1) -> str:
    """Return a share (0-1) as ``81.2 %``, with a space that does not break; a dash where there is none."""
    if share is None or not math.isfinite(share):
        return "–"
    return f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%"


def interval(estimate: Estimate) -> str:
    """Return the ends of an interval as ``[76.0, 85.9]``, in percent; empty where it is undefined."""
    if estimate.low is None or estimate.high is None:
        return ""
    return f"[{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"


def with_interval(estimate: Estimate) -> str:
    """Return ``81.2 % [76.0, 85.9]``, or the figure alone where the interval is undefined."""
    return f"{percent(estimate.value)} {interval(estimate)}".rstrip()


def p_value(value: float | None) -> str:
    """Return a p-value with two significant digits, ``< 0.001`` below that; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.2g}"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Return ``1 take``, ``2 takes``, ``1,440 takes``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def spelled(number: int) -> str:
    """Return a small number as a word, a larger one in figures."""
    return _SMALL_NUMBERS[number] if 0 <= number < len(_SMALL_NUMBERS) else f"{number:,}"


def listing(words: Iterable[str]) -> str:
    """Return ``a``, ``a and b`` or ``a, b and c``."""
    *head, tail = list(words) or [""]
    return f"{', '.join(head)} and {tail}" if head else tail


def seconds(duration_s: float) -> str:
    """Return a duration as ``3.2 s``, ``4 min 10 s`` or ``2 h 05 min``."""
    if duration_s < 60:
        return f"{duration_s:.1f} s"
    minutes, rest = divmod(round(duration_s), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def branch_of(model: str) -> str:
    """Return the branch of a model: ``both``, ``voice``, ``face`` or, for a name we do not know, ``other``."""
    return BRANCHES.get(model.split("-", 1)[0], "other")


def model_label(model: str) -> str:
    """Return the name of a model for people, such as ``Voice · random forest`` for ``audio-random-forest``."""
    branch = model.partition("-")[0]
    if branch not in BRANCHES:
        return model.replace("-", " ")
    kind = kind_label(model)
    first = {"fused": "Fused", "audio": "Voice", "video": "Face"}[branch]
    return f"{first} · {kind}" if kind else first


def kind_label(model: str) -> str:
    """Return what kind a model is, without its branch, such as ``random forest`` for ``audio-random-forest``.

    A speaker-adapted one says so: ``SVC (adapted)``.
    """
    kind = model.partition("-")[2].removesuffix(ADAPTED)
    words = _KINDS.get(kind, kind.replace("-", " "))
    return f"{words} (adapted)" if model.endswith(ADAPTED) else words


def take_in_words(take: Take) -> str:
    """Return a take as ``Actor 05, happy, normal, “Kids are talking by the door”, first time``."""
    time = "first time" if take.repetition == 1 else "second time"
    sung = "sung, " if take.channel.label == "song" else ""
    return (
        f"Actor {take.actor:02d}, {take.emotion.label}, {take.intensity.label}, {sung}“{take.statement.text}”, {time}"
    )


def sentence(text: str) -> str:
    """Return a message with a capital letter first and a full stop last."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
