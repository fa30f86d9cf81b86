"""Results as tables for people, on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table

from ravdess_mm.errors import printable
from ravdess_mm.predict.prediction import clock, mean_answer

if TYPE_CHECKING:
    from ravdess_mm.predict.prediction import Prediction


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
    yield overview_table(results)
    for name, model in results["models"].items():
        yield _confusion_table(name, model, results["emotions"])
        yield _actors_table(name, model)


def overview_table(results: Mapping[str, Any], *, title: str = "") -> Table:
    """Return one row a model, the most accurate first under a `title`, else in the order of `results`."""
    share = f"{100 * results['level']:.0f} %"
    said = f"per cent, with {share} interval over actors ({results['draws']} draws)"
    overview = Table(title=f"{title}: {said}" if title else said, title_justify="left")
    for name in ("model", "accuracy", "UAR", "macro F1", "takes", "actors"):
        overview.add_column(name, justify="left" if name == "model" else "right", no_wrap=True)
    models = list(results["models"].items())
    if title:
        models.sort(key=lambda item: (-item[1]["accuracy"]["value"], item[0]))
    for name, model in models:
        figures = [interval_text(model[key]) for key in ("accuracy", "uar", "macro_f1")]
        overview.add_row(name, *figures, str(model["n_takes"]), str(len(model["actors"])))
    return overview


def side_by_side_table(results: Mapping[str, Mapping[str, Any]]) -> Table:
    """Return accuracies of models (rows) under protocols (columns).

    Parameters
    ----------
    results : mapping of str to mapping
        Protocol to the content of its ``metrics.json``.
    """
    table = Table(title="accuracy in per cent, by protocol, with intervals over actors", title_justify="left")
    for name in ("model", *results):
        table.add_column(name, justify="left" if name == "model" else "right", no_wrap=True)
    for name in sorted({name for one in results.values() for name in one["models"]}):
        models = [one["models"].get(name) for one in results.values()]
        table.add_row(name, *("-" if model is None else interval_text(model["accuracy"]) for model in models))
    return table


def cross_corpus_table(results: Mapping[str, Any]) -> Table:
    """Return one row a tested corpus and variant.

    Parameters
    ----------
    results : mapping
        The content of ``cross-corpus/metrics.json``.
    """
    share = f"{100 * results['level']:.0f} %"
    table = Table(
        title=f"each corpus by what the others taught: per cent, with {share} interval over speakers",
        title_justify="left",
    )
    for name in ("corpus", "features", "UAR", "accuracy", "confidence", "log loss", "clips", "speakers", "emotions"):
        table.add_column(name, justify="left" if name in ("corpus", "features") else "right", no_wrap=True)
    for one in results["results"]:
        table.add_row(
            one["corpus"],
            one["variant"],
            *(interval_text(one[measure]) for measure in ("uar", "accuracy")),
            f"{100 * one['confidence']:.1f}",
            f"{one['log_loss']:.2f}",
            *(str(count) for count in (one["n_clips"], one["n_speakers"], len(one["emotions"]))),
        )
    return table


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


def comparison_table(found: Mapping[str, Any]) -> Table:
    """Return one row a model of each run, against the first run; `found` is what a ``RunComparison`` becomes."""
    table = Table(
        title=f"against {found['first']}, on common takes: accuracy in per cent, difference in points, p-values",
        title_justify="left",
    )
    columns = ("run", "model", "run's", "first's", "difference", "takes", "actors", "Wilcoxon", "Holm")
    for name in (*columns, "permutation", "McNemar"):
        table.add_column(name, justify="left" if name in ("run", "model") else "right")
    for pair in found["pairs"]:
        table.add_row(
            pair["run"],
            pair["model"],
            f"{100 * pair['accuracy_first']:.1f}",
            f"{100 * pair['accuracy_second']:.1f}",
            interval_text(pair["difference"]),
            f"{pair['n_takes']} of {pair['n_takes_run']}, {pair['n_takes_first']}",
            str(pair["n_actors"]),
            *(f"{pair[name]:.2g}" for name in ("wilcoxon_p", "holm_p", "permutation_p", "mcnemar_p")),
        )
    return table


def leak_table(figures: Mapping[str, Any]) -> Table:
    """Return what each split of the leak demonstration claims; `figures` is the content of ``leak-demo.json``."""
    what = "synthetic sample, " if figures["synthetic"] else ""
    table = Table(
        title=(
            f"a demonstration, not a result ({what}{figures['model']} with fixed parameters, "
            f"{figures['n_folds']} folds; accuracy in per cent)"
        ),
        title_justify="left",
    )
    for name in ("split", "what the model knows", "claims", "too much, in points", "takes"):
        table.add_column(name, justify="left" if name in ("split", "what the model knows") else "right")
    inflation = {one["first"]: one["difference"] for one in figures["comparisons"]}
    for name, words in figures["words"].items():
        model = figures["metrics"]["models"].get(name)
        if model is None:
            table.add_row(name, words, "not measured: no take has two clips with sound", "", "")
            continue
        more = interval_text(inflation[name]) if name in inflation else "-"
        table.add_row(name, words, interval_text(model["accuracy"]), more, str(model["n_takes"]))
    return table


def predictions_table(predictions: Sequence[Prediction]) -> Table:
    """Return one row a clip: the answer, how sure, the runner-up, and what it rests on."""
    table = Table()
    for name in ("clip", "emotion", "sure", "else", "rests on"):
        table.add_column(name, overflow="fold")
    for prediction in predictions:
        told = "; ".join((_rests_on(prediction), *prediction.notes))
        table.add_row(printable(prediction.path), *_first_two(prediction.probabilities), told)
        for number, own in prediction.by_speaker.items():
            told = "one segment" if len(own) == 1 else f"the mean of {len(own)} segments"
            table.add_row(f"  speaker {number}", *_first_two(mean_answer(own)), told)
        for segment in prediction.segments:
            when = f"  {clock(segment.start_s)} - {clock(segment.end_s)}"
            who = "" if segment.speaker is None else f", speaker {segment.speaker}"
            table.add_row(when + who, *_first_two(segment.probabilities), "; ".join((segment.sources, *segment.notes)))
    return table


def _first_two(probabilities: Mapping[str, float]) -> tuple[str, str, str]:
    """Return the most probable emotion, how probable it is, and the next with its probability."""
    first, second = sorted(probabilities.items(), key=lambda item: -item[1])[:2]
    return first[0], f"{100 * first[1]:.0f} %", f"{second[0]} {100 * second[1]:.0f} %"


def _rests_on(prediction: Prediction) -> str:
    adapted = f", adapted to the speaker: {prediction.adapted_by}" if prediction.adapted_by else ""
    return prediction.sources + adapted


def card_table(title: str, facts: Mapping[str, Any]) -> Table:
    """Return the facts of a bundle, one row each; long lists are shortened."""
    table = Table(title=printable(title), show_header=False, title_justify="left")
    for name, value in facts.items():
        table.add_row(str(name), _short(value))
    return table


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_short(item)}" for key, item in value.items())
    if isinstance(value, list):
        shown = ", ".join(_short(item) for item in value[:8])
        return f"{shown}, ... ({len(value)})" if len(value) > 8 else shown
    return printable(value)
