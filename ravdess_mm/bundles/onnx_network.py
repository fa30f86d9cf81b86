"""A trained network that answers without Keras: ONNX Runtime starts in a tenth of a second, TensorFlow in five.

What is computed is the same, to a few parts in a million. Training, fine-tuning and Grad-CAM need Keras itself:
:meth:`ravdess_mm.bundles.bundle.Bundle.load_network`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ravdess_mm.arrays import Singles
from ravdess_mm.errors import BundleError

_ERRORS_ONLY: Final = 3


class OnnxNetwork:
    """A network run by ONNX Runtime on the processor, called as a ``keras.Model`` is.

    Parameters
    ----------
    graph : bytes
        See :func:`ravdess_mm.bundles.onnx_graph.onnx_graph`.

    Attributes
    ----------
    input_shape : tuple
        As Keras gives it: None for the batch, then lengths.
    output_shape : tuple, or list of tuple
        A list where there are several outputs.
    """

    def __init__(self, graph: bytes) -> None:
        import onnxruntime

        self._graph = graph
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY
        # with a number given, threads are not tied to processors, which fails where some are not ours
        options.intra_op_num_threads = _n_processors()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # moving a transposition past a Resize that names its axes breaks the graph (onnxruntime 1.31)
        spoiled = ["TransposeOptimizer_CPUExecutionProvider"]
        self._session = onnxruntime.InferenceSession(
            graph, options, providers=["CPUExecutionProvider"], disabled_optimizers=spoiled
        )
        start, ends = self._session.get_inputs()[0], self._session.get_outputs()
        self._input_name = start.name
        self.input_shape = (None, *start.shape[1:])
        shapes = [(None, *end.shape[1:]) for end in ends]
        self.output_shape: Any = shapes if len(shapes) > 1 else shapes[0]

    def __reduce__(self) -> tuple[type[OnnxNetwork], tuple[bytes]]:
        return OnnxNetwork, (self._graph,)

    def predict_on_batch(self, batch: npt.ArrayLike) -> Any:
        """Return the output for a batch [shape=(n, ...)], or a list of the outputs where there are several."""
        values: Sequence[Singles] = self._session.run(None, {self._input_name: np.asarray(batch, dtype=np.float32)})
        if not all(np.isfinite(part).all() for part in values):
            raise BundleError("the network answers with numbers that are not finite; its file is unsound")
        return list(values) if len(values) > 1 else values[0]


def _n_processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
