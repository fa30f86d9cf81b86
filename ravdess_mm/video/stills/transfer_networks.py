"""Networks pretrained on ImageNet with three new layers for faces of 48x48 pixels.

VGG16: Simonyan K, Zisserman A (2015), ICLR. EfficientNetB0: Tan M, Le QV (2019), ICML. Keras' own builds of both. The
weights are downloaded once and kept where Keras keeps them; where that is not possible, a file can be named, or the
networks start from random weights, which is said.
"""

from __future__ import annotations

import logging
import math
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ravdess_mm.bundles.keras_backend import keras
from ravdess_mm.errors import InputError, one_line
from ravdess_mm.video.face_bundle import EMBEDDING
from ravdess_mm.video.face_networks import FACE_SHAPE, LOGITS

logger = logging.getLogger(__name__)

SEEN_PX: Final = 48
"""Width and height the networks see; other input is resized to it."""
IMAGENET: Final = "imagenet"
RANDOM: Final = "none"

_MEAN: Final = (0.485, 0.456, 0.406)
_DEVIATION: Final = (0.229, 0.224, 0.225)
_PATIENCE_S: Final = 20.0


@dataclass(frozen=True)
class _Base:
    """One of ``keras.applications``: how it is built, what it takes, where its weights are, its last blocks."""

    build: Callable[..., Any]
    prepare: Callable[[Any, bool], Any]
    url: str
    md5: str
    last_blocks: tuple[str, ...]


def _prepare_vgg16(x: Any, is_imagenet: bool) -> Any:
    # the network was trained on blue, green, red less the mean of each; of gray, all three are equal
    return keras.layers.Rescaling(1.0, [-103.939, -116.779, -123.68], dtype="float32", name="less_mean")(x)


def _prepare_efficientnet(x: Any, is_imagenet: bool) -> Any:
    """Leave the pixels as they are: this network rescales and normalises inside.

    It was trained with one factor more after its normalisation, 1 / sqrt(deviation), which Keras adds only where it
    downloads the weights itself. Here it stands before the normalisation, as the affine map that amounts to the same.
    """
    if not is_imagenet:
        return x
    factors = [1 / math.sqrt(deviation) for deviation in _DEVIATION]
    offsets = [255 * mean * (1 - factor) for mean, factor in zip(_MEAN, factors, strict=True)]
    return keras.layers.Rescaling(factors, offsets, dtype="float32", name="training_scale")(x)


_BASES: Final[Mapping[str, _Base]] = {
    "vgg16": _Base(
        keras.applications.VGG16,
        _prepare_vgg16,
        "https://storage.googleapis.com/tensorflow/keras-applications/vgg16/"
        "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "6d6bbae143d832006294945121d1f1fc",
        ("block4", "block5"),
    ),
    "efficientnetb0": _Base(
        keras.applications.EfficientNetB0,
        _prepare_efficientnet,
        "https://storage.googleapis.com/keras-applications/efficientnetb0_notop.h5",
        "50bc09e76180e00e4465e1a485ddc09d",
        ("block6", "block7", "top"),
    ),
}
IMAGENET_NETWORKS: Final[tuple[str, ...]] = tuple(_BASES)
"""The networks of this module by name."""


