"""Several runs over the same clips: one a protocol, with features made once and figures side by side."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from ravdess_mm.config import Protocol, Settings
from ravdess_mm.errors import InputError
from ravdess_mm.run.folder import RunFolder
from ravdess_mm.run.settings import load_settings, read_words

ALL: Final = "all"
"""Value of PROTOCOL for every protocol that the data has test actors for."""

FIGURES: Final[tuple[str, ...]] = ("accuracy", "uar", "macro_f1")
"""Figures of a model that have an interval."""

_FEATURE_PARTS: Final[tuple[str, ...]] = ("cache", "audio", "video", "catalog.parquet")
_FEATURE_STAGES: Final[tuple[str, ...]] = (
    "catalog",
    "audio-features",
    "audio-embeddings",
    "video-frames",
    "embedding",
    "action-units",
)


@dataclass(frozen=True)
class ProtocolRuns:
    """What ``make evaluate`` was asked for.

    Attributes
    ----------
    runs : tuple of Settings
        One run a protocol, in order.
    take_what_works : bool
        Whether a protocol that the data has no test actors for is left out, instead of being an error.
    table_path : Path or None
        Where the figures of several protocols go side by side.
    """

    runs: tuple[Settings, ...]
    take_what_works: bool
    table_path: Path | None


def load_protocol_runs(arguments: Sequence[str] = ()) -> ProtocolRuns:
    """Build the settings of each run from ``NAME=value`` arguments, as `load_settings` does for one.

    ``PROTOCOL`` may be a list such as ``luna5,loso``, or ``all``. With several protocols the run of each is named
    ``<RUN>-<protocol>``, and ``TEST_ACTORS`` holds for ``holdout`` alone.

    Raises
    ------
    InputError
        One line that says which variable is wrong, what was received and what is allowed.
    """
    words = read_words(arguments)
    names = words.get("PROTOCOL", "").replace(",", " ").split()
    if len(names) < 2 and names != [ALL]:
        return ProtocolRuns((load_settings(words),), False, None)
    protocols = list(Protocol) if ALL in names else [_known(name) for name in dict.fromkeys(names)]
    others = {name: value for name, value in words.items() if name not in ("PROTOCOL", "TEST_ACTORS")}
    base = load_settings(others)
    runs = []
    for protocol in protocols:
        own = words if protocol is Protocol.HOLDOUT else others
        runs.append(load_settings({**own, "PROTOCOL": protocol.value, "RUN": f"{base.run}-{protocol.value}"}))
    return ProtocolRuns(tuple(runs), ALL in names, base.artifacts_dir / f"{base.run}-protocols.csv")


def _known(name: str) -> Protocol:
    try:
        return Protocol(name)
    except ValueError as error:
        raise InputError(f"PROTOCOL={name}: allowed: {', '.join(Protocol)}, several of them, or {ALL}") from error


def adopt_features(source: RunFolder, target: RunFolder) -> None:
    """Give a run the features of another one over the same data, which do not depend on the protocol.

    Files are linked where the disk can, else copied; the records that say what they were made from come last, so the
    target's own stages find them up to date, or do what is missing. Nothing is adopted by a run that has features.
    """
    if (target.stages_dir / "catalog.json").is_file():
        return
    for part in _FEATURE_PARTS:
        _adopt(source.root / part, target.root / part)
    for name in _FEATURE_STAGES:
        _adopt(source.stages_dir / f"{name}.json", target.stages_dir / f"{name}.json")


def _adopt(source: Path, target: Path) -> None:
    if source.is_dir():
        for path in sorted(source.iterdir()):
            _adopt(path, target / path.name)
    elif source.is_file() and not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        # files of a run are replaced, never written in place: a link cannot change behind the other run's back
        try:
            os.link(source, target)
        except OSError:
            shutil.copy2(source, target)


def metrics_frame(results: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Return the figures of several runs as one table.

    Parameters
    ----------
    results : mapping of str to mapping
        Protocol to the content of its ``metrics.json``.

    Returns
    -------
    pandas.DataFrame
        One row a protocol and model: ``protocol``, ``model``, ``takes``, ``actors``, ``folds``; ``accuracy``, ``uar``
        and ``macro_f1`` with the ends of their intervals (``accuracy_low``, ...; empty where undefined), 0-1;
        ``log_loss``, ``brier``, ``ece``.
    """
    return pd.DataFrame([_row(protocol, name, model) for protocol, name, model in _models(results)])


def _models(results: Mapping[str, Mapping[str, Any]]) -> Iterable[tuple[str, str, Mapping[str, Any]]]:
    for protocol, one in results.items():
        for name, model in sorted(one["models"].items()):
            yield protocol, name, model


def _row(protocol: str, name: str, model: Mapping[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "protocol": protocol,
        "model": name,
        "takes": model["n_takes"],
        "actors": len(model["actors"]),
        "folds": len(model["folds"]),
    }
    for figure in FIGURES:
        estimate = model[figure]
        row |= {figure: estimate["value"], f"{figure}_low": estimate["low"], f"{figure}_high": estimate["high"]}
    return row | {figure: model[figure] for figure in ("log_loss", "brier", "ece")}
