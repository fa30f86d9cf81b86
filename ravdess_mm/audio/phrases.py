"""Where somebody speaks in a long recording: pieces about as long as the sentences that the models know.

Pauses part the pieces; one that is still too long is cut where it is quietest, and short ones are joined to their
neighbours. The level is judged as in :func:`ravdess_mm.audio.analysis.find_voice`, after Rabiner LR, Sambur MR (1975),
Bell System Technical Journal 54(2): 297-315.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from ravdess_mm.audio.analysis import ABOVE_NOISE_DB, BELOW_PEAK_DB, NOISE_CAP_DB, NOISE_PERCENTILE
from ravdess_mm.audio.decode import Samples

SILENCE_DB: Final = -90.0
"""What is quieter holds no more than one step of 16-bit sound."""
HOP_S: Final = 0.01
"""Time from one measurement of the level to the next."""
SMOOTHING_HOPS: Final = 5
AT_A_TIME: Final = 6000
"""Hops whose power is computed at a time: a minute."""
PEAK_PERCENTILE: Final = 99.5
"""What counts as the loudest: the shortest click does not."""
APART_S: Final = 0.5
"""So far from what is loud enough for the whole recording, quieter speech is looked for, `STEP_S` at a time."""
STEP_S: Final = 0.1
AROUND_S: Final = 4.0
"""How far around a moment the loudest and the quietest are looked for then."""
PAUSE_S: Final = 0.35
"""Shorter pauses stay inside of a piece."""
JOINED_GAP_S: Final = 0.8
SHORT_S: Final = 1.2
JOINED_S: Final = 4.0
"""Neighbours less than `JOINED_GAP_S` apart are joined if one is under `SHORT_S` and the whole no longer than this."""
LONGEST_S: Final = 6.0
"""A longer piece is cut."""
SHORTEST_S: Final = 0.6
"""A shorter one is left out: a cough, or a word that says too little."""
MARGIN_S: Final = 0.2
"""What a piece shows before and after its sound, as far as its neighbours leave room."""

WHOLE_S: Final = 20.0
"""A recording that is no longer is one piece; spoken takes of RAVDESS last 3 to 5 s."""

Span = tuple[float, float]
"""Start and end, in seconds from the start of the recording."""


def find_phrases(y: Samples, sr: int) -> list[Span]:
    """Find the pieces of a recording in which somebody speaks.

    Parameters
    ----------
    y : numpy.ndarray [shape=(n,)]
        Mono samples.
    sr : int
        Sampling rate, in Hz.

    Returns
    -------
    list of Span
        In the order of time, apart from each other; empty where nothing is loud for `SHORTEST_S`. With their margins
        pieces last 0.6 to 6.4 s.
    """
    level_db = _level_db(y, sr)
    if not len(level_db):
        return []
    runs = _close_gaps(_runs(_find_active(level_db)), round(PAUSE_S / HOP_S))
    pieces = [part for run in runs for part in _cut(run, level_db)]
    joined = _join(pieces)
    kept = [(start, stop) for start, stop in joined if stop - start >= SHORTEST_S / HOP_S]
    return _with_margins([(start * HOP_S, stop * HOP_S) for start, stop in kept], len(y) / sr)


def sentences(y: Samples, sr: int) -> list[Samples]:
    """Return a recording as the models know speech: whole, or its pieces where it is longer than `WHOLE_S`.

    Parameters
    ----------
    y, sr
        As for `find_phrases`.
    """
    if len(y) <= WHOLE_S * sr:
        return [y]
    return [y[int(start * sr) : int(stop * sr)] for start, stop in find_phrases(y, sr)] or [y]


def windows(duration_s: float, length_s: float = JOINED_S) -> list[Span]:
    """Return pieces of equal length, `length_s` or somewhat less, that cover a recording without sound."""
    n = max(1, int(np.ceil(duration_s / length_s)))
    edges = np.linspace(0, duration_s, n + 1).tolist()
    return list(pairwise(edges))


def _level_db(y: Samples, sr: int) -> npt.NDArray[np.float64]:
    """Return the smoothed level of each hop, in dB."""
    n = int(len(y) / (HOP_S * sr))
    if n == 0 or HOP_S * sr < 1:
        return np.empty(0)
    # at 22 050 Hz a hop is no whole number of samples; rounded to one, an hour would end 8 s early
    first = np.rint(np.arange(n + 1) * HOP_S * sr).astype(np.int64)
    power = np.empty(n)
    for start in range(0, n, AT_A_TIME):  # squares of hours at once would be several times their samples
        edges = first[start : start + AT_A_TIME + 1]
        squares = np.square(y[edges[0] : edges[-1]], dtype=np.float64)
        power[start : start + AT_A_TIME] = np.add.reduceat(squares, edges[:-1] - edges[0]) / np.diff(edges)
    decibels = np.asarray(10 * np.log10(power + 1e-14))
    if n < SMOOTHING_HOPS:
        return decibels
    padded = np.pad(decibels, SMOOTHING_HOPS // 2, mode="edge")
    return np.asarray(np.convolve(padded, np.full(SMOOTHING_HOPS, 1 / SMOOTHING_HOPS), mode="valid"))


def _find_active(level_db: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Tell the hops in which somebody speaks.

    Those whose level is high enough for the whole recording; and where there is none for a while, those that are high
    enough for what is around them, so that a scream does not hide the calm sentence somewhat later. What is about
    equally loud all around is then noise.
    """
    n, step, reach, apart = len(level_db), *(round(span_s / HOP_S) for span_s in (STEP_S, AROUND_S, APART_S))
    active = level_db > _threshold_db(level_db)
    near = np.convolve(active, np.ones(2 * apart + 1), mode="same") > 0 if n > 2 * apart else np.ones(n, dtype=bool)
    for start in np.flatnonzero(~near[::step]) * step:
        around = level_db[max(0, start - reach) : start + reach]
        noise, peak = np.percentile(around, (NOISE_PERCENTILE, PEAK_PERCENTILE))
        if peak - noise > NOISE_CAP_DB:
            own = slice(start, start + step)
            active[own] |= level_db[own] > _threshold_db(around)
    return active & (level_db > SILENCE_DB)


