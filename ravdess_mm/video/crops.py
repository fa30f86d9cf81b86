"""Crops of small face images: one at random for training, ten for an answer."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ravdess_mm.errors import InputError

N_CROPS: Final = 10
IMAGES_A_BATCH: Final = 51


def random_crops(images: npt.NDArray[np.uint8], size_px: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Cut a square out of each image [shape=(n, height, width)], anywhere in it.

    Returns
    -------
    numpy.ndarray [shape=(n, size_px, size_px), dtype=uint8]
    """
    height, width = _checked(images, size_px)
    tops = rng.integers(0, height - size_px + 1, len(images))
    lefts = rng.integers(0, width - size_px + 1, len(images))
    cut = [
        image[top : top + size_px, left : left + size_px] for image, top, left in zip(images, tops, lefts, strict=True)
    ]
    return np.stack(cut) if cut else np.empty((0, size_px, size_px), np.uint8)


def ten_crops(images: npt.NDArray[np.uint8], size_px: int) -> npt.NDArray[np.uint8]:
    """Cut the centre and the four corners out of each image [shape=(n, height, width)], and mirror them.

    Krizhevsky A et al. (2012), NeurIPS, section 4.1: what a network says about the ten is averaged.

    Returns
    -------
    numpy.ndarray [shape=(n, 10, size_px, size_px), dtype=uint8]
        The centre first; the last five are the first five mirrored left to right.
    """
    height, width = _checked(images, size_px)
    bottom, right = height - size_px, width - size_px
    corners = ((bottom // 2, right // 2), (0, 0), (0, right), (bottom, 0), (bottom, right))
    five = np.stack([images[:, top : top + size_px, left : left + size_px] for top, left in corners], axis=1)
    return np.concatenate([five, five[..., ::-1]], axis=1)


def predict_ten_crops(model: Any, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return the mean of a network's answers to the ten crops of each image.

    Parameters
    ----------
    model : keras.Model
        Input [shape=(n, size, size, 1)], output probabilities [shape=(n, n_classes)].
    images : numpy.ndarray [shape=(n, height, width), dtype=uint8]
        At least as large as the network's input.

    Returns
    -------
    numpy.ndarray [shape=(n, n_classes)]
        Rows sum to 1.
    """
    size_px = int(model.input_shape[1])
    means = [np.empty((0, int(model.output_shape[-1])))]
    for start in range(0, len(images), IMAGES_A_BATCH):
        crops = ten_crops(images[start : start + IMAGES_A_BATCH], size_px)
        answers = np.asarray(model.predict_on_batch(crops.reshape(-1, size_px, size_px, 1)), dtype=np.float64)
        means.append(answers.reshape(len(crops), N_CROPS, -1).mean(axis=1))
    return np.concatenate(means)


def _checked(images: npt.NDArray[np.uint8], size_px: int) -> tuple[int, int]:
    if images.ndim != 3 or size_px < 1 or min(images.shape[1:]) < size_px:
        raise InputError(
            f"crops of {size_px} px out of images of shape {images.shape}; allowed: (n, height, width), both at least "
            f"{size_px}"
        )
    return int(images.shape[1]), int(images.shape[2])
