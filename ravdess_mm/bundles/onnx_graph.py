"""A saved Keras network as an ONNX graph, written without Keras.

Each layer becomes nodes that compute the same. Maps are NHWC in Keras and NCHW in the graph, which takes the same
input as the network and turns it once. Layers beyond those that this project builds are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from ravdess_mm.bundles.keras_file import Layer, UnsupportedError, read_network

OPSET: Final = 18
"""Version of ONNX's operators, of December 2022; `IR_VERSION` is the version of the file format of that time."""
IR_VERSION: Final = 8

_ACTIVATIONS: Final = {"relu": "Relu", "softmax": "Softmax"}


@dataclass
class Graph:
    """An ONNX graph in the making.

    Attributes
    ----------
    nodes : list of onnx.NodeProto
        In the order of computation.
    constants : list of onnx.TensorProto
        Weights and settings.
    maps : set of str
        Names of the values that are maps [n, channels, height, width]; the others are rows [n, width].
    """

    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)
    maps: set[str] = field(default_factory=set)

    def add(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Add a node with one output, and return that output's name."""
        self.nodes.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output

    def constant(self, name: str, value: npt.ArrayLike, dtype: Any = np.float32) -> str:
        """Add a constant, and return its name."""
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value, dtype=dtype), name))
        return name


def onnx_graph(path: str | Path, *, inner: Sequence[str] = ()) -> bytes:
    """Return the network of a ``.keras`` file as an ONNX model.

    Parameters
    ----------
    path : str or Path
        A sequential or functional network with one input.
    inner : sequence of str
        Layers whose outputs the model also has, before the network's own.

    Returns
    -------
    bytes
        An ``onnx.ModelProto``. Its input is the network's, float32; its outputs are named like their layers.

    Raises
    ------
    UnsupportedError
        If the network has a layer that this module does not write.
    """
    layers, last = read_network(Path(path))
    graph = Graph()
    written: dict[str, str] = {}
    for layer in layers:
        if layer.kind not in _WRITERS:
            raise UnsupportedError(f"layer {layer.name} of kind {layer.kind}")
        if (precision := _precision(layer.config)) not in ("float32", "uint8"):
            raise UnsupportedError(f"layer {layer.name} computes in {precision}")
        if layer.kind not in _TAKES_SEVERAL and len(layer.inputs) > 1:
            raise UnsupportedError(f"layer {layer.name} with {len(layer.inputs)} inputs")
        inputs = [written[name] for name in layer.inputs]
        written[layer.name] = _WRITERS[layer.kind](graph, layer, inputs)
        if layer.kind not in _LEAVES_MAPS and any(name in graph.maps for name in inputs):
            graph.maps.add(written[layer.name])
    if unknown := sorted(set(inner) - set(written)):
        raise UnsupportedError(f"no layer {unknown[0]}")
    wanted = [written[name] for name in (*inner, last)]
    if any(name in graph.maps for name in wanted):
        raise UnsupportedError("an output that is a map")
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in wanted]
    shape = [None, *(layers[0].input_shape or ())]
    start = helper.make_tensor_value_info(layers[0].name, onnx.TensorProto.FLOAT, shape)
    proto = helper.make_graph(graph.nodes, "network", [start], ends, graph.constants)
    opset = helper.make_opsetid("", OPSET)
    return bytes(helper.make_model(proto, opset_imports=[opset], ir_version=IR_VERSION).SerializeToString())


def _precision(config: Mapping[str, Any]) -> str:
    policy = config.get("dtype")
    return str(policy["config"]["name"]) if isinstance(policy, dict) else str(policy or "float32")


def _need(layer: Layer, **settings: Any) -> None:
    """Refuse a layer with other settings than those that its nodes compute."""
    for name, expected in settings.items():
        if layer.config.get(name) not in (expected if isinstance(expected, tuple) else (expected,)):
            raise UnsupportedError(f"layer {layer.name} with {name}={layer.config.get(name)!r}")


def _activated(graph: Graph, layer: Layer, value: str) -> str:
    activation = layer.config["activation"]
    if activation == "linear":
        return value
    if activation not in _ACTIVATIONS or (activation == "softmax" and layer.kind != "Dense"):
        raise UnsupportedError(f"layer {layer.name} with activation={activation!r}")
    return graph.add(_ACTIVATIONS[activation], [value], layer.name)


