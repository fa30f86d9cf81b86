from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from ravdess_mm.corpus.identifier import Emotion, Modality, Statement
from ravdess_mm.errors import IdentifierError
from ravdess_mm.sample.script import (
    FACE_NEIGHBOUR,
    SOUNDS,
    VOICE_NEIGHBOUR,
    Script,
    Stream,
    sample_scripts,
    take_rng,
)


@pytest.fixture(scope="module")
def scripts() -> list[Script]:
    return sample_scripts(range(1, 13))


def test_each_actor_has_16_takes_in_all_emotions(scripts: list[Script]) -> None:
    counts = Counter((script.take.actor, script.take.emotion) for script in scripts)
    assert set(counts) == {(actor, emotion) for actor in range(1, 13) for emotion in Emotion}
    assert set(counts.values()) == {2}
    assert len({script.take for script in scripts}) == 192


def test_words_tell_nothing_about_the_emotion(scripts: list[Script]) -> None:
    for emotion in Emotion:
        kids = [script.take.statement is Statement.KIDS for script in scripts if script.take.emotion is emotion]
        assert np.mean(kids) == 0.5


def test_every_way_to_miss_a_modality_occurs(scripts: list[Script]) -> None:
    counts = Counter(script.modalities for script in scripts)
    assert counts == {
        (Modality.FULL_AV, Modality.AUDIO_ONLY): 84,
        (Modality.VIDEO_ONLY, Modality.AUDIO_ONLY): 84,
        (Modality.FULL_AV,): 12,
        (Modality.AUDIO_ONLY,): 6,
        (Modality.VIDEO_ONLY,): 6,
    }


def test_takes_of_one_modality_are_of_many_emotions(scripts: list[Script]) -> None:
    alone = {script.take.emotion for script in scripts if len(script.modalities) == 1}
    assert len(alone) >= 6


def test_voice_and_face_slip_on_different_takes(scripts: list[Script]) -> None:
    voice = np.array([script.voice.shown is not script.take.emotion for script in scripts])
    face = np.array([script.face.shown is not script.take.emotion for script in scripts])
    assert 0.08 < voice.mean() < 0.22
    assert 0.08 < face.mean() < 0.22
    assert (voice & face).mean() < 0.06


def test_a_slip_goes_to_a_neighbour(scripts: list[Script]) -> None:
    for script in scripts:
        emotion = script.take.emotion
        assert script.voice.shown in (emotion, VOICE_NEIGHBOUR[emotion])
        assert script.face.shown in (emotion, FACE_NEIGHBOUR[emotion])


def test_strong_takes_are_stronger_on_average(scripts: list[Script]) -> None:
    means = [np.mean([s.face.strength for s in scripts if s.take.intensity == intensity]) for intensity in (1, 2)]
    assert means[1] > 1.2 * means[0]


def test_every_clip_holds_frame_80(scripts: list[Script]) -> None:
    durations_s = [script.duration_s for script in scripts]
    assert min(durations_s) > 81 * 1.001 / 30
    assert max(durations_s) < 4.2


def test_scripts_do_not_depend_on_the_other_actors(scripts: list[Script]) -> None:
    alone = sample_scripts([7])
    among = [script for script in scripts if script.take.actor == 7]
    assert [(s.take, s.modalities, s.duration_s, s.voice, s.face) for s in alone] == [
        (s.take, s.modalities, s.duration_s, s.voice, s.face) for s in among
    ]


def test_streams_of_a_take_differ_and_repeat(scripts: list[Script]) -> None:
    take = scripts[0].take
    first, again, other = (take_rng(take, s).random() for s in (Stream.VOICE, Stream.VOICE, Stream.FACE))
    assert first == again != other


def test_sounds_are_looked_up_at_each_moment(scripts: list[Script]) -> None:
    script = scripts[0]
    said = np.array([SOUNDS[sound] for sound in script.sounds])
    middles_s = (script.starts_s[:-1] + script.starts_s[1:]) / 2
    np.testing.assert_array_equal(script.sounds_at(middles_s), said)
    np.testing.assert_array_equal(script.sounds_at(np.array([-1.0, 99.0])), said[[0, -1]])


def test_unknown_actor() -> None:
    with pytest.raises(IdentifierError, match="01-24"):
        sample_scripts([25])
