"""Sound comes out at one rate, without offset and rumble, whatever comes in."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ravdess_mm.audio.preparation import PREPARED_SR, prepare, prepared_blocks


def tone(hz: float, sr: int, seconds: float = 1.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(sr * seconds)) / sr)).astype(np.float32)


def level_db(y: np.ndarray) -> float:
    """Return the level of the middle of a tone against what `tone` makes."""
    return float(20 * np.log10(np.std(y[len(y) // 4 : -len(y) // 4]) / (0.5 / np.sqrt(2))))


@pytest.mark.parametrize("sr", [8000, 11025, 16000, 22050, 48000, 192_000])
def test_a_voice_passes_and_rumble_does_not(sr: int) -> None:
    assert level_db(prepare(tone(200, sr), sr)) == pytest.approx(0, abs=0.1)
    assert level_db(prepare(tone(20, sr), sr)) < -15
    assert len(prepare(tone(200, sr), sr)) == PREPARED_SR


def test_an_offset_changes_nothing() -> None:
    y = tone(200, 48_000)
    np.testing.assert_allclose(prepare(y + 0.01, 48_000), prepare(y, 48_000), atol=1e-6)


def test_an_offset_that_drifts_is_taken_out() -> None:
    drift = np.linspace(-0.5, 0.5, 10 * PREPARED_SR, dtype=np.float32)
    assert abs(prepare(drift, PREPARED_SR)[PREPARED_SR:]).max() < 1e-3


def test_the_filter_is_a_butterworth_high_pass() -> None:
    from scipy.signal import butter, sosfilt

    y = np.random.default_rng(0).normal(0, 0.1, 3 * PREPARED_SR).astype(np.float32)
    expected = sosfilt(butter(2, 50, "highpass", fs=PREPARED_SR, output="sos"), y - y.mean(dtype=np.float64))
    np.testing.assert_allclose(prepare(y, PREPARED_SR), expected, atol=1e-6)


def test_the_level_is_left_as_it_is() -> None:
    y = tone(200, 44_100)
    np.testing.assert_allclose(prepare(y / 1024, 44_100), prepare(y, 44_100) / 1024, atol=1e-8)


@pytest.mark.parametrize("sr", [16_000, 44_100])
def test_blocks_join_without_a_seam(sr: int, monkeypatch: pytest.MonkeyPatch) -> None:
    y = np.random.default_rng(0).normal(0, 0.1, sr).astype(np.float32)
    at_once = prepare(y, sr)
    monkeypatch.setattr("ravdess_mm.audio.preparation.BLOCK", 1001)
    np.testing.assert_allclose(prepare(y, sr), at_once, atol=1e-6)


def test_hours_are_held_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(tone(200, 48_000), 48_000)  # what is imported first is not counted
    y = np.zeros(60 * 48_000, np.float32)
    monkeypatch.setattr("ravdess_mm.audio.preparation.BLOCK", 2**16)
    tracemalloc.start()
    assert sum(len(block) for block in prepared_blocks(y, 48_000)) == 60 * PREPARED_SR
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.3 * y.nbytes


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 3000), st.integers(2000, 200_000))
def test_any_length_and_rate(n: int, sr: int) -> None:
    prepared = prepare(np.full(n, 0.3, np.float32), sr)
    assert prepared.dtype == np.float32
    assert len(prepared) == int(np.ceil(n * PREPARED_SR / sr))
    assert np.abs(prepared).max(initial=0) < 1e-6
