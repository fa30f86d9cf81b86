"""Pitch against tones of known frequency and an independent tracker."""

from __future__ import annotations

from pathlib import Path

import librosa
import numpy as np
import pytest

from ravdess_mm.audio.analysis import FRAMES_PER_S, SR, Analysis, find_voice
from ravdess_mm.audio.decode import decode_audio
from ravdess_mm.audio.pitch import NEUTRAL_LOG2_HZ, PitchTrack
from tests.audio.voices import harmonic_tone, noise


def pitch_of(y: np.ndarray) -> PitchTrack:
    return Analysis.of(y).pitch


@pytest.mark.parametrize("hz", [70, 90, 120, 180, 220, 300, 420, 550])
def test_tones_from_men_to_women(hz: float) -> None:
    track = pitch_of(harmonic_tone(hz))
    assert track.voiced.mean() > 0.95
    np.testing.assert_allclose(track.log2_hz[3:-3], np.log2(hz), atol=0.01)
    assert track.strength[5:-5].min() > 0.9


@pytest.mark.parametrize("hz", [110, 220])
def test_missing_fundamental_and_strong_octave_do_not_fool_it(hz: float) -> None:
    for amplitudes in ((0.0, 0.2, 0.2, 0.2, 0.1), (0.05, 0.3, 0.05, 0.2)):
        track = pitch_of(harmonic_tone(hz, amplitudes=amplitudes))
        assert np.median(track.log2_hz) == pytest.approx(np.log2(hz), abs=0.02)


def test_glide_is_followed() -> None:
    hz = 2 ** np.linspace(np.log2(100), np.log2(300), SR)
    track = pitch_of(harmonic_tone(hz))
    times_s = np.arange(len(track.log2_hz)) / FRAMES_PER_S
    expected = np.interp(times_s, np.linspace(0, 1, SR), np.log2(hz))
    np.testing.assert_allclose(track.log2_hz[4:-4], expected[4:-4], atol=0.03)


def test_noise_is_not_voiced() -> None:
    track = pitch_of(noise())
    assert track.voiced.mean() < 0.1
    assert np.isfinite(track.log2_hz).all()


def test_clip_without_voice_has_the_neutral_pitch() -> None:
    track = pitch_of(np.r_[np.ones(1, np.float32), np.zeros(SR, np.float32)])
    assert not track.voiced.any()
    assert set(track.log2_hz) == {NEUTRAL_LOG2_HZ}
    assert not track.strength.any()


def test_gap_is_bridged_by_interpolation() -> None:
    y = np.concatenate([harmonic_tone(100), noise(0.2, scale=0.01), harmonic_tone(200)])
    track = pitch_of(y)
    gap = ~track.voiced
    assert 8 < gap.sum() < 25
    inside = track.log2_hz[gap]
    assert (np.diff(inside) >= 0).all()
    assert np.log2(100) - 0.1 < inside.min() < inside.max() < np.log2(200) + 0.1


@pytest.mark.real
@pytest.mark.parametrize("clip", ["Actor_03/03-01-03-01-01-01-03", "Actor_08/03-01-05-01-02-01-08"])
def test_real_voices_agree_with_pyin(real_data: Path, clip: str) -> None:
    y, _ = decode_audio(real_data / "ravdess" / "speech_audio" / f"{clip}.flac", sr=SR)
    track = pitch_of(y)
    start = find_voice(librosa.feature.rms(y=y, frame_length=1024, hop_length=256)[0]).start
    theirs, their_voiced, _ = librosa.pyin(y, fmin=60, fmax=600, sr=SR, frame_length=1024, hop_length=256)
    span = slice(start, start + len(track.voiced))
    both = track.voiced & their_voiced[span]
    assert both.sum() > 50
    apart = np.abs(track.log2_hz[both] - np.log2(theirs[span][both]))
    assert np.mean(apart < 0.1) > 0.9
