"""Results as tables for people, on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    from ravdess_mm.predict import Prediction


def interval_text(estimate: Mapping[str, Any]) -> str:
    """Return a figure with its interval in per cent, such as ``62.5 [50.0, 71.9]``."""
    text = f"{100 * estimate['value']:.1f}"
    if estimate["low"] is None:
        return text
    return f"{text} [{100 * estimate['low']:.1f}, {100 * estimate['high']:.1f}]"


def metrics_tables(results: Mapping[str, Any]) -> Iterator[Table]:
    """Yield a table of all models, then the recalls, actors and confusions of each.

    Parameters
    ----------
    results : mapping
        What :func:`ravdess_mm.evaluation.evaluate_many` returns.
    """
    share = f"{100 * results['level']:.0f} %"
    overview = Table(
        title=f"per cent, with {share} interval over actors ({results['draws']} draws)", title_justify="left"
    )
    for name in ("model", "accuracy", "UAR", "macro F1", "takes", "actors"):
        overview.add_column(name, justify="left" if name == "model" else "right", no_wrap=True)
    for name, model in results["models"].items():
        figures = [interval_text(model[key]) for key in ("accuracy", "uar", "macro_f1")]
        overview.add_row(name, *figures, str(model["n_takes"]), str(len(model["actors"])))
    yield overview
    for name, model in results["models"].items():
        yield _confusion_table(name, model, results["emotions"])
        yield _actors_table(name, model)


def _confusion_table(name: str, model: Mapping[str, Any], emotions: Sequence[str]) -> Table:
    table = Table(title=f"{name}: true emotion (rows), answer (columns), recall in per cent", title_justify="left")
    table.add_column("true")
    for emotion in (*emotions, "recall"):
        table.add_column(emotion[:9], justify="right")
    for emotion, row in zip(emotions, model["confusion"], strict=True):
        recall = model["recall"].get(emotion)
        table.add_row(emotion, *(str(count) for count in row), "-" if recall is None else f"{100 * recall:.1f}")
    return table


def _actors_table(name: str, model: Mapping[str, Any]) -> Table:
    table = Table(title=f"{name}: accuracy by actor, per cent", title_justify="left")
    for actor in model["actor_accuracy"]:
        table.add_column(str(actor), justify="right")
    table.add_row(*(f"{100 * value:.1f}" for value in model["actor_accuracy"].values()))
    return table


def predictions_table(predictions: Sequence[Prediction]) -> Table:
    """Return one row a clip: the answer, how sure, the runner-up, and what it rests on."""
    table = Table()
    for name in ("clip", "emotion", "sure", "else", "rests on"):
        table.add_column(name, overflow="fold")
    for prediction in predictions:
        ranked = sorted(prediction.probabilities.items(), key=lambda item: -item[1])
        table.add_row(
            str(prediction.path),
            ranked[0][0],
            f"{100 * ranked[0][1]:.0f} %",
            f"{ranked[1][0]} {100 * ranked[1][1]:.0f} %",
            "; ".join((prediction.sources, *prediction.notes)),
        )
    return table


def card_table(title: str, facts: Mapping[str, Any]) -> Table:
    """Return the facts of a bundle, one row each; long lists are shortened."""
    table = Table(title=title, show_header=False, title_justify="left")
    for name, value in facts.items():
        table.add_row(str(name), _short(value))
    return table


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_short(item)}" for key, item in value.items())
    if isinstance(value, list):
        shown = ", ".join(_short(item) for item in value[:8])
        return f"{shown}, ... ({len(value)})" if len(value) > 8 else shown
    return str(value)
