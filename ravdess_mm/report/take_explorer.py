"""The data of the take explorer: every test take and each model's prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ravdess_mm.corpus.identifier import EMOTIONS, Statement, Take
from ravdess_mm.predictions import probabilities_of
from ravdess_mm.report.formatting import branch_of, model_label
from ravdess_mm.report.frame_images import thumbnails
from ravdess_mm.report.run_files import RunFiles
from ravdess_mm.report.waveforms import waveforms


def explorer_data(files: RunFiles, shown: Sequence[str]) -> dict[str, Any]:
    """Return what the page's script needs, as what JSON knows.

    Parameters
    ----------
    files : RunFiles
        The run.
    shown : sequence of str
        The models that stand first and have a column in the list: the headline's and the branches'.

    Returns
    -------
    dict
        ``emotions``; ``statements``; ``models`` (name, label, branch and whether it is shown in the list); ``takes``
        (sorted); ``answers``: by model one entry a take, None or nine numbers: the place of the answer in ``emotions``
        and eight probabilities in thousandths; ``pictures``: place of a take to ``data:`` addresses; ``sounds``: place
        of a take to the bars of its waveform and its seconds.
    """
    order = [*shown, *(name for name in files.tables if name not in shown)]
    answers = {name: _answers(files, name) for name in order}
    takes = sorted({take for by_take in answers.values() for take in by_take})
    pictures: Mapping[str, list[str]] = thumbnails(files.frames, takes) if files.frames is not None else {}
    sounds = waveforms(files.catalog, takes) if files.catalog is not None else {}
    return {
        "emotions": list(EMOTIONS),
        "statements": {f"{int(statement):02d}": statement.text for statement in Statement},
        "models": [
            {"name": name, "label": model_label(name), "branch": branch_of(name), "listed": name in shown}
            for name in order
        ],
        "takes": takes,
        "answers": [[answers[name].get(take) for take in takes] for name in order],
        "pictures": {str(index): pictures[take] for index, take in enumerate(takes) if take in pictures},
        "sounds": {
            str(index): [sounds[take].bars, round(sounds[take].duration_s, 2)]
            for index, take in enumerate(takes)
            if take in sounds
        },
    }


def explorer_actors(data: Mapping[str, Any]) -> list[int]:
    """Return the actors that the explorer can be filtered by."""
    return sorted({Take.parse(take).actor for take in data["takes"]})


def _answers(files: RunFiles, name: str) -> dict[str, list[int]]:
    rows = files.tested[name]
    probabilities = probabilities_of(rows)
    # the answer is written down too: rounding may turn a narrow lead into a tie
    written = np.column_stack([probabilities.argmax(axis=1), np.rint(1000 * probabilities)]).astype(np.int64)
    return dict(zip(rows["take"], written.tolist(), strict=True))
