"""A network in a ``.keras`` file, read without Keras: whether it may be loaded, and of what layers it is.

The file is a zip of the configuration of the layers (JSON) and their weights (HDF5, by the name of the layer).
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ravdess_mm.errors import BundleError, one_line
from ravdess_mm.store import UNREADABLE

KERAS_MODULES: Final[frozenset[str]] = frozenset(
    {
        "builtins",
        "keras",
        "keras.activations",
        "keras.constraints",
        "keras.initializers",
        "keras.layers",
        "keras.losses",
        "keras.metrics",
        "keras.optimizers",
        "keras.optimizers.schedules",
        "keras.regularizers",
        "keras.src.models.functional",  # where Keras says a functional model is from; it holds no other class
    }
)
"""Modules whose classes may be named in the configuration of a ``.keras`` part."""

KERAS_REFUSED: Final[frozenset[str]] = frozenset({"FlaxLayer", "JaxLayer", "Lambda", "TFSMLayer", "TorchModuleWrapper"})
"""Keras' own layers that wrap foreign code; refused before safe mode gets to see them."""

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
    """Refuse a file that names anything but Keras' own classes, before Keras gets to see it.

    Raises
    ------
    BundleError
        If it does, or cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
    except (KeyError, ValueError, *UNREADABLE) as error:
        raise BundleError(f"{path}: not a readable Keras model ({one_line(error)})") from error
    for module, name in _named_classes(config):
        if (module, name) == _TENSOR_MARK:
            continue
        if module not in KERAS_MODULES or name in KERAS_REFUSED:
            raise BundleError(f"{path}: refused, it names {module}.{name}, which is not trusted")


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
