from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ravdess_mm.audio.embedding import embed
from ravdess_mm.audio.mfcc_delta_rms import extract_features
from ravdess_mm.audio.preparation import prepare
from ravdess_mm.audio.speech_activity import SpeechActivity
from ravdess_mm.audio.voice_features import EmbeddingFeatures, voice_features
from ravdess_mm.errors import InputError
from tests.audio.encoders import random_arrays, write_safetensors


@pytest.fixture
def y() -> np.ndarray:
    return (0.2 * np.sin(np.arange(44_100) / 30)).astype(np.float32)


def test_each_set_is_what_training_computes(y: np.ndarray, tmp_path: Path) -> None:
    classic = voice_features("mfcc-delta-rms")
    np.testing.assert_array_equal(classic.extract(y, 44_100), extract_features(y, 44_100))
    assert len(classic.names) == 160
    folder = write_safetensors(tmp_path / "encoder", random_arrays())
    embedding = voice_features("speech-encoder", encoder_dir=folder)
    assert isinstance(embedding, EmbeddingFeatures)
    vector = embedding.extract(y, 44_100)
    activity = SpeechActivity.of(y, 44_100)
    prepared = prepare(y, 44_100)
    np.testing.assert_array_equal(vector, embed(prepared, embedding.encoder, activity=activity))
    known = SpeechActivity(np.ones(10, np.float32), np.zeros(10, np.float32), 0.32)
    expected = embed(prepared, embedding.encoder, activity=known)
    np.testing.assert_array_equal(embedding.extract(y, 44_100, activity=known), expected)
    assert np.abs(expected - vector).max() > 1e-4
    assert len(vector) == len(embedding.names)


def test_encoders_are_told_apart(tmp_path: Path) -> None:
    one = EmbeddingFeatures(write_safetensors(tmp_path / "one", random_arrays()))
    other = EmbeddingFeatures(write_safetensors(tmp_path / "other", random_arrays(n_layers=3)))
    assert one.identity != other.identity
    assert one.is_of(one.identity.split("/")[1])
    assert not other.is_of(one.identity.split("/")[1])
    assert not EmbeddingFeatures(tmp_path / "gone").is_of("anything")


def test_an_unknown_set_is_named() -> None:
    with pytest.raises(InputError, match=r"'extended' is unknown; allowed: mfcc-delta-rms, speech-encoder"):
        voice_features("extended")
