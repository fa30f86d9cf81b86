"""Each feature family against an independent reference: librosa, scipy, or a signal with a known answer."""

from __future__ import annotations

from pathlib import Path

import librosa
import numpy as np
import pytest
import scipy.fft
import scipy.linalg
import scipy.signal

from ravdess_mm.audio.analysis import BIN_HZ, FRAMES_PER_S, HOP_LENGTH, MIN_FRAMES, N_FFT, SR, Analysis
from ravdess_mm.audio.decode import decode_audio
from ravdess_mm.audio.extended import extended, extended_names, families
from ravdess_mm.audio.features import extract_features, feature_names
from ravdess_mm.audio.spectral import LPC_WHITE_NOISE, predict_linearly
from ravdess_mm.audio.summaries import summarise
from ravdess_mm.config import FeatureSet
from tests.audio.voices import harmonic_tone, noise, resonator, silence

FAMILIES = {family.name: family for family in families()}


def numbers(family: str, y: np.ndarray | Analysis) -> dict[str, float]:
    analysis = y if isinstance(y, Analysis) else Analysis.of(y)
    values = FAMILIES[family].compute(analysis)
    return dict(zip(FAMILIES[family].columns, values.tolist(), strict=True))


def lively() -> np.ndarray:
    """Return a gliding tone with noise that swells; never so quiet that frames are trimmed."""
    swell = (1 + 0.5 * np.sin(2 * np.pi * 3 * np.arange(SR) / SR)).astype(np.float32)
    return swell * (harmonic_tone(np.linspace(120, 240, SR)) + noise(scale=0.05))


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    """The lively signal; all of its frames are kept."""
    found = Analysis.of(lively())
    assert found.n_frames == 1 + SR // HOP_LENGTH
    return found


@pytest.fixture(scope="module")
def magnitude() -> np.ndarray:
    """librosa's magnitudes of the lively signal [shape=(bins, frames)]."""
    return np.abs(librosa.stft(lively(), n_fft=N_FFT, hop_length=HOP_LENGTH))


@pytest.fixture(scope="module")
def log_mel(magnitude: np.ndarray) -> np.ndarray:
    """librosa's log-mel spectrogram of the lively signal [shape=(frames, bands)]."""
    mel = librosa.feature.melspectrogram(S=magnitude**2, sr=SR, n_mels=40, fmin=50, fmax=11000)
    return np.log(np.maximum(mel.T, 1e-8)).astype(float)


def test_columns_are_named_after_their_family() -> None:
    names = feature_names(FeatureSet.EXTENDED)
    assert names == extended_names()
    assert len(names) == len(set(names)) == 3039
    assert {name.split("_")[0] for name in names} == set(FAMILIES)
    assert all(family.compute.__doc__ for family in families())


def test_mel_bands_equal_librosa(analysis: Analysis, log_mel: np.ndarray) -> None:
    np.testing.assert_allclose(analysis.log_mel, log_mel, atol=2e-3)
    found = np.array(list(numbers("mel", analysis).values()))
    np.testing.assert_allclose(found, summarise(log_mel), rtol=1e-3, atol=1e-2)


def test_cepstra_equal_librosa(analysis: Analysis, log_mel: np.ndarray) -> None:
    expected = librosa.feature.mfcc(S=log_mel.T, n_mfcc=24).T
    np.testing.assert_allclose(analysis.mfcc, expected, atol=5e-3)
    assert numbers("mfcc", analysis)["c_02_q3_mean"] == pytest.approx(
        np.array_split(expected[:, 1], 4)[2].mean(), abs=5e-3
    )


