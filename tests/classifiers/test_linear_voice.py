from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ravdess_mm.calibration import probabilities
from ravdess_mm.classifiers.kernel_machine import KernelRidge
from ravdess_mm.classifiers.linear_voice import train_linear_voice
from ravdess_mm.classifiers.trained import TrainedClassifier, load_classifier, save_classifier


@pytest.fixture
def clips() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    y = np.arange(96) % 4 * 2
    speakers = np.char.add("corpus/", (np.arange(96) // 16).astype(str))
    X = random.standard_normal((96, 12)) + 2 * np.eye(12)[y] + random.standard_normal((6, 12))[np.arange(96) // 16] * 3
    return X, y, speakers


def train(
    clips: tuple[np.ndarray, np.ndarray, np.ndarray], *, adapted: bool, temperature: float = 0.5
) -> TrainedClassifier:
    X, y, speakers = clips
    return train_linear_voice(
        X,
        y,
        speakers,
        sample_weight=np.linspace(0.5, 1.5, len(y)),
        strength=0.3,
        temperature=temperature,
        adapted=adapted,
        feature_names=[f"f{place}" for place in range(12)],
        feature_set="some",
        card={"corpora": {}},
    )


def test_it_says_what_the_machine_says_at_that_temperature(clips: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    X, y, _ = clips
    weights = np.linspace(0.5, 1.5, len(y))
    mean = np.average(X, axis=0, weights=weights)
    standard = (X - mean) / np.sqrt(np.average((X - mean) ** 2, axis=0, weights=weights))
    machine = KernelRidge(alpha=0.3, kernel="precomputed").fit(standard @ standard.T / 12, y, sample_weight=weights)
    expected = probabilities(machine.decision_function(standard @ standard.T / 12), temperature=0.5)
    found = train(clips, adapted=False).predict_proba(X)
    np.testing.assert_allclose(found[:, ::2], expected, atol=1e-3)
    assert found[:, 1::2].max() < 1e-6


def test_an_adapted_voice_knows_speakers_apart(clips: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    X, y, speakers = clips
    voice = train(clips, adapted=True)
    moved = X + 3.0 * (speakers == "corpus/3")[:, None]
    found = voice.predict_proba(moved, speakers=speakers)
    np.testing.assert_allclose(
        found[speakers != "corpus/3"], voice.predict_proba(X, speakers=speakers)[speakers != "corpus/3"]
    )
    own = speakers == "corpus/3"
    assert (found[own].argmax(axis=1) == y[own]).mean() > 0.6


def test_it_is_stored_as_one_row_of_weights_an_emotion(
    clips: tuple[np.ndarray, np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    voice = train(clips, adapted=True)
    save_classifier(tmp_path, voice)
    again = load_classifier(tmp_path)
    np.testing.assert_allclose(again.predict_proba(clips[0]), voice.predict_proba(clips[0]), atol=1e-6)
    assert again.card["strength"] == 0.3
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 20_000
