"""Networks for small gray faces, trained on still faces and transferred to RAVDESS.

Functions from shapes to a Keras model, written against ``keras`` only. Each takes pixels as they are (0-255) and
standardises every image inside (mean 0, deviation 1), so that light and contrast play no part and a saved network
needs nothing beside it. Layers carry fixed names: ``embedding`` is what a face is described by, ``logits`` what the
loss sees, ``probabilities`` the output.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from ravdess_mm.bundles.keras_backend import keras
from ravdess_mm.errors import InputError
from ravdess_mm.video.face_bundle import EMBEDDING

FACE_SIZE_PX: Final = 44
"""Width and height the networks were designed for: a crop of a 48x48 face."""
WHOLE_FACE_PX: Final = 48
"""Larger input is shrunk to this size first, and its centre is taken: what a crop of a still face shows."""
FACE_SHAPE: Final = (FACE_SIZE_PX, FACE_SIZE_PX, 1)
LOGITS: Final = "logits"

InputShape = tuple[int, int, int]


def compact(
    input_shape: InputShape = FACE_SHAPE, n_classes: int = 7, *, dropout: float = 0.3, dtype: str = "float32"
) -> Any:
    """Build a network of about 0.7 M parameters that trains on two processor cores.

    Convolutions of 32, 48, 96 and 192 filters, each with batch normalisation and ReLU; two a scale but for the first,
    which would cost a third of the time. The mean over the last map is the embedding [192].

    Parameters
    ----------
    input_shape : tuple of int
        Height, width (each at least 44) and channels (1).
    n_classes : int
        Number of outputs.
    dropout : float
        Share of the embedding that is dropped in training, 0-1.
    dtype : str
        Keras' policy for the layers between pixels and logits, such as ``mixed_bfloat16``.

    Returns
    -------
    keras.Model
        Not compiled. Input [shape=(n, *input_shape)], 0-255; output probabilities [shape=(n, n_classes)].
    """
    plan = ((32, 1), (48, 2), (96, 2), (192, 2))
    inputs, x = _standardised(input_shape)
    for scale, (filters, n_convolutions) in enumerate(plan, start=1):
        for number in range(1, n_convolutions + 1):
            # pooling before normalisation leaves a quarter of the values to normalise: a fifth of the time saved
            pooled = number == n_convolutions and scale < len(plan)
            x = _convolution(x, filters, name=f"{scale}_{number}", dtype=dtype, pooled=pooled)
    return _with_head("compact", inputs, x, n_classes, dropout=dropout, dtype=dtype)


def vgg19(
    input_shape: InputShape = FACE_SHAPE, n_classes: int = 7, *, dropout: float = 0.5, dtype: str = "float32"
) -> Any:
    """Build VGG19 for small faces: batch normalisation, one dense layer (20 M parameters).

    Simonyan K, Zisserman A (2015), ICLR, configuration E. Five poolings take 44 pixels to 1, so the two wide dense
    layers of the original have nothing to gather and are left out. See `compact` for the parameters.
    """
    inputs, x = _standardised(input_shape)
    for stage, (filters, n_convolutions) in enumerate(((64, 2), (128, 2), (256, 4), (512, 4), (512, 4)), start=1):
        for number in range(1, n_convolutions + 1):
            x = _convolution(x, filters, name=f"{stage}_{number}", dtype=dtype)
        x = keras.layers.MaxPooling2D(2, dtype=dtype, name=f"pooling_{stage}")(x)
    return _with_head("vgg19", inputs, x, n_classes, dropout=dropout, dtype=dtype)


def resnet18(
    input_shape: InputShape = FACE_SHAPE, n_classes: int = 7, *, dropout: float = 0.5, dtype: str = "float32"
) -> Any:
    """Build ResNet18 for small faces: the first convolution keeps the size, no pooling after it (11 M parameters).

    He K et al. (2016), CVPR, with the stem of their CIFAR networks. See `compact` for the parameters.
    """
    inputs, x = _standardised(input_shape)
    x = _convolution(x, 64, name="stem", dtype=dtype)
    for stage, filters in enumerate((64, 128, 256, 512), start=1):
        for number in (1, 2):
            strides = 2 if stage > 1 and number == 1 else 1
            x = _residual_block(x, filters, strides=strides, name=f"{stage}_{number}", dtype=dtype)
    return _with_head("resnet18", inputs, x, n_classes, dropout=dropout, dtype=dtype)


FACE_NETWORKS: Final[Mapping[str, Callable[..., Any]]] = {"compact": compact, "vgg19": vgg19, "resnet18": resnet18}
"""Every face network by its name."""


def build_face_network(
    name: str, *, input_shape: InputShape = FACE_SHAPE, n_classes: int = 7, dtype: str = "float32"
) -> Any:
    """Build a face network by name.

    Raises
    ------
    InputError
        If there is no network of that name, or the input is smaller than 44x44.
    """
    if name not in FACE_NETWORKS:
        raise InputError(f"NET={name} is not available; allowed: {', '.join(FACE_NETWORKS)}")
    return FACE_NETWORKS[name](input_shape, n_classes, dtype=dtype)


def _standardised(input_shape: InputShape) -> tuple[Any, Any]:
    height, width, _ = input_shape
    if min(height, width) < FACE_SIZE_PX:
        raise InputError(f"faces of {width}x{height} pixels; allowed: {FACE_SIZE_PX}x{FACE_SIZE_PX} and larger")
    inputs = keras.Input(input_shape, name="faces")
    x = inputs
    if (height, width) != (FACE_SIZE_PX, FACE_SIZE_PX):
        if (height, width) != (WHOLE_FACE_PX, WHOLE_FACE_PX):
            x = keras.layers.Resizing(WHOLE_FACE_PX, WHOLE_FACE_PX, antialias=True, dtype="float32", name="shrink")(x)
        x = keras.layers.CenterCrop(FACE_SIZE_PX, FACE_SIZE_PX, dtype="float32", name="centre")(x)
    # the deviation of a blank image is 0; the epsilon turns such an image into zeros
    standardise = keras.layers.LayerNormalization(
        axis=(1, 2, 3), epsilon=1.0, center=False, scale=False, dtype="float32", name="standardise"
    )
    return inputs, standardise(x)


def _convolution(
    x: Any,
    filters: int,
    *,
    name: str,
    dtype: str,
    kernel_size: int = 3,
    strides: int = 1,
    pooled: bool = False,
    activated: bool = True,
) -> Any:
    layers = keras.layers
    x = layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        dtype=dtype,
        name=f"convolution_{name}",
    )(x)
    if pooled:
        x = layers.MaxPooling2D(2, dtype=dtype, name=f"pooling_{name}")(x)
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, dtype=dtype, name=f"normalization_{name}")(x)
    return layers.ReLU(dtype=dtype, name=f"relu_{name}")(x) if activated else x


def _residual_block(x: Any, filters: int, *, strides: int, name: str, dtype: str) -> Any:
    shortcut = x
    if strides > 1:
        shortcut = _convolution(
            x, filters, name=f"{name}_shortcut", dtype=dtype, kernel_size=1, strides=strides, activated=False
        )
    x = _convolution(x, filters, name=f"{name}_a", dtype=dtype, strides=strides)
    x = _convolution(x, filters, name=f"{name}_b", dtype=dtype, activated=False)
    x = keras.layers.Add(dtype=dtype, name=f"add_{name}")([x, shortcut])
    return keras.layers.ReLU(dtype=dtype, name=f"relu_{name}")(x)


def _with_head(name: str, inputs: Any, x: Any, n_classes: int, *, dropout: float, dtype: str) -> Any:
    layers = keras.layers
    x = layers.GlobalAveragePooling2D(dtype=dtype, name=EMBEDDING)(x)
    x = layers.Dropout(dropout, dtype=dtype, name="dropout")(x)
    # in half precision neighbouring probabilities would be equal
    x = layers.Dense(n_classes, dtype="float32", name=LOGITS)(x)
    return keras.Model(inputs, layers.Softmax(dtype="float32", name="probabilities")(x), name=name)
