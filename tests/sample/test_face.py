from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from ravdess_mm.corpus.identifier import Emotion
from ravdess_mm.sample.face import EXPRESSIONS, FRAME_SIZE_PX, Pose, draw_faces, draw_person, face_poses, look
from ravdess_mm.sample.script import Acting, Script, sample_scripts
from ravdess_mm.video.faces import make_detector

TIMES_S = np.arange(90) * 1.001 / 30


@pytest.fixture(scope="module")
def script() -> Script:
    return sample_scripts([4])[0]


def mean_pose(script: Script, emotion: Emotion, *, strength: float = 1.0) -> Pose:
    poses = face_poses(replace(script, face=Acting(emotion, strength)), TIMES_S)
    return Pose(*np.median(np.array(poses), axis=0))


def drawn(actor: int, emotion: Emotion = Emotion.NEUTRAL, **changes: float) -> NDArray[np.float64]:
    """Picture of an actor's expression at full strength, without noise."""
    return draw_person(look(actor), EXPRESSIONS[emotion]._replace(**changes)).astype(float)


def region(picture: NDArray[np.float64], *, x: tuple[float, float], y: tuple[float, float]) -> NDArray[np.float64]:
    """Part of a picture, in units of half a face's height from its middle."""
    (left, right), (top, bottom) = (tuple(round((0.5 + 0.36 * v) * FRAME_SIZE_PX) for v in pair) for pair in (x, y))
    return picture[top:bottom, left:right]


def test_same_script_same_poses(script: Script) -> None:
    assert face_poses(script, TIMES_S) == face_poses(script, TIMES_S)


def test_each_emotion_moves_its_features(script: Script) -> None:
    poses = {emotion: mean_pose(script, emotion) for emotion in Emotion}
    neutral = poses[Emotion.NEUTRAL]
    assert poses[Emotion.HAPPY].corners > neutral.corners + 0.6
    assert poses[Emotion.SAD].corners < neutral.corners - 0.6
    assert poses[Emotion.ANGRY].frown > neutral.frown + 0.7
    assert poses[Emotion.SURPRISED].jaw > neutral.jaw + 0.5
    assert poses[Emotion.DISGUST].wrinkle > neutral.wrinkle + 0.6


def test_strength_scales_the_expression(script: Script) -> None:
    weak, strong = (mean_pose(script, Emotion.HAPPY, strength=strength).corners for strength in (0.3, 1.2))
    assert strong > 2 * weak


def test_the_jaw_follows_the_voice(script: Script) -> None:
    neutral = replace(script, face=Acting(Emotion.NEUTRAL, 1.0))
    opened = np.array([pose.jaw for pose in face_poses(neutral, TIMES_S)])
    said = script.sounds_at(TIMES_S)[:, -1]
    assert opened[said >= 0.8].mean() > opened[said < 0.2].mean() + 0.1


def test_heads_move(script: Script) -> None:
    tilts_deg = np.array([pose.tilt_deg for pose in face_poses(script, TIMES_S)])
    assert tilts_deg.max() - tilts_deg.min() > 0.5


def test_same_script_same_pictures(script: Script) -> None:
    one, two = (np.stack(list(draw_faces(script, TIMES_S[:2]))) for _ in range(2))
    assert one.shape == (2, FRAME_SIZE_PX, FRAME_SIZE_PX)
    assert one.dtype == np.uint8
    np.testing.assert_array_equal(one, two)


def test_a_still_moment_flickers_with_sensor_noise(script: Script) -> None:
    one, two = (picture.astype(int) for picture in draw_faces(script, np.array([1.0, 1.0])))
    assert 1 < (one - two).std() < 10


@pytest.mark.parametrize("actor", range(1, 13))
def test_expressions_differ_more_than_a_trifle_on_every_actor(actor: int) -> None:
    pictures = [drawn(actor, emotion) for emotion in Emotion]
    for number, picture in enumerate(pictures):
        for other in pictures[:number]:
            assert np.abs(picture - other).mean() > 2


def test_a_face_detector_finds_the_drawn_faces() -> None:
    detect = make_detector("haar")
    for actor in range(1, 25, 3):
        for emotion in Emotion:
            (box,) = detect(draw_person(look(actor), EXPRESSIONS[emotion]))
            assert abs(box.x + box.width / 2 - FRAME_SIZE_PX / 2) < 0.1 * FRAME_SIZE_PX


def test_an_open_mouth_is_dark() -> None:
    mouth = {"x": (-0.15, 0.15), "y": (0.5, 0.85)}
    shut, opened = (region(drawn(3, jaw=jaw), **mouth) for jaw in (0.0, 1.0))
    assert (opened < 90).mean() > (shut < 90).mean() + 0.2


def test_shut_eyes_hide_the_white() -> None:
    opened, shut = (region(drawn(3, lids=lids), x=(0.1, 0.6), y=(-0.3, 0.0)) for lids in (0.0, -1.0))
    assert (opened > 225).mean() > 2 * (shut > 225).mean()


def test_a_tilted_head_turns_the_picture() -> None:
    assert np.abs(drawn(3, tilt_deg=10) - drawn(3)).mean() > 3


def test_no_two_of_the_first_twelve_look_alike() -> None:
    pictures = [drawn(actor) for actor in range(1, 13)]
    for number, picture in enumerate(pictures):
        for other in pictures[:number]:
            assert np.abs(picture - other).mean() > 8