def _threshold_db(level_db: npt.NDArray[np.float64]) -> float:
    noise, peak = np.percentile(level_db, (NOISE_PERCENTILE, PEAK_PERCENTILE))
    return float(max(peak - BELOW_PEAK_DB, min(noise + ABOVE_NOISE_DB, peak - NOISE_CAP_DB)))


def _runs(active: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], active, [False]]).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def _close_gaps(runs: list[tuple[int, int]], shorter_than: int) -> list[tuple[int, int]]:
    closed: list[tuple[int, int]] = []
    for start, stop in runs:
        if closed and start - closed[-1][1] < shorter_than:
            closed[-1] = (closed[-1][0], stop)
        else:
            closed.append((start, stop))
    return closed


def _cut(run: tuple[int, int], level_db: npt.NDArray[np.float64]) -> list[tuple[int, int]]:
    """Cut a run where it is quietest until no part is too long; never within a quarter of its ends."""
    start, stop = run
    if stop - start <= LONGEST_S / HOP_S:
        return [run]
    quarter = (stop - start) // 4
    middle = start + quarter + int(level_db[start + quarter : stop - quarter].argmin())
    return [*_cut((start, middle), level_db), *_cut((middle, stop), level_db)]


def _join(pieces: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, stop in pieces:
        if joined and _belong_together(joined[-1], (start, stop)):
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return joined


def _belong_together(one: tuple[int, int], other: tuple[int, int]) -> bool:
    gap_s, whole_s = (other[0] - one[1]) * HOP_S, (other[1] - one[0]) * HOP_S
    shorter_s = min(stop - start for start, stop in (one, other)) * HOP_S
    return gap_s < JOINED_GAP_S and whole_s <= JOINED_S and shorter_s < SHORT_S


def _with_margins(spans: list[Span], duration_s: float) -> list[Span]:
    """Widen spans on both sides, but not into each other's half of the gap between them."""
    ends = [0.0, *((before[1] + after[0]) / 2 for before, after in pairwise(spans)), duration_s]
    return [
        (max(low, start - MARGIN_S), min(high, stop + MARGIN_S))
        for (start, stop), low, high in zip(spans, ends, ends[1:], strict=False)
    ]
