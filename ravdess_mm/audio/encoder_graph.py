"""A Whisper encoder as an ONNX graph: from power spectra to the states of every layer.

The architecture is that of Radford A et al. (2022), "Robust speech recognition via large-scale weak supervision",
arXiv 2212.04356: log-mel spectrum, two convolutions, sinusoidal positions, pre-norm transformer blocks.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from ravdess_mm.audio.encoder_weights import Array, EncoderWeights
from ravdess_mm.audio.mel import mel_filters

SR: Final = 16_000
"""Sampling rate of what the encoder hears, in Hz."""
N_FFT: Final = 400
HOP_LENGTH: Final = 160
FLOOR: Final = 1e-10
"""Least energy of a mel band."""
RANGE: Final = 8.0
"""How far, in powers of ten, a band may lie under the loudest one of the clip."""

OPSET: Final = 20
"""The first whose GELU is an operator."""
INPUT: Final = "power"
OUTPUT: Final = "states"


def encoder_graph(weights: EncoderWeights) -> bytes:
    """Write the graph of an encoder.

    Parameters
    ----------
    weights : EncoderWeights
        Stored in the precision that they have; computed in single precision.

    Returns
    -------
    bytes
        A serialised ``onnx.ModelProto``. Input ``power`` [shape=(n, N_FFT // 2 + 1, t)], power spectra of clips of one
        length. Output ``states`` [shape=(n, n_layers + 2, ceil(t / 2), width)]: of the convolutions, of every layer,
        and of the last one normalised. The same weights give the same bytes.
    """
    from onnx import TensorProto, helper

    graph = _GraphWriter()
    x = _log_mel(graph, weights.n_mels)
    x = graph.conv(x, weights.arrays, "conv1", stride=1)
    x = graph.conv(x, weights.arrays, "conv2", stride=2)
    x = graph.node("Transpose", [x], perm=[0, 2, 1])
    length = graph.node("Slice", [graph.node("Shape", [x]), graph.ints([1]), graph.ints([2])])
    positions = graph.weight(weights.arrays["embed_positions.weight"])
    x = graph.node("Add", [x, graph.node("Slice", [positions, graph.ints([0]), length])])
    states = [x]
    for layer in range(weights.n_layers):
        x = _layer(graph, x, weights, f"layers.{layer}")
        states.append(x)
    states.append(graph.norm(x, weights.arrays, "layer_norm"))
    stacked = [graph.node("Unsqueeze", [state, graph.ints([1])]) for state in states]
    graph.node("Concat", stacked, output=OUTPUT, axis=1)
    proto = helper.make_graph(
        graph.nodes,
        "whisper-encoder",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["n", N_FFT // 2 + 1, "t"])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["n", weights.n_layers + 2, "u", weights.width])],
        initializer=graph.initializers,
    )
    model = helper.make_model(proto, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    model.producer_name = "ravdess-mm"
    return bytes(model.SerializeToString(deterministic=True))


def _log_mel(graph: _GraphWriter, n_mels: int) -> str:
    """Logarithm of mel energies, floored under the clip's loudest, and brought to about -1 to 1."""
    filters = graph.weight(mel_filters(SR, n_fft=N_FFT, n_mels=n_mels))
    mel = graph.node("Max", [graph.node("MatMul", [filters, INPUT]), graph.number(FLOOR)])
    logs = graph.node("Mul", [graph.node("Log", [mel]), graph.number(1 / np.log(10))])
    loudest = graph.node("ReduceMax", [logs, graph.ints([1, 2])], keepdims=1)
    floored = graph.node("Max", [logs, graph.node("Sub", [loudest, graph.number(RANGE)])])
    return graph.node("Mul", [graph.node("Add", [floored, graph.number(4)]), graph.number(1 / 4)])


def _layer(graph: _GraphWriter, x: str, weights: EncoderWeights, name: str) -> str:
    """One pre-norm block: self-attention, then two dense layers, each added to what came in."""
    arrays, n_heads, width = weights.arrays, weights.n_heads, weights.width
    head = width // n_heads

    def heads(projection: str, order: list[int], factor: float = 1.0) -> str:
        projected = graph.dense(normed, arrays, f"{name}.self_attn.{projection}", factor=factor)
        return graph.node(
            "Transpose", [graph.node("Reshape", [projected, graph.ints([0, 0, n_heads, head])])], perm=order
        )

    normed = graph.norm(x, arrays, f"{name}.self_attn_layer_norm")
    queries = heads("q_proj", [0, 2, 1, 3], factor=head**-0.5)
    scores = graph.node("MatMul", [queries, heads("k_proj", [0, 2, 3, 1])])
    mixed = graph.node("MatMul", [graph.node("Softmax", [scores], axis=-1), heads("v_proj", [0, 2, 1, 3])])
    joined = graph.node("Transpose", [mixed], perm=[0, 2, 1, 3])
    joined = graph.node("Reshape", [joined, graph.ints([0, 0, width])])
    x = graph.node("Add", [x, graph.dense(joined, arrays, f"{name}.self_attn.out_proj")])
    normed = graph.norm(x, arrays, f"{name}.final_layer_norm")
    inner = graph.node("Gelu", [graph.dense(normed, arrays, f"{name}.fc1")])
    return graph.node("Add", [x, graph.dense(inner, arrays, f"{name}.fc2")])


class _GraphWriter:
    """Collects nodes and weights, and names them in the order in which they come."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []

    def node(self, kind: str, inputs: list[str], *, output: str | None = None, **attributes: Any) -> str:
        from onnx import helper

        output = output or f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, array: Array) -> str:
        from onnx import numpy_helper

        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def ints(self, values: list[int]) -> str:
        return self.constant(np.array(values, dtype=np.int64))

    def number(self, value: float) -> str:
        return self.constant(np.array(value, dtype=np.float32))

    def weight(self, array: Array) -> str:
        """Half precision stays so on disk; the runtime widens it once, when it opens the graph."""
        if array.dtype == np.float16:
            return self.node("Cast", [self.constant(array)], to=1)
        return self.constant(np.asarray(array, dtype=np.float32))

    def dense(self, x: str, arrays: dict[str, Array], name: str, *, factor: float = 1.0) -> str:
        """Multiply by a weight [shape=(out, in)] and add its bias where there is one; `factor` scales the result."""
        y = self.node("MatMul", [x, self.weight(arrays[f"{name}.weight"].T)])
        if f"{name}.bias" in arrays:
            y = self.node("Add", [y, self.weight(arrays[f"{name}.bias"])])
        return y if factor == 1.0 else self.node("Mul", [y, self.number(factor)])

    def norm(self, x: str, arrays: dict[str, Array], name: str) -> str:
        parts = [self.weight(arrays[f"{name}.{part}"]) for part in ("weight", "bias")]
        return self.node("LayerNormalization", [x, *parts], axis=-1, epsilon=1e-5)

    def conv(self, x: str, arrays: dict[str, Array], name: str, *, stride: int) -> str:
        parts = [self.weight(arrays[f"{name}.{part}"]) for part in ("weight", "bias")]
        return self.node("Gelu", [self.node("Conv", [x, *parts], strides=[stride], pads=[1, 1], kernel_shape=[3])])
