"""Batches of still faces for training."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ravdess_mm.bundles.keras_backend import keras
from ravdess_mm.errors import InputError
from ravdess_mm.video.crops import random_crops
from ravdess_mm.video.face_networks import FACE_SIZE_PX
from ravdess_mm.video.stills.datasets import Stills
from ravdess_mm.video.stills.settings import StillSettings
from ravdess_mm.video.training.augmentation import Augmentation, augment


class StillStream(keras.utils.PyDataset):  # type: ignore[misc]
    """Augmented crops of still faces, in another order each epoch; a batch depends on seed, epoch and place only.

    Parameters
    ----------
    stills : Stills
        What to train on.
    settings : StillSettings
        Batch size, augmentation, weights.
    seed : int
        Seed of order and augmentation.
    """

    def __init__(self, stills: Stills, settings: StillSettings, *, seed: int) -> None:
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=8)
        if len(stills) < settings.batch_size:
            raise InputError(
                f"{len(stills)} images and a batch size of {settings.batch_size}; allowed: at least one batch"
            )
        self._stills = stills
        self._targets = one_hot(stills.labels, len(stills.classes))
        self._weights = class_weights(stills.labels, len(stills.classes)) if settings.balanced else None
        self._batch_size = settings.batch_size
        self._seed = seed
        self._augmentation = Augmentation(
            shift=settings.shift, rotation_deg=settings.rotation_deg, zoom=settings.zoom, brightness=0.0, flip=True
        )
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """Draw the order of an epoch; call it before the epoch's first batch is asked for."""
        self._epoch = epoch
        self._order = np.random.default_rng((self._seed, epoch, 0)).permutation(len(self._stills))

    def __len__(self) -> int:
        # whole batches only: what is left over comes at another place of the next epoch's order
        return len(self._stills) // self._batch_size

    def __getitem__(self, index: int) -> tuple[npt.NDArray[Any], ...]:
        rows = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        rng = np.random.default_rng((self._seed, self._epoch, index + 1))
        images = random_crops(augment(self._stills.images[rows], rng, self._augmentation), FACE_SIZE_PX, rng)
        batch = (images[..., None], self._targets[rows])
        return batch if self._weights is None else (*batch, self._weights[self._stills.labels[rows]])


def split_validation(stills: Stills, share: float, *, seed: int) -> tuple[Stills, Stills | None]:
    """Set a share of the images apart; images that are equal pixel for pixel stay together."""
    if share == 0:
        return stills, None
    _, same = np.unique(stills.images.reshape(len(stills), -1), axis=0, return_inverse=True)
    distinct = np.random.default_rng((seed, 1)).permutation(same.max() + 1)
    apart = np.isin(same, distinct[: max(1, round(share * len(distinct)))])
    return stills.select(~apart), stills.select(apart)


def one_hot(labels: npt.NDArray[np.int64], n_classes: int) -> npt.NDArray[np.float32]:
    """Return a row [shape=(n, n_classes)] a label, 1 at its position and 0 elsewhere."""
    return np.eye(n_classes, dtype=np.float32)[labels]


def class_weights(labels: npt.NDArray[np.int64], n_classes: int) -> npt.NDArray[np.float32]:
    """Return a weight a class [shape=(n_classes,)], inverse to its count, with mean 1 over the images."""
    counts = np.bincount(labels, minlength=n_classes)
    present = counts > 0
    weights = np.zeros(n_classes, dtype=np.float32)
    weights[present] = len(labels) / (present.sum() * counts[present])
    return weights
