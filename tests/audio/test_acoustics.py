"""Filters and rooms: what they take away, what they add, and that nothing gets late."""

from __future__ import annotations

import numpy as np
import pytest

from ravdess_mm.audio.acoustics import (
    EQUALISER_HZ,
    band_pass,
    random_band,
    random_equaliser,
    reverberate,
    room_response,
    shape_spectrum,
)
from ravdess_mm.errors import InputError

SR = 16000


@pytest.fixture
def impulse() -> np.ndarray:
    """One sample in the middle of a second of silence: its spectrum is that of the filter."""
    y = np.zeros(SR, dtype=np.float32)
    y[SR // 2] = 1
    return y


def gain_db(filtered: np.ndarray) -> np.ndarray:
    """Gain at each whole number of Hz."""
    return 20 * np.log10(np.abs(np.fft.rfft(filtered)) + 1e-9)


def test_a_band_is_kept_as_it_is_and_nothing_else(impulse: np.ndarray) -> None:
    gain = gain_db(band_pass(impulse, SR, low_hz=300, high_hz=3400))
    np.testing.assert_allclose(gain[310:3390], 0, atol=0.2)
    assert gain[:140].max() < -35
    assert gain[3610:].max() < -35
    assert gain_db(band_pass(impulse, SR, low_hz=0, high_hz=3400))[0] == pytest.approx(0, abs=0.1)


def test_the_end_does_not_leak_into_the_start() -> None:
    y = np.zeros(SR, dtype=np.float32)
    y[-1] = 1
    assert np.abs(band_pass(y, SR, low_hz=300, high_hz=3400)[:1000]).max() < 1e-3


def test_a_filter_is_not_late(impulse: np.ndarray) -> None:
    for seed in range(5):
        for function in (random_band, random_equaliser):
            filtered = function(impulse, SR, np.random.default_rng(seed))
            assert filtered.shape == impulse.shape
            assert filtered.dtype == np.float32
            assert np.argmax(np.abs(filtered)) == SR // 2
            around = filtered[SR // 2 - 800 : SR // 2 + 801]
            np.testing.assert_allclose(around, around[::-1], atol=1e-5)


def test_a_random_band_cuts_below_400_or_above_2200_hz_or_both(impulse: np.ndarray) -> None:
    gains = [gain_db(random_band(impulse, SR, np.random.default_rng(seed))) for seed in range(60)]
    cut = {(bool(gain[20] < -3), bool(gain[7900] < -3)) for gain in gains}
    assert cut == {(True, False), (False, True), (True, True)}
    # an edge of -3 dB at 400 or 2200 Hz is the worst there is
    assert min(gain[500:1700].min() for gain in gains) > -3
    assert max(gain.max() for gain in gains) < 0.01


@pytest.mark.parametrize("most_db", [8.0, 3.0])
def test_an_equaliser_stays_within_its_range_and_uses_it(impulse: np.ndarray, most_db: float) -> None:
    gains = [
        gain_db(random_equaliser(impulse, SR, np.random.default_rng(seed), most_db=most_db))[40:] for seed in range(30)
    ]
    assert max(np.abs(gain).max() for gain in gains) < most_db + 0.1
    assert max(np.ptp(gain) for gain in gains) > most_db
    assert EQUALISER_HZ[1] < SR / 2


def test_a_gain_is_given_frequencies_from_0_to_half_the_rate(impulse: np.ndarray) -> None:
    seen = []

    def double(hertz: np.ndarray) -> np.ndarray:
        seen.append((hertz[0], hertz[-1]))
        return np.full_like(hertz, 2)

    np.testing.assert_allclose(shape_spectrum(impulse, SR, double), 2 * impulse, atol=1e-5)
    assert seen[0][0] == 0
    assert seen[0][1] == pytest.approx(SR / 2, rel=1e-4)


@pytest.mark.parametrize("rt60_s", [0.15, 0.4, 0.8])
def test_a_room_decays_by_60_db_in_its_reverberation_time(rt60_s: float) -> None:
    response = room_response(SR, np.random.default_rng(1), rt60_s=rt60_s, direct_db=0)
    # Schroeder's backward integration, from 60 ms on, where only the noise is left: the slope gives RT60
    energy = np.cumsum(response[::-1].astype(float) ** 2)[::-1]
    level, time_s = 10 * np.log10(energy), np.arange(len(response)) / SR
    chosen = (time_s > 0.06) & (time_s < 0.7 * rt60_s)
    slope = np.polyfit(time_s[chosen], level[chosen], 1)[0]
    assert -60 / slope == pytest.approx(rt60_s, rel=0.15)


@pytest.mark.parametrize("direct_db", [-3.0, 5.0, 15.0])
@pytest.mark.parametrize("sr", [8000, 48000])
def test_the_direct_sound_is_first_and_as_loud_as_asked(direct_db: float, sr: int) -> None:
    response = room_response(sr, np.random.default_rng(2), rt60_s=0.5, direct_db=direct_db)
    assert np.sum(response**2) == pytest.approx(1, abs=1e-4)
    assert 10 * np.log10(response[0] ** 2 / np.sum(response[1:] ** 2)) == pytest.approx(direct_db, abs=0.05)
    early = response[round(0.002 * sr) : round(0.05 * sr)]
    # single walls stand out from the noise
    assert np.abs(early).max() > 3 * np.sqrt(np.mean(early**2))


def test_a_voice_in_a_room_is_not_late_and_rings_on(impulse: np.ndarray) -> None:
    response = room_response(SR, np.random.default_rng(3), rt60_s=0.3, direct_db=3)
    heard = reverberate(impulse, response)
    assert heard.shape == impulse.shape
    assert heard.dtype == np.float32
    assert np.abs(heard[: SR // 2]).max() < 1e-5
    np.testing.assert_allclose(heard[SR // 2 : SR // 2 + len(response)], response, atol=1e-5)


def test_a_room_without_reverberation_time_is_refused() -> None:
    with pytest.raises(InputError, match="allowed: more than 0"):
        room_response(SR, np.random.default_rng(0), rt60_s=0, direct_db=0)
