"""Inference with a trained video network: probabilities of frames, tables of takes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ravdess_mm.arrays import Floats
from ravdess_mm.bundles.bundle import Bundle, read_bundle
from ravdess_mm.calibration import TEMPERATURE_LIMITS, soften
from ravdess_mm.config import Crop
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.errors import BundleError, InputError
from ravdess_mm.predictions import PROBABILITIES
from ravdess_mm.video.crops import ten_crops
from ravdess_mm.video.frame_store.store import FrameStore

FRAME_PREDICTIONS_SCHEMA: Final = "frame-predictions/1"
KIND: Final = "video-cnn"
NETWORK_PART: Final = "network.keras"

CROP_SHARE: Final = 44 / 48
"""Side of a crop as a share of the frame's, where answers are the mean over ten: that of the still faces."""

LARGEST_STEP: Final = 10_000
"""Of the frames that a network on disk expects."""

_BATCH: Final = 64


@dataclass(frozen=True)
class TrainedNetwork:
    """A network and the temperature of its answers.

    Attributes
    ----------
    bundle : Bundle
        Where it is from.
    """

    bundle: Bundle

    @property
    def card(self) -> dict[str, Any]:
        """What was written beside it: actors trained on, frame step, crop, ..."""
        return self.bundle.card

    @property
    def temperature(self) -> float:
        """Chosen on validation actors; see :func:`ravdess_mm.calibration.fit_temperature`."""
        return float(self.card["temperature"])

    @cached_property
    def model(self) -> Any:
        """Frames to probabilities; see :meth:`ravdess_mm.bundles.bundle.Bundle.open_network`."""
        return self.bundle.open_network(NETWORK_PART)

    def keras_model(self) -> Any:
        """Load the same as a ``keras.Model``, for Grad-CAM."""
        return self.bundle.load_network(NETWORK_PART)

    def predict_frames(self, frames: npt.NDArray[np.uint8]) -> Floats:
        """Return calibrated probabilities [shape=(n, 8)], in the order of `EMOTIONS`; see `predict_frames`."""
        ten_crop = bool(self.card.get("settings", {}).get("ten_crop", False))
        return predict_frames(self.model, frames, temperature=self.temperature, ten_crop=ten_crop)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The emotion of each output of the network."""
        return EMOTIONS

    def shown(self, frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Return frames as the network takes them: as they are."""
        return frames

    def answer(self, frames: npt.NDArray[np.uint8]) -> tuple[Floats, Floats]:
        """Return the probabilities for a clip [shape=(8,)], the mean of its frames', and those [shape=(n, 8)]."""
        values = self.predict_frames(frames)
        return values.mean(axis=0), values


def load_network(folder: str | Path) -> TrainedNetwork:
    """Load the network of one fold.

    Parameters
    ----------
    folder : str or Path
        A bundle, such as ``models/video-cnn/holdout``.

    Raises
    ------
    BundleError
        If it is not a sound bundle, or not of a video network.
    """
    bundle = read_bundle(folder)
    if bundle.kind != KIND:
        raise BundleError(f"{folder}: the bundle holds a {bundle.kind!r}; expected {KIND!r}")
    bundle.number("temperature", *TEMPERATURE_LIMITS)
    bundle.number("frame_step", 1, LARGEST_STEP)
    if bundle.card.get("crop") not in tuple(Crop) or not isinstance(bundle.card.get("settings", {}), dict):
        raise BundleError(f"{folder}: its card does not say how frames are cut; allowed: {', '.join(Crop)}")
    return TrainedNetwork(bundle)


def predict_frames(
    model: Any, frames: npt.NDArray[np.uint8], *, temperature: float = 1.0, ten_crop: bool = False
) -> Floats:
    """Return the probabilities of frames.

    Parameters
    ----------
    model : keras.Model or OnnxNetwork
        Input 0-255 [shape=(n, height, width, 1)].
    frames : numpy.ndarray [shape=(n, height, width), dtype=uint8]
        Gray, 0-255, prepared as the frames the model was trained on.
    temperature : float
        Divides the logits; 1 changes nothing.
    ten_crop : bool
        Whether to answer with the mean over ten crops of each frame, `CROP_SHARE` of its side, scaled back.

    Returns
    -------
    numpy.ndarray [shape=(n, 8)]
        Rows sum to 1.

    Raises
    ------
    InputError
        If the frames have another shape or type.
    """
    expected = tuple(model.input_shape[1:3])
    if frames.ndim != 3 or frames.shape[1:] != expected or frames.dtype != np.uint8:
        raise InputError(f"frames are {frames.dtype} {frames.shape}; expected uint8 (n, {expected[0]}, {expected[1]})")
    parts = [np.empty((0, model.output_shape[-1]))]
    for start in range(0, len(frames), _BATCH):
        batch = frames[start : start + _BATCH]
        parts.append(_predict_crops(model, batch) if ten_crop else np.asarray(model.predict_on_batch(batch[..., None])))
    return soften(np.concatenate(parts), temperature)


def _predict_crops(model: Any, frames: npt.NDArray[np.uint8]) -> Floats:
    import cv2

    size = (frames.shape[2], frames.shape[1])
    crops = ten_crops(frames, max(1, round(CROP_SHARE * min(size))))
    answers = [
        np.asarray(model.predict_on_batch(np.stack([cv2.resize(crop, size) for crop in batch])[..., None])).mean(axis=0)
        for batch in crops
    ]
    return np.stack(answers)


def predict_rows(model: Any, store: FrameStore, rows: npt.NDArray[np.int64], *, ten_crop: bool = False) -> Floats:
    """Return the probabilities [shape=(len(rows), 8)] of frames of a store, read a few at a time."""
    parts = [np.empty((0, len(EMOTIONS)))]
    for start in range(0, len(rows), _BATCH):
        parts.append(predict_frames(model, store.read(rows[start : start + _BATCH]), ten_crop=ten_crop))
    return np.concatenate(parts)


def frame_table(index: pd.DataFrame, probabilities: Floats, *, fold: int, role: str) -> pd.DataFrame:
    """Build the table of frame predictions.

    Parameters
    ----------
    index : pandas.DataFrame
        Rows of a store's index.
    probabilities : numpy.ndarray [shape=(len(index), 8)]
        In the order of `EMOTIONS`.
    fold : int
        Number of the fold; -1 for a plain holdout.
    role : {"test", "oof"}
        As in the prediction table.

    Returns
    -------
    pandas.DataFrame
        take, actor, emotion, fold, role, frame_number, time_s, ``p_neutral`` ... ``p_surprised``, and the two most
        probable labels, `top1` and `top2`.
    """
    table = index[["take", "actor", "emotion"]].reset_index(drop=True)
    table = table.assign(fold=np.int64(fold), role=role)
    table[["frame_number", "time_s"]] = index[["frame_number", "time_s"]].reset_index(drop=True)
    table[list(PROBABILITIES)] = probabilities
    ranked = np.argsort(-probabilities, axis=1, kind="stable")
    for rank in (0, 1):
        table[f"top{rank + 1}"] = np.array(EMOTIONS, dtype=object)[ranked[:, rank]]
    return table.astype({"role": "str", "top1": "str", "top2": "str"})
