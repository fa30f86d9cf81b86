"""From tracks over time to numbers: the statistics of the extended feature set, and their names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from ravdess_mm.arrays import AnyFloats, Floats

PERCENTILES: Final[tuple[int, ...]] = (5, 25, 50, 75, 95)
N_QUARTERS: Final = 4

FULL: Final[tuple[str, ...]] = (
    "mean",
    "std",
    "range",
    *(f"p{percentile:02d}" for percentile in PERCENTILES),
    "skewness",
    "kurtosis",
    "slope",
    *(f"q{quarter}_{what}" for quarter in range(1, N_QUARTERS + 1) for what in ("mean", "std")),
)
"""Names of the numbers of `summarise`; ``q1`` to ``q4`` are consecutive quarters of the voice."""


def summarise(tracks: AnyFloats) -> Floats:
    """Summarise tracks over time.

    Parameters
    ----------
    tracks : numpy.ndarray [shape=(n_frames, n_tracks)]
        At least four frames.

    Returns
    -------
    numpy.ndarray [shape=(n_tracks * len(FULL),)]
        Track by track, in the order of `FULL`: mean, deviation, range, percentiles, skewness and kurtosis (the third
        and fourth standardised moments), slope of the fitted line from -1 to 1 over the clip, and mean and deviation
        of each quarter. A constant track has moments of zero.
    """
    ordered = np.sort(tracks, axis=0)
    mean = tracks.mean(axis=0)
    deviation = tracks.std(axis=0)
    standard = (tracks - mean) / (deviation + 1e-9)
    squares = standard * standard
    times = np.linspace(-1, 1, len(tracks))
    rows = [
        mean,
        deviation,
        ordered[-1] - ordered[0],
        *percentiles(ordered, PERCENTILES),
        (squares * standard).mean(axis=0),
        (squares * squares).mean(axis=0),
        times @ tracks / (times @ times),
    ]
    for quarter in np.array_split(tracks, N_QUARTERS):
        rows += [quarter.mean(axis=0), quarter.std(axis=0)]
    return np.stack(rows, axis=1).ravel()


def percentiles(ordered: AnyFloats, wanted: Sequence[float]) -> Floats:
    """Return percentiles [shape=(len(wanted), ...)] of values sorted along the first axis, linearly interpolated."""
    position = np.asarray(wanted) / 100 * (len(ordered) - 1)
    below = np.floor(position).astype(np.int64)
    above = np.minimum(below + 1, len(ordered) - 1)
    share = (position - below).reshape(-1, *[1] * (ordered.ndim - 1))
    return np.asarray(ordered[below] * (1 - share) + ordered[above] * share, dtype=np.float64)


def grid(tracks: Iterable[str], statistics: Sequence[str] = FULL) -> tuple[str, ...]:
    """Return the names ``track_statistic``, track by track."""
    return tuple(f"{track}_{statistic}" for track in tracks for statistic in statistics)


def numbered(track: str, count: int) -> tuple[str, ...]:
    """Return the names ``track_01``, ``track_02``, ..."""
    return tuple(f"{track}_{number:02d}" for number in range(1, count + 1))


def stretch(tracks: AnyFloats, length: int) -> Floats:
    """Resample tracks [shape=(n_frames, n_tracks)] to `length` points over the clip, linearly interpolated."""
    position = np.linspace(0, len(tracks) - 1, length)
    below = np.minimum(np.floor(position).astype(np.int64), len(tracks) - 2)
    share = (position - below)[:, np.newaxis]
    return np.asarray(tracks[below] * (1 - share) + tracks[below + 1] * share, dtype=np.float64)


def slopes(tracks: AnyFloats, width: int = 9) -> Floats:
    """Return the local slope of each track, per frame: a line fitted to `width` frames.

    The first and last frames get the slope of the outermost full window (Savitzky A, Golay MJE (1964), Analytical
    Chemistry 36(8): 1627-1639).
    """
    half = width // 2
    summed = np.zeros((len(tracks) - 2 * half, tracks.shape[1]))
    for reach in range(1, half + 1):
        summed += reach * (tracks[half + reach : len(tracks) - half + reach] - tracks[half - reach : -half - reach])
    fitted = summed / (2 * sum(reach * reach for reach in range(1, half + 1)))
    return np.pad(fitted, ((half, half), (0, 0)), mode="edge")
