"""The networks of the video branch: functions from shapes to a Keras model.

All take frames as they are stored (0-255, 256x256) and shrink and scale them inside, so that a saved network needs
nothing beside it. Layers carry fixed names, so that equal networks are saved as equal bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from ravdess_mm.bundles.keras_backend import keras
from ravdess_mm.config import Net
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.errors import InputError
from ravdess_mm.video.face_networks import compact, resnet18, vgg19
from ravdess_mm.video.frame_store.sampling import FRAME_SIZE_PX

FrameShape = tuple[int, int, int]
Network = Callable[..., Any]

FRAME_SHAPE: Final[FrameShape] = (FRAME_SIZE_PX, FRAME_SIZE_PX, 1)
"""Shape of a stored frame: height, width, channels."""

_FILTERS: Final = (16, 32, 64, 96)


def seed_network(input_shape: FrameShape = FRAME_SHAPE, n_classes: int = len(EMOTIONS)) -> Any:
    """Build the sequential network for whole gray frames.

    Four blocks of convolution, ReLU, pooling, batch normalisation and dropout, a dense layer, a softmax. The first
    convolution moves by two pixels, so that the run of 50 epochs of 25 batches takes minutes on two cores.

    Parameters
    ----------
    input_shape : tuple of int
        Height, width and channels of a frame.
    n_classes : int
        Number of outputs.

    Returns
    -------
    keras.Sequential
        Not compiled. Input uint8 [shape=(n, *input_shape)], 0-255; output probabilities [shape=(n, n_classes)].
    """
    layers = keras.layers
    stack = [keras.Input(input_shape, dtype="uint8", name="frames"), layers.Rescaling(1 / 255, name="scale")]
    for number, filters in enumerate(_FILTERS, start=1):
        first = number == 1
        stack += [
            layers.Conv2D(
                filters, 5 if first else 3, strides=2 if first else 1, padding="same", name=f"convolution_{number}"
            ),
            layers.ReLU(name=f"relu_{number}"),
            layers.MaxPooling2D(2, name=f"pooling_{number}"),
            # a run has few steps, so the averages that stand in for a batch at test time must follow quickly
            layers.BatchNormalization(momentum=0.9, name=f"normalization_{number}"),
            layers.Dropout(0.1, name=f"dropout_{number}"),
        ]
    stack += [
        layers.Flatten(name="flatten"),
        layers.Dense(128, activation="relu", name="dense"),
        layers.Dropout(0.3, name="dropout_dense"),
        layers.Dense(n_classes, activation="softmax", name="probabilities"),
    ]
    return keras.Sequential(stack, name="seed")


NETWORKS: Final[Mapping[Net, Network]] = {
    Net.SEED: seed_network,
    Net.COMPACT: compact,
    Net.VGG19: vgg19,
    Net.RESNET18: resnet18,
}
"""Every network by its name; all but the first are for frames that a face fills (``CROP=face``)."""


def build_network(net: Net, *, input_shape: FrameShape = FRAME_SHAPE, n_classes: int = len(EMOTIONS)) -> Any:
    """Build a network by name.

    Raises
    ------
    InputError
        If there is no network of that name.
    """
    if net not in NETWORKS:
        allowed = ", ".join(name.value for name in NETWORKS)
        raise InputError(f"NET={net.value} is not available; allowed: {allowed}")
    return NETWORKS[net](input_shape, n_classes)
