"""Feature families of melody, loudness, tempo and voice quality. Each takes an analysis and returns its numbers."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from ravdess_mm.arrays import Floats, Singles
from ravdess_mm.audio.analysis import BIN_HZ, FRAMES_PER_S, Analysis
from ravdess_mm.audio.spectral import BINS_HZ
from ravdess_mm.audio.summaries import percentiles, slopes, stretch, summarise

VOICED_PITCH_PERCENTILES: Final[tuple[int, ...]] = (2, 5, 10, 25, 50, 75, 90, 95, 98)
LEVEL_PERCENTILES: Final[tuple[int, ...]] = (5, 10, 25, 50, 75, 90, 95, 100)
CHANGE_PERCENTILES: Final[tuple[int, ...]] = (2, 5, 10, 25, 50, 75, 90, 95, 98)
CONTOUR_POINTS: Final = 32
CONTOUR_ORDERS: Final = 10
SYLLABLE_FRAMES: Final = 9
SYLLABLE_PROMINENCE: Final = 0.5
MIN_RUN_FRAMES: Final = 5
TILT_RANGES_HZ: Final[tuple[tuple[float, float], ...]] = ((50, 1000), (1000, 5000), (100, 5000), (5000, 11000))
RATIO_BANDS_HZ: Final[tuple[tuple[tuple[float, float], tuple[float, float]], ...]] = (
    ((50, 1000), (1000, 5000)),
    ((5000, 11000), (50, 5000)),
    ((0, 500), (500, 1000)),
    ((1000, 2000), (2000, 4000)),
)
HARMONICS: Final = 6


def pitch(analysis: Analysis) -> Floats:
    """Pitch in octaves, its change and its strength, all statistics; and percentiles over voiced frames only."""
    track = analysis.pitch
    change = slopes(track.log2_hz[:, np.newaxis])
    everywhere = summarise(np.column_stack([track.log2_hz, change[:, 0], track.strength]))
    voiced = track.log2_hz[analysis.voiced]
    ordered = np.sort(voiced)
    low, high = percentiles(ordered, (10, 90))
    only_voiced = [voiced.mean(), voiced.std(), *percentiles(ordered, VOICED_PITCH_PERCENTILES)]
    only_voiced += [ordered[-1] - ordered[0], high - low, *percentiles(np.sort(np.abs(change[:, 0])), (50, 75, 90, 95))]
    return np.concatenate([everywhere, only_voiced])


def level(analysis: Analysis) -> Floats:
    """Loudness (log root mean square): percentiles, over voiced frames, and percentiles of its change a frame."""
    track = analysis.level
    voiced = track[analysis.voiced]
    change = np.sort(slopes(track[:, np.newaxis])[:, 0])
    over_all = [track.mean(), track.std(), *percentiles(np.sort(track), LEVEL_PERCENTILES)]
    return np.concatenate([over_all, [voiced.mean(), voiced.std()], percentiles(change, CHANGE_PERCENTILES)])


def contour(analysis: Analysis) -> Floats:
    """Shape over relative time of pitch, level, voicing and the slope of level: low orders of a cosine transform."""
    from scipy.fft import dct

    change = slopes(analysis.level[:, np.newaxis])[:, 0]
    tracks = np.column_stack([analysis.pitch.log2_hz, analysis.level, analysis.pitch.strength, change])
    shapes = dct(stretch(tracks, CONTOUR_POINTS), axis=0, norm="ortho")[:CONTOUR_ORDERS]
    return np.asarray(shapes.T.ravel(), dtype=np.float64)


def timing(analysis: Analysis) -> Floats:
    """Duration and tempo: length, syllable-like peaks of loudness, share and length of voiced and loud stretches."""
    from scipy.signal import find_peaks

    n = analysis.n_frames
    voiced = analysis.pitch.voiced
    relative = analysis.level - analysis.level.max()
    kernel = np.hanning(SYLLABLE_FRAMES) / np.hanning(SYLLABLE_FRAMES).sum()
    peaks, _ = find_peaks(np.convolve(analysis.level, kernel, mode="same"), prominence=SYLLABLE_PROMINENCE)
    lengths = [stop - start for start, stop in voiced_runs(voiced)] or [0]
    values = [
        n / FRAMES_PER_S,
        np.log(n),
        len(peaks),
        len(peaks) / n * FRAMES_PER_S,
        voiced.mean(),
        voiced.sum() / FRAMES_PER_S,
        *((relative < -below).mean() for below in (3, 2, 1)),
        relative.argmax() / n,
        (analysis.pitch.log2_hz * voiced).argmax() / n,
        len(lengths),
        np.mean(lengths) / FRAMES_PER_S,
        np.max(lengths) / FRAMES_PER_S,
    ]
    return np.asarray(values, dtype=np.float64)


def runs(analysis: Analysis) -> Floats:
    """Voiced runs of at least five frames, each as a gesture: what pitch and level do in it.

    A gesture has a length, slope, bend, mean and range of pitch, and peak and slope of level. The gestures are averaged
    by length; their deviation, the first, last and longest, and the largest and least values are kept.
    """
    gestures = [
        _gesture(analysis.pitch.log2_hz[start:stop], analysis.level[start:stop])
        for start, stop in voiced_runs(analysis.pitch.voiced)
        if stop - start >= MIN_RUN_FRAMES
    ]
    if not gestures:
        gestures = [_gesture(analysis.pitch.log2_hz, analysis.level) * 0]
    table = np.stack(gestures)
    weights = table[:, 0] / max(table[:, 0].sum(), 1e-9)
    longest = table[table[:, 0].argmax()]
    rows = [weights @ table, table.std(axis=0), table[0], table[-1], longest, table.max(axis=0), table.min(axis=0)]
    return np.concatenate(rows)


def quality(analysis: Analysis) -> Floats:
    """Voice quality over voiced frames, all statistics.

    Level differences among the first six harmonics (breathy to pressed: Hanson HM (1997), JASA 101(1): 466-481),
    spectral tilt in dB-like units an octave in four ranges, Hammarberg index, ratios of bands such as alpha (Eyben F et
    al. (2016), IEEE Transactions on Affective Computing 7(2): 190-202, the GeMAPS set) and harmonics-to-noise ratio
    from the autocorrelation peak (Boersma 1993), all as differences of natural logarithms of power.
    """
    voiced = analysis.voiced
    log_power = analysis.log_spectrum[voiced]
    power = analysis.spectrum[voiced]
    harmonics = _harmonics(log_power, analysis.pitch.log2_hz[voiced])
    first, second, third, fourth, _, sixth = harmonics
    tilts = log_power @ _tilt_weights()
    low, high = (_bins(0, 2000), _bins(2000, 5000))
    hammarberg = log_power[:, low].max(axis=1) - log_power[:, high].max(axis=1)
    ratios = [_band(power, *over) - _band(power, *under) for over, under in RATIO_BANDS_HZ]
    periodicity = np.clip(analysis.pitch.strength[voiced], 0.01, 0.999)
    tracks = [first - second, first - third, second - fourth, first - sixth, *tilts.T, hammarberg, *ratios]
    tracks.append(np.log(periodicity / (1 - periodicity)))
    return summarise(np.stack(tracks, axis=1))


def perturbation(analysis: Analysis) -> Floats:
    """Unsteadiness from one voiced frame to the next: log mean and deviation of changes of pitch and level.

    The frame-rate kin of jitter and shimmer (Titze IR (1994), Workshop on acoustic voice analysis), with the change of
    the change of pitch as the fifth.
    """
    neighbours = np.diff(np.flatnonzero(analysis.voiced)) == 1
    pitch_change = np.diff(analysis.pitch.log2_hz[analysis.voiced])[neighbours]
    level_change = np.diff(analysis.level[analysis.voiced])[neighbours]
    bend = np.diff(pitch_change)
    sizes = (
        (np.abs(pitch_change), np.mean, 1e-4),
        (pitch_change, np.std, 1e-4),
        (np.abs(level_change), np.mean, 1e-3),
        (level_change, np.std, 1e-3),
        (np.abs(bend), np.mean, 1e-4),
    )
    return np.array([np.log((float(size(values)) if len(values) else 0.0) + floor) for values, size, floor in sizes])


def voiced_runs(voiced: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return first and past-the-last frame of each uninterrupted stretch of voiced frames."""
    steps = np.flatnonzero(np.diff(np.concatenate([[False], voiced, [False]]).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in steps.reshape(-1, 2)]


def _gesture(pitch_track: Floats, level_track: Floats) -> Floats:
    """Return length, pitch slope a second, bend, mean and range, peak level and level slope a second."""
    times = np.arange(len(pitch_track)) - (len(pitch_track) - 1) / 2
    # orthogonal to constant and line, so its coefficient is that of the fitted parabola
    bow = times**2 - (times**2).mean()
    squares = times @ times
    return np.array(
        [
            len(pitch_track) / FRAMES_PER_S,
            times @ pitch_track / squares * FRAMES_PER_S,
            bow @ pitch_track / (bow @ bow) * 1e3,
            pitch_track.mean(),
            np.ptp(pitch_track),
            level_track.max(),
            times @ level_track / squares * FRAMES_PER_S,
        ]
    )


def _harmonics(log_power: Singles, log2_hz: Floats) -> list[Singles]:
    """Return the log power at each harmonic, the highest of three bins around it [shape=(n,) each]."""
    frames = np.arange(len(log_power))
    found = []
    for harmonic in range(1, HARMONICS + 1):
        nearest = np.rint(harmonic * 2.0**log2_hz / BIN_HZ).astype(np.int64)
        bins = np.clip(nearest, 1, log_power.shape[1] - 2)
        found.append(np.max([log_power[frames, bins + offset] for offset in (-1, 0, 1)], axis=0))
    return found


def _bins(low_hz: float, high_hz: float) -> slice:
    first, last = np.searchsorted(BINS_HZ, (low_hz, high_hz))
    return slice(int(first), int(last))


def _band(power: Singles, low_hz: float, high_hz: float) -> Floats:
    return np.asarray(np.log(power[:, _bins(low_hz, high_hz)].sum(axis=1) + 1e-9), dtype=np.float64)


@lru_cache(maxsize=1)
def _tilt_weights() -> Singles:
    """Return what the log spectrum is multiplied by for its slope an octave in each range [shape=(bins, 4)]."""
    weights = np.zeros((len(BINS_HZ), len(TILT_RANGES_HZ)), dtype=np.float32)
    for column, (low_hz, high_hz) in enumerate(TILT_RANGES_HZ):
        bins = _bins(max(low_hz, BIN_HZ), high_hz)
        octaves = np.log2(BINS_HZ[bins])
        centred = octaves - octaves.mean()
        weights[bins, column] = centred / (centred @ centred)
    return weights
