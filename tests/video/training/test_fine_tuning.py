from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ravdess_mm.bundles.bundle import network_part, read_bundle, write_bundle
from ravdess_mm.bundles.keras_backend import keras
from ravdess_mm.bundles.pretrained import find_pretrained, need_pretrained
from ravdess_mm.errors import BundleError, InputError
from ravdess_mm.video.face_bundle import load_face_network, write_face_bundle
from ravdess_mm.video.face_networks import build_face_network
from ravdess_mm.video.stills.datasets import FER_CLASSES
from ravdess_mm.video.training.fine_tuning import fine_tuned_network

FRAMES = np.random.default_rng(0).integers(0, 256, (4, 256, 256, 1), dtype=np.uint8)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    keras.utils.set_random_seed(1)
    folder = tmp_path_factory.mktemp("pretrained") / "face"
    write_face_bundle(
        folder, build_face_network("compact"), classes=FER_CLASSES, facts={"net": "compact"}, text="# a card"
    )
    return folder


def test_the_end_is_new_and_the_beginning_is_the_trained_one(bundle: Path) -> None:
    old, new = load_face_network(bundle).model, fine_tuned_network(bundle)
    assert new.input_shape == (None, 256, 256, 1)
    assert new.output_shape == (None, 8)
    names = [layer.name for layer in new.layers]
    assert names[-4:] == ["convolution_new_1", "convolution_new_2", "logits", "probabilities"]
    assert not {layer.name for layer in old.layers[-5:-1]} & set(names[:-4])
    for layer in new.layers[:-4]:
        if layer.weights:
            for mine, theirs in zip(layer.get_weights(), old.get_layer(layer.name).get_weights(), strict=True):
                np.testing.assert_array_equal(mine, theirs)


def test_a_step_changes_the_open_layers_alone(bundle: Path, tmp_path: Path) -> None:
    model = fine_tuned_network(bundle)
    before = {layer.name: layer.get_weights() for layer in model.layers if layer.weights}
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", jit_compile=False)
    model.train_on_batch(FRAMES, np.arange(4))
    changed = {
        name
        for name, old in before.items()
        if any((one != other).any() for one, other in zip(old, model.get_layer(name).get_weights(), strict=True))
    }
    assert changed == {
        *(f"{kind}_4_{number}" for kind in ("convolution", "normalization") for number in (1, 2)),
        "convolution_new_1",
        "convolution_new_2",
    }
    write_bundle(tmp_path / "b", kind="video-cnn", card={}, files={"network.keras": network_part(model)})
    again = read_bundle(tmp_path / "b").load_network("network.keras")
    np.testing.assert_allclose(again.predict_on_batch(FRAMES), model.predict_on_batch(FRAMES), atol=1e-6)


def test_a_bundle_of_another_network_is_refused(tmp_path: Path) -> None:
    model = build_face_network("compact")
    write_face_bundle(tmp_path, model, classes=FER_CLASSES, facts={"net": "brightness"}, text="")
    with pytest.raises(BundleError, match="of network 'brightness'; allowed: compact, vgg19, resnet18"):
        fine_tuned_network(tmp_path)


def test_networks_are_found_by_folder_and_missed_with_a_reason(bundle: Path, tmp_path: Path) -> None:
    assert need_pretrained(str(bundle)) == bundle
    assert find_pretrained(tmp_path / "none") is None
    with pytest.raises(InputError, match=r"no trained face network .* `ravdess-mm run face-network"):
        need_pretrained("face-huge")
