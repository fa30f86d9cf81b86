"""Who speaks is told by the mouth that moves with the sound, or not at all."""

from __future__ import annotations

import numpy as np

from ravdess_mm.predict.active_speaker import BoxPath, MouthMovement, find_speakers, measure_mouths
from ravdess_mm.video.decoding.frames import GrayFrame
from ravdess_mm.video.faces import Box

SR = 16_000
TIMES_S = np.arange(0, 6, 1 / 30)


def spoken(*spans: tuple[float, float]) -> np.ndarray:
    """Noise that is loud in these spans."""
    time_s = np.arange(6 * SR) / SR
    loud = np.any([(time_s >= start) & (time_s < end) for start, end in spans], axis=0)
    return (np.random.default_rng(1).normal(0, 1, len(time_s)) * np.where(loud, 0.2, 0.001)).astype(np.float32)


def moving(*spans: tuple[float, float]) -> MouthMovement:
    inside = np.any([(start <= TIMES_S) & (end > TIMES_S) for start, end in spans], axis=0)
    return MouthMovement(TIMES_S, inside + np.random.default_rng(2).uniform(0, 0.2, len(TIMES_S)))


def test_each_segment_is_the_ones_whose_mouth_moves_then() -> None:
    sound = spoken((0.5, 1.5), (3.5, 5))
    mouths = {1: moving((3.4, 5)), 2: moving((0.4, 1.5))}
    assert find_speakers(mouths, sound, SR, [(0, 2.5), (3, 6)]) == [2, 1]


def test_two_who_move_alike_and_one_who_is_still_are_not_told() -> None:
    sound = spoken((1, 2))
    assert find_speakers({1: moving((1, 2)), 2: moving((1, 2.1))}, sound, SR, [(0, 6)]) == [None]
    assert find_speakers({1: moving(), 2: moving((4, 5))}, sound, SR, [(0, 6)]) == [None]
    assert find_speakers({1: moving((1, 2)), 2: moving()}, sound, SR, [(0, 0.1), (2.9, 3)])[0] is None


def test_the_lower_face_is_measured_less_what_the_whole_head_does() -> None:
    rng = np.random.default_rng(0)
    face = rng.integers(0, 255, (100, 100)).astype(np.uint8)
    frames = []
    for number in range(20):
        image = np.full((200, 400), 90, np.uint8)
        mouth, head = face.copy(), face if number % 2 else rng.integers(0, 255, (100, 100)).astype(np.uint8)
        mouth[65:95, 25:75] = rng.integers(0, 255, (30, 50))
        image[50:150, 50:150], image[50:150, 250:350] = mouth, head
        frames.append(GrayFrame(number, number / 10, image))
    paths = {
        1: BoxPath.of([0, 1.9], [Box(50, 50, 100, 100)] * 2),
        2: BoxPath.of([0, 1.9], [Box(250, 50, 100, 100)] * 2),
    }
    movements = measure_mouths(frames, paths)
    assert movements[1].amounts.mean() > 5 * movements[2].amounts.mean()
    assert len(movements[1].times_s) == 19


def test_where_a_face_is_not_seen_nothing_is_measured() -> None:
    path = BoxPath.of([1.0, 2.0], [Box(0, 0, 10, 10), Box(10, 0, 10, 10)])
    assert path.at(4) is None
    np.testing.assert_allclose(path.at(1.5), [5, 0, 10, 10])
