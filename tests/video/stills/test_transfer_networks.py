from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ravdess_mm.bundles.keras_backend import keras
from ravdess_mm.errors import InputError
from ravdess_mm.video.face_bundle import EMBEDDING
from ravdess_mm.video.face_networks import LOGITS
from ravdess_mm.video.gradcam import heat_maps
from ravdess_mm.video.stills import transfer_networks
from ravdess_mm.video.stills.datasets import Stills
from ravdess_mm.video.stills.settings import Precision, StillSettings
from ravdess_mm.video.stills.transfer_networks import (
    build_imagenet_network,
    find_weights,
    freeze_base,
    open_last_blocks,
)
from ravdess_mm.video.stills.transfer_training import train_imagenet_network

FACES = np.random.default_rng(0).integers(0, 256, (2, 44, 44, 1), dtype=np.uint8)
DEVIATION = np.array([0.229, 0.224, 0.225])
MEAN = np.array([0.485, 0.456, 0.406])


def normalization_of(model: object) -> object:
    """Return the one layer that knows ImageNet's mean and variance; its name depends on what was built before."""
    (found,) = (layer for layer in model.layers if isinstance(layer, keras.layers.Normalization))
    return found


@pytest.fixture(scope="module")
def efficientnet_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights in the layout of Keras' own files, with the mean and variance that those hold."""
    base = keras.applications.EfficientNetB0(include_top=False, weights=None, input_shape=(48, 48, 3))
    normalization_of(base).set_weights([MEAN, DEVIATION, np.array(0)])
    path = tmp_path_factory.mktemp("weights") / "efficientnetb0_notop.h5"
    base.save(path)
    return path