def test_shape_equals_librosa(analysis: Analysis, magnitude: np.ndarray) -> None:
    centroid = librosa.feature.spectral_centroid(S=magnitude, sr=SR)[0] / 1e3
    bandwidth = librosa.feature.spectral_bandwidth(S=magnitude, sr=SR)[0] / 1e3
    rolloff = librosa.feature.spectral_rolloff(S=magnitude, sr=SR, roll_percent=0.85)[0] / 1e3
    flatness = np.log(librosa.feature.spectral_flatness(S=magnitude, power=2.0)[0])
    share = magnitude / magnitude.sum(axis=0)
    flux = np.r_[0, np.linalg.norm(np.diff(share, axis=1), axis=0)]
    padded = np.pad(lively(), N_FFT // 2)
    frames = librosa.util.frame(padded, frame_length=N_FFT, hop_length=HOP_LENGTH)
    crossings = librosa.zero_crossings(frames, axis=0, pad=False, threshold=0).sum(axis=0) / (N_FFT - 1)
    expected = summarise(np.column_stack([centroid, bandwidth, rolloff, flatness, flux, crossings]))
    np.testing.assert_allclose(list(numbers("shape", analysis).values()), expected, rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize(("rate_hz", "band"), [(1, 1), (4, 3), (6, 4), (16, 6)])
def test_modulation_finds_the_rate_of_a_swell(rate_hz: float, band: int) -> None:
    times_s = np.arange(2 * SR) / SR
    y = (1 + 0.8 * np.sin(2 * np.pi * rate_hz * times_s)).astype(np.float32) * noise(2)
    found = numbers("modulation", y)
    middle = [np.mean([found[f"band_{b:02d}_rate_{rate}"] for b in range(10, 30)]) for rate in range(1, 8)]
    assert int(np.argmax(middle)) + 1 == band


def test_pattern_equals_scipy_on_a_resampled_spectrogram(analysis: Analysis) -> None:
    resampled = np.stack(
        [
            np.interp(np.linspace(0, analysis.n_frames - 1, 32), np.arange(analysis.n_frames), t)
            for t in analysis.log_mel.T
        ],
        axis=1,
    )
    expected = scipy.fft.dctn(resampled, norm="ortho")
    found = numbers("pattern", analysis)
    assert found["time_0_band_0"] == pytest.approx(expected[0, 0])
    assert found["time_7_band_11"] == pytest.approx(expected[7, 11])


def test_covariance_equals_the_matrix_logarithm_of_scipy(analysis: Analysis) -> None:
    mfcc = analysis.mfcc[:, :13]
    together = np.hstack([mfcc, scipy.signal.savgol_filter(mfcc, 9, 1, deriv=1, axis=0)])
    expected = scipy.linalg.logm(np.cov(together.T) + 1e-3 * np.eye(26)).real
    found = numbers("covariance", analysis)
    assert found["mfcc_01_mfcc_01"] == pytest.approx(expected[0, 0])
    assert found["mfcc_02_slope_13"] == pytest.approx(expected[1, 25])
    assert found["slope_13_slope_13"] == pytest.approx(expected[25, 25])


def test_correlation_equals_numpy(analysis: Analysis) -> None:
    together = np.column_stack([analysis.mfcc[:, :12], analysis.level, analysis.pitch.log2_hz])
    expected = np.corrcoef(together.T)
    found = numbers("correlation", analysis)
    assert found["mfcc_01_level"] == pytest.approx(expected[0, 12])
    assert found["level_pitch"] == pytest.approx(expected[12, 13])


def test_correlation_with_a_track_that_does_not_move_is_zero() -> None:
    found = numbers("correlation", np.r_[np.ones(1, np.float32), np.zeros(SR, np.float32)])
    assert found["level_pitch"] == 0


def test_voiced_mel_tells_voiced_from_unvoiced_frames() -> None:
    y = np.concatenate([harmonic_tone(150), noise(0.5)])
    analysis = Analysis.of(y)
    found = numbers("voicedmel", y)
    inside = analysis.log_mel[analysis.voiced]
    assert found["mean_band_07"] == pytest.approx(inside[:, 6].mean())
    assert found["std_band_07"] == pytest.approx(inside[:, 6].std())
    shape = [found[f"shape_band_{band:02d}"] for band in range(1, 41)]
    assert sum(shape) == pytest.approx(0, abs=1e-9)
    # the tone's power is at the bottom, the noise's at the top
    assert shape[2] > shape[35]
    assert found["unvoiced_shape_band_38"] > found["unvoiced_shape_band_03"]


def test_mel_change_equals_scipy(analysis: Analysis) -> None:
    change = scipy.signal.savgol_filter(analysis.log_mel, 9, 1, deriv=1, axis=0)[:, 4]
    found = numbers("melchange", analysis)
    assert found["log_std_band_05"] == pytest.approx(np.log(change.std() + 1e-3))
    assert found["size_band_05"] == pytest.approx(np.abs(change).mean())
    assert found["p05_band_05"] == pytest.approx(np.percentile(change, 5))
    assert found["p95_band_05"] == pytest.approx(np.percentile(change, 95))


@pytest.mark.parametrize(("formant", "hz"), [(1, 500), (2, 1500), (3, 2700), (4, 4000)])
def test_envelope_finds_a_resonance(formant: int, hz: float) -> None:
    found = numbers("envelope", resonator(hz))
    assert found[f"f{formant}_log2hz_p50"] == pytest.approx(np.log2(hz), abs=0.06)


def test_linear_prediction_equals_scipy() -> None:
    signals = np.random.default_rng(3).normal(size=(4, 200)).cumsum(axis=1)
    autocorrelation = np.stack([np.correlate(s, s, "full")[199:216] for s in signals])
    found = predict_linearly(autocorrelation.copy())
    for row, expected in zip(autocorrelation, found, strict=True):
        row[0] *= 1 + LPC_WHITE_NOISE
        solution = scipy.linalg.solve_toeplitz(row[:-1], -row[1:])
        np.testing.assert_allclose(expected, np.r_[1, solution], atol=1e-5)


def test_pitch_of_a_glide() -> None:
    hz = 2 ** np.linspace(np.log2(110), np.log2(220), SR)
    found = numbers("pitch", harmonic_tone(hz))
    assert found["log2hz_p50"] == pytest.approx(np.log2(110) + 0.5, abs=0.03)
    assert found["change_p50"] == pytest.approx(1 / FRAMES_PER_S, abs=1e-3)
    assert found["voiced_p10-p90"] == pytest.approx(0.8, abs=0.05)
    assert found["voiced_range"] == pytest.approx(1, abs=0.1)
    assert found["strength_p50"] > 0.95


def test_level_is_the_logarithm_of_loudness(analysis: Analysis) -> None:
    found = numbers("level", analysis)
    rms = librosa.feature.rms(y=lively(), frame_length=N_FFT, hop_length=HOP_LENGTH)[0]
    assert found["p90"] == pytest.approx(np.percentile(np.log(rms + 1e-5), 90), abs=1e-4)
    louder = numbers("level", 2 * lively())
    assert louder["mean"] - found["mean"] == pytest.approx(np.log(2), abs=1e-3)
    assert louder["change_p95"] == pytest.approx(found["change_p95"], abs=1e-4)


def test_contour_equals_scipy_and_follows_a_rise() -> None:
    rising = Analysis.of(harmonic_tone(2 ** np.linspace(np.log2(110), np.log2(220), SR)))
    found = numbers("contour", rising)
    track = np.interp(np.linspace(0, rising.n_frames - 1, 32), np.arange(rising.n_frames), rising.pitch.log2_hz)
    expected = scipy.fft.dct(track, norm="ortho")
    for order in range(10):
        assert found[f"pitch_order_{order}"] == pytest.approx(expected[order], abs=1e-9)
    falling = numbers("contour", harmonic_tone(2 ** np.linspace(np.log2(220), np.log2(110), SR)))
    assert found["pitch_order_1"] < -0.5 < 0.5 < falling["pitch_order_1"]


def test_timing_counts_syllables_and_trims_silence() -> None:
    syllable = harmonic_tone(150, seconds=0.25) * np.hanning(round(0.25 * SR)).astype(np.float32)
    gap = silence(0.15)
    y = np.concatenate([silence(0.7), syllable, gap, syllable, gap, syllable, silence(0.4)])
    found = numbers("timing", y)
    assert found["syllables"] == 3
    assert found["n_runs"] == 3
    assert found["duration_s"] == pytest.approx(1.05, abs=0.1)
    assert found["syllables_per_s"] == pytest.approx(3 / found["duration_s"])
    assert found["run_mean_s"] == pytest.approx(0.25, abs=0.06)
    assert 0.5 < found["voiced_share"] < 0.8


def test_runs_know_the_slope_and_bend_of_a_gesture() -> None:
    rising = harmonic_tone(2 ** np.linspace(7, 7.5, SR // 2), seconds=0.5)
    falling = harmonic_tone(2 ** np.linspace(7.5, 7.25, SR // 2), seconds=0.5)
    found = numbers("runs", np.concatenate([rising, silence(0.2), falling]))
    assert found["first_pitch_slope"] == pytest.approx(1, abs=0.1)
    assert found["last_pitch_slope"] == pytest.approx(-0.5, abs=0.1)
    assert found["first_length_s"] == pytest.approx(0.5, abs=0.06)
    assert found["first_pitch_mean"] == pytest.approx(7.25, abs=0.05)
    times = np.linspace(-1, 1, SR // 2)
    bowed = [numbers("runs", harmonic_tone(2 ** (7.3 + sign * 0.3 * times**2), seconds=0.5)) for sign in (1, -1)]
    assert bowed[0]["first_pitch_bend"] > 0.1 > -0.1 > bowed[1]["first_pitch_bend"]


def test_quality_knows_the_harmonics_of_a_tone() -> None:
    hz = 10 * BIN_HZ
    amplitudes = (0.3, 0.15, 0.1, 0.05, 0.04, 0.02)
    found = numbers("quality", harmonic_tone(hz, amplitudes=amplitudes))

    def difference(first: int, second: int) -> float:
        return 2 * np.log(amplitudes[first - 1] / amplitudes[second - 1])

    assert found["h1-h2_p50"] == pytest.approx(difference(1, 2), abs=0.02)
    assert found["h1-h3_p50"] == pytest.approx(difference(1, 3), abs=0.02)
    assert found["h2-h4_p50"] == pytest.approx(difference(2, 4), abs=0.02)
    assert found["h1-h6_p50"] == pytest.approx(difference(1, 6), abs=0.02)


def test_quality_knows_the_tilt_of_noise() -> None:
    # integrated noise loses 6 dB an octave: power falls by four, ln 4 = 1.39
    y = scipy.signal.lfilter([1], [1, -0.999], noise(2, scale=0.005)).astype(np.float32)
    found = numbers("quality", y)
    assert found["tilt-100-5000_mean"] == pytest.approx(-1.39, abs=0.12)
    flat = numbers("quality", noise(2))
    assert flat["tilt-100-5000_mean"] == pytest.approx(0, abs=0.12)
    assert flat["alpha_p50"] == pytest.approx(np.log(950 / 4000), abs=0.15)
    assert flat["bass_p50"] == pytest.approx(0, abs=0.3)


def test_quality_hears_noise_in_a_voice() -> None:
    tone = harmonic_tone(150)
    clean, noisy = (numbers("quality", y)["hnr_p50"] for y in (tone, tone + noise(scale=0.1)))
    assert clean > noisy + 1
    # a peak of height r has r / (1 - r) times as much periodic as other power (Boersma 1993)
    assert noisy == pytest.approx(np.log((tone**2).mean() / 0.1**2), abs=0.4)


def test_perturbation_hears_an_unsteady_voice() -> None:
    wobble = np.repeat(np.random.default_rng(5).normal(0, 4, 100), SR // 100 + 1)[:SR]
    steady, unsteady = numbers("perturbation", harmonic_tone(200)), numbers("perturbation", harmonic_tone(200 + wobble))
    for column in ("pitch_mean", "pitch_std", "bend_mean"):
        assert unsteady[column] > steady[column] + 0.5
    swell = (1 + 0.5 * np.sin(2 * np.pi * 8 * np.arange(SR) / SR)).astype(np.float32)
    assert numbers("perturbation", swell * harmonic_tone(200))["level_mean"] > steady["level_mean"] + 0.5


def test_silence_around_a_voice_does_not_matter() -> None:
    voice = np.concatenate([harmonic_tone(150, seconds=0.6), harmonic_tone(180, seconds=0.4)])
    bare = Analysis.of(np.concatenate([silence(0.2), voice, silence(0.2)]))
    padded = Analysis.of(np.concatenate([silence(0.9), voice, silence(1.3)]))
    assert abs(bare.n_frames - padded.n_frames) <= 2
    assert bare.n_frames == pytest.approx(SR / HOP_LENGTH, abs=8)
    assert numbers("mel", bare)["band_05_p50"] == pytest.approx(numbers("mel", padded)["band_05_p50"], abs=0.05)


@pytest.mark.parametrize(
    "y",
    [
        harmonic_tone(150)[:1024],
        noise(0.05),
        np.r_[np.ones(1, np.float32), np.zeros(5000, np.float32)],
        np.ones(SR, np.float32),
        np.clip(20 * harmonic_tone(200), -1, 1),
        1e-4 * harmonic_tone(200),
        np.concatenate([np.zeros(SR, np.float32), harmonic_tone(100, seconds=0.05), np.zeros(SR, np.float32)]),
    ],
    ids=["three frames", "short noise", "one pulse", "constant", "clipped", "faint", "mostly silent"],
)
def test_odd_clips_have_finite_numbers(y: np.ndarray) -> None:
    values = extract_features(y, SR, feature_set=FeatureSet.EXTENDED)
    assert values.shape == (3039,)
    assert np.isfinite(values).all()
    assert Analysis.of(y).n_frames >= MIN_FRAMES


def test_threads_do_not_change_a_bit() -> None:
    from threadpoolctl import threadpool_limits

    y = lively()
    with threadpool_limits(2):
        several = extract_features(y, SR, feature_set=FeatureSet.EXTENDED)
    with threadpool_limits(1):
        np.testing.assert_array_equal(extended(y), several)


@pytest.mark.real
def test_real_voices_have_finite_moving_numbers(real_data: Path) -> None:
    clips = sorted((real_data / "ravdess" / "speech_audio").glob("*/*.flac"))[::100]
    assert len(clips) > 5
    table = np.array([extract_features(*decode_audio(clip, sr=SR), feature_set=FeatureSet.EXTENDED) for clip in clips])
    assert np.isfinite(table).all()
    # the fifth percentile of a track may stand at its floor in a dozen clips
    assert (table.std(axis=0) > 1e-9).mean() > 0.998
