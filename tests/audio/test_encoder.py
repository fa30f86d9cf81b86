from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from ravdess_mm.audio import encoder as encoder_module
from ravdess_mm.audio.encoder import GRAPH_PART, SHIPPED_DIR, Encoder, power_spectrum, write_shipped
from ravdess_mm.audio.encoder_weights import EncoderWeights, read_encoder_weights
from ravdess_mm.bundles.bundle import read_bundle
from ravdess_mm.errors import BundleError, MediaError
from tests.audio.encoders import random_arrays, reference_states, write_safetensors


@pytest.fixture
def clip() -> np.ndarray:
    random = np.random.default_rng(1)
    t = np.arange(20_123) / 16_000
    return (0.2 * np.sin(2 * np.pi * 180 * t) * (t > 0.3) + 0.003 * random.standard_normal(len(t))).astype(np.float32)


def test_every_layer_is_that_of_plain_numpy(tmp_path: Path, clip: np.ndarray) -> None:
    arrays = random_arrays()
    encoder = Encoder.load(write_safetensors(tmp_path / "other", arrays))
    states = encoder.states(clip)
    expected = reference_states(arrays, clip, n_heads=2)
    assert states.shape == expected.shape == (4, 63, 16)
    np.testing.assert_allclose(states, expected, atol=1e-3)
    assert (encoder.n_layers, encoder.width) == (4, 16)


def test_what_ships_is_whisper(clip: np.ndarray) -> None:
    encoder = Encoder.load()
    states = encoder.states(clip)
    assert states.shape == (6, 63, 384)
    # halves on disk, singles in the runtime: of this size are the states of a trained encoder
    assert 0.5 < states[-1].std() < 3
    bundle = read_bundle(SHIPPED_DIR)
    assert "MIT License" in bundle.part("LICENSE").read_text()
    assert bundle.part(GRAPH_PART).stat().st_size < 17e6


@pytest.mark.real
def test_what_ships_is_plain_numpy_on_the_published_weights(real_data: Path, clip: np.ndarray) -> None:
    path = real_data.parent / "models" / "whisper-tiny.en-encoder.safetensors"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    weights = read_encoder_weights(path)
    expected = reference_states(weights.arrays, clip, n_heads=weights.n_heads)
    np.testing.assert_allclose(Encoder.load().states(clip), expected, atol=1e-3 * np.abs(expected).max())


def test_a_batch_of_clips_is_each_by_itself(tmp_path: Path, clip: np.ndarray) -> None:
    encoder = Encoder.load(write_safetensors(tmp_path / "other", random_arrays()))
    batch = np.stack([clip, clip[::-1]])
    np.testing.assert_allclose(encoder.states_of_batch(batch)[1], encoder.states(clip[::-1]), atol=1e-5)


def test_long_sound_is_heard_in_equal_blocks(tmp_path: Path) -> None:
    encoder = Encoder.load(write_safetensors(tmp_path / "other", random_arrays()))
    y = np.random.default_rng(0).standard_normal(16_000 * 61).astype(np.float32)
    lengths = [states.shape[1] for states in encoder.blocks(y)]
    assert len(lengths) == 3
    assert max(lengths) - min(lengths) <= 1


def test_too_short_a_sound_is_refused(tmp_path: Path) -> None:
    encoder = Encoder.load(write_safetensors(tmp_path / "other", random_arrays()))
    with pytest.raises(MediaError, match="too short: 50 ms; at least 100 ms"):
        encoder.states(np.ones(800, dtype=np.float32))
    assert encoder.states(np.ones(1600, dtype=np.float32)).shape == (4, 5, 16)


def test_power_spectrum_is_librosas(clip: np.ndarray) -> None:
    import librosa

    expected = np.abs(librosa.stft(clip, n_fft=400, hop_length=160, pad_mode="reflect"))[:, :-1] ** 2
    np.testing.assert_allclose(power_spectrum(clip), expected, rtol=1e-3, atol=1e-5)


def test_an_encoder_goes_to_other_processes(tmp_path: Path, clip: np.ndarray) -> None:
    encoder = Encoder.load(write_safetensors(tmp_path / "other", random_arrays()))
    again = pickle.loads(pickle.dumps(encoder))
    np.testing.assert_array_equal(again.states(clip), encoder.states(clip))


def test_what_is_written_is_read_and_damage_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = EncoderWeights.of_arrays(random_arrays(), n_heads=2)
    folder = tmp_path / "bundle"
    write_shipped(weights, folder, origin="here")
    monkeypatch.setattr(encoder_module, "SHIPPED_DIR", folder)
    first = (folder / GRAPH_PART).read_bytes()
    assert Encoder.load().width == 16
    write_shipped(weights, folder, origin="here")
    assert (folder / GRAPH_PART).read_bytes() == first
    (folder / GRAPH_PART).write_bytes(first[:-1])
    with pytest.raises(BundleError, match=r"encoder\.onnx: was changed"):
        Encoder.load()
