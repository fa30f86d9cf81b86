"""Batches of training frames, read from the frame store.

A batch depends on the seed, the epoch and its place in the epoch only: not on which thread prepares it, nor on
whether the training was interrupted. Nothing but the batches under way is in memory.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ravdess_mm.bundles.keras_backend import keras
from ravdess_mm.errors import InputError
from ravdess_mm.video.frame_store.store import FrameStore
from ravdess_mm.video.training.augmentation import augment

Batch = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]
"""Frames [shape=(n, height, width, 1), dtype=uint8, 0-255] and labels [shape=(n,)]."""


class TrainingStream(keras.utils.PyDataset):  # type: ignore[misc]
    """Frames for training: as many of each class, in another order each epoch, augmented.

    Parameters
    ----------
    store : FrameStore
        Where the frames are.
    rows : array-like of int [n]
        Which frames of the store to train on.
    labels : array-like of int [n]
        Their classes.
    batch_size, steps_per_epoch : int
        Frames a batch and batches an epoch.
    seed : int
        Seed of order and augmentation.
    augmented : bool
        Whether frames are changed (see :mod:`ravdess_mm.video.training.augmentation`).

    Raises
    ------
    InputError
        If there is no frame.
    """

    def __init__(
        self,
        store: FrameStore,
        rows: npt.ArrayLike,
        labels: npt.ArrayLike,
        *,
        batch_size: int,
        steps_per_epoch: int,
        seed: int,
        augmented: bool = True,
    ) -> None:
        super().__init__(workers=2, use_multiprocessing=False, max_queue_size=8)
        self._store = store
        self._rows = np.asarray(rows, dtype=np.int64)
        self._labels = np.asarray(labels, dtype=np.int64)
        if len(self._rows) == 0:
            raise InputError("there is no frame to train on")
        self._batch_size = batch_size
        self._steps_per_epoch = steps_per_epoch
        self._seed = seed
        self._augmented = augmented
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """Draw the order of an epoch; call it before the epoch's first batch is asked for.

        Keras' own ``on_epoch_end`` is no help: it is also called before training, and knows no epoch numbers.
        """
        self._epoch = epoch
        rng = np.random.default_rng((self._seed, epoch, 0))
        self._order = balanced_order(self._labels, self._batch_size * self._steps_per_epoch, rng)

    def __len__(self) -> int:
        return self._steps_per_epoch

    def __getitem__(self, index: int) -> Batch:
        chosen = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        frames = self._store.read(self._rows[chosen])
        if self._augmented:
            frames = augment(frames, np.random.default_rng((self._seed, self._epoch, index + 1)))
        return frames[..., None], self._labels[chosen]


def balanced_order(labels: npt.NDArray[np.int64], n: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Draw `n` positions in `labels`, as equally many of each class that occurs as `n` allows, in random order.

    Within a class no position comes again before all others have come.
    """
    classes = np.unique(labels)
    counts = np.full(len(classes), n // len(classes))
    counts[rng.permutation(len(classes))[: n % len(classes)]] += 1
    drawn = []
    for label, count in zip(classes, counts, strict=True):
        members = np.flatnonzero(labels == label)
        rounds = -(-count // len(members))
        drawn.append(np.concatenate([np.empty(0, int), *(rng.permutation(members) for _ in range(rounds))])[:count])
    order: npt.NDArray[np.int64] = rng.permutation(np.concatenate(drawn)).astype(np.int64)
    return order
