from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ravdess_mm.calibration import probabilities
from ravdess_mm.classifiers import corpora_voice
from ravdess_mm.classifiers.corpora_voice import CorporaVoice
from ravdess_mm.classifiers.trained import load_classifier, save_classifier

Clips = tuple[np.ndarray, np.ndarray, np.ndarray]


@pytest.fixture
def clips() -> Clips:
    random = np.random.default_rng(0)
    y = np.arange(96) % 4 * 2
    speakers = np.char.add("corpus/", (np.arange(96) // 16).astype(str))
    X = random.standard_normal((96, 12)) + 2 * np.eye(12)[y] + random.standard_normal((6, 12))[np.arange(96) // 16] * 3
    return X, y, speakers


def fit(clips: Clips, *, adapted: bool, strengths: tuple[float, ...] = (0.3,), is_copy: object = False) -> CorporaVoice:
    X, y, speakers = clips
    weights = np.linspace(0.5, 1.5, len(y))
    is_copy = np.broadcast_to(is_copy, len(y))
    return CorporaVoice.fit(
        X, y, speakers, is_copy=is_copy, sample_weight=weights, strengths=strengths, adapted=adapted
    )


def test_emotions_are_found_of_what_was_shown_alone(clips: Clips) -> None:
    X, y, speakers = clips
    (scores,) = fit(clips, adapted=False).scores(X, speakers)
    assert (scores.argmax(axis=1) == y).mean() > 0.9
    assert np.isneginf(scores[:, 1::2]).all()


def test_each_strength_is_a_machine_of_its_own(clips: Clips) -> None:
    X, _, speakers = clips
    both = fit(clips, adapted=True, strengths=(0.1, 10.0)).scores(X, speakers)
    for scores, strength in zip(both, (0.1, 10.0), strict=True):
        alone = fit(clips, adapted=True, strengths=(strength,)).scores(X, speakers)
        np.testing.assert_allclose(scores, alone[0], atol=1e-5)
    assert np.nanstd(both[0][:, ::2]) > np.nanstd(both[1][:, ::2])


def test_an_adapted_voice_knows_speakers_apart(clips: Clips) -> None:
    X, y, speakers = clips
    voice = fit(clips, adapted=True)
    moved = X + 3.0 * (speakers == "corpus/3")[:, None]
    (found,), (before,) = voice.scores(moved, speakers), voice.scores(X, speakers)
    own = speakers == "corpus/3"
    np.testing.assert_allclose(found[~own], before[~own], atol=1e-6)
    assert (found[own].argmax(axis=1) == y[own]).mean() > 0.6


def test_copies_teach_and_move_no_component(clips: Clips) -> None:
    X, y, speakers = clips
    is_copy = np.arange(len(y)) % 2 == 1
    voice = fit(clips, adapted=False, is_copy=is_copy)
    relabelled = fit((X, np.where(is_copy, 0, y), speakers), adapted=False, is_copy=is_copy)
    np.testing.assert_array_equal(voice.projection.components, relabelled.projection.components)
    (one,), (other,) = voice.scores(X, speakers), relabelled.scores(X, speakers)
    assert np.abs(one[:, ::2] - other[:, ::2]).max() > 0.1
    louder = fit((np.where(is_copy[:, None], 5 * X, X), y, speakers), adapted=False, is_copy=is_copy)
    np.testing.assert_array_equal(voice.projection.components, louder.projection.components)


def test_of_many_clips_some_make_the_components(clips: Clips, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpora_voice, "MOST_PROJECTED", 5)
    X, _, speakers = clips
    voice = fit(clips, adapted=False)
    assert voice.projection.n_components == 4
    assert np.isfinite(voice.scores(X, speakers)[0][:, ::2]).all()


def test_it_is_stored_and_says_the_same(clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpora_voice, "N_CENTRES", 100)
    X, _, speakers = clips
    voice = fit(clips, adapted=True)
    options = {"feature_names": [f"f{place}" for place in range(12)], "feature_set": "some"}
    trained = voice.trained(0, temperature=0.5, card={"strength": 0.3}, **options)
    expected = probabilities(voice.scores(X, speakers)[0], temperature=0.5)
    np.testing.assert_allclose(trained.predict_proba(X, speakers=speakers), expected)
    save_classifier(tmp_path, trained)
    again = load_classifier(tmp_path)
    np.testing.assert_allclose(again.predict_proba(X, speakers=speakers), expected, atol=1e-6)
    assert again.card["strength"] == 0.3
    assert again.pipeline.vectors.shape == (100, 12)
