from __future__ import annotations

import numpy as np
import pytest

from ravdess_mm.video.training.augmentation import Augmentation, augment

STILL = Augmentation(shift=0, rotation_deg=0, zoom=0, brightness=0, flip=False)


@pytest.fixture
def frames() -> np.ndarray:
    rng = np.random.default_rng(1)
    small = rng.integers(20, 200, (6, 8, 8)).astype(np.uint8)
    return np.kron(small, np.ones((1, 8, 8), np.uint8))


def changed(frames: np.ndarray, seed: int = 0, **options) -> np.ndarray:
    settings = {name: getattr(STILL, name) for name in STILL.__dataclass_fields__} | options
    return augment(frames, np.random.default_rng(seed), Augmentation(**settings))


def test_no_change_is_no_change(frames: np.ndarray) -> None:
    np.testing.assert_array_equal(changed(frames), frames)


def test_flip_is_left_to_right_and_never_upside_down(frames: np.ndarray) -> None:
    many = np.repeat(frames[:1], 40, axis=0)
    out = changed(many, flip=True)
    mirrored = [np.array_equal(frame, frames[0][:, ::-1]) for frame in out]
    same = [np.array_equal(frame, frames[0]) for frame in out]
    assert all(a or b for a, b in zip(mirrored, same, strict=True))
    assert 8 < sum(mirrored) < 32


def test_top_stays_on_top() -> None:
    ramp = np.repeat(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], 64, axis=2)
    out = augment(np.repeat(ramp, 50, axis=0), np.random.default_rng(0))
    assert (out[:, -20:].mean(axis=(1, 2)) > out[:, :20].mean(axis=(1, 2)) + 50).all()


@pytest.mark.parametrize(
    "options", [{"shift": 0.1}, {"rotation_deg": 10.0}, {"zoom": 0.1}, {"brightness": 0.2}], ids=str
)
def test_each_option_changes_something_within_its_limit(frames: np.ndarray, options: dict) -> None:
    out = changed(frames, **options)
    assert (out != frames).any(axis=(1, 2)).all()
    assert np.abs(out.mean(axis=(1, 2)) / frames.mean(axis=(1, 2)) - 1).max() < 0.21


def test_shift_moves_by_at_most_its_share() -> None:
    dot = np.zeros((30, 65, 65), np.uint8)
    dot[:, 32, 32] = 255
    out = changed(dot, shift=0.1).astype(float)
    weights = out / out.sum(axis=(1, 2), keepdims=True)
    places = np.stack([(weights * axis).sum(axis=(1, 2)) for axis in np.mgrid[:65, :65]])
    assert np.abs(places - 32).max() < 0.1 * 65 + 0.5
    assert np.abs(places - 32).max() > 3


def test_same_generator_same_frames(frames: np.ndarray) -> None:
    default = [augment(frames, np.random.default_rng(seed)) for seed in (5, 5, 6)]
    np.testing.assert_array_equal(default[0], default[1])
    assert (default[0] != default[2]).any()