def _input(graph: Graph, layer: Layer, inputs: Sequence[str]) -> str:
    if layer.input_shape is None or len(layer.input_shape) not in (1, 3):
        raise UnsupportedError(f"an input of shape {layer.input_shape}")
    if len(layer.input_shape) == 1:
        return layer.name
    graph.maps.add(f"{layer.name}/nchw")
    return graph.add("Transpose", [layer.name], f"{layer.name}/nchw", perm=[0, 3, 1, 2])


def _same(graph: Graph, layer: Layer, inputs: Sequence[str]) -> str:
    return inputs[0]


def _rescaling(graph: Graph, layer: Layer, inputs: Sequence[str]) -> str:
    name, settings = layer.name, (layer.config["scale"], layer.config["offset"])
    if not all(isinstance(value, int | float) for value in settings):
        raise UnsupportedError(f"layer {name} with a scale or offset a channel")
    scaled = graph.add("Mul", [inputs[0], graph.constant(f"{name}/scale", layer.config["scale"])], f"{name}/scaled")
    return graph.add("Add", [scaled, graph.constant(f"{name}/offset", layer.config["offset"])], name)


def _centre_crop(graph: Graph, layer: Layer, inputs: Sequence[str]) -> str:
    _need(layer, data_format=("channels_last", None))
    if layer.input_shape is None:
        raise UnsupportedError(f"layer {layer.name} of unknown input")
    size = (layer.config["height"], layer.config["width"])
    starts = [(whole - part) // 2 for whole, part in zip(layer.input_shape, size, strict=False)]
    ends = [start + part for start, part in zip(starts, size, strict=True)]
    if min(starts) < 0:
        raise UnsupportedError(f"layer {layer.name}: a crop larger than its input")
    limits = {"starts": starts, "ends": ends, "axes": [2, 3]}
    limits_given = [graph.constant(f"{layer.name}/{name}", value, np.int64) for name, value in limits.items()]
    return graph.add("Slice", [inputs[0], *limits_given], layer.name)


def _resizing(graph: Graph, layer: Layer, inputs: Sequence[str]) -> str:
    _need(layer, data_format=("channels_last", None))
    _need(layer, interpolation="bilinear", antialias=True, crop_to_aspect_ratio=False, pad_to_aspect_ratio=False)
    size = graph.constant(f"{layer.name}/size", (layer.config["height"], layer.config["width"]), np.int64)
    how = {"mode": "linear", "antialias": 1, "axes": [2, 3]}
    # beyond the edge there is nothing, rather than the edge again: as TensorFlow does
    return graph.add("Resize", [inputs[0], "", "", size], layer.name, exclude_outside=1, **how)


def _layer_normalization(graph: Graph, layer: Layer, inputs: Sequence[str]) -> str:
    _need(layer, axis=([1, 2, 3],), center=False, scale=False, rms_scaling=(False, None))
    name = layer.name
    axes = graph.constant(f"{name}/axes", (1, 2, 3), np.int64)
    mean = graph.add("ReduceMean", [inputs[0], axes], f"{name}/mean", keepdims=1)
    apart = graph.add("Sub", [inputs[0], mean], f"{name}/apart")
    squared = graph.add("Mul", [apart, apart], f"{name}/squared")
    variance = graph.add("ReduceMean", [squared, axes], f"{name}/variance", keepdims=1)
    raised = graph.add("Add", [variance, graph.constant(f"{name}/epsilon", layer.config["epsilon"])], f"{name}/raised")
    return graph.add("Div", [apart, graph.add("Sqrt", [raised], f"{name}/deviation")], name)


def _convolution(graph: Graph, layer: Layer, inputs: Sequence[str]) -> str:
    _need(layer, data_format="channels_last", padding=("same", "valid"), dilation_rate=([1, 1],), groups=1)
    name, (kernel, *bias) = layer.name, layer.weights
    weights = [graph.constant(f"{name}/kernel", kernel.transpose(3, 2, 0, 1))]
    weights += [graph.constant(f"{name}/bias", values) for values in bias]
    how = {"strides": layer.config["strides"], "auto_pad": _padding(layer)}
    found = graph.add("Conv", [inputs[0], *weights], f"{name}/convolved", **how)
    return _activated(graph, layer, found)


def _padding(layer: Layer) -> str:
    # the pixel that is left over is added at the end, as TensorFlow does
    return "SAME_UPPER" if layer.config["padding"] == "same" else "VALID"


def _max_pooling(graph: Graph, layer: Layer, inputs: Sequence[str]) -> str:
    _need(layer, data_format="channels_last", padding=("same", "valid"))
    sizes = {"kernel_shape": layer.config["pool_size"], "strides": layer.config["strides"]}
    return graph.add("MaxPool", inputs, layer.name, auto_pad=_padding(layer), **sizes)


def _batch_normalization(graph: Graph, layer: Layer, inputs: Sequence[str]) -> str:
    _need(layer, center=True, scale=True, axis=(-1, 3))
    names = ("scale", "offset", "mean", "variance")
    values = [graph.constant(f"{layer.name}/{name}", own) for name, own in zip(names, layer.weights, strict=True)]
    return graph.add("BatchNormalization", [inputs[0], *values], layer.name, epsilon=layer.config["epsilon"])


def _relu(graph: Graph, layer: Layer, inputs: Sequence[str]) -> str:
    _need(layer, max_value=None, negative_slope=(0, None), threshold=(0, None))
    return graph.add("Relu", inputs, layer.name)


def _concatenate(graph: Graph, layer: Layer, inputs: Sequence[str]) -> str:
    _need(layer, axis=-1)
    return graph.add("Concat", inputs, layer.name, axis=1)


def _add(graph: Graph, layer: Layer, inputs: Sequence[str]) -> str:
    return graph.add("Sum", inputs, layer.name)


def _average(graph: Graph, layer: Layer, inputs: Sequence[str]) -> str:
    _need(layer, data_format="channels_last", keepdims=False)
    return graph.add("Flatten", [graph.add("GlobalAveragePool", inputs, f"{layer.name}/averaged")], layer.name)


def _flatten(graph: Graph, layer: Layer, inputs: Sequence[str]) -> str:
    _need(layer, data_format=("channels_last", None))
    value = inputs[0]
    if value in graph.maps:
        value = graph.add("Transpose", [value], f"{layer.name}/nhwc", perm=[0, 2, 3, 1])
    return graph.add("Flatten", [value], layer.name)


def _dense(graph: Graph, layer: Layer, inputs: Sequence[str]) -> str:
    if inputs[0] in graph.maps:
        raise UnsupportedError(f"layer {layer.name}: dense on maps")
    name, (kernel, *bias) = layer.name, layer.weights
    weights = [graph.constant(f"{name}/kernel", kernel), *(graph.constant(f"{name}/bias", values) for values in bias)]
    return _activated(graph, layer, graph.add("Gemm", [inputs[0], *weights], f"{name}/scores"))


def _softmax(graph: Graph, layer: Layer, inputs: Sequence[str]) -> str:
    _need(layer, axis=-1)
    if inputs[0] in graph.maps:
        raise UnsupportedError(f"layer {layer.name}: softmax over maps")
    return graph.add("Softmax", inputs, layer.name, axis=-1)


_TAKES_SEVERAL: Final = frozenset({"Add", "Concatenate"})
_LEAVES_MAPS: Final = frozenset({"Flatten", "GlobalAveragePooling2D"})
"""Layers that turn maps into rows."""

_WRITERS: Final[dict[str, Callable[[Graph, Layer, Sequence[str]], str]]] = {
    "Add": _add,
    "BatchNormalization": _batch_normalization,
    "CenterCrop": _centre_crop,
    "Concatenate": _concatenate,
    "Conv2D": _convolution,
    "Dense": _dense,
    "Dropout": _same,
    "Flatten": _flatten,
    "GaussianNoise": _same,
    "GlobalAveragePooling2D": _average,
    "InputLayer": _input,
    "LayerNormalization": _layer_normalization,
    "MaxPooling2D": _max_pooling,
    "ReLU": _relu,
    "Rescaling": _rescaling,
    "Resizing": _resizing,
    "Softmax": _softmax,
}
"""For each layer the function that writes it and returns the name of its output."""
