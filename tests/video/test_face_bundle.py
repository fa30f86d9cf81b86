from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ravdess_mm.bundles.bundle import read_bundle, write_bundle
from ravdess_mm.bundles.keras_backend import keras
from ravdess_mm.errors import BundleError
from ravdess_mm.video.face_bundle import (
    CARD_PART,
    EMBEDDING,
    NETWORK_PART,
    FaceNetwork,
    load_face_network,
    open_face_network,
    round_weights,
    score_face_network,
    write_face_bundle,
)
from ravdess_mm.video.face_networks import build_face_network
from ravdess_mm.video.stills.datasets import FER_CLASSES, Stills


def brightness_network(n_classes: int = 7) -> keras.Model:
    """Say class 0 for a dark image and class 1 for a bright one."""
    inputs = keras.Input((44, 44, 1))
    x = keras.layers.GlobalAveragePooling2D(name=EMBEDDING)(keras.layers.Rescaling(1 / 255)(inputs))
    dense = keras.layers.Dense(n_classes, activation="softmax", name="probabilities")
    model = keras.Model(inputs, dense(x))
    weights = np.full((1, n_classes), -50.0)
    weights[0, :2] = (0, 20)
    dense.set_weights([weights, np.array([10.0, *[0.0] * (n_classes - 1)])])
    return model


def flat_images(levels: list[int], labels: list[int]) -> Stills:
    return Stills(
        images=np.array(levels, dtype=np.uint8)[:, None, None] * np.ones((1, 48, 48), np.uint8),
        labels=np.array(labels),
        groups=np.array(["PublicTest"] * len(levels)),
        classes=FER_CLASSES,
        rejected=pd.DataFrame({"path": [], "reason": []}),
    )


def test_scores_with_and_without_duplicates() -> None:
    test = flat_images([10, 20, 200, 210, 220], [0, 0, 1, 1, 0])
    training = flat_images([220, 30], [1, 1])
    scores = score_face_network(brightness_network(), test, training=training)
    assert scores["images"] == 5
    assert scores["accuracy"] == scores["accuracy_centre"] == 0.8
    assert scores["recall"] == {"neutral": pytest.approx(2 / 3), "happy": 1.0}
    assert scores["uar"] == pytest.approx(5 / 6)
    assert scores["without_duplicates"] == {"images": 4, "accuracy": 1.0}
    all_known = score_face_network(brightness_network(), test, training=test)
    assert all_known["without_duplicates"] == {"images": 0, "accuracy": None}


def test_a_bundle_gives_back_the_network_its_classes_and_its_card(tmp_path: Path) -> None:
    model = brightness_network()
    write_face_bundle(tmp_path, model, classes=FER_CLASSES, facts={"net": "compact", "seed": 3}, text="# Card\n")
    loaded = load_face_network(tmp_path)
    faces = np.random.default_rng(0).integers(0, 256, (3, 44, 44, 1), dtype=np.uint8)
    np.testing.assert_allclose(loaded.model.predict_on_batch(faces), model.predict_on_batch(faces), rtol=1e-6)
    assert loaded.classes == FER_CLASSES
    assert (loaded.card["seed"], loaded.card["face_shape"]) == (3, [44, 44, 1])
    assert read_bundle(tmp_path).part(CARD_PART).read_text() == "# Card\n"


def test_rounded_weights_are_hardly_off_and_take_half_the_room(tmp_path: Path) -> None:
    model = build_face_network("compact")
    model.set_weights([value * 0.7 + 0.01 for value in model.get_weights()])
    faces = np.random.default_rng(0).integers(0, 256, (3, 44, 44, 1), dtype=np.uint8)
    exact, answers = model.get_weights(), np.asarray(model.predict_on_batch(faces))
    write_face_bundle(tmp_path / "exact", model, classes=FER_CLASSES, facts={}, text="")
    round_weights(model)
    for value, before in zip(model.get_weights(), exact, strict=True):
        np.testing.assert_allclose(value, before, rtol=2**-9)
        assert not (value.view(np.uint32) & np.uint32(2**15 - 1)).any()
    np.testing.assert_allclose(model.predict_on_batch(faces), answers, atol=0.01)
    write_face_bundle(tmp_path / "rounded", model, classes=FER_CLASSES, facts={}, text="")
    sizes = [(tmp_path / name / NETWORK_PART).stat().st_size for name in ("exact", "rounded")]
    assert sizes[1] < 0.6 * sizes[0]
    again = load_face_network(tmp_path / "rounded").model
    for value, stored in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(value, stored)


def test_an_opened_network_gives_embeddings_beside_its_answers(tmp_path: Path) -> None:
    model = brightness_network()
    write_face_bundle(tmp_path, model, classes=FER_CLASSES, facts={}, text="")
    opened = open_face_network(tmp_path)
    assert opened.classes == FER_CLASSES
    embeddings, answers = opened.model.predict_on_batch(np.full((2, 44, 44, 1), [[[[51]]], [[[204]]]], np.uint8))
    np.testing.assert_allclose(embeddings, [[0.2], [0.8]], rtol=1e-5)
    np.testing.assert_array_equal(answers.argmax(axis=1), [0, 1])


@pytest.mark.parametrize("load", [load_face_network, open_face_network])
def test_other_bundles_are_refused(tmp_path: Path, load: Callable[[Path], FaceNetwork]) -> None:
    write_bundle(tmp_path / "svc", kind="svc", card={}, files={})
    with pytest.raises(BundleError, match="the bundle holds a 'svc'; expected 'face-network'"):
        load(tmp_path / "svc")
    write_face_bundle(tmp_path / "few", brightness_network(), classes=FER_CLASSES[:5], facts={}, text="")
    with pytest.raises(BundleError, match="5 classes and 7 outputs"):
        load(tmp_path / "few")
    (tmp_path / "few" / NETWORK_PART).write_bytes(b"other")
    with pytest.raises(BundleError, match="was changed after it was written"):
        load(tmp_path / "few")
