"""Small changes to training frames that leave the expression what it is."""

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
    wall : float
        Share of the frames whose surroundings are painted in one gray, from black to white; see `paint_walls`.
    """

    shift: float = 0.08
    rotation_deg: float = 10.0
    zoom: float = 0.1
    brightness: float = 0.2
    flip: bool = True
    wall: float = 0.0


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
    if augmentation.wall:
        chosen = rng.random(len(out)) < augmentation.wall
        out[chosen] = paint_walls(out[chosen], rng)
    return out


def paint_walls(frames: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Return faces [shape=(n, height, width)] before a wall: what lies outside of an ellipse becomes one gray.

    The ellipse is about the size of a face that fills its frame: half axes of 0.30-0.46 of the width and 0.42-0.60 of
    the height, its centre up to 0.06 off, its rim soft. A network that standardises what it sees, and is to work
    before any background, must not read the background.
    """
    n = len(frames)
    height, width = frames.shape[1:]
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    centres = rng.uniform(-0.06, 0.06, (n, 2))
    half_axes = rng.uniform((0.42, 0.30), (0.60, 0.46), (n, 2))
    grays, rims = rng.uniform(0, 255, n), rng.uniform(0.04, 0.15, n)
    out = np.empty_like(frames)
    for place, target in enumerate(out):
        y = (rows - ((height - 1) / 2 + centres[place, 0] * height)) / (half_axes[place, 0] * height)
        x = (columns - ((width - 1) / 2 + centres[place, 1] * width)) / (half_axes[place, 1] * width)
        wall = np.clip((np.hypot(y, x) - 1) / rims[place] + 0.5, 0, 1)
        target[:] = frames[place] * (1 - wall) + grays[place] * wall
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
