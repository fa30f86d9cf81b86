"""Noise at a ratio that can be measured afterwards, over the part of a clip where somebody speaks."""

from __future__ import annotations

import numpy as np
import pytest

from ravdess_mm.audio.mfcc_delta_rms import ANALYSIS_SR as SR
from ravdess_mm.audio.noise import (
    SPEECH_DB,
    SPEECH_HZ,
    active_part,
    add_noise,
    babble,
    pink_noise,
    speech_shaped_noise,
    synthetic_babble,
    white_noise,
)
from ravdess_mm.errors import InputError, MediaError
from tests.audio.voices import harmonic_tone, silence


def decibels(signal: np.ndarray, noise: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(signal.astype(float) ** 2) / np.mean(noise.astype(float) ** 2)))


@pytest.fixture
def clip() -> np.ndarray:
    """A second of silence, a second of voice, half a second of silence."""
    return np.concatenate([silence(1.0), harmonic_tone(200), silence(0.5)])


def test_the_active_part_is_where_the_voice_is(clip: np.ndarray) -> None:
    found = active_part(clip, SR)
    assert found.start == pytest.approx(SR, abs=0.05 * SR)
    assert found.stop == pytest.approx(2 * SR, abs=0.05 * SR)


@pytest.mark.parametrize("snr_db", [20.0, 10.0, 5.0, 0.0, -3.0])
def test_the_ratio_is_exact_over_the_active_part(clip: np.ndarray, snr_db: float) -> None:
    noise = white_noise(len(clip), np.random.default_rng(1)) * np.float32(0.01)
    mixed = add_noise(clip, noise, snr_db=snr_db, active=active_part(clip, SR))
    assert mixed.dtype == np.float32
    where = active_part(clip, SR)
    assert decibels(clip[where], (mixed - clip)[where]) == pytest.approx(snr_db, abs=0.01)
    # silence is no voice: over the whole clip the same mixture looks 10 log10(2.5) dB worse
    assert decibels(clip, mixed - clip) == pytest.approx(snr_db - 4.0, abs=0.3)


def test_the_ratio_of_a_tone_is_exact_for_a_given_part() -> None:
    tone = np.sin(2 * np.pi * 441 * np.arange(SR) / SR).astype(np.float32)
    other = np.cos(2 * np.pi * 882 * np.arange(SR) / SR).astype(np.float32)
    mixed = add_noise(tone, other, snr_db=6.0, active=slice(0, SR))
    np.testing.assert_allclose(mixed, tone + 10 ** (-6 / 20) * other, atol=1e-5)


def test_white_noise_is_white_and_of_unit_power() -> None:
    noise = white_noise(4 * SR, np.random.default_rng(2))
    assert np.mean(noise**2) == pytest.approx(1, abs=0.02)
    power = np.abs(np.fft.rfft(noise)) ** 2
    quarters = [part.mean() for part in np.array_split(power, 4)]
    assert max(quarters) / min(quarters) < 1.1


def octave_levels(noise: np.ndarray, sr: int, centres_hz: list[float], *, octaves: float = 1.0) -> np.ndarray:
    """Level of each band in dB."""
    power, hertz = np.abs(np.fft.rfft(noise)) ** 2, np.fft.rfftfreq(len(noise), 1 / sr)
    bands = [(hertz >= c * 2 ** (-octaves / 2)) & (hertz < c * 2 ** (octaves / 2)) for c in centres_hz]
    return 10 * np.log10([power[band].sum() for band in bands])


def test_pink_noise_is_equally_loud_in_every_octave() -> None:
    noise = pink_noise(4 * 16000, 16000, np.random.default_rng(2))
    assert noise.dtype == np.float32
    assert np.mean(noise**2) == pytest.approx(1, abs=1e-3)
    levels = octave_levels(noise, 16000, [125, 250, 500, 1000, 2000, 4000])
    assert np.ptp(levels) < 1.5


@pytest.mark.parametrize("sr", [16000, 44100])
def test_speech_shaped_noise_has_the_third_octave_levels_of_speech(sr: int) -> None:
    noise = speech_shaped_noise(8 * sr, sr, np.random.default_rng(2))
    assert np.mean(noise**2) == pytest.approx(1, abs=1e-3)
    within = [place for place, hertz in enumerate(SPEECH_HZ) if 250 <= hertz <= 6300]
    levels = octave_levels(noise, sr, [SPEECH_HZ[place] for place in within], octaves=1 / 3)
    expected = np.array([SPEECH_DB[place] for place in within])
    np.testing.assert_allclose(levels - levels.mean(), expected - expected.mean(), atol=1.5)


def test_the_loudness_of_a_synthetic_babble_moves_as_six_voices_do() -> None:
    spread = {}
    for kind, noise in (
        ("steady", speech_shaped_noise(160_000, 16000, np.random.default_rng(1))),
        ("babble", synthetic_babble(160_000, 16000, np.random.default_rng(1))),
    ):
        power = np.square(noise.reshape(-1, 1600)).mean(axis=1)
        spread[kind] = power.std() / power.mean()
        assert power.mean() == pytest.approx(1, abs=0.25)
    assert 0.2 < np.sqrt(spread["babble"] ** 2 - spread["steady"] ** 2) < 0.6


def test_a_babble_holds_every_voice_equally_loud(clip: np.ndarray) -> None:
    quiet = np.concatenate([silence(0.3), 0.1 * harmonic_tone(700, amplitudes=(0.4,)), silence(0.3)])
    loud = harmonic_tone(300, amplitudes=(0.4,))
    n = 3 * SR
    mix = babble([quiet.astype(np.float32), loud], n, SR, np.random.default_rng(3))
    assert mix.shape == (n,)
    power = np.abs(np.fft.rfft(mix * np.hanning(n))) ** 2
    hertz = np.fft.rfftfreq(n, 1 / SR)
    near = [power[np.abs(hertz - pitch) < 20].sum() for pitch in (300, 700)]
    assert near[1] / near[0] == pytest.approx(1, abs=0.15)
    # pauses at the ends of a voice are not repeated: it is there all the time
    parts = [np.abs(np.fft.rfft(part * np.hanning(len(part)))) ** 2 for part in np.array_split(mix, 6)]
    at = [part[np.abs(np.fft.rfftfreq(len(mix) // 6, 1 / SR) - 700) < 20].sum() for part in parts]
    assert max(at) / min(at) < 3


def test_what_cannot_be_mixed_is_refused(clip: np.ndarray) -> None:
    with pytest.raises(InputError, match="must be equally long"):
        add_noise(clip, clip[1:], snr_db=0, active=slice(0, SR))
    with pytest.raises(MediaError, match="the noise is silent"):
        add_noise(clip, np.zeros_like(clip), snr_db=0, active=slice(SR, 2 * SR))
    with pytest.raises(MediaError, match="the voice is silent"):
        add_noise(np.zeros_like(clip), clip, snr_db=0, active=slice(0, SR))
    with pytest.raises(InputError, match="at least one voice"):
        babble([], SR, SR, np.random.default_rng(0))
    with pytest.raises(MediaError, match="silent"):
        babble([np.zeros(SR, dtype=np.float32)], SR, SR, np.random.default_rng(0))
