"""Fine-tuning: a face network trained on still faces with a new head for frames of clips."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from ravdess_mm.bundles.keras_backend import keras
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.errors import BundleError
from ravdess_mm.video.face_bundle import load_face_network
from ravdess_mm.video.face_networks import FACE_NETWORKS, build_face_network
from ravdess_mm.video.networks import FRAME_SHAPE

REPLACED_LAYERS: Final = 5
"""How many layers at the end give way to two convolutions and an activation."""
OPEN_CONVOLUTIONS: Final = 2
"""How many of the convolutions that stay are trained on; those before them are frozen."""
NEW_FILTERS: Final = 128


def fine_tuned_network(folder: str | Path) -> Any:
    """Build a network that starts from a trained face network.

    The last five layers (activation or pooling, embedding, dropout, logits, softmax) are replaced by two convolutions
    and an activation: 3x3 with ReLU, then 1x1 to one map a class, whose mean goes through a softmax.

    Parameters
    ----------
    folder : str or Path
        A bundle of a face network.

    Returns
    -------
    keras.Model
        Not compiled; the early layers are not trainable. Input [shape=(n, 256, 256, 1)], 0-255; output probabilities
        [shape=(n, 8)].

    Raises
    ------
    BundleError
        If it is not a sound bundle of a face network of a known kind.
    """
    trained = load_face_network(folder)
    name = str(trained.card.get("net"))
    if name not in FACE_NETWORKS:
        raise BundleError(f"{folder}: the bundle is of network {name!r}; allowed: {', '.join(FACE_NETWORKS)}")
    whole = build_face_network(name, input_shape=FRAME_SHAPE, n_classes=len(trained.classes))
    whole.set_weights(trained.model.get_weights())  # what shrinks a larger input has no weights
    kept = whole.layers[:-REPLACED_LAYERS]
    convolutions = [index for index, layer in enumerate(kept) if layer.name.startswith("convolution_")]
    for layer in kept[: convolutions[-OPEN_CONVOLUTIONS]]:
        layer.trainable = False
    layers = keras.layers
    x = kept[-1].output
    x = layers.Conv2D(NEW_FILTERS, 3, padding="same", activation="relu", name="convolution_new_1")(x)
    x = layers.Conv2D(len(EMOTIONS), 1, name="convolution_new_2")(x)
    x = layers.GlobalAveragePooling2D(name="logits")(x)
    return keras.Model(whole.input, layers.Softmax(name="probabilities")(x), name=f"{name}_tuned")
