from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ravdess_mm.corpus.identifier import Emotion
from ravdess_mm.corpus.sample_pose import Pose, face_poses
from ravdess_mm.corpus.sample_script import SOUNDS, Acting, Script, sample_scripts

TIMES_S = np.arange(90) * 1.001 / 30


@pytest.fixture(scope="module")
def script() -> Script:
    return sample_scripts([4])[0]


def mean_pose(script: Script, emotion: Emotion, *, strength: float = 1.0) -> Pose:
    poses = face_poses(replace(script, face=Acting(emotion, strength)), TIMES_S)
    return Pose(*np.median(np.array(poses), axis=0))


def test_same_script_same_poses(script: Script) -> None:
    assert face_poses(script, TIMES_S) == face_poses(script, TIMES_S)


def test_each_emotion_moves_its_features(script: Script) -> None:
    poses = {emotion: mean_pose(script, emotion) for emotion in Emotion}
    neutral = poses[Emotion.NEUTRAL]
    assert poses[Emotion.HAPPY].corners > neutral.corners + 0.6
    assert poses[Emotion.SAD].corners < neutral.corners - 0.6
    assert poses[Emotion.SAD].inner_brow > poses[Emotion.SAD].outer_brow + 0.8
    assert poses[Emotion.ANGRY].frown > neutral.frown + 0.7
    assert poses[Emotion.SURPRISED].opening > neutral.opening + 0.5
    assert poses[Emotion.SURPRISED].eyes > 1.2 > 0.8 > poses[Emotion.CALM].eyes
    assert poses[Emotion.FEARFUL].width > poses[Emotion.SURPRISED].width + 0.6
    assert poses[Emotion.DISGUST].wrinkle > neutral.wrinkle + 0.6
    assert poses[Emotion.SAD].roll_deg > neutral.roll_deg + 3


def test_strength_scales_the_expression(script: Script) -> None:
    weak, strong = (mean_pose(script, Emotion.HAPPY, strength=strength).corners for strength in (0.3, 1.2))
    assert strong > 2 * weak


def test_the_jaw_follows_the_voice(script: Script) -> None:
    neutral = replace(script, face=Acting(Emotion.NEUTRAL, 1.0))
    opening = np.array([pose.opening for pose in face_poses(neutral, TIMES_S)])
    places = np.searchsorted(script.starts_s, TIMES_S, side="right") - 1
    jaw = np.array([SOUNDS[script.sounds[place]].jaw for place in places.clip(0, len(script.sounds) - 1)])
    assert opening[jaw >= 0.8].mean() > opening[jaw < 0.2].mean() + 0.1


def test_faces_blink(script: Script) -> None:
    eyes = np.array([pose.eyes for pose in face_poses(script, TIMES_S)])
    assert eyes.min() < 0.3 * np.median(eyes)
    assert np.mean(eyes < 0.5 * np.median(eyes)) < 0.3


def test_heads_move(script: Script) -> None:
    rolls = np.array([pose.roll_deg for pose in face_poses(script, TIMES_S)])
    assert rolls.max() - rolls.min() > 0.5
