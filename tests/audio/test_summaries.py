"""Statistics over time against numpy and scipy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
import scipy.stats

from ravdess_mm.audio.summaries import FULL, grid, numbered, percentiles, slopes, stretch, summarise

RNG = np.random.default_rng(20)


def test_summary_equals_numpy_and_scipy() -> None:
    tracks = RNG.gamma(2, size=(101, 3))
    found = summarise(tracks).reshape(3, len(FULL))
    for track, values in zip(tracks.T, found, strict=True):
        named = dict(zip(FULL, values, strict=True))
        quarters = np.array_split(track, 4)
        expected = {
            "mean": track.mean(),
            "std": track.std(),
            "range": np.ptp(track),
            **{f"p{p:02d}": np.percentile(track, p) for p in (5, 25, 50, 75, 95)},
            "skewness": scipy.stats.skew(track),
            "kurtosis": scipy.stats.kurtosis(track, fisher=False),
            "slope": np.polyfit(np.linspace(-1, 1, 101), track, 1)[0],
            **{f"q{q + 1}_mean": part.mean() for q, part in enumerate(quarters)},
            **{f"q{q + 1}_std": part.std() for q, part in enumerate(quarters)},
        }
        assert named == pytest.approx(expected, abs=1e-6)
        assert set(expected) == set(FULL)


def test_constant_track_has_finite_numbers() -> None:
    named = dict(zip(FULL, summarise(np.full((20, 1), 3.0)), strict=True))
    assert named["mean"] == 3
    assert named["std"] == named["range"] == named["skewness"] == named["kurtosis"] == 0
    assert named["slope"] == pytest.approx(0)


@pytest.mark.parametrize("n", [1, 2, 7, 100])
def test_percentiles_equal_numpy(n: int) -> None:
    values = RNG.normal(size=(n, 4))
    wanted = (0, 2, 33, 50, 100)
    np.testing.assert_allclose(percentiles(np.sort(values, axis=0), wanted), np.percentile(values, wanted, axis=0))


@pytest.mark.parametrize("n", [16, 17, 60])
def test_slopes_equal_a_savitzky_golay_filter(n: int) -> None:
    tracks = RNG.normal(size=(n, 3))
    expected = scipy.signal.savgol_filter(tracks, 9, 1, deriv=1, axis=0, mode="interp")
    np.testing.assert_allclose(slopes(tracks), expected, atol=1e-12)


def test_stretch_interpolates() -> None:
    tracks = RNG.normal(size=(20, 2))
    expected = np.stack([np.interp(np.linspace(0, 19, 50), np.arange(20), track) for track in tracks.T], axis=1)
    np.testing.assert_allclose(stretch(tracks, 50), expected, atol=1e-12)


def test_names() -> None:
    assert numbered("band", 2) == ("band_01", "band_02")
    assert grid(("a", "b"), ("mean", "std")) == ("a_mean", "a_std", "b_mean", "b_std")
