from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from ravdess_mm.errors import InputError
from ravdess_mm.video.crops import predict_ten_crops, random_crops, ten_crops

IMAGES = np.random.default_rng(0).integers(0, 256, (30, 6, 8), dtype=np.uint8)


def test_random_crops_reach_every_place_and_repeat_with_their_seed() -> None:
    places = set()
    for image, crop in zip(IMAGES, random_crops(IMAGES, 5, np.random.default_rng(1)), strict=True):
        found = [
            (top, left)
            for top in range(2)
            for left in range(4)
            if (image[top : top + 5, left : left + 5] == crop).all()
        ]
        assert len(found) == 1
        places.update(found)
    assert places == {(top, left) for top in range(2) for left in range(4)}
    again = random_crops(IMAGES, 5, np.random.default_rng(1))
    np.testing.assert_array_equal(again, random_crops(IMAGES, 5, np.random.default_rng(1)))


def test_ten_crops_are_the_centre_the_corners_and_their_mirror_images() -> None:
    crops = ten_crops(IMAGES, 4)
    assert crops.shape == (30, 10, 4, 4)
    image = IMAGES[3]
    expected = [image[1:5, 2:6], image[:4, :4], image[:4, 4:], image[2:, :4], image[2:, 4:]]
    for crop, wanted in zip(crops[3], [*expected, *(part[:, ::-1] for part in expected)], strict=True):
        np.testing.assert_array_equal(crop, wanted)


def test_the_answer_is_the_mean_over_the_crops() -> None:
    def answer(batch: np.ndarray) -> np.ndarray:
        share = batch.reshape(len(batch), -1).mean(axis=1) / 255
        return np.stack([share, 1 - share], axis=1)

    model = SimpleNamespace(input_shape=(None, 4, 4, 1), output_shape=(None, 2), predict_on_batch=answer)
    probabilities = predict_ten_crops(model, IMAGES)
    expected = ten_crops(IMAGES, 4).reshape(30, 10, -1).mean(axis=2).mean(axis=1) / 255
    np.testing.assert_allclose(probabilities[:, 0], expected)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert predict_ten_crops(model, IMAGES[:0]).shape == (0, 2)


def test_a_crop_is_no_larger_than_the_image() -> None:
    for cut in (ten_crops, lambda images, size: random_crops(images, size, np.random.default_rng(0))):
        with pytest.raises(InputError, match="crops of 7 px out of images of shape"):
            cut(IMAGES, 7)
