from __future__ import annotations

import numpy as np
import pytest

from ravdess_mm.bundles.keras_backend import keras
from ravdess_mm.config import Net
from ravdess_mm.video.inference import predict_frames
from ravdess_mm.video.networks import FRAME_SHAPE, NETWORKS, build_network, seed_network


@pytest.mark.parametrize("net", list(Net))
def test_every_name_is_a_network_of_stored_frames(net: Net) -> None:
    model = build_network(net)
    assert model.input_shape == (None, *FRAME_SHAPE)
    assert model.output_shape == (None, 8)
    frames = np.random.default_rng(0).integers(0, 256, (3, *FRAME_SHAPE)).astype(np.uint8)
    probabilities = np.asarray(model.predict_on_batch(frames))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert set(NETWORKS) == set(Net)


def test_seed_network_has_the_layers_it_is_known_for() -> None:
    model = seed_network((64, 64, 1), 5)
    assert model.output_shape == (None, 5)
    kinds = [type(layer).__name__ for layer in model.layers]
    block = ["Conv2D", "ReLU", "MaxPooling2D", "BatchNormalization", "Dropout"]
    assert kinds == ["Rescaling", *block * 4, "Flatten", "Dense", "Dropout", "Dense"]


def test_same_seed_same_weights_and_names() -> None:
    models = []
    for _ in range(2):
        keras.utils.set_random_seed(4)
        models.append(seed_network((64, 64, 1)))
    assert models[0].get_config() == models[1].get_config()
    for one, other in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_ten_crops_see_the_border_that_the_centre_does_not() -> None:
    inputs = keras.Input((48, 48, 1))
    bright = keras.layers.GlobalMaxPooling2D()(keras.layers.Rescaling(1 / 255)(inputs))
    dense = keras.layers.Dense(8, activation="softmax")
    model = keras.Model(inputs, dense(bright))
    dense.set_weights([np.eye(1, 8) * 10, np.zeros(8)])
    frames = np.zeros((2, 48, 48), np.uint8)
    frames[1, 0, 0] = 255  # one corner, and its mirror image, of the five
    plain, ten = predict_frames(model, frames), predict_frames(model, frames, ten_crop=True)
    np.testing.assert_allclose(plain[0], ten[0], atol=1e-6)
    np.testing.assert_allclose(ten[1], 0.2 * plain[1] + 0.8 * plain[0], atol=0.02)
