from __future__ import annotations

import numpy as np
import pytest

from ravdess_mm.errors import InputError
from ravdess_mm.video.training.batches import TrainingStream, balanced_order


def test_order_is_balanced_and_spends_all_before_repeating() -> None:
    labels = np.array([0] * 50 + [3] * 5 + [7] * 20)
    order = balanced_order(labels, 33, np.random.default_rng(0))
    drawn = labels[order]
    assert {label: int((drawn == label).sum()) for label in (0, 3, 7)} == {0: 11, 3: 11, 7: 11}
    assert len(set(order[drawn == 0])) == 11
    assert sorted(np.unique(order[drawn == 3], return_counts=True)[1]) == [2, 2, 2, 2, 3]
    assert len(set(drawn[:10])) > 1
    assert sorted(np.unique(labels[balanced_order(labels, 10, np.random.default_rng(0))], return_counts=True)[1]) == [
        3,
        3,
        4,
    ]


def stream_of(store, **options) -> TrainingStream:
    rows = np.arange(store.n_frames)[3:]
    settings = {"batch_size": 4, "steps_per_epoch": 3, "seed": 1} | options
    return TrainingStream(store, rows, np.arange(len(rows)) % 2, **settings)


def test_batch_depends_on_seed_epoch_and_place_only(tiny_store) -> None:
    one, other = stream_of(tiny_store), stream_of(tiny_store)
    for stream in (one, other):
        stream.start_epoch(5)
    backwards = [other[index] for index in (2, 1, 0)][::-1]
    for index in range(len(one)):
        frames, labels = one[index]
        assert frames.shape == (4, 256, 256, 1)
        assert frames.dtype == np.uint8
        np.testing.assert_array_equal(frames, backwards[index][0])
        np.testing.assert_array_equal(labels, backwards[index][1])
    one.start_epoch(6)
    assert (one[0][0] != backwards[0][0]).any()
    assert (stream_of(tiny_store, seed=2)[0][0] != stream_of(tiny_store)[0][0]).any()


def test_frames_and_labels_belong_together_and_only_chosen_rows_are_seen(tiny_store) -> None:
    stream = stream_of(tiny_store, augmented=False, steps_per_epoch=10)
    allowed = {tiny_store.frames[row].tobytes(): (row - 3) % 2 for row in range(3, tiny_store.n_frames)}
    for index in range(10):
        for frame, label in zip(*stream[index], strict=True):
            assert allowed[frame.tobytes()] == label


def test_augmentation_changes_training_frames(tiny_store) -> None:
    plain, augmented = stream_of(tiny_store, augmented=False)[0][0], stream_of(tiny_store)[0][0]
    assert (plain != augmented).any(axis=(1, 2, 3)).all()


def test_no_frame_to_train_on_is_refused(tiny_store) -> None:
    with pytest.raises(InputError, match="there is no frame to train on"):
        TrainingStream(tiny_store, [], [], batch_size=2, steps_per_epoch=1, seed=0)
