from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ravdess_mm.bundles.keras_backend import keras
from ravdess_mm.errors import InputError
from ravdess_mm.video.face_networks import build_face_network
from ravdess_mm.video.gradcam import Method, heat_maps, map_layer
from ravdess_mm.video.networks import seed_network
from tests.video.backends import run_on

RNG = np.random.default_rng(0)
UPPER_LEFT = (slice(None), slice(0, 16), slice(0, 16))

ON_A_BACKEND = """
import numpy as np
from ravdess_mm.bundles.keras_backend import keras
from ravdess_mm.video.gradcam import heat_maps
from tests.video.test_gradcam import corner_network, images
heat = heat_maps(corner_network(), images(3), np.zeros(3, int))
assert heat.shape == (3, 32, 32) and heat[:, :12, :12].min() > 0.2 and heat[:, 20:, 20:].max() == 0, heat
print(keras.backend.backend())
"""


def images(n: int) -> np.ndarray:
    return np.random.default_rng(1).integers(100, 256, (n, 32, 32, 1), dtype=np.uint8)


def corner_network(*, flattened: bool = False) -> object:
    """Say class 0 as far as the upper left quarter is bright, class 1 as far as it is dark.

    Where the place counts, it is told by a mask on the map, or, `flattened`, by the weights of the last layer alone.
    """
    layers = keras.layers
    mask = np.zeros((32, 32, 1), np.float32)
    mask[:16, :16] = 1
    inputs = keras.Input((32, 32, 1))
    x = layers.Rescaling(1 / 255 if flattened else mask / 255)(inputs)
    x = layers.Conv2D(1, 1, activation="relu", kernel_initializer="ones", name="map")(x)
    x = layers.AveragePooling2D(4, name="cells")(x)
    x = layers.Flatten()(x) if flattened else layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, layers.Dense(2, activation="softmax", name="out")(x))
    kernel = np.zeros((8, 8), np.float32) if flattened else np.ones((1, 1), np.float32)
    if flattened:
        kernel[:4, :4] = 1
    model.get_layer("out").set_weights([np.stack([kernel.ravel(), -kernel.ravel()], axis=1), np.zeros(2)])
    return model


def test_a_network_that_looks_at_one_corner_is_hot_there() -> None:
    heat = heat_maps(corner_network(), images(3), np.zeros(3, dtype=np.int64))
    assert heat.shape == (3, 32, 32)
    assert heat[UPPER_LEFT].mean() > 0.7
    assert heat[:, 18:].max() == heat[:, :, 18:].max() == 0
    np.testing.assert_allclose(heat.max(axis=(1, 2)), 1, atol=0.05)


def test_nothing_speaks_for_a_class_that_the_corner_speaks_against() -> None:
    assert (heat_maps(corner_network(), images(2), np.ones(2, dtype=np.int64)) == 0).all()
    # without a class given, the most probable one is explained
    assert heat_maps(corner_network(), images(2)).max() > 0.9


def test_one_weight_a_channel_misses_what_a_flattened_map_says_about_places() -> None:
    classes = np.zeros(2, dtype=np.int64)
    spread = heat_maps(corner_network(flattened=True), images(2), classes)
    placed = heat_maps(corner_network(flattened=True), images(2), classes, method=Method.HIRES_CAM)
    assert spread[:, 18:, 18:].mean() > 0.5
    assert placed[:, 18:].max() == 0
    assert placed[UPPER_LEFT].mean() > 0.7


@pytest.mark.parametrize("method", Method)
def test_it_equals_class_activation_mapping_where_the_head_is_a_mean_and_a_dense_layer(method: Method) -> None:
    # Zhou B et al. (2016), CVPR: the map is then the channels weighed by the weights of the last layer
    keras.utils.set_random_seed(2)
    model = build_face_network("compact")
    faces = RNG.integers(0, 256, (2, 44, 44, 1), dtype=np.uint8)
    layer = map_layer(model)
    assert layer == "relu_4_2"
    maps = np.asarray(keras.Model(model.input, model.get_layer(layer).output).predict_on_batch(faces))
    expected = np.maximum(maps @ np.asarray(model.get_layer("logits").kernel)[:, 3], 0)
    expected /= expected.max(axis=(1, 2), keepdims=True)
    found = heat_maps(model, faces, np.full(2, 3), method=method)
    # enlarged fivefold and more, the middle of a cell keeps the value of the cell
    height = expected.shape[1]
    centres = np.floor((np.arange(height) + 0.5) * 44 / height).astype(int)
    np.testing.assert_allclose(found[:, centres][:, :, centres], expected, atol=0.12)
    assert found.max() == pytest.approx(1, abs=0.05)


def test_networks_with_and_without_residual_blocks_can_be_asked() -> None:
    for name in ("compact", "resnet18"):
        model = build_face_network(name)
        heat = heat_maps(model, RNG.integers(0, 256, (1, *model.input_shape[1:]), dtype=np.uint8))
        assert heat.shape == (1, *model.input_shape[1:3]), name
        assert 0 <= heat.min() <= heat.max() <= 1, name


def test_a_sequential_network_gives_the_same_after_it_was_stored_and_loaded(tmp_path: Path) -> None:
    model = seed_network()
    frames = RNG.integers(0, 256, (1, 256, 256, 1), dtype=np.uint8)
    heat = heat_maps(model, frames)
    assert heat.shape == (1, 256, 256)
    model.save(tmp_path / "seed.keras")
    np.testing.assert_allclose(heat_maps(keras.models.load_model(tmp_path / "seed.keras"), frames), heat, atol=1e-5)


def test_what_does_not_fit_is_refused() -> None:
    model = corner_network()
    with pytest.raises(InputError, match=r"images of shape \(2, 31, 32, 1\); this network takes \(n, 32, 32, 1\)"):
        heat_maps(model, images(2)[:, 1:])
    with pytest.raises(InputError, match="2 images and classes of shape"):
        heat_maps(model, images(2), np.zeros(3, dtype=np.int64))
    flat = keras.Sequential([keras.Input((32, 32, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    with pytest.raises(InputError, match="has a map of 4 pixels a side or more"):
        heat_maps(flat, images(1))


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_agree(backend: str) -> None:
    assert run_on(backend, ON_A_BACKEND).split() == [backend]
