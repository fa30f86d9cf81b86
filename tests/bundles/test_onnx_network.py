from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravdess_mm.bundles.bundle import Bundle, network_part, write_bundle
from ravdess_mm.bundles.keras_backend import keras
from ravdess_mm.bundles.keras_file import UnsupportedError
from ravdess_mm.bundles.onnx_graph import onnx_graph
from ravdess_mm.bundles.onnx_network import OnnxNetwork
from ravdess_mm.classifiers.dense import build_dense_network
from ravdess_mm.errors import BundleError
from ravdess_mm.video.face_bundle import EMBEDDING
from ravdess_mm.video.face_networks import FACE_NETWORKS, LOGITS, build_face_network
from ravdess_mm.video.networks import seed_network

layers = keras.layers


def trained(model: Any) -> Any:
    """Give every batch normalisation and bias values as training would: at the start they change nothing."""
    random = np.random.default_rng(3)
    for layer in model.layers:
        values = layer.get_weights()
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([random.uniform(0.5, 1.5, value.shape) for value in values])
        elif len(values) == 2:
            layer.set_weights([values[0], random.normal(0, 0.3, values[1].shape)])
    return model


def bundle_of(model: Any, folder: Path) -> Bundle:
    return write_bundle(folder, kind="thing", card={}, files={"network.keras": network_part(model)})


def assert_same_answers(opened: Any, model: Any, batch: Any) -> None:
    expected = np.asarray(model.predict_on_batch(batch))
    np.testing.assert_allclose(opened.predict_on_batch(batch), expected, atol=2e-5 * np.abs(expected).max())
    assert tuple(opened.input_shape) == tuple(model.input_shape)
    assert tuple(opened.output_shape) == tuple(model.output_shape)


