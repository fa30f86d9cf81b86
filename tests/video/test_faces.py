from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from ravdess_mm import extras
from ravdess_mm.config import FaceDetector
from ravdess_mm.corpus.identifier import Emotion
from ravdess_mm.errors import InputError
from ravdess_mm.sample.face import EXPRESSIONS, draw_person, look
from ravdess_mm.video import faces
from ravdess_mm.video.decoding.frames import iter_frames
from ravdess_mm.video.faces import (
    SMALLEST_FACE,
    Box,
    Face,
    FaceStatus,
    check_detector,
    crop_face,
    find_faces,
    make_detector,
)

BLANK = np.zeros((72, 128), dtype=np.uint8)


def scripted(*answers: list[Box]):  # type: ignore[no-untyped-def]
    remaining = iter(answers)
    return lambda image: next(remaining)


def box(x: float, size: float = 20.0) -> Box:
    return Box(x, 5, size, size)


def test_a_lost_face_is_carried_but_not_for_ever() -> None:
    detector = scripted([], [box(1)], [], [box(2)], [], [], [], [box(3)], [])
    faces = list(find_faces([BLANK] * 9, detector=detector))
    assert [face.status.value for face in faces] == [
        "none", "found", "carried", "found", "carried", "carried", "none", "found", "carried",
    ]  # fmt: skip
    assert [face.box and face.box.x for face in faces] == [None, 1, 1, 2, 2, 2, None, 3, 3]


def test_once_given_up_a_box_does_not_come_back() -> None:
    faces = list(find_faces([BLANK] * 5, detector=scripted([box(1)], [], [], [], [])))
    assert [face.status.value for face in faces] == ["found", "carried", "carried", "none", "none"]


def test_the_largest_of_several_faces_counts() -> None:
    small, large = box(50, 10), Box(0, 0, 12, 30)
    assert list(find_faces([BLANK], detector=scripted([small, large, small]))) == [Face(FaceStatus.FOUND, large)]


def test_no_face_is_neither_an_error_nor_a_made_up_result() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (90, 160), dtype=np.uint8)
    tiny = np.zeros((1, 1), dtype=np.uint8)
    for frame in (BLANK, noise, tiny, np.full((300, 4), 255, dtype=np.uint8)):
        assert list(find_faces([frame])) == [Face(FaceStatus.NONE, None)]
    assert list(find_faces([])) == []


@pytest.mark.parametrize("frame", [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4)), np.zeros((0, 4), np.uint8)])
def test_a_frame_must_be_a_gray_image(frame: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"allowed: \(height, width\), uint8"):
        list(find_faces([frame]))
    with pytest.raises(InputError, match=r"allowed: \(height, width\), uint8"):
        crop_face(frame, box(0), margin=0, size_px=4)


def gradient(height: int = 60, width: int = 80) -> np.ndarray:
    return (np.arange(width)[None, :] + 2 * np.arange(height)[:, None]).astype(np.uint8)


def test_the_crop_is_the_square_around_the_box() -> None:
    image = gradient()
    np.testing.assert_array_equal(crop_face(image, Box(10, 20, 16, 16), margin=0, size_px=16), image[20:36, 10:26])
    np.testing.assert_array_equal(crop_face(image, Box(10, 20, 16, 8), margin=0, size_px=16), image[16:32, 10:26])
    np.testing.assert_array_equal(crop_face(image, Box(10, 20, 16, 16), margin=0.25, size_px=24), image[16:40, 6:30])
    np.testing.assert_array_equal(crop_face(image, Box(10, 20, 16, 16), margin=-0.25, size_px=8), image[24:32, 14:22])
    shrunk = crop_face(image, Box(10, 20, 16, 16), margin=0, size_px=8)
    np.testing.assert_array_equal(shrunk, cv2.resize(image[20:36, 10:26], (8, 8), interpolation=cv2.INTER_AREA))


def test_outside_of_the_image_its_edge_is_repeated() -> None:
    image = gradient()
    crop = crop_face(image, Box(-4, -4, 16, 16), margin=0, size_px=16)
    np.testing.assert_array_equal(crop[4:, 4:], image[:12, :12])
    np.testing.assert_array_equal(crop[:4, 4:], np.repeat(image[:1, :12], 4, axis=0))
    crop = crop_face(image, Box(70, 50, 16, 16), margin=0, size_px=16)
    np.testing.assert_array_equal(crop[:10, :10], image[50:, 70:])
    assert (crop[10:, 10:] == image[-1, -1]).all()


def test_crop_arguments_are_checked() -> None:
    with pytest.raises(InputError, match=r"margin is -0\.5"):
        crop_face(BLANK, box(0), margin=-0.5, size_px=4)
    with pytest.raises(InputError, match="size_px is 0"):
        crop_face(BLANK, box(0), margin=0, size_px=0)
    for outside in (Box(500, 0, 10, 10), Box(-50, 0, 10, 10), Box(0, 72, 10, 10)):
        with pytest.raises(InputError, match="does not touch the image of 128x72 pixels"):
            crop_face(BLANK, outside, margin=0, size_px=4)


