"""A network in a ``.keras`` file, read without Keras: whether it may be loaded, and of what layers it is.

The file is a zip of the configuration of the layers (JSON) and their weights (HDF5, by the name of the layer).
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ravdess_mm.bundles.archives import MOST_UNPACKED, check_archive
from ravdess_mm.errors import BundleError, one_line, printable
from ravdess_mm.store import UNREADABLE

KERAS_LAYERS: Final[frozenset[str]] = frozenset(
    {
        "Activation", "Add", "AveragePooling2D", "BatchNormalization", "CenterCrop", "Concatenate", "Conv2D",
        "Cropping2D", "Dense", "DepthwiseConv2D", "Dropout", "Flatten", "GaussianNoise",
        "GlobalAveragePooling2D", "GlobalMaxPooling2D", "InputLayer", "LayerNormalization", "MaxPooling2D",
        "Multiply", "Normalization", "ReLU", "Rescaling", "Reshape", "Resizing", "Softmax", "ZeroPadding2D",
    }
)  # fmt: skip
"""Layers that a network may have: those of ours and of the networks that still faces are tried with."""

_PLAIN_CLASS: Final = re.compile("[A-Z][A-Za-z0-9]*")
_KERAS_CLASSES: Final[Mapping[str, Callable[[str], object]]] = {
    "keras": frozenset({"DTypePolicy", "Functional", "Sequential"}).__contains__,
    "keras.initializers": _PLAIN_CLASS.fullmatch,
    "keras.layers": KERAS_LAYERS.__contains__,
    "keras.regularizers": _PLAIN_CLASS.fullmatch,
    "keras.src.models.functional": frozenset({"Functional"}).__contains__,  # where Keras says a model is from
}
"""Modules whose classes may be named in the configuration of a ``.keras`` part, and which of them; no functions."""

_LARGEST_SIZE: Final = 65_536
"""No layer is larger in any direction."""

# how the configuration of a functional model says "the output of that layer"
_TENSOR_MARK: Final = ("None", "__keras_tensor__")


class UnsupportedError(Exception):
    """A layer, or a setting of one, that this module does not write."""


@dataclass
class Layer:
    """One layer of a network.

    Attributes
    ----------
    kind : str
        Keras' class, such as ``Conv2D``.
    name : str
        Also the name of its output in the graph.
    config : dict
        Its settings.
    inputs : tuple of str
        The layers whose outputs it takes.
    input_shape : tuple of int, or None
        Without the batch; known of some.
    weights : sequence of numpy.ndarray
        In Keras' order.
    """

    kind: str
    name: str
    config: dict[str, Any]
    inputs: tuple[str, ...]
    input_shape: tuple[int, ...] | None
    weights: Sequence[npt.NDArray[np.float32]]


def check_network(path: Path) -> None:
    """Refuse a file that names anything but known classes of Keras, or is too large, before Keras gets to see it.

    Raises
    ------
    BundleError
        If it does, or cannot be read.
    """
    check_archive(path)
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
            named = list(_named_classes(config))
            content = archive.read("model.weights.h5") if "model.weights.h5" in archive.namelist() else b""
    except (KeyError, ValueError, RecursionError, *UNREADABLE) as error:
        raise BundleError(f"{path}: not a readable Keras model ({one_line(error)})") from error
    for module, name in named:
        if (module, name) != _TENSOR_MARK and not _KERAS_CLASSES.get(module, _refuse)(name):
            raise BundleError(f"{path}: refused, it names {printable(module)}.{printable(name)}, which is not trusted")
    if (size := _largest(config)) > _LARGEST_SIZE:
        raise BundleError(f"{path}: refused, it names a size of {size}; allowed: up to {_LARGEST_SIZE:,}")
    _check_weights(content, path)


def _refuse(_: str) -> bool:
    return False


def _largest(config: Any) -> int:
    """Return the largest whole number in a configuration; seeds do not count."""
    if isinstance(config, dict):
        return max((_largest(value) for key, value in config.items() if key != "seed"), default=0)
    if isinstance(config, list):
        return max(map(_largest, config), default=0)
    return config if isinstance(config, int) else 0


def _check_weights(content: bytes, path: Path) -> None:
    """Refuse weights that would fill the memory, or lie in other files."""
    import h5py

    if not content:
        return
    total = 0

    def add(name: str, item: Any) -> None:
        nonlocal total
        if isinstance(item, h5py.Dataset):
            if item.external or item.is_virtual:
                raise BundleError(f"{path}: refused, {printable(name)} lies in another file")
            total += item.nbytes

    try:
        with h5py.File(io.BytesIO(content)) as file:
            file.visititems(add)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise BundleError(f"{path}: not a readable Keras model ({one_line(error)})") from error
    if total > MOST_UNPACKED:
        raise BundleError(f"{path}: refused, its weights would take {total:,} bytes; allowed: {MOST_UNPACKED:,}")


def _named_classes(config: Any) -> Iterator[tuple[str, str]]:
    if isinstance(config, dict):
        if "class_name" in config:
            yield str(config.get("module")), str(config["class_name"])
        for value in config.values():
            yield from _named_classes(value)
    elif isinstance(config, list):
        for value in config:
            yield from _named_classes(value)


def read_network(path: Path) -> tuple[list[Layer], str]:
    """Return the layers of a network in the order of computation, and the name of the last.

    Raises
    ------
    UnsupportedError
        If it is neither sequential nor functional, has not one input, or a layer is used twice.
    """
    import h5py

    with zipfile.ZipFile(path) as archive:
        network = json.loads(archive.read("config.json"))
        content = archive.read("model.weights.h5")
    weights: dict[str, list[npt.NDArray[np.float32]]] = {}

    def keep(_: str, item: Any) -> None:
        if isinstance(item, h5py.Group) and "name" in item.attrs and len(item):
            weights[str(item.attrs["name"])] = [item[str(place)][...] for place in range(len(item))]

    with h5py.File(io.BytesIO(content)) as file:
        file.visititems(keep)
    if network["class_name"] not in ("Sequential", "Functional"):
        raise UnsupportedError(f"a network of class {network['class_name']}")
    config = network["config"]
    layers: list[Layer] = []
    for described in config["layers"]:
        own = described["config"]
        if network["class_name"] == "Sequential":
            inputs = tuple(layer.name for layer in layers[-1:])
        else:
            if len(described["inbound_nodes"]) > 1:
                raise UnsupportedError(f"layer {own['name']} used {len(described['inbound_nodes'])} times")
            inputs = tuple(_sources(described["inbound_nodes"]))
        shape = own.get("batch_shape") or (described.get("build_config") or {}).get("input_shape")
        known = tuple(shape[1:]) if isinstance(shape, list) and all(isinstance(n, int) for n in shape[1:]) else None
        layers.append(Layer(described["class_name"], own["name"], own, inputs, known, weights.get(own["name"], ())))
    if layers[0].kind != "InputLayer" or sum(layer.kind == "InputLayer" for layer in layers) != 1:
        raise UnsupportedError("a network without one input")
    ends = config.get("output_layers") or [layers[-1].name]
    return layers, str(ends[0])


def _sources(nodes: Any) -> list[str]:
    """Return the layers that a layer takes its input from, in order; Keras keeps them deep in its arguments."""
    if isinstance(nodes, dict):
        if "keras_history" in nodes:
            return [str(nodes["keras_history"][0])]
        return [name for value in nodes.values() for name in _sources(value)]
    if isinstance(nodes, list):
        return [name for value in nodes for name in _sources(value)]
    return []
