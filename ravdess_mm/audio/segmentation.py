"""Where somebody speaks in a long recording: segments about as long as the sentences that the models know.

Pauses part the segments; one that is still too long is cut where it is quietest, and short ones are joined to their
neighbours.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from ravdess_mm.arrays import Singles
from ravdess_mm.audio.decoding import Samples
from ravdess_mm.audio.speech_activity import FRAME_S, SpeechActivity, close_gaps, runs

PAUSE_S: Final = 0.16
"""Shorter pauses stay inside of a segment."""
DIP_DB: Final = 30.0
DIP_REACH_S: Final = 1.0
"""What is so far below the loudest of the second before and of the second after is a pause, since the detector goes on
hearing speech for some tenths of a second after it."""
JOINED_GAP_S: Final = 0.5
SHORT_S: Final = 1.2
JOINED_S: Final = 4.0
"""Neighbours less than `JOINED_GAP_S` apart are joined if one is under `SHORT_S` and the whole no longer than this."""
LONGEST_S: Final = 6.0
"""A longer segment is cut."""
SHORTEST_S: Final = 0.3
"""A shorter one is left out: a cough, or a word that says too little."""
MARGIN_S: Final = 0.2
"""What a segment shows before and after its speech, as far as its neighbours leave room."""

WHOLE_S: Final = 20.0
"""A recording that is no longer is one segment; spoken takes of RAVDESS last 3 to 5 s."""

Span = tuple[float, float]
"""Start and end, in seconds from the start of the recording."""

_Frames = tuple[int, int]
"""First frame of a stretch, and the one after its last."""


def find_segments(activity: SpeechActivity) -> list[Span]:
    """Find the segments of a recording in which somebody speaks.

    Parameters
    ----------
    activity : SpeechActivity
        Of the recording.

    Returns
    -------
    list of Span
        In the order of time, apart from each other; empty where nobody speaks for `SHORTEST_S`. With their margins
        segments last 0.3 to 6.4 s.
    """
    level_db = activity.level_db
    if not len(level_db):
        return []
    spoken = close_gaps(runs(activity.is_speech & ~_dips(level_db)), round(PAUSE_S / FRAME_S))
    joined = _join([part for stretch in spoken for part in _cut(stretch, level_db)])
    kept = [(start, stop) for start, stop in joined if (stop - start) * FRAME_S >= SHORTEST_S]
    return _with_margins([(start * FRAME_S, stop * FRAME_S) for start, stop in kept], activity.duration_s)


def sentences(y: Samples, sr: int) -> list[Samples]:
    """Return a recording as the models know speech: whole, or its segments where it is longer than `WHOLE_S`.

    Parameters
    ----------
    y : numpy.ndarray [shape=(n,)]
        Mono samples.
    sr : int
        Sampling rate, in Hz.
    """
    if len(y) <= WHOLE_S * sr:
        return [y]
    return [y[int(start * sr) : int(stop * sr)] for start, stop in find_segments(SpeechActivity.of(y, sr))] or [y]


def windows(duration_s: float, length_s: float = JOINED_S) -> list[Span]:
    """Return segments of equal length, `length_s` or somewhat less, that cover a recording without sound."""
    n = max(1, int(np.ceil(duration_s / length_s)))
    edges = np.linspace(0, duration_s, n + 1).tolist()
    return list(pairwise(edges))


def _dips(level_db: Singles) -> npt.NDArray[np.bool_]:
    """Tell which frames are `DIP_DB` below what is around them on both sides."""
    reach = round(DIP_REACH_S / FRAME_S)
    padded = np.pad(level_db, reach - 1, mode="edge")
    loudest = np.lib.stride_tricks.sliding_window_view(padded, reach).max(axis=1)
    before, after = loudest[: len(level_db)], loudest[reach - 1 :]
    return np.asarray(level_db < np.minimum(before, after) - DIP_DB)


def _cut(stretch: _Frames, level_db: Singles) -> list[_Frames]:
    """Cut a stretch where it is quietest until no part is too long; never within a quarter of its ends."""
    start, stop = stretch
    if (stop - start) * FRAME_S <= LONGEST_S:
        return [stretch]
    quarter = (stop - start) // 4
    smooth = np.convolve(level_db[start + quarter - 1 : stop - quarter + 1], np.ones(3), mode="valid")
    middle = start + quarter + int(smooth.argmin())
    return [*_cut((start, middle), level_db), *_cut((middle, stop), level_db)]


def _join(parts: list[_Frames]) -> list[_Frames]:
    joined: list[_Frames] = []
    for start, stop in parts:
        if joined and _belong_together(joined[-1], (start, stop)):
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return joined


def _belong_together(one: _Frames, other: _Frames) -> bool:
    gap_s, whole_s = (other[0] - one[1]) * FRAME_S, (other[1] - one[0]) * FRAME_S
    shorter_s = min(stop - start for start, stop in (one, other)) * FRAME_S
    return gap_s < JOINED_GAP_S and whole_s <= JOINED_S and shorter_s < SHORT_S


def _with_margins(spans: list[Span], duration_s: float) -> list[Span]:
    """Widen spans on both sides, but not into each other's half of the gap between them."""
    ends = [0.0, *((before[1] + after[0]) / 2 for before, after in pairwise(spans)), duration_s]
    return [
        (max(low, start - MARGIN_S), min(high, stop + MARGIN_S))
        for (start, stop), low, high in zip(spans, ends, ends[1:], strict=False)
    ]