@pytest.mark.parametrize("name", list(FACE_NETWORKS))
def test_every_face_network_answers_as_in_keras(name: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    model = trained(build_face_network(name))
    opened = bundle_of(model, tmp_path).open_network("network.keras", inner=[EMBEDDING, LOGITS])
    assert isinstance(opened, OnnxNetwork)
    faces = np.random.default_rng(0).integers(0, 256, (3, 44, 44, 1), dtype=np.uint8)
    whole = keras.Model(model.input, [*(model.get_layer(name).output for name in (EMBEDDING, LOGITS)), model.output])
    for found, expected in zip(opened.predict_on_batch(faces), whole.predict_on_batch(faces), strict=True):
        np.testing.assert_allclose(found, expected, atol=2e-5 * np.abs(expected).max())
    assert np.ptp(opened.predict_on_batch(faces)[1], axis=0).max() > 0.1  # the faces are not answered alike
    assert opened.output_shape == [tuple(shape) for shape in whole.output_shape]


@pytest.mark.parametrize("side", [48, 97, 256])
def test_a_larger_frame_is_shrunk_and_cut_as_in_keras(side: int, tmp_path: Path) -> None:
    model = trained(build_face_network("compact", input_shape=(side, side, 1), n_classes=8))
    opened = bundle_of(model, tmp_path).open_network("network.keras")
    assert isinstance(opened, OnnxNetwork)
    assert_same_answers(opened, model, np.random.default_rng(0).integers(0, 256, (2, side, side, 1), dtype=np.uint8))


def test_a_frame_is_shrunk_alike_up_to_its_edges(tmp_path: Path) -> None:
    inputs = keras.Input((50, 31, 1), name="in")
    shrunk = layers.Resizing(7, 9, antialias=True, name="shrunk")(inputs)
    model = keras.Model(inputs, layers.Flatten(name="flat")(shrunk))
    opened = bundle_of(model, tmp_path).open_network("network.keras")
    assert isinstance(opened, OnnxNetwork)
    assert_same_answers(opened, model, np.random.default_rng(0).integers(0, 256, (2, 50, 31, 1), dtype=np.uint8))


def test_the_seed_network_answers_as_in_keras(tmp_path: Path) -> None:
    model = trained(seed_network())
    opened = bundle_of(model, tmp_path).open_network("network.keras")
    assert isinstance(opened, OnnxNetwork)
    assert_same_answers(opened, model, np.random.default_rng(0).integers(0, 256, (3, 256, 256, 1), dtype=np.uint8))


def test_the_dense_network_answers_as_in_keras_and_can_be_sent_to_another_process(tmp_path: Path) -> None:
    model = trained(build_dense_network(30, 8, seed=0))
    opened = bundle_of(model, tmp_path).open_network("network.keras")
    assert isinstance(opened, OnnxNetwork)
    rows = np.random.default_rng(0).normal(size=(4, 30))
    assert_same_answers(opened, model, rows)
    sent = pickle.loads(pickle.dumps(opened))
    np.testing.assert_array_equal(sent.predict_on_batch(rows), opened.predict_on_batch(rows))


def test_layers_without_a_bias_with_an_odd_stride_or_with_two_inputs(tmp_path: Path) -> None:
    inputs = keras.Input((17, 12, 3), name="in")
    one = layers.Conv2D(4, (3, 2), strides=(3, 2), padding="same", activation="relu", name="one")(inputs)
    other = layers.Conv2D(4, 1, strides=(3, 2), padding="valid", use_bias=False, name="other")(inputs)
    both = layers.Concatenate(name="both")([layers.Add(name="sum")([one, other]), other])
    pooled = layers.MaxPooling2D(2, padding="same", name="pooled")(layers.BatchNormalization(name="even")(both))
    flat = layers.Flatten(name="flat")(layers.Rescaling(2, offset=-1, name="rescaled")(pooled))
    model = trained(keras.Model(inputs, layers.Dense(3, use_bias=False, name="out")(flat)))
    opened = bundle_of(model, tmp_path).open_network("network.keras")
    assert isinstance(opened, OnnxNetwork)
    assert_same_answers(opened, model, np.random.default_rng(0).normal(size=(3, 17, 12, 3)).astype(np.float32))


UNKNOWN = {
    "a kind": lambda x: layers.GlobalMaxPooling2D(name="odd")(x),
    "an activation": lambda x: layers.Conv2D(2, 3, activation="gelu", name="odd")(x),
    "gaps": lambda x: layers.Conv2D(2, 3, dilation_rate=2, name="odd")(x),
    "groups": lambda x: layers.Conv2D(2, 3, groups=2, name="odd")(x),
    "a precision": lambda x: layers.Conv2D(2, 3, dtype="mixed_bfloat16", name="odd")(x),
    "axes": lambda x: layers.LayerNormalization(axis=-1, name="odd")(x),
    "weights": lambda x: layers.LayerNormalization(axis=(1, 2, 3), name="odd")(x),
    "a ceiling": lambda x: layers.ReLU(max_value=6, name="odd")(x),
    "nothing to normalise with": lambda x: layers.BatchNormalization(scale=False, name="odd")(x),
    "rows side by side": lambda x: layers.Concatenate(axis=1, name="odd")([x, x]),
    "softmax over rows of pixels": lambda x: layers.Softmax(axis=1, name="odd")(x),
    "dense on maps": lambda x: layers.Dense(2, name="odd")(x),
    "a scale a channel": lambda x: layers.Rescaling([1.0, 2.0], name="odd")(x),
    "nearest pixels": lambda x: layers.Resizing(4, 4, interpolation="nearest", name="odd")(x),
}


@pytest.mark.parametrize("what", list(UNKNOWN))
def test_what_is_not_known_is_left_to_keras(what: str, tmp_path: Path) -> None:
    inputs = keras.Input((8, 8, 2), name="in")
    odd = UNKNOWN[what](inputs)
    flat = odd if len(odd.shape) == 2 else layers.Flatten(name="flat")(odd)
    model = keras.Model(inputs, layers.Dense(3, name="out", dtype="float32")(flat))
    bundle = bundle_of(model, tmp_path)
    with pytest.raises(UnsupportedError, match="layer odd"):
        onnx_graph(bundle.part("network.keras"))
    opened = bundle.open_network("network.keras", inner=["odd"])
    assert isinstance(opened, keras.Model)
    batch = np.random.default_rng(0).normal(size=(2, 8, 8, 2)).astype(np.float32)
    found = opened.predict_on_batch(batch)
    np.testing.assert_allclose(found[1], model.predict_on_batch(batch), rtol=1e-5, atol=1e-6)
    assert found[0].shape[1:] == odd.shape[1:]
    assert_same_answers(bundle.open_network("network.keras"), model, batch)


def test_a_layer_that_is_used_twice_is_left_to_keras(tmp_path: Path) -> None:
    inputs = keras.Input((4,), name="in")
    twice = layers.Dense(4, name="twice")
    model = keras.Model(inputs, twice(twice(inputs)))
    bundle = bundle_of(model, tmp_path)
    with pytest.raises(UnsupportedError, match="layer twice used 2 times"):
        onnx_graph(bundle.part("network.keras"))
    assert_same_answers(bundle.open_network("network.keras"), model, np.eye(4, dtype=np.float32))


def test_two_inputs_maps_as_an_answer_and_missing_layers_are_told_apart(tmp_path: Path) -> None:
    one, other = keras.Input((4,), name="one"), keras.Input((4,), name="other")
    two = bundle_of(keras.Model([one, other], layers.Add(name="sum")([one, other])), tmp_path / "two")
    with pytest.raises(UnsupportedError, match="without one input"):
        onnx_graph(two.part("network.keras"))
    frames = keras.Input((8, 8, 1), name="in")
    maps = bundle_of(keras.Model(frames, layers.ReLU(name="maps")(frames)), tmp_path / "maps")
    with pytest.raises(UnsupportedError, match="an output that is a map"):
        onnx_graph(maps.part("network.keras"))
    with pytest.raises(BundleError, match=r"network\.keras: No such layer: embedding"):
        maps.open_network("network.keras", inner=[EMBEDDING])


def test_a_damaged_part_is_refused_as_keras_refuses_it(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path, kind="thing", card={}, files={"network.keras": b"no zip"})
    with pytest.raises(BundleError, match="not a readable archive"):
        bundle.open_network("network.keras")
