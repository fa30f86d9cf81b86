"""Bundles of face networks, and their scores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ravdess_mm.bundles.bundle import Bundle, network_part, read_bundle, write_bundle
from ravdess_mm.errors import BundleError
from ravdess_mm.store import plain
from ravdess_mm.video.crops import predict_ten_crops, ten_crops
from ravdess_mm.video.stills.datasets import Stills, find_duplicates

EMBEDDING: Final = "embedding"
"""Name of the layer whose output describes a face."""
MANTISSA_BITS: Final = 8
"""Bits of a weight that `round_weights` keeps behind the first, of 23."""
KIND: Final = "face-network"
NETWORK_PART: Final = "network.keras"
CARD_PART: Final = "MODEL_CARD.md"


@dataclass(frozen=True)
class FaceNetwork:
    """A face network from a bundle.

    Attributes
    ----------
    model : keras.Model or OnnxNetwork
        Pixels [shape=(n, size, size, 1)], 0-255, to probabilities [shape=(n, n_classes)].
    classes : tuple of str
        The class of each output.
    card : dict
        What was written beside it.
    """

    model: Any
    classes: tuple[str, ...]
    card: dict[str, Any]


def score_face_network(model: Any, test: Stills, *, training: Stills) -> dict[str, Any]:
    """Score a network on test images, with and without those that are in the training images pixel for pixel.

    Returns
    -------
    dict
        ``images``, ``accuracy`` (mean over ten crops), ``accuracy_centre`` (the centre crop alone), ``uar`` (the mean
        of the recalls), ``recall`` by class, and ``without_duplicates`` with its own ``images`` and ``accuracy``.
    """
    predicted = predict_ten_crops(model, test.images).argmax(axis=1)
    size_px = int(model.input_shape[1])
    centre = np.concatenate(
        [
            np.asarray(model.predict_on_batch(ten_crops(part, size_px)[:, 0, ..., None])).argmax(axis=1)
            for part in np.array_split(test.images, max(1, len(test) // 256))
        ]
    )
    right = predicted == test.labels
    fresh = ~find_duplicates(test, training)
    recall = {test.classes[label]: float(right[test.labels == label].mean()) for label in np.unique(test.labels)}
    return {
        "images": len(test),
        "accuracy": float(right.mean()),
        "accuracy_centre": float((centre == test.labels).mean()),
        "uar": float(np.mean(list(recall.values()))),
        "recall": recall,
        "without_duplicates": {"images": int(fresh.sum()), "accuracy": _mean(right[fresh])},
    }


def round_weights(model: Any) -> None:
    """Round every weight to `MANTISSA_BITS`, so that it is off by 0.2 % at most and the network's file half as large.

    A file is compressed, and what is left of 23 bits are zeros. Score a network after this, not before.
    """
    dropped = np.uint32(23 - MANTISSA_BITS)
    half = np.uint32(1) << (dropped - np.uint32(1))
    model.set_weights(
        [
            ((np.asarray(values, np.float32).view(np.uint32) + half) >> dropped << dropped).view(np.float32)
            for values in model.get_weights()
        ]
    )


def write_face_bundle(
    folder: Path, model: Any, *, classes: tuple[str, ...], facts: dict[str, Any], text: str
) -> Bundle:
    """Write a face network with its model card.

    Parameters
    ----------
    folder : Path
        Where to.
    model : keras.Model
        float32.
    classes : tuple of str
        The class of each output.
    facts : dict
        For programs: net, settings, seed, figures.
    text : str
        For people: the model card, Markdown.
    """
    card = {**plain(facts), "classes": classes, "face_shape": model.input_shape[1:]}
    return write_bundle(
        folder, kind=KIND, card=card, files={NETWORK_PART: network_part(model), CARD_PART: text.encode()}
    )


def load_face_network(folder: str | Path) -> FaceNetwork:
    """Load a face network.

    Raises
    ------
    BundleError
        If it is not a sound bundle of a face network.
    """
    bundle = _read(folder)
    model = bundle.load_network(NETWORK_PART)
    return FaceNetwork(model, _classes(bundle, n_outputs=model.output_shape[-1]), bundle.card)


def open_face_network(folder: str | Path) -> FaceNetwork:
    """Open a face network for answers alone, without Keras where all its layers are known.

    Returns
    -------
    FaceNetwork
        Its model gives two outputs: embeddings [shape=(n, width)] and probabilities [shape=(n, n_classes)].

    Raises
    ------
    BundleError
        If it is not a sound bundle of a face network.
    """
    bundle = _read(folder)
    model = bundle.open_network(NETWORK_PART, inner=(EMBEDDING,))
    return FaceNetwork(model, _classes(bundle, n_outputs=model.output_shape[1][-1]), bundle.card)


def _read(folder: str | Path) -> Bundle:
    bundle = read_bundle(folder)
    if bundle.kind != KIND:
        raise BundleError(f"{folder}: the bundle holds a {bundle.kind!r}; expected {KIND!r}")
    return bundle


def _classes(bundle: Bundle, *, n_outputs: int) -> tuple[str, ...]:
    classes = tuple(map(str, bundle.card.get("classes", ())))
    if len(classes) != n_outputs:
        raise BundleError(f"{bundle.folder}: {len(classes)} classes and {n_outputs} outputs")
    return classes


def _mean(right: npt.NDArray[np.bool_]) -> float | None:
    return float(right.mean()) if len(right) else None
