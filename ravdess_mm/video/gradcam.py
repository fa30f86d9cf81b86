"""Grad-CAM and HiResCAM of any network of this package.

Written against ``keras`` alone but for one derivative, which TensorFlow, JAX and PyTorch each take in their own way.

References
----------
Selvaraju RR et al. (2017), Grad-CAM, ICCV: 618-626. Draelos RL, Carin L (2020), HiResCAM, arXiv:2011.08891.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ravdess_mm.arrays import Integers, Singles
from ravdess_mm.bundles.keras_backend import keras
from ravdess_mm.errors import InputError

SMALLEST_MAP: Final = 4
"""Least height and width of a map that still tells places in a face apart; later maps are passed over."""

_BATCH: Final = 16


class Method(StrEnum):
    """How the derivative of a score weighs the channels of a map."""

    GRAD_CAM = "grad-cam"
    """One weight a channel, the mean derivative over the map. Blurs what a flattened map says about places."""
    HIRES_CAM = "hires-cam"
    """The derivative at each place. The same as Grad-CAM where the head starts with the mean over the map."""


def heat_maps(
    model: Any, images: npt.NDArray[Any], classes: Integers | None = None, *, method: Method = Method.GRAD_CAM
) -> Singles:
    """Return what in each image spoke for a class.

    The map of channel k, A[k], is weighed by how the class's score (before the softmax) changes with it; the
    sum over channels, where positive, is scaled so that its largest value is 1, then enlarged to the image.

    Parameters
    ----------
    model : keras.Model
        Sequential or functional, one input [shape=(n, height, width, channels)], one output [shape=(n, n_classes)].
    images : numpy.ndarray [shape=(n, height, width, channels)]
        As the model takes them.
    classes : numpy.ndarray [shape=(n,), dtype=int64], optional
        The class to explain, one an image; by default the most probable one.
    method : Method
        See there. The map is the last one of at least `SMALLEST_MAP` pixels a side.

    Returns
    -------
    numpy.ndarray [shape=(n, height, width), dtype=float32]
        0-1. An image in which nothing speaks for the class is 0 everywhere.

    Raises
    ------
    InputError
        If images and classes do not fit the model, or no layer has a map.
    """
    expected = tuple(model.input_shape[1:])
    if images.ndim != 4 or images.shape[1:] != expected:
        raise InputError(f"images of shape {images.shape}; this network takes (n, {', '.join(map(str, expected))})")
    if classes is not None and classes.shape != (len(images),):
        raise InputError(f"{len(images)} images and classes of shape {classes.shape}; allowed: one class an image")
    to_maps, to_scores = _cut(model)
    parts = [np.empty((0, *images.shape[1:3]), np.float32)]
    for start in range(0, len(images), _BATCH):
        batch = slice(start, start + _BATCH)
        maps = np.asarray(to_maps.predict_on_batch(images[batch]))
        target_classes = None if classes is None else classes[batch]
        if target_classes is None:
            target_classes = np.asarray(model.predict_on_batch(images[batch])).argmax(axis=1)
        slopes = _slopes(to_scores, maps, np.eye(model.output_shape[-1], dtype=np.float32)[target_classes])
        if method is Method.GRAD_CAM:
            slopes = slopes.mean(axis=(1, 2), keepdims=True)
        parts.append(_as_heat((slopes * maps).sum(axis=-1), images.shape[1:3]))
    return np.concatenate(parts)


def map_layer(model: Any) -> str:
    """Return the name of the layer whose output `heat_maps` explains."""
    return str(_cut(model)[0].name)


def _cut(model: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Return the model up to the layer with the map, named like it, and the function from there to the scores."""
    if isinstance(model, keras.Sequential):
        model = _functional(model)
    score_input, scores_of = _scores(model)
    for candidate in filter(_is_map, reversed(model.layers)):
        try:
            head = keras.Model(candidate.output, score_input)
        except ValueError:  # a branch of a residual block: the rest of the network cannot be computed from it alone
            continue
        to_maps = keras.Model(model.inputs[0], candidate.output, name=candidate.name)
        return to_maps, lambda maps, head=head: scores_of(head(maps, training=False))
    raise InputError(
        f"network {model.name}: no layer all of it passes through has a map of {SMALLEST_MAP} pixels a side or more"
    )


def _functional(model: Any) -> Any:
    """Return a copy of a sequential model as a functional one.

    Keras connects the layers of a sequential model anew each time one is added, as loading does, and after that
    ``layer.output`` is not of the same graph for all layers.
    """
    inputs = keras.Input(model.input_shape[1:], dtype=model.inputs[0].dtype)
    x = inputs
    for layer in model.layers:
        x = type(layer).from_config(layer.get_config())(x)
    copy = keras.Model(inputs, x, name=model.name)
    copy.set_weights(model.get_weights())
    return copy


def _is_map(layer: Any) -> bool:
    if isinstance(layer, keras.layers.InputLayer):
        return False
    shape = getattr(layer.output, "shape", ())
    return len(shape) == 4 and None not in shape[1:] and min(shape[1:3]) >= SMALLEST_MAP


def _scores(model: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Return the tensor that scores come from, and how: the softmax itself is left out.

    With it, a score would also rise because something speaks against the other classes.
    """
    last = model.layers[-1]
    if isinstance(last, keras.layers.Softmax):
        return last.input, lambda logits: logits
    if isinstance(last, keras.layers.Dense) and last.activation is keras.activations.softmax:
        return last.input, lambda x: keras.ops.add(keras.ops.matmul(x, last.kernel), last.bias)
    return model.outputs[0], lambda scores: scores


def _slopes(to_scores: Callable[[Any], Any], maps: npt.NDArray[Any], chosen: Singles) -> Singles:
    """Return how each image's chosen score changes with its map [shape of maps]."""

    def total(network_output: Any) -> Any:
        # images do not mix, so the derivative of the sum holds the derivative of each
        return keras.ops.sum(keras.ops.multiply(keras.ops.cast(to_scores(network_output), "float32"), chosen))

    return np.asarray(_DERIVATIVES[keras.backend.backend()](total, maps), dtype=np.float32)


def _derivative_tensorflow(total: Callable[[Any], Any], maps: npt.NDArray[Any]) -> Any:
    import tensorflow

    variable = tensorflow.convert_to_tensor(maps)
    with tensorflow.GradientTape() as tape:
        tape.watch(variable)
        value = total(variable)
    return tape.gradient(value, variable, unconnected_gradients="zero")


def _derivative_jax(total: Callable[[Any], Any], maps: npt.NDArray[Any]) -> Any:
    import jax

    return jax.grad(total)(jax.numpy.asarray(maps))


def _derivative_torch(total: Callable[[Any], Any], maps: npt.NDArray[Any]) -> Any:
    import torch

    variable = keras.ops.convert_to_tensor(maps).detach().clone().requires_grad_(True)
    (slopes,) = torch.autograd.grad(total(variable), variable)
    return slopes.cpu().numpy()


_DERIVATIVES: Final = {"tensorflow": _derivative_tensorflow, "jax": _derivative_jax, "torch": _derivative_torch}


def _as_heat(maps: npt.NDArray[Any], size: tuple[int, ...]) -> Singles:
    import cv2

    positive = np.maximum(maps, 0).astype(np.float32)
    peaks = positive.max(axis=(1, 2), keepdims=True)
    scaled = np.divide(positive, peaks, out=np.zeros_like(positive), where=peaks > 0)
    height, width = size
    # bicubic interpolation overshoots; linear keeps 0-1
    return np.stack([cv2.resize(one, (width, height), interpolation=cv2.INTER_LINEAR) for one in scaled])
