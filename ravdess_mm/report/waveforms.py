"""Waveforms of voices, small enough to be embedded in the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ravdess_mm.errors import MediaError
from ravdess_mm.report.frame_images import evenly

WAVEFORMS: Final = 360
"""Most waveforms in the explorer: as many as there are takes with pictures."""
BARS: Final = 72
"""Parts of a waveform."""
QUIETEST_DB: Final = -50.0
"""Peak level, relative to full scale, at and below which a bar has no height."""
LEVELS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
"""Heights of a bar, lowest first: one character each."""


@dataclass(frozen=True)
class Waveform:
    """One voice: `BARS` characters of `LEVELS`, and how long it lasts in seconds."""

    bars: str
    duration_s: float


def waveforms(catalog: pd.DataFrame, takes: Sequence[str]) -> dict[str, Waveform]:
    """Return the waveforms of some takes, evenly spread over them if they are many.

    Parameters
    ----------
    catalog : pandas.DataFrame
        Columns take, path, voice.
    takes : sequence of str
        Takes that are listed.

    Returns
    -------
    dict of str to Waveform
        Takes without a voice, and clips that are no longer where the catalog found them, are not in it.
    """
    from ravdess_mm.audio.decoding import decode_audio

    voices = catalog[catalog["voice"].astype(bool)]
    path_of = dict(zip(voices["take"].astype(str), voices["path"].astype(str), strict=True))
    heard = [take for take in takes if take in path_of]
    drawn = {}
    for index in evenly(len(heard), min(len(heard), WAVEFORMS)):
        take = heard[index]
        try:
            y, sr = decode_audio(path_of[take])
        except MediaError:  # the clip was moved or changed since; the page says how many waveforms it shows
            continue
        drawn[take] = Waveform(draw_bars(y), len(y) / sr)
    return drawn


def draw_bars(y: npt.NDArray[np.float32]) -> str:
    """Return the peak levels of a signal [shape=(n,), full scale -1 to 1] over `BARS` equal parts.

    A bar rises with the level in dB, from `QUIETEST_DB` to full scale, so that a whisper can still be seen beside a
    shout.
    """
    edges = np.linspace(0, len(y), BARS + 1).astype(np.int64)
    peaks = np.array([np.abs(y[start:stop]).max(initial=0.0) for start, stop in pairwise(edges)])
    levels_db = 20 * np.log10(np.maximum(peaks, 10 ** (QUIETEST_DB / 20)))
    heights = np.minimum(1 - levels_db / QUIETEST_DB, 1) * (len(LEVELS) - 1)
    return "".join(LEVELS[height] for height in np.rint(heights).astype(np.int64))
