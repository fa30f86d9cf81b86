from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ravdess_mm.corpus.identifier import Emotion
from ravdess_mm.corpus.sample_face import FRAME_SIZE_PX, draw_faces, draw_person
from ravdess_mm.corpus.sample_look import look
from ravdess_mm.corpus.sample_pose import EXPRESSIONS, Pose, face_poses
from ravdess_mm.corpus.sample_script import sample_scripts

SIZE_PX = 200


def drawn(actor: int, emotion: Emotion = Emotion.NEUTRAL, **changes: float) -> NDArray[np.float64]:
    """Gray picture [shape=(SIZE_PX, SIZE_PX)] of an actor's expression at full strength, without noise."""
    canvas = np.full((SIZE_PX, SIZE_PX, 3), look(actor).backdrop, np.uint8)
    pose = EXPRESSIONS[emotion]._replace(**changes)
    draw_person(canvas, look(actor), pose, centre=(0.5, 0.5), unit=0.45)
    return canvas.astype(float).mean(axis=2)


def region(picture: NDArray[np.float64], *, x: tuple[float, float], y: tuple[float, float]) -> NDArray[np.float64]:
    """Part of a picture, in units of half a face's height from its middle."""
    (left, right), (top, bottom) = (tuple(round((0.5 + 0.45 * v) * SIZE_PX) for v in pair) for pair in (x, y))
    return picture[top:bottom, left:right]


def test_pictures_are_planes_for_a_video_encoder() -> None:
    script = sample_scripts([2])[0]
    pictures = list(draw_faces(script, face_poses(script, np.array([0.0, 1.0]))))
    assert [picture.shape for picture in pictures] == [(FRAME_SIZE_PX * 3 // 2, FRAME_SIZE_PX)] * 2
    assert all(picture.dtype == np.uint8 for picture in pictures)


def test_same_script_same_pictures() -> None:
    script = sample_scripts([2])[0]
    poses = face_poses(script, np.array([0.0, 1.0]))
    for one, two in zip(draw_faces(script, poses), draw_faces(script, poses), strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_still_pose_flickers_with_sensor_noise() -> None:
    script = sample_scripts([2])[0]
    one, two = (picture[:FRAME_SIZE_PX].astype(int) for picture in draw_faces(script, [Pose(*[0.0] * 17)] * 2))
    assert 1 < (one - two).std() < 10


@pytest.mark.parametrize("actor", range(1, 13))
def test_expressions_differ_more_than_a_trifle_on_every_actor(actor: int) -> None:
    pictures = [drawn(actor, emotion) for emotion in Emotion]
    for number, picture in enumerate(pictures):
        for other in pictures[:number]:
            assert np.abs(picture - other).mean() > 3


def test_shut_eyes_hide_the_white() -> None:
    opened, shut = (region(drawn(3, eyes=eyes), x=(0.15, 0.6), y=(-0.3, 0.1)) for eyes in (1.0, 0.0))
    assert (opened > 235).mean() > 0.1
    assert (shut > 235).mean() < 0.01


def test_an_open_mouth_is_dark() -> None:
    mouth = {"x": (-0.2, 0.2), "y": (0.5, 0.85)}
    shut, opened = (region(drawn(3, opening=opening), **mouth) for opening in (0.0, 1.0))
    assert (opened < 90).mean() > (shut < 90).mean() + 0.2


def test_raised_brows_are_higher() -> None:
    def brow_y(picture: NDArray[np.float64]) -> float:
        dark = region(picture, x=(0.2, 0.6), y=(-0.8, -0.3)) < 70
        return float(np.average(np.arange(len(dark)), weights=dark.sum(axis=1)))

    assert brow_y(drawn(7, inner_brow=1.0, outer_brow=1.0)) < brow_y(drawn(7)) - 5


def test_a_tilted_head_turns_the_picture() -> None:
    assert np.abs(drawn(3, roll_deg=10) - drawn(3)).mean() > 3


def test_no_two_of_the_first_twelve_look_alike() -> None:
    pictures = [drawn(actor) for actor in range(1, 13)]
    for number, picture in enumerate(pictures):
        for other in pictures[:number]:
            assert np.abs(picture - other).mean() > 8
