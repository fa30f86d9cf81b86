"""Augmentation of training frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How far frames are moved, drawn uniformly for each frame. A face is never turned upside down.

    Attributes
    ----------
    shift : float
        Largest shift along each axis, as a share of the frame's size.
    rotation_deg : float
        Largest rotation either way, in degrees.
    zoom : float
        Largest change of scale either way: 0.1 draws from 0.9-1.1.
    brightness : float
        Largest change of brightness either way, as a factor: 0.2 draws from 0.8-1.2.
    flip : bool
        Whether half of the frames are mirrored left to right.
    """

    shift: float = 0.08
    rotation_deg: float = 10.0
    zoom: float = 0.1
    brightness: float = 0.2
    flip: bool = True


def augment(
    frames: npt.NDArray[np.uint8], rng: np.random.Generator, augmentation: Augmentation | None = None
) -> npt.NDArray[np.uint8]:
    """Return changed copies of frames [shape=(n, height, width)].

    Shift, rotation, zoom and mirroring are one affine map, so a frame is interpolated once; what comes into view
    repeats the edge.
    """
    import cv2

    if augmentation is None:
        augmentation = Augmentation()
    height, width = frames.shape[1:]
    out = np.empty_like(frames)
    maps = _affine_maps(len(frames), height, width, rng, augmentation)
    gains = rng.uniform(1 - augmentation.brightness, 1 + augmentation.brightness, len(frames))
    for frame, affine, gain, target in zip(frames, maps, gains, out, strict=True):
        moved = cv2.warpAffine(frame, affine, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        cv2.convertScaleAbs(moved, dst=target, alpha=float(gain))  # saturates at 255
    return out


def _affine_maps(
    n: int, height: int, width: int, rng: np.random.Generator, augmentation: Augmentation
) -> npt.NDArray[np.float64]:
    """Draw affine maps [shape=(n, 2, 3)] about the centre of the frame, for all frames at once."""
    angle = np.deg2rad(rng.uniform(-1, 1, n) * augmentation.rotation_deg)
    scale = 1 + rng.uniform(-1, 1, n) * augmentation.zoom
    shift = rng.uniform(-1, 1, (n, 2)) * augmentation.shift * (width, height)
    mirror = np.where(augmentation.flip & (rng.random(n) < 0.5), -1.0, 1.0)
    maps = np.empty((n, 2, 3))
    maps[:, 0, 0] = scale * np.cos(angle) * mirror
    maps[:, 0, 1] = scale * np.sin(angle)
    maps[:, 1, 0] = -scale * np.sin(angle) * mirror
    maps[:, 1, 1] = scale * np.cos(angle)
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    maps[:, :, 2] = centre + shift - maps[:, :, :2] @ centre
    return maps
