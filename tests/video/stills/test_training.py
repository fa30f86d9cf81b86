from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ravdess_mm.bundles.keras_backend import keras
from ravdess_mm.errors import InputError
from ravdess_mm.video import face_networks
from ravdess_mm.video.crops import predict_ten_crops
from ravdess_mm.video.stills.batches import StillStream, class_weights, one_hot, split_validation
from ravdess_mm.video.stills.datasets import FER_CLASSES, Stills
from ravdess_mm.video.stills.settings import Loss, Precision, Schedule, StillSettings, resolve_precision
from ravdess_mm.video.stills.training import cross_validate, train_face_network

QUICK = StillSettings(epochs=3, batch_size=8, learning_rate=1e-2, precision=Precision.FLOAT32)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of a network that is built and traced in a second."""

    def build(input_shape: tuple[int, int, int], n_classes: int, *, dtype: str) -> object:
        inputs = keras.Input(input_shape)
        x = keras.layers.LayerNormalization(axis=(1, 2, 3), center=False, scale=False)(inputs)
        x = keras.layers.Conv2D(12, 5, strides=2, activation="relu", dtype=dtype)(x)
        x = keras.layers.GlobalAveragePooling2D(name=face_networks.EMBEDDING)(x)
        x = keras.layers.Dropout(0.1)(x)
        x = keras.layers.Dense(n_classes, dtype="float32", name=face_networks.LOGITS)(x)
        return keras.Model(inputs, keras.layers.Softmax(dtype="float32")(x), name="tiny")

    monkeypatch.setitem(face_networks.FACE_NETWORKS, "tiny", build)  # type: ignore[arg-type]
    return "tiny"


def stripes(n: int = 48, *, seed: int = 0) -> Stills:
    """Lying, standing and crossed stripes: three classes that mirroring leaves alone, four images a subject."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:48, :48]
    labels = np.arange(n) % 3
    images = []
    for label in labels:
        phase = rng.uniform(0, 6)
        lying, standing = np.sin(rows + phase), np.sin(columns + phase)
        images.append(128 + 60 * (lying, standing, lying * standing)[label] + rng.normal(0, 10, (48, 48)))
    return Stills(
        images=np.clip(images, 0, 255).astype(np.uint8),
        labels=labels.astype(np.int64),
        groups=np.array([f"S{row // 4:03d}" for row in range(n)]),
        classes=FER_CLASSES[:3],
        rejected=pd.DataFrame({"path": [], "reason": []}),
    )


def test_a_batch_depends_on_seed_epoch_and_place_only() -> None:
    stills = stripes(26)
    stream, other = StillStream(stills, QUICK, seed=1), StillStream(stills, QUICK, seed=1)
    assert len(stream) == 3
    stream.start_epoch(2)
    other.start_epoch(2)
    late = [other[2], other[1], other[0]][::-1]
    for place, (images, targets) in enumerate(late):
        np.testing.assert_array_equal(stream[place][0], images)
        np.testing.assert_array_equal(stream[place][1], targets)
        assert images.shape == (8, 44, 44, 1)
        assert images.dtype == np.uint8
    first = stream[0][0]
    stream.start_epoch(3)
    assert (stream[0][0] != first).any()
    assert (StillStream(stills, QUICK, seed=2)[0][0] != StillStream(stills, QUICK, seed=1)[0][0]).any()


def test_an_epoch_shows_no_image_twice() -> None:
    stills = stripes(24)
    stills.images[:] = np.arange(24, dtype=np.uint8)[:, None, None] * 10
    stream = StillStream(stills, QUICK, seed=1)
    shown = np.concatenate([stream[place][0][:, 0, 0, 0] for place in range(3)])
    assert sorted(shown.tolist()) == [10 * number for number in range(24)]


def test_balanced_training_weighs_images_by_class() -> None:
    stills = stripes(24).select(np.array([0, 3, 6, 9, 12, 15, 18, 1]))
    images, targets, weights = StillStream(stills, QUICK.model_copy(update={"balanced": True}), seed=1)[0]
    assert len(images) == 8
    np.testing.assert_allclose(weights[targets[:, 0] == 1], 8 / (2 * 7))
    np.testing.assert_allclose(weights[targets[:, 1] == 1], 8 / 2)
    np.testing.assert_allclose(class_weights(np.array([0, 0, 2, 2]), 3), [1, 0, 1])
    np.testing.assert_array_equal(one_hot(np.array([1, 0]), 2), [[0, 1], [1, 0]])


def test_validation_images_are_in_no_batch_and_equal_images_stay_together() -> None:
    stills = stripes(24)
    stills.images[12:] = stills.images[:12]
    train, validation = split_validation(stills, 0.25, seed=1)
    assert validation is not None
    assert (len(train), len(validation)) == (18, 6)
    assert not {image.tobytes() for image in train.images} & {image.tobytes() for image in validation.images}
    assert split_validation(stills, 0, seed=1) == (stills, None)