def find_weights(
    name: str, choice: str, *, url: str | None = None, md5: str | None = None, cache_dir: Path | None = None
) -> Path | None:
    """Return the file of a network's first weights.

    Parameters
    ----------
    name : str
        One of `IMAGENET_NETWORKS`.
    choice : str
        ``imagenet``: download them once. ``none``: random ones. Else the path of a ``.h5`` file without the top layers.
    url, md5 : str, optional
        Where they are downloaded from, and the checksum; by default Keras' own.
    cache_dir : Path, optional
        Where downloads are kept, below ``models``; by default where Keras keeps them.

    Returns
    -------
    Path or None
        None for random weights; also where the download fails, which is then logged.

    Raises
    ------
    InputError
        If a named file does not exist.
    """
    base = _BASES[name]
    if choice == RANDOM:
        return None
    if choice != IMAGENET:
        if not Path(choice).is_file():
            raise InputError(f"WEIGHTS={choice}: no such file; allowed: {IMAGENET}, {RANDOM}, or a .h5 file")
        return Path(choice)
    url = url or base.url
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_PATIENCE_S)  # Keras' download would wait for ever
    try:
        with redirect_stdout(sys.stderr):  # standard output is for results
            path = keras.utils.get_file(
                origin=url, file_hash=md5 or base.md5, cache_subdir="models", cache_dir=cache_dir
            )
    except Exception as error:  # Keras raises bare Exception for whatever goes wrong
        logger.warning(
            "the ImageNet weights of %s cannot be had (%s); it starts from random weights, all of it open. "
            "Download %s elsewhere and say WEIGHTS=<file>",
            name,
            one_line(error),
            url,
        )
        return None
    finally:
        socket.setdefaulttimeout(before)
    return Path(path)


def build_imagenet_network(name: str, *, weights: Path | None, n_classes: int = 7, dtype: str = "float32") -> Any:
    """Build a network for faces of 44x44 pixels with three new layers: a dense one, dropout, and the logits.

    Parameters
    ----------
    name : str
        One of `IMAGENET_NETWORKS`.
    weights : Path or None
        The base's weights; None for random ones.
    n_classes : int
        Number of outputs.
    dtype : str
        Keras' policy for the layers up to the logits.

    Returns
    -------
    keras.Model
        Not compiled; output probabilities [shape=(n, n_classes)]. Layers ``embedding``, ``logits``, ``probabilities``.

    Raises
    ------
    InputError
        If there is no network of that name, or the file does not hold its weights.
    """
    if name not in _BASES:
        raise InputError(f"NET={name} is not available; allowed: {', '.join(_BASES)}")
    layers = keras.layers
    inputs = keras.Input(FACE_SHAPE, name="faces")
    x = layers.Resizing(SEEN_PX, SEEN_PX, dtype="float32", name="resize")(inputs)
    x = layers.Concatenate(dtype="float32", name="three_channels")([x, x, x])
    x = _BASES[name].prepare(x, weights is not None)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)  # the only way to tell keras.applications
    try:
        base = _BASES[name].build(include_top=False, weights=None, input_tensor=x)
    finally:
        keras.config.set_dtype_policy(policy)
    if weights is not None:
        try:
            base.load_weights(str(weights))
        except (ValueError, OSError, KeyError) as error:
            raise InputError(
                f"{weights}: does not hold the weights of {name} without its top ({one_line(error)})"
            ) from error
    x = layers.GlobalAveragePooling2D(dtype=dtype, name=EMBEDDING)(base.output)
    x = layers.Dense(256, activation="relu", dtype=dtype, name="new_dense")(x)
    x = layers.Dropout(0.5, dtype=dtype, name="new_dropout")(x)
    x = layers.Dense(n_classes, dtype="float32", name=LOGITS)(x)
    return keras.Model(inputs, layers.Softmax(dtype="float32", name="probabilities")(x), name=name)


def freeze_base(model: Any) -> None:
    """Let training change only the new layers: everything before the embedding is frozen."""
    for layer in _base_layers(model):
        layer.trainable = False


def open_last_blocks(model: Any) -> None:
    """Let training change the last blocks too, but for their normalisation, whose averages few faces would spoil."""
    for layer in _base_layers(model):
        is_last = layer.name.startswith(_BASES[model.name].last_blocks)
        layer.trainable = is_last and not isinstance(layer, keras.layers.BatchNormalization)


def _base_layers(model: Any) -> list[Any]:
    names = [layer.name for layer in model.layers]
    return list(model.layers[: names.index(EMBEDDING)])
