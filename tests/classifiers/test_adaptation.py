"""Speaker adaptation removes who speaks, and degrades to plain standardisation with one clip."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravdess_mm.classifiers.adaptation import EmotionEffects, SpeakerScaler, SpeakerStatistics
from ravdess_mm.errors import InputError
from ravdess_mm.store import plain, read_json, write_json

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
    SpeakerStatistics.of(own).save(tmp_path / "speaker.json", features="some")
    read = SpeakerStatistics.load(tmp_path / "speaker.json", features="some", n_features=len(NAMES))
    content = read_json(tmp_path / "speaker.json")
    for damage in ({"mean": None}, {"mean": [1.0]}, {"deviation": ["x"] * len(NAMES)}, {"n_clips": "many"}):
        write_json(tmp_path / "damaged.json", {**content, **damage})
        with pytest.raises(InputError, match=r"damaged\.json: a damaged enrolment"):
            SpeakerStatistics.load(tmp_path / "damaged.json", features="some", n_features=len(NAMES))
    np.testing.assert_allclose(
        scaler.transform_enrolled(own, read), scaler.transform(own, np.full(len(own), 4)), rtol=1e-12
    )
    with pytest.raises(InputError, match="enrol the speaker again"):
        SpeakerStatistics.load(tmp_path / "speaker.json", features="others", n_features=len(NAMES))
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(InputError, match="not an enrolment"):
        SpeakerStatistics.load(tmp_path / "other.json", features="some", n_features=len(NAMES))


def test_no_clip_is_refused() -> None:
    with pytest.raises(InputError, match="no clips"):
        SpeakerStatistics.of(np.empty((0, 3)))


@pytest.fixture
def moody() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Speakers who differ less from each other than anybody does from mood to mood."""
    rng = np.random.default_rng(5)
    effects = rng.normal(0, 3, (8, 3))
    effects -= effects.mean(axis=0)
    groups, y = np.repeat([1, 2, 3, 4, 5], 80), np.tile(np.arange(8), 50)
    offset = rng.normal(0, 1, (6, 3))[groups]
    return offset + effects[y] + rng.normal(0, 0.3, (400, 3)), y, groups


def test_moods_are_what_emotions_add_to_a_voice(moody: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    X, y, groups = moody
    emotion_effects = EmotionEffects.of(X, y, groups)
    apart = np.array([X[y == emotion].mean(axis=0) for emotion in range(8)]) - X.mean(axis=0)
    np.testing.assert_allclose(emotion_effects.effects, apart, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(emotion_effects.frequencies, 1 / 8)
    rest = np.mean([X[(groups == 1) & (y == emotion)].var(axis=0) for emotion in range(8)], axis=0)
    np.testing.assert_allclose(emotion_effects.variance + rest, X[groups == 1].var(axis=0), rtol=0.2)
    # what nobody showed adds nothing
    few = EmotionEffects.of(X[y < 2], y[y < 2], groups[y < 2])
    assert not few.effects[2:].any()
    assert few.frequencies.tolist() == [0.5, 0.5, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("heard", [[0], [1, 2], list(range(8))])
def test_a_speaker_known_in_few_moods_is_known_as_in_all(
    moody: tuple[np.ndarray, np.ndarray, np.ndarray], heard: list[int]
) -> None:
    X, y, groups = moody
    emotion_effects = EmotionEffects.of(X[groups < 5], y[groups < 5], groups[groups < 5])
    own = groups == 5
    known = own & np.isin(y, heard)
    found = SpeakerStatistics.of_emotion_shares(X[known], np.eye(8)[y[known]], emotion_effects)
    whole = SpeakerStatistics.of(X[own])
    np.testing.assert_allclose(found.mean, whole.mean, atol=0.5)
    np.testing.assert_allclose(found.deviation, whole.deviation, rtol=0.25)
    assert found.n_clips == known.sum()
    if len(heard) < 8:
        assert np.abs(SpeakerStatistics.of(X[known]).mean - whole.mean).max() > 1


def test_moods_are_kept_with_the_average_speaker(moody: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    X, y, groups = moody
    scaler = SpeakerScaler().fit(X, groups, y)
    again = SpeakerScaler.from_dict(json.loads(json.dumps(plain(scaler.to_dict()))))
    assert scaler.emotion_effects_ is not None
    assert again.emotion_effects_ is not None
    np.testing.assert_array_equal(again.emotion_effects_.effects, scaler.emotion_effects_.effects)
    np.testing.assert_array_equal(again.emotion_effects_.frequencies, scaler.emotion_effects_.frequencies)
    without = SpeakerScaler().fit(X, groups)
    assert without.emotion_effects_ is None
    assert SpeakerScaler.from_dict(without.to_dict()).emotion_effects_ is None
    np.testing.assert_array_equal(without.transform(X, groups), scaler.transform(X, groups))
    wrong = plain(scaler.to_dict())
    wrong["emotion_effects"]["effects"] = wrong["emotion_effects"]["effects"][:7]
    with pytest.raises(ValueError, match=r"emotion effects of shapes \(7, 3\) and \(8,\)"):
        SpeakerScaler.from_dict(wrong)


@pytest.mark.parametrize("change", [{"n_clips": 1e400}, {"n_clips": -1}, {"deviation": [1e300, 1]}, {"mean": [[0], 1]}])
def test_an_enrolment_beyond_belief_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    SpeakerStatistics(3, np.zeros(2), np.ones(2)).save(path := tmp_path / "her.json", features="two")
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(InputError, match="a damaged enrolment"):
        SpeakerStatistics.load(path, features="two", n_features=2)
