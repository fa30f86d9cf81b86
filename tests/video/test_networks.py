from __future__ import annotations

import numpy as np
import pytest

from ravdess_mm.config import Net
from ravdess_mm.quiet_keras import keras
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
