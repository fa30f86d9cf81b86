"""Faces keep their identities from frame to frame, found or followed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest

from ravdess_mm.config import FaceDetector
from ravdess_mm.video import tracking
from ravdess_mm.video.faces import Box, Detector
from ravdess_mm.video.tracking import FaceTracker, find_all_faces, follow_faces, steady_faces

ANNA, BEN = Box(20, 30, 60, 60), Box(200, 40, 40, 40)


def moved(box: Box, by: float) -> Box:
    return Box(box.x + by, box.y, box.width, box.height)


def test_identities_go_by_place_and_size() -> None:
    tracker = FaceTracker()
    first = tracker.update([BEN, ANNA])
    assert [(one.face, one.box) for one in first] == [(1, ANNA), (2, BEN)]
    second = tracker.update([moved(ANNA, 10), moved(BEN, -10)])
    assert [(one.face, one.box.x) for one in second] == [(1, 30), (2, 190)]
    # what is as near but of another size is somebody else
    third = tracker.update([moved(ANNA, 10), Box(190, 40, 100, 100)])
    assert [(one.face, one.is_found) for one in third] == [(1, True), (2, False), (3, True)]


def test_a_face_is_carried_over_two_searches_and_known_when_it_returns() -> None:
    tracker = FaceTracker()
    tracker.update([ANNA, BEN])
    seen = [[one.face for one in tracker.update([ANNA])] for _ in range(3)]
    assert seen == [[1, 2], [1, 2], [1]]
    assert [one.face for one in tracker.update([ANNA, BEN])] == [1, 2]


def test_the_only_face_may_jump() -> None:
    tracker = FaceTracker()
    tracker.update([ANNA])
    assert [one.face for one in tracker.update([moved(ANNA, 100)])] == [1]
    assert [one.face for one in tracker.update([moved(ANNA, 400)])] == [1, 2]


@pytest.mark.parametrize(
    ("counts", "total", "steady"),
    [
        ({1: 5, 2: 1}, 5, {1}),
        ({1: 5, 2: 2}, 5, {1, 2}),
        ({1: 100, 2: 9}, 100, {1}),
        ({1: 1}, 9, {1}),
        ({1: 1, 2: 1}, 2, {1, 2}),
    ],
)
def test_what_is_seen_by_chance_is_nobody(counts: dict[int, int], total: int, steady: set[int]) -> None:
    assert steady_faces(counts, total) == steady


def walking(n: int) -> Iterator[tuple[npt.NDArray[np.uint8], Box]]:
    """A patterned square that moves to the right over a noisy ground."""
    rng = np.random.default_rng(0)
    ground, face = rng.integers(90, 110, (180, 320)), rng.integers(0, 255, (12, 12)).repeat(5, 0).repeat(5, 1)
    for number in range(n):
        image = ground.copy()
        image[40:100, 30 + 3 * number : 90 + 3 * number] = face
        yield image.astype(np.uint8), Box(30 + 3 * number, 40, 60, 60)


def test_a_face_is_followed_between_two_searches() -> None:
    frames, boxes = zip(*walking(20), strict=True)
    searched = []

    def detect(image: npt.NDArray[np.uint8]) -> list[Box]:
        number = next(place for place, frame in enumerate(frames) if frame is image)
        searched.append(number)
        return [boxes[number]]

    faces = list(follow_faces(frames, detector=detect, every=10))
    assert searched == [0, 10]
    for own, box in zip(faces, boxes, strict=True):
        assert [one.face for one in own] == [1]
        assert own[0].box.x == pytest.approx(box.x, abs=2)
        assert own[0].box.y == pytest.approx(box.y, abs=1)
    assert [own[0].is_found for own in faces] == [number in (0, 10) for number in range(20)]


def test_a_face_that_is_lost_is_searched_at_once() -> None:
    frames, boxes = zip(*walking(6), strict=True)
    empty = np.full_like(frames[0], 100)
    film = [*frames[:3], empty, *frames[3:]]
    searched: list[int] = []

    def detect(image: npt.NDArray[np.uint8]) -> list[Box]:
        searched.append(next(place for place, frame in enumerate(film) if frame is image))
        return [] if image is empty else [boxes[3]]

    faces = list(follow_faces(film, detector=detect, every=10))
    assert searched == [0, 3]
    assert [len(own) for own in faces][:4] == [1, 1, 1, 0]


def test_every_frame_is_searched_where_frames_are_far_apart() -> None:
    frames, boxes = zip(*walking(4), strict=True)
    left = iter(boxes)
    assert [own[0].box for own in find_all_faces(frames, detector=lambda image: [next(left)])] == list(boxes)


def test_small_faces_are_searched_now_and_then_and_always_where_there_are_some(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [np.full((180, 320), level, np.uint8) for level in range(12)]
    fine: list[int] = []

    def make_detector(kind: FaceDetector, *, every_face: bool = False) -> Detector:
        def detect(image: npt.NDArray[np.uint8]) -> list[Box]:
            if not every_face:
                return [ANNA]
            fine.append(int(image[0, 0]))
            return [ANNA, *([Box(250, 20, 20, 20)] if 9 < image[0, 0] < 12 else [])]

        return detect

    monkeypatch.setattr(tracking, "make_detector", make_detector)
    faces = list(find_all_faces(frames))
    assert fine == [0, 10, 11]
    assert [len(own) for own in faces] == [1] * 10 + [2, 2]
