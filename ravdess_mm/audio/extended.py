"""The extended feature set: seventeen families of named numbers about one voice.

A column's name is ``family_track_statistic``; the part before the first underscore is its family.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from ravdess_mm.arrays import Floats, Singles
from ravdess_mm.audio import prosody, spectral
from ravdess_mm.audio.analysis import N_MELS, N_MFCC, Analysis
from ravdess_mm.audio.summaries import FULL, grid, numbered


@dataclass(frozen=True)
class FeatureFamily:
    """Numbers that are computed, named and ranked together.

    Attributes
    ----------
    name : str
        One lower-case word; the beginning of each column's name.
    compute : callable
        From an analysis to numbers [shape=(n_columns,)].
    columns : tuple of str
        What each number is called, without the family's name.
    """

    name: str
    compute: Callable[[Analysis], Floats]
    columns: tuple[str, ...]


def extended_names() -> tuple[str, ...]:
    """Return the names of all columns, in the order of `extended`."""
    return tuple(f"{family.name}_{column}" for family in families() for column in family.columns)


def extended(y: Singles) -> Floats:
    """Return the numbers of all families [shape=(len(extended_names()),)] from samples [shape=(n,)] at 22 050 Hz."""
    analysis = Analysis.of(y)
    return np.concatenate([family.compute(analysis) for family in families()])


def _pairs(tracks: tuple[str, ...], *, diagonal: bool) -> tuple[str, ...]:
    rows, columns = np.triu_indices(len(tracks), 0 if diagonal else 1)
    return tuple(f"{tracks[row]}_{tracks[column]}" for row, column in zip(rows, columns, strict=True))


_BANDS: Final = numbered("band", N_MELS)
_QUALITY_TRACKS: Final[tuple[str, ...]] = (
    *("h1-h2", "h1-h3", "h2-h4", "h1-h6"),
    *("tilt-50-1000", "tilt-1000-5000", "tilt-100-5000", "tilt-5000-11000"),
    *("hammarberg", "alpha", "treble", "bass", "middle", "hnr"),
)
_PITCH_EXTRAS: Final[tuple[str, ...]] = (
    *("voiced_mean", "voiced_std", *(f"voiced_p{p:02d}" for p in prosody.VOICED_PITCH_PERCENTILES)),
    *("voiced_range", "voiced_p10-p90", *(f"change_size_p{p}" for p in (50, 75, 90, 95))),
)
_LEVEL: Final[tuple[str, ...]] = (
    *("mean", "std", *(f"p{p:02d}" for p in prosody.LEVEL_PERCENTILES)),
    *("voiced_mean", "voiced_std", *(f"change_p{p:02d}" for p in prosody.CHANGE_PERCENTILES)),
)
_TIMING: Final[tuple[str, ...]] = (
    *("duration_s", "log_frames", "syllables", "syllables_per_s", "voiced_share", "voiced_s"),
    *("quiet_3_share", "quiet_2_share", "quiet_1_share", "loudest_at", "highest_at"),
    *("n_runs", "run_mean_s", "run_max_s"),
)
_GESTURE: Final[tuple[str, ...]] = (
    *("length_s", "pitch_slope", "pitch_bend", "pitch_mean", "pitch_range", "level_peak", "level_slope"),
)
_PERTURBATION: Final[tuple[str, ...]] = ("pitch_mean", "pitch_std", "level_mean", "level_std", "bend_mean")


@lru_cache(maxsize=1)
def families() -> tuple[FeatureFamily, ...]:
    """Return the families in the order of their columns."""
    covariance_tracks = (
        *numbered("mfcc", spectral.COVARIANCE_MFCC),
        *numbered("slope", spectral.COVARIANCE_MFCC),
    )
    correlation_tracks = (*numbered("mfcc", spectral.CORRELATION_MFCC), "level", "pitch")
    resonances = tuple(f"f{number}_{what}" for number in range(1, 5) for what in ("log2hz", "height"))
    rows, columns = spectral.PATTERN_SHAPE
    rates = tuple(f"rate_{number}" for number in range(1, len(spectral.MODULATION_EDGES_HZ)))
    lpc = numbered("lpc", spectral.N_LPC_CEPSTRA)
    return (
        FeatureFamily("mel", spectral.mel_bands, grid(_BANDS)),
        FeatureFamily("mfcc", spectral.cepstra, grid(numbered("c", N_MFCC))),
        FeatureFamily(
            "shape",
            spectral.shape,
            grid(("centroid_khz", "bandwidth_khz", "rolloff_khz", "flatness", "flux", "crossings")),
        ),
        FeatureFamily("modulation", spectral.modulation, grid(_BANDS, rates)),
        FeatureFamily(
            "pattern",
            spectral.pattern,
            tuple(f"time_{row}_band_{column}" for row in range(rows) for column in range(columns)),
        ),
        FeatureFamily("covariance", spectral.covariance, _pairs(covariance_tracks, diagonal=True)),
        FeatureFamily("correlation", spectral.correlation, _pairs(correlation_tracks, diagonal=False)),
        FeatureFamily(
            "voicedmel",
            spectral.voiced_mel,
            tuple(f"{what}_{band}" for what in ("mean", "std", "shape", "unvoiced_shape") for band in _BANDS),
        ),
        FeatureFamily(
            "melchange",
            spectral.mel_change,
            tuple(f"{what}_{band}" for what in ("log_std", "size", "p05", "p95") for band in _BANDS),
        ),
        FeatureFamily(
            "envelope",
            spectral.envelope,
            (
                *grid(resonances, spectral.RESONANCE_STATISTICS),
                *(f"{name}_{what}" for what in spectral.LPC_STATISTICS for name in lpc),
            ),
        ),
        FeatureFamily("pitch", prosody.pitch, (*grid(("log2hz", "change", "strength"), FULL), *_PITCH_EXTRAS)),
        FeatureFamily("level", prosody.level, _LEVEL),
        FeatureFamily(
            "contour",
            prosody.contour,
            grid(
                ("pitch", "level", "strength", "level_slope"),
                tuple(f"order_{order}" for order in range(prosody.CONTOUR_ORDERS)),
            ),
        ),
        FeatureFamily("timing", prosody.timing, _TIMING),
        FeatureFamily(
            "runs",
            prosody.runs,
            tuple(
                f"{what}_{part}"
                for what in ("mean", "std", "first", "last", "longest", "max", "min")
                for part in _GESTURE
            ),
        ),
        FeatureFamily("quality", prosody.quality, grid(_QUALITY_TRACKS)),
        FeatureFamily("perturbation", prosody.perturbation, _PERTURBATION),
    )
