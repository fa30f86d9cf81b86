"""The seed's feature set against plain librosa calls, and its limits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import pytest

from ravdess_mm.audio.decoding import LARGEST_SAMPLE, decode_audio
from ravdess_mm.audio.mfcc_delta_rms import ANALYSIS_SR, extract_features, mfcc_feature_names
from ravdess_mm.errors import InputError, MediaError

RNG = np.random.default_rng(20)
TIMES_S = np.arange(ANALYSIS_SR) / ANALYSIS_SR


def plain_librosa(y: np.ndarray) -> np.ndarray:
    mfcc = librosa.feature.mfcc(y=y, sr=ANALYSIS_SR, n_mfcc=13, n_fft=2048, hop_length=512)
    tracks = [mfcc, librosa.feature.delta(mfcc), librosa.feature.delta(mfcc, order=2)]
    tracks.append(librosa.feature.rms(y=y, frame_length=2048, hop_length=512))
    summaries = [np.stack([t.mean(axis=1), t.max(axis=1), t.min(axis=1), t.std(axis=1)], axis=1) for t in tracks]
    return np.concatenate(summaries).ravel()


def voice_like(n: int = ANALYSIS_SR) -> np.ndarray:
    times_s = np.arange(n) / ANALYSIS_SR
    phase = 2 * np.pi * (150 * times_s + 30 * np.sin(2 * np.pi * 3 * times_s))
    harmonics = sum(np.sin(k * phase) / k**2 for k in range(1, 20))
    y = 0.2 * harmonics * np.sin(2 * np.pi * 2 * times_s) ** 2 + 1e-4 * RNG.standard_normal(n)
    return y.astype(np.float32)


SIGNALS: dict[str, Callable[[], np.ndarray]] = {
    "voice-like": voice_like,
    "tone": lambda: (0.5 * np.sin(2 * np.pi * 220 * TIMES_S)).astype(np.float32),
    "noise": lambda: (0.1 * RNG.standard_normal(ANALYSIS_SR)).astype(np.float32),
    "clipped": lambda: np.clip(20 * voice_like(), -1, 1),
    "mostly silent": lambda: np.concatenate([np.zeros(ANALYSIS_SR, np.float32), voice_like(3000)]),
    "nine frames": lambda: voice_like(8 * 512),
}


def test_names() -> None:
    names = mfcc_feature_names()
    assert len(names) == len(set(names)) == 160
    assert names[:5] == ("mfcc_01_mean", "mfcc_01_max", "mfcc_01_min", "mfcc_01_std", "mfcc_02_mean")
    assert names[52] == "delta_01_mean"
    assert names[104] == "delta2_01_mean"
    assert names[-4:] == ("rms_mean", "rms_max", "rms_min", "rms_std")


@pytest.mark.parametrize("signal", SIGNALS)
def test_equal_to_plain_librosa(signal: str) -> None:
    y = SIGNALS[signal]()
    # coefficients reach several hundred, where the last digit of librosa's own single precision is 6e-5
    np.testing.assert_allclose(extract_features(y, ANALYSIS_SR), plain_librosa(y), atol=1e-4, rtol=5e-7)


@pytest.mark.real
def test_equal_to_plain_librosa_on_real_voices(real_data: Path) -> None:
    clips = sorted((real_data / "ravdess" / "speech_audio").glob("*/*.flac"))[::60]
    assert clips
    for clip in clips:
        y, sr = decode_audio(clip, sr=ANALYSIS_SR)
        expected = plain_librosa(librosa.load(clip, sr=ANALYSIS_SR)[0])
        np.testing.assert_allclose(extract_features(y, sr), expected, atol=1e-4, rtol=5e-7)


@pytest.mark.parametrize("n", [1024, 1536, 2048, 3000, 3584, 4095])
def test_short_clip_has_deltas_over_the_frames_there_are(n: int) -> None:
    y = voice_like(n)
    values = dict(zip(mfcc_feature_names(), extract_features(y, ANALYSIS_SR), strict=True))
    n_frames = 1 + n // 512
    width = n_frames if n_frames % 2 else n_frames - 1
    mfcc = librosa.feature.mfcc(y=y, sr=ANALYSIS_SR, n_mfcc=13)
    for kind, order in (("delta", 1), ("delta2", 2)):
        expected = librosa.feature.delta(mfcc, width=width, order=order)
        assert values[f"{kind}_02_max"] == pytest.approx(expected[1].max(), abs=1e-4)


def test_too_short_clip_is_refused() -> None:
    with pytest.raises(MediaError, match=r"too short: 46 ms; at least 46 ms \(3 frames\)"):
        extract_features(voice_like(1023), ANALYSIS_SR)


@pytest.mark.parametrize("sr", [8000, 16000, 44100, 48000, 96000])
def test_other_rates_are_resampled(sr: int) -> None:
    y = librosa.resample(voice_like(), orig_sr=ANALYSIS_SR, target_sr=sr, res_type="soxr_hq")
    expected = plain_librosa(librosa.resample(y, orig_sr=sr, target_sr=ANALYSIS_SR, res_type="soxr_hq"))
    np.testing.assert_allclose(extract_features(y, sr), expected, atol=1e-4, rtol=5e-7)


@pytest.mark.parametrize("peak", [0.0, 2.0**-15])
def test_silent_clip_is_refused(peak: float) -> None:
    y = np.full(ANALYSIS_SR, peak, np.float32)
    with pytest.raises(MediaError, match="silent"):
        extract_features(y, ANALYSIS_SR)
    assert np.isfinite(extract_features(y + np.float32(2.0**-14), ANALYSIS_SR)).all()


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_features_are_finite_up_to_the_largest_sample() -> None:
    """A float WAV may hold whole numbers that nobody scaled; damage may hold anything."""
    y = voice_like()
    largest = (y / np.abs(y).max() * np.float32(LARGEST_SAMPLE)).astype(np.float32)
    assert np.isfinite(extract_features(largest, ANALYSIS_SR)).all()
    y[100] = -1e30
    with pytest.raises(MediaError, match=r"samples from -1e\+30 to 0\.\d+ are no sound; full scale is -1 to 1"):
        extract_features(y, ANALYSIS_SR)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_refused(bad: float) -> None:
    y = voice_like()
    y[100] = bad
    with pytest.raises(MediaError, match="1 of 22050 samples are NaN or infinite"):
        extract_features(y, ANALYSIS_SR)


def test_empty_clip_is_refused() -> None:
    with pytest.raises(MediaError, match="empty"):
        extract_features([], ANALYSIS_SR)


def test_wrong_use_is_refused() -> None:
    with pytest.raises(InputError, match=r"shape \(2, 5\)"):
        extract_features(np.ones((2, 5)), ANALYSIS_SR)
    with pytest.raises(InputError, match="sampling rate 0"):
        extract_features(voice_like(), 0)


def test_result_does_not_depend_on_what_was_computed_before() -> None:
    y = voice_like()
    first = extract_features(y, ANALYSIS_SR)
    extract_features(-y[:5000], ANALYSIS_SR)
    np.testing.assert_array_equal(extract_features(y, ANALYSIS_SR), first)