@pytest.mark.slow
def test_compact_learns_what_can_be_learned(tmp_path: Path) -> None:
    settings = QUICK.model_copy(update={"epochs": 6, "precision": Precision.BFLOAT16})
    trained = train_face_network("compact", stripes(96), settings, seed=1, working_dir=tmp_path)
    assert accuracy(trained.model) > 0.9
    assert {layer.compute_dtype for layer in trained.model.layers} == {"float32"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "changed",
    [{"loss": Loss.HINGE}, {"schedule": Schedule.PLATEAU, "validation_share": 0.2}],
    ids=["hinge", "plateau"],
)
def test_every_loss_and_schedule_learns(tmp_path: Path, tiny: str, changed: dict[str, object]) -> None:
    settings = QUICK.model_copy(update={"epochs": 12, "learning_rate": 0.03, **changed})
    trained = train_face_network(tiny, stripes(96), settings, seed=1, working_dir=tmp_path)
    assert accuracy(trained.model) > 0.9
    assert len(trained.history) == 12
    assert trained.history["val_loss"].notna().all() == ("schedule" in changed)


@pytest.mark.slow
def test_a_plateau_keeps_the_best_epoch_and_stops(tmp_path: Path, tiny: str) -> None:
    settings = QUICK.model_copy(
        update={
            "epochs": 40,
            "learning_rate": 0.3,
            "schedule": Schedule.PLATEAU,
            "validation_share": 0.3,
            "patience": 2,
        }
    )
    trained = train_face_network(tiny, stripes(96), settings, seed=1, working_dir=tmp_path)
    losses = trained.history["val_loss"]
    assert len(losses) < 40
    assert losses.idxmin() == len(losses) - 3
    _, validation = split_validation(stripes(96), 0.3, seed=1)
    assert validation is not None
    targets = one_hot(validation.labels, 3)
    logits = keras.Model(trained.model.input, trained.model.get_layer(face_networks.LOGITS).output)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=settings.label_smoothing)
    seen = loss(targets, logits.predict_on_batch(validation.images[:, 2:46, 2:46, None]))
    assert float(seen) == pytest.approx(losses.min(), rel=1e-3)


def accuracy(model: object) -> float:
    test = stripes(30, seed=9)
    return float((predict_ten_crops(model, test.images).argmax(axis=1) == test.labels).mean())


@pytest.mark.slow
def test_a_killed_training_goes_on_and_ends_the_same(
    tmp_path: Path, tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train_face_network(tiny, stripes(), QUICK, seed=1, working_dir=tmp_path / "whole")
    start_epoch, begun = StillStream.start_epoch, []

    def killed(stream: StillStream, epoch: int) -> None:
        if epoch == 2:
            raise KeyboardInterrupt
        start_epoch(stream, epoch)

    def counted(stream: StillStream, epoch: int) -> None:
        begun.append(epoch)
        start_epoch(stream, epoch)

    monkeypatch.setattr(StillStream, "start_epoch", killed)
    with pytest.raises(KeyboardInterrupt):
        train_face_network(tiny, stripes(), QUICK, seed=1, working_dir=tmp_path / "parts")
    monkeypatch.setattr(StillStream, "start_epoch", counted)
    resumed = train_face_network(tiny, stripes(), QUICK, seed=1, working_dir=tmp_path / "parts")
    assert begun == [0, 2]  # the first is the constructor's
    for one, other in zip(whole.model.get_weights(), resumed.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    pd.testing.assert_frame_equal(whole.history, resumed.history)


@pytest.mark.slow
def test_cross_validation_predicts_every_image_by_a_network_that_never_saw_its_subject(
    tmp_path: Path, tiny: str
) -> None:
    stills = stripes(48)
    settings = QUICK.model_copy(update={"epochs": 15, "learning_rate": 0.03})
    probabilities = cross_validate(tiny, stills, settings, seed=1, working_dir=tmp_path, n_folds=2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert (probabilities.argmax(axis=1) == stills.labels).mean() > 0.8


def test_wrong_usage_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="schedule plateau watches validation images; validation_share is 0"):
        train_face_network(
            "compact",
            stripes(),
            QUICK.model_copy(update={"schedule": Schedule.PLATEAU}),
            seed=1,
            working_dir=tmp_path,
        )
    with pytest.raises(InputError, match="4 images and a batch size of 8; allowed: at least one batch"):
        StillStream(stripes(4), QUICK, seed=1)
    with pytest.raises(InputError, match="NET=alexnet"):
        train_face_network("alexnet", stripes(), QUICK, seed=1, working_dir=tmp_path)
    assert resolve_precision(Precision.FLOAT32) is Precision.FLOAT32
    assert resolve_precision(Precision.AUTO) is not Precision.AUTO
