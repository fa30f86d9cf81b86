from __future__ import annotations

import cv2
import numpy as np
import pytest

from ravdess_mm.bundles.keras_backend import keras
from ravdess_mm.config import Net
from ravdess_mm.errors import InputError
from ravdess_mm.video.face_bundle import EMBEDDING
from ravdess_mm.video.face_networks import FACE_NETWORKS, LOGITS, build_face_network
from tests.video.backends import run_on

PARAMETERS = {"compact": 661_095, "vgg19": 20_043_335, "resnet18": 11_180_871}
FACES = np.random.default_rng(0).integers(0, 256, (2, 44, 44, 1), dtype=np.uint8)

ONE_STEP = """
import numpy as np
from ravdess_mm.config import Net
from ravdess_mm.bundles.keras_backend import jit_compile, keras, make_deterministic
from ravdess_mm.video.networks import build_network
for net in Net:
    make_deterministic(1)
    model = build_network(net)
    model.compile(keras.optimizers.AdamW(1e-3), "sparse_categorical_crossentropy", jit_compile=jit_compile())
    frames = np.random.default_rng(0).integers(0, 256, (4, *model.input_shape[1:])).astype("uint8")
    before = [np.array(weight) for weight in model.get_weights()]
    loss = float(model.train_on_batch(frames, np.arange(4)))
    assert np.isfinite(loss), (net, loss)
    assert any((old != new).any() for old, new in zip(before, model.get_weights())), net
    print(keras.backend.backend(), net.value)
"""


@pytest.mark.parametrize("name", FACE_NETWORKS)
def test_shapes(name: str) -> None:
    model = build_face_network(name, n_classes=8)
    probabilities = np.asarray(model.predict_on_batch(FACES))
    assert model.input_shape == (None, 44, 44, 1)
    assert probabilities.shape == (2, 8)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert model.get_layer(EMBEDDING).output.shape == (None, 192 if name == "compact" else 512)
    assert build_face_network(name).count_params() == PARAMETERS[name]


def test_light_and_contrast_play_no_part_and_a_blank_image_is_no_trouble() -> None:
    model = build_face_network("compact")
    faces = FACES.astype(np.float32)
    np.testing.assert_allclose(model.predict_on_batch(faces), model.predict_on_batch(0.25 * faces + 60), atol=2e-3)
    assert np.isfinite(np.asarray(model.predict_on_batch(np.zeros_like(FACES)))).all()


def test_larger_input_is_shrunk_to_a_whole_face_and_its_centre_is_seen() -> None:
    large, whole = (build_face_network("compact", input_shape=(size, size, 1)) for size in (96, 48))
    small = build_face_network("compact")
    for model in (large, whole):
        model.set_weights(small.get_weights())
    coarse = np.random.default_rng(1).integers(0, 256, (2, 6, 6), dtype=np.uint8)
    faces = np.stack([cv2.resize(image, (48, 48), interpolation=cv2.INTER_CUBIC) for image in coarse])[..., None]
    expected = small.predict_on_batch(faces[:, 2:46, 2:46])
    np.testing.assert_allclose(whole.predict_on_batch(faces), expected, atol=1e-5)
    doubled = faces.repeat(2, axis=1).repeat(2, axis=2)
    np.testing.assert_allclose(large.predict_on_batch(doubled), expected, atol=0.05)
    with pytest.raises(InputError, match="faces of 48x40 pixels; allowed: 44x44 and larger"):
        build_face_network("compact", input_shape=(40, 48, 1))


def test_half_precision_is_for_the_middle_only() -> None:
    model = build_face_network("compact", dtype="mixed_bfloat16")
    assert model.get_layer("convolution_1_1").compute_dtype == "bfloat16"
    assert {weight.dtype for weight in model.weights} >= {"float32"}
    assert "bfloat16" not in {weight.dtype for weight in model.weights}
    for name in ("standardise", LOGITS, "probabilities"):
        assert model.get_layer(name).compute_dtype == "float32"


def test_an_unknown_network_is_refused() -> None:
    with pytest.raises(InputError, match="NET=alexnet is not available; allowed: compact, vgg19, resnet18"):
        build_face_network("alexnet")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vgg19", "resnet18"])
def test_every_weight_of_the_larger_networks_is_trained(name: str) -> None:
    model = build_face_network(name)
    before = model.get_weights()
    model.compile(keras.optimizers.SGD(0.1), "categorical_crossentropy", jit_compile=False)
    model.train_on_batch(FACES, np.eye(7, dtype=np.float32)[:2])
    assert all((old != new).any() for old, new in zip(before, model.get_weights(), strict=True) if old.ndim > 1)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_one_step_of_every_network_on_each_backend(backend: str) -> None:
    assert run_on(backend, ONE_STEP).splitlines() == [f"{backend} {net.value}" for net in Net]