def tiny_application(*, include_top: bool, weights: None, input_tensor: object) -> object:
    """Two blocks in the way of ``keras.applications``."""
    layers = keras.layers
    x = layers.Conv2D(4, 5, strides=4, activation="relu", name="block1_conv")(input_tensor)
    x = layers.BatchNormalization(name="block2_bn")(layers.Conv2D(4, 3, activation="relu", name="block2_conv")(x))
    return keras.Model(keras.utils.get_source_inputs(input_tensor), x)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Register ``tiny`` and return a file of its weights."""
    base = transfer_networks._Base(tiny_application, lambda x, is_imagenet: x, "", "", ("block2",))
    monkeypatch.setitem(transfer_networks._BASES, "tiny", base)  # type: ignore[arg-type]
    keras.utils.set_random_seed(7)
    tiny_application(include_top=False, weights=None, input_tensor=keras.Input((48, 48, 3))).save(tmp_path / "tiny.h5")
    return tmp_path / "tiny.h5"


def test_vgg16_sees_48_by_48_by_3_and_has_three_new_layers() -> None:
    model = build_imagenet_network("vgg16", weights=None, n_classes=8)
    assert model.input_shape == (None, 44, 44, 1)
    assert model.get_layer("block1_conv1").input.shape == (None, 48, 48, 3)
    assert model.get_layer(EMBEDDING).output.shape == (None, 512)
    names = [layer.name for layer in model.layers]
    assert names[names.index(EMBEDDING) + 1 :] == ["new_dense", "new_dropout", LOGITS, "probabilities"]
    np.testing.assert_allclose(np.asarray(model.predict_on_batch(FACES)).sum(axis=1), 1, rtol=1e-5)
    middle = keras.Model(model.input, model.get_layer("less_mean").output).predict_on_batch(np.full_like(FACES, 200))
    np.testing.assert_allclose(middle[0, 9, 9], [200 - 103.939, 200 - 116.779, 200 - 123.68], rtol=1e-5)
    assert heat_maps(model, FACES).shape == (2, 44, 44)


def test_efficientnet_rescales_once_and_as_it_was_trained(efficientnet_file: Path) -> None:
    model = build_imagenet_network("efficientnetb0", weights=efficientnet_file)
    rescaling = [layer.scale for layer in model.layers if isinstance(layer, keras.layers.Rescaling)]
    assert rescaling.count(1 / 255) == 1
    seen = keras.Model(model.input, normalization_of(model).output).predict_on_batch(np.full_like(FACES, 100))
    expected = (100 / 255 - MEAN) / np.sqrt(DEVIATION) / np.sqrt(DEVIATION)
    np.testing.assert_allclose(seen[0, 20, 20], expected, rtol=1e-4)
    # the file's weights are in the network
    loaded = keras.models.load_model(efficientnet_file).get_layer("top_conv").get_weights()[0]
    np.testing.assert_array_equal(model.get_layer("top_conv").get_weights()[0], loaded)


def test_a_wrong_file_and_a_wrong_name_are_refused(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not hold the weights of vgg16 without its top"):
        build_imagenet_network("vgg16", weights=tiny)
    with pytest.raises(InputError, match="NET=alexnet is not available; allowed: vgg16, efficientnetb0"):
        build_imagenet_network("alexnet", weights=None)
    with pytest.raises(InputError, match=r"WEIGHTS=.*none\.h5: no such file; allowed: imagenet, none, or a \.h5 file"):
        find_weights("vgg16", str(tmp_path / "none.h5"))
    assert find_weights("vgg16", str(tiny)) == tiny
    assert find_weights("vgg16", "none") is None


@pytest.fixture
def server(tiny: Path) -> Iterator[str]:
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(tiny.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_weights_are_downloaded_once_and_checked(
    server: str, tiny: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    md5 = hashlib.md5(tiny.read_bytes()).hexdigest()
    cache = tmp_path / "cache"
    found = find_weights("tiny", "imagenet", url=f"{server}/tiny.h5", md5=md5, cache_dir=cache)
    assert found is not None
    assert found.read_bytes() == tiny.read_bytes()
    tiny.unlink()
    assert find_weights("tiny", "imagenet", url=f"{server}/tiny.h5", md5=md5, cache_dir=cache) == found
    assert caplog.text == ""
    assert find_weights("tiny", "imagenet", url=f"{server}/gone.h5", md5=md5, cache_dir=cache) is None
    assert "the ImageNet weights of tiny cannot be had" in caplog.text
    assert "random weights" in caplog.text
    assert capsys.readouterr().out == ""


def stripes(n: int) -> Stills:
    rng = np.random.default_rng(1)
    labels = np.arange(n) % 2
    rows, columns = np.mgrid[:48, :48]
    waves = [np.sin((rows, columns)[label] + rng.uniform(0, 6)) for label in labels]
    images = np.clip(128 + 60 * np.array(waves), 0, 255).astype(np.uint8)
    return Stills(images, labels, np.full(n, "Training"), ("happy", "sad"), pd.DataFrame(columns=["path", "reason"]))


def train(tiny: Path | None, epochs: int, folder: Path) -> object:
    settings = StillSettings(epochs=epochs, batch_size=8, precision=Precision.FLOAT32)
    return train_imagenet_network("tiny", stripes(16), settings, seed=3, working_dir=folder, weights=tiny)


def test_the_base_is_frozen_first_and_then_its_last_blocks_are_open(tiny: Path, tmp_path: Path) -> None:
    start = keras.models.load_model(tiny)
    once, twice = (train(tiny, epochs, tmp_path / str(epochs)).model for epochs in (1, 2))
    for name in ("block1_conv", "block2_conv", "block2_bn"):
        for old, new in zip(start.get_layer(name).get_weights(), once.get_layer(name).get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)
    changed = {
        name
        for name in ("block1_conv", "block2_conv", "block2_bn")
        if not np.array_equal(start.get_layer(name).get_weights()[0], twice.get_layer(name).get_weights()[0])
    }
    assert changed == {"block2_conv"}
    again = train(tiny, 2, tmp_path / "2")  # goes on from the end: nothing is trained any more
    for old, new in zip(twice.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert again.history["epoch"].tolist() == [0, 1]


def test_from_random_weights_all_of_it_is_trained(tiny: Path, tmp_path: Path) -> None:
    trained = train(None, 2, tmp_path / "random")
    assert len(trained.history) == 2
    model = build_imagenet_network("tiny", weights=tiny, n_classes=2)
    freeze_base(model)
    assert len(model.trainable_weights) == 4
    open_last_blocks(model)
    assert len(model.trainable_weights) == 6
