"""Voices told apart by directions learned from other people, and not by what they feel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.cluster import AgglomerativeClustering

from ravdess_mm.audio.embedding import FEATURE_SET
from ravdess_mm.bundles.bundle import arrays_part, write_bundle
from ravdess_mm.errors import BundleError, InputError
from ravdess_mm.predict.diarization import KIND, SPACE_PART, SpeakerSpace

N_FEATURES = 40


def takes_of(speakers: list[int], *, each: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Return takes in eight emotions, which change ten features thrice as much as who speaks changes five others."""
    world = np.random.default_rng(0)
    emotions = np.zeros((8, N_FEATURES))
    emotions[:, :10] = world.normal(0, 6, (8, 10))
    voices = np.zeros((20, N_FEATURES))
    voices[:, 20:25] = world.normal(0, 2, (20, 5))
    random = np.random.default_rng(len(speakers))
    who = np.repeat(speakers, each)
    felt = np.tile(np.arange(each) % 8, len(speakers))
    return emotions[felt] + voices[who] + random.normal(0, 0.5, (len(who), N_FEATURES)), who


@pytest.fixture(scope="module")
def space() -> SpeakerSpace:
    return SpeakerSpace.learn(*takes_of(list(range(12))))


def test_people_who_were_never_heard_are_told_apart_whatever_they_feel(space: SpeakerSpace) -> None:
    rows, who = takes_of([13, 14, 15])
    order = np.random.default_rng(1).permutation(len(who))
    found = space.tell_apart(rows[order], 3)
    for number in (1, 2, 3):
        assert len(set(who[order][found == number])) == 1
    by_sound_alone = AgglomerativeClustering(3).fit_predict(rows)
    assert max(np.bincount(by_sound_alone[who == 13])) < 24  # which tells emotions apart instead


def test_speakers_are_numbered_by_who_speaks_first(space: SpeakerSpace) -> None:
    rows, _who = takes_of([16, 17])
    order = np.arange(48)[::-1]
    assert space.tell_apart(rows, 2).tolist() == [1] * 24 + [2] * 24
    assert space.tell_apart(rows[order], 2).tolist() == [1] * 24 + [2] * 24
    assert space.tell_apart(rows, 1).tolist() == [1] * 48
    assert space.tell_apart(rows[[0, 47]], 5).tolist() == [1, 2]
    assert space.tell_apart(rows[:1], 2).tolist() == [1]


def test_an_odd_value_does_not_decide(space: SpeakerSpace) -> None:
    rows, _ = takes_of([16, 17])
    rows[3, 30] = 1e9
    assert space.tell_apart(rows, 2).tolist() == [1] * 24 + [2] * 24


def test_a_constant_feature_is_no_trouble() -> None:
    rows, who = takes_of([1, 2, 3])
    rows[:, 39] = 7
    learned = SpeakerSpace.learn(rows, who)
    assert np.isfinite(learned.place(rows)).all()


@pytest.mark.parametrize("who", [[1, 1, 1], [1, 2, 3]])
def test_too_few_actors_or_takes_are_refused(who: list[int]) -> None:
    with pytest.raises(InputError, match=r"3 takes of [13] actors; voices are told apart by two actors or more"):
        SpeakerSpace.learn(np.eye(3), who)


def test_a_space_is_read_as_it_was_written(space: SpeakerSpace, tmp_path: Path) -> None:
    first = space.save(tmp_path / "one", card={"actors": np.arange(12)}, text="# Card\n")
    assert first.card == {"actors": list(range(12)), "feature_set": "speech-encoder"}
    again = SpeakerSpace.load(tmp_path / "one")
    rows, _ = takes_of([13, 14])
    np.testing.assert_allclose(again.place(rows), space.place(rows), atol=1e-4)
    again.save(tmp_path / "two", card={"actors": np.arange(12)}, text="# Card\n")
    assert (tmp_path / "two" / SPACE_PART).read_bytes() == (tmp_path / "one" / SPACE_PART).read_bytes()


def test_what_is_no_space_is_refused(space: SpeakerSpace, tmp_path: Path) -> None:
    write_bundle(tmp_path / "svc", kind="svc", card={}, files={})
    with pytest.raises(BundleError, match="the bundle holds a 'svc'; expected 'speaker-space'"):
        SpeakerSpace.load(tmp_path / "svc")
    sound = {"mean": space.mean, "scale": space.scale, "directions": space.directions}
    card = {"feature_set": FEATURE_SET}
    for wrong, message in (
        ({**sound, "mean": space.mean[1:]}, "do not fit each other"),
        ({**sound, "directions": space.mean}, "do not fit each other"),
        ({"mean": space.mean}, "no speaker space"),
    ):
        write_bundle(tmp_path / "odd", kind=KIND, card=card, files={SPACE_PART: arrays_part(wrong)})
        with pytest.raises(BundleError, match=message):
            SpeakerSpace.load(tmp_path / "odd")
    write_bundle(tmp_path / "odd", kind=KIND, card={"feature_set": "smell"}, files={SPACE_PART: arrays_part(sound)})
    with pytest.raises(BundleError, match="was learned from 'smell' features; allowed: 'speech-encoder'"):
        SpeakerSpace.load(tmp_path / "odd")