def test_detectors_are_named_and_mtcnn_says_which_extra_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="'dlib' is unknown; allowed: haar, mtcnn"):
        make_detector("dlib")
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"needs mtcnn, which is not installed: pip install 'ravdess-mm\[mtcnn\]'"):
        make_detector("mtcnn")
    assert check_detector("haar") is FaceDetector.HAAR


def drawn_face() -> np.ndarray:
    return draw_person(look(4), EXPRESSIONS[Emotion.NEUTRAL])


def scene(*places: tuple[int, int, float], height: int = 540, width: int = 960) -> np.ndarray:
    """A wall with faces at x, y, of a width that is a share of the short side by the cascade's box."""
    face = drawn_face()
    (found,) = make_detector()(face)
    wall = np.full((height, width), 190, dtype=np.uint8)
    for x, y, share in places:
        size = round(len(face) * share * min(height, width) / found.width)
        wall[y : y + size, x : x + size] = cv2.resize(face, (size, size), interpolation=cv2.INTER_AREA)
    return wall


@pytest.mark.parametrize("share", [SMALLEST_FACE, 0.14, 0.2, 0.5])
def test_faces_down_to_a_tenth_of_the_short_side_are_found(share: float) -> None:
    (found,) = make_detector()(scene((300, 60, share)))
    assert found.width / 540 == pytest.approx(share, rel=0.25)
    assert 300 <= found.x < found.x + found.width <= 300 + 960


def test_small_faces_beside_a_large_one_are_found_where_every_face_is_wanted() -> None:
    picture = scene((40, 40, 0.4), (700, 100, 0.12), (560, 300, 0.25))
    assert len(make_detector()(picture)) == 2  # both are large; the largest is what a clip needs
    every = sorted(make_detector(every_face=True)(picture), key=lambda box: -box.area)
    assert [round(box.width / 540, 1) for box in every] == [0.4, 0.3, 0.1]
    assert every[:2] == sorted(make_detector()(picture), key=lambda box: -box.area)


def test_what_is_long_and_narrow_is_searched_as_it_is() -> None:
    narrow = np.full((30, 60_000), 255, dtype=np.uint8)
    assert make_detector(every_face=True)(narrow) == []
    assert faces._scaled(narrow, 240)[0].size < 4_100_000
    assert faces._scaled(np.full((50, 40), 255, dtype=np.uint8), 240)[0].shape == (300, 240)


def clips(real_data: Path, folder: str) -> list[Path]:
    return sorted(path for path in (real_data / "ravdess" / folder).rglob("*") if path.is_file())


@pytest.mark.real
def test_exactly_one_face_on_every_sampled_frame_of_the_original_clips(real_data: Path) -> None:
    detect = make_detector()
    paths = clips(real_data, "speech_video")
    assert len(paths) == 6
    for path in paths:
        for frame in iter_frames(path, frame_step=20):
            (found,) = detect(frame.image)
            # the actor's head stands in the middle of the picture
            assert 480 < found.x + found.width / 2 < 800
            assert 300 < found.width < 500


@pytest.mark.real
def test_every_tightly_cut_face_clip_has_its_face(real_data: Path) -> None:
    for path in clips(real_data, "face_clips")[::4]:
        frames = [frame.image for frame in iter_frames(path, frame_step=5)]
        assert {face.status for face in find_faces(frames)} == {FaceStatus.FOUND}


@pytest.mark.real
@pytest.mark.slow
def test_a_720p_frame_costs_at_most_20_ms_of_one_core(real_data: Path) -> None:
    frames = [frame.image for frame in iter_frames(clips(real_data, "speech_video")[0], frame_step=5)]
    detect = make_detector()
    detect(frames[0])
    started = time.process_time()
    for frame in frames:
        detect(frame)
    assert (time.process_time() - started) / len(frames) <= 0.020


@pytest.mark.real
@pytest.mark.slow
def test_mtcnn_agrees_with_the_cascade(real_data: Path) -> None:
    pytest.importorskip("mtcnn", reason="the extra mtcnn is not installed")
    assert_agrees(real_data, make_detector("mtcnn"))


def assert_agrees(real_data: Path, detect) -> None:  # type: ignore[no-untyped-def]
    assert detect(np.full((200, 200), 128, np.uint8)) == []
    frames = [frame.image for frame in iter_frames(clips(real_data, "speech_video")[0], frame_step=40)]
    theirs = list(find_faces(frames, detector=detect))
    for ours, other in zip(find_faces(frames), theirs, strict=True):
        assert other.status is FaceStatus.FOUND
        assert ours.box is not None
        assert other.box is not None
        assert abs(ours.box.x + ours.box.width / 2 - other.box.x - other.box.width / 2) < 50
        assert 0.6 < other.box.area / ours.box.area < 1.6
