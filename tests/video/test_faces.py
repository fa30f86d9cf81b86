from __future__ import annotations

import os
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from ravdess_mm.errors import InputError
from ravdess_mm.video.decode import iter_frames
from ravdess_mm.video.faces import Box, Face, FaceStatus, crop_face, find_faces, make_detector

BLANK = np.zeros((72, 128), dtype=np.uint8)


def scripted(*answers: list[Box]):  # type: ignore[no-untyped-def]
    remaining = iter(answers)
    return lambda image: next(remaining)


def box(x: float, size: float = 20.0) -> Box:
    return Box(x, 5, size, size)


def test_a_lost_face_is_carried_but_not_for_ever() -> None:
    detector = scripted([], [box(1)], [], [box(2)], [], [], [], [box(3)], [])
    faces = list(find_faces([BLANK] * 9, detector=detector, max_carry=2))
    assert [face.status.value for face in faces] == [
        "none", "found", "carried", "found", "carried", "carried", "none", "found", "carried",
    ]  # fmt: skip
    assert [face.box and face.box.x for face in faces] == [None, 1, 1, 2, 2, 2, None, 3, 3]


def test_once_given_up_a_box_does_not_come_back() -> None:
    faces = list(find_faces([BLANK] * 4, detector=scripted([box(1)], [], [], []), max_carry=1))
    assert [face.status.value for face in faces] == ["found", "carried", "none", "none"]


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


def test_max_carry_is_checked() -> None:
    with pytest.raises(InputError, match="max_carry is -1"):
        list(find_faces([BLANK], max_carry=-1))


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


def test_detectors_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'dlib' is unknown; allowed: haar, mtcnn, yunet"):
        make_detector("dlib")
    with pytest.raises(InputError, match="yunet, and only yunet"):
        make_detector("yunet")
    with pytest.raises(InputError, match="yunet, and only yunet"):
        make_detector("haar", model_path=tmp_path)
    with pytest.raises(InputError, match=r"no such file; yunet needs its \.onnx model"):
        make_detector("yunet", model_path=tmp_path / "yunet.onnx")
    (tmp_path / "yunet.onnx").write_bytes(b"no network")
    with pytest.raises(InputError, match="not a YuNet model"):
        make_detector("yunet", model_path=tmp_path / "yunet.onnx")


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
        assert {face.status for face in find_faces(frames, max_carry=0)} == {FaceStatus.FOUND}


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


@pytest.mark.real
def test_yunet_agrees_with_the_cascade(real_data: Path) -> None:
    model = os.environ.get("RAVDESS_MM_YUNET")
    if model is None:
        pytest.skip("no YuNet model (set RAVDESS_MM_YUNET to its .onnx file)")
    assert_agrees(real_data, make_detector("yunet", model_path=Path(model)))


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
