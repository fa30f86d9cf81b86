"""Speaker adaptation removes who speaks, and degrades to plain standardisation with one clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ravdess_mm.classifiers.adaptation import Enrolment, SpeakerScaler
from ravdess_mm.errors import InputError
from ravdess_mm.store import read_json, write_json

NAMES = ("pitch", "loudness", "tempo")


@pytest.fixture
def voices() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    groups = np.repeat([1, 2, 3, 4], 60)
    offset = rng.normal(0, 10, (5, 3))[groups]
    scale = rng.uniform(0.5, 4, (5, 3))[groups]
    return offset + scale * rng.normal(size=(240, 3)), groups


def test_speakers_become_alike(voices: tuple[np.ndarray, np.ndarray]) -> None:
    X, groups = voices
    scaled = SpeakerScaler(prior_clips=0.0).fit(X, groups).transform(X, groups)
    for speaker in np.unique(groups):
        np.testing.assert_allclose(scaled[groups == speaker].mean(axis=0), 0, atol=1e-9)
        np.testing.assert_allclose(scaled[groups == speaker].std(axis=0), 1, atol=1e-9)


def test_a_new_speaker_is_adapted_without_the_training_speakers_clips(
    voices: tuple[np.ndarray, np.ndarray],
) -> None:
    X, groups = voices
    scaler = SpeakerScaler().fit(X[groups < 4], groups[groups < 4])
    alone = scaler.transform(X[groups == 4], groups[groups == 4])
    together = scaler.transform(X, groups)[groups == 4]
    np.testing.assert_allclose(alone, together)
    assert np.abs(alone.mean(axis=0)).max() < 0.5


def test_one_clip_is_standardised_plainly(voices: tuple[np.ndarray, np.ndarray]) -> None:
    X, groups = voices
    scaler = SpeakerScaler().fit(X, groups)
    clip = X[:1] + 1000
    plain = (clip - X.mean(axis=0)) / X.std(axis=0)
    np.testing.assert_allclose(scaler.transform(clip, [9]), plain, rtol=1e-6)


def test_more_clips_count_more(voices: tuple[np.ndarray, np.ndarray]) -> None:
    X, groups = voices
    scaler = SpeakerScaler().fit(X[groups < 4], groups[groups < 4])
    own = X[groups == 4]
    distance = [np.abs(scaler.transform(own[:n], np.full(n, 4)).mean(axis=0)).max() for n in (2, 10, 60)]
    assert distance == sorted(distance, reverse=True)


def test_a_constant_feature_stays_finite() -> None:
    X = np.ones((10, 3))
    assert np.isfinite(SpeakerScaler().fit(X, np.repeat([1, 2], 5)).transform(X, np.repeat([1, 2], 5))).all()


def test_an_enrolment_is_saved_and_bound_to_its_features(tmp_path: Path, voices: tuple[np.ndarray, np.ndarray]) -> None:
    X, groups = voices
    scaler = SpeakerScaler().fit(X[groups < 4], groups[groups < 4])
    own = X[groups == 4]
    Enrolment.of(own).save(tmp_path / "speaker.json", feature_names=NAMES)
    read = Enrolment.load(tmp_path / "speaker.json", feature_names=NAMES)
    content = read_json(tmp_path / "speaker.json")
    for damage in ({"mean": None}, {"mean": [1.0]}, {"deviation": ["x"] * len(NAMES)}, {"n_clips": "many"}):
        write_json(tmp_path / "damaged.json", {**content, **damage})
        with pytest.raises(InputError, match=r"damaged\.json: a damaged enrolment"):
            Enrolment.load(tmp_path / "damaged.json", feature_names=NAMES)
    np.testing.assert_allclose(
        scaler.transform_enrolled(own, read), scaler.transform(own, np.full(len(own), 4)), rtol=1e-12
    )
    with pytest.raises(InputError, match="enrol the speaker again"):
        Enrolment.load(tmp_path / "speaker.json", feature_names=NAMES[:2])
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(InputError, match="not an enrolment"):
        Enrolment.load(tmp_path / "other.json", feature_names=NAMES)


def test_no_clip_is_refused() -> None:
    with pytest.raises(InputError, match="no clips"):
        Enrolment.of(np.empty((0, 3)))
