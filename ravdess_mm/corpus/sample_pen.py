"""Pen strokes for the faces of the synthetic sample: colours, curves and a canvas that moves with the head."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ravdess_mm.corpus.sample_look import Colour
from ravdess_mm.corpus.sample_pose import Pose

Floats = NDArray[np.float64]
Image = NDArray[np.uint8]

_SUBPIXEL_BITS: Final = 4


def shade(colour: Colour, factor: float) -> Colour:
    """Return a colour made darker (below 1) or lighter (above)."""
    red, green, blue = (min(max(part * factor, 0.0), 255.0) for part in colour)
    return red, green, blue


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Return the colour between two: `share` of the second, kept within 0 and 1."""
    share = min(max(share, 0.0), 1.0)
    red, green, blue = (a + (b - a) * share for a, b in zip(first, second, strict=True))
    return red, green, blue


class Pen:
    """Draws in units of half a face's height on a canvas that is moved and turned with the head.

    Parameters
    ----------
    canvas : NDArray [shape=(height, width, 3)]
        RGB image that is drawn on.
    centre : tuple of float
        Where the middle of the face is, in parts of the frame.
    unit : float
        Half a face's height, in parts of the frame.
    pose : Pose, optional
        The head's roll, pitch and yaw; without it nothing moves.
    """

    def __init__(self, canvas: Image, *, centre: tuple[float, float], unit: float, pose: Pose | None = None) -> None:
        self.canvas = canvas
        self.unit_px = unit * len(canvas)
        angle = np.deg2rad(pose.roll_deg) if pose else 0.0
        scale = self.unit_px * 2**_SUBPIXEL_BITS
        self._turn = scale * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        self._centre = np.array(centre) * len(canvas) * 2**_SUBPIXEL_BITS
        self._drift = np.array([0.13 * pose.yaw, 0.13 * pose.pitch]) @ self._turn if pose else np.zeros(2)

    def _pixels(self, points: Floats, depth: float) -> NDArray[np.int32]:
        # what is nearer to the viewer moves further when the head turns
        return np.rint(points @ self._turn + (self._centre + depth * self._drift)).astype(np.int32)

    def fill(self, colour: Colour, *outlines: Floats, depth: float = 1.0) -> None:
        """Fill a closed outline [shape=(n, 2)]; of two nested ones, the ring between them."""
        import cv2

        pixels = [self._pixels(outline, depth) for outline in outlines]
        cv2.fillPoly(self.canvas, pixels, colour, lineType=cv2.LINE_AA, shift=_SUBPIXEL_BITS)

    def line(self, colour: Colour, points: Floats, width: float, *, depth: float = 1.0, closed: bool = False) -> None:
        """Draw a line through points [shape=(n, 2)]."""
        import cv2

        width_px = max(round(width * self.unit_px), 1)
        pixels = [self._pixels(points, depth)]
        cv2.polylines(self.canvas, pixels, closed, colour, width_px, cv2.LINE_AA, _SUBPIXEL_BITS)


def oval(x: float, y: float, half_width: float, half_height: float, n_points: int = 28) -> Floats:
    """Return an ellipse [shape=(n_points, 2)]."""
    return np.asarray(_circle(n_points) * (half_width, half_height) + (x, y))


def bow(start: tuple[float, float], middle_y: float, end: tuple[float, float], n_points: int = 11) -> Floats:
    """Return a parabola from `start` to `end` that passes half-way through `middle_y` [shape=(n_points, 2)]."""
    (x0, y0), (x1, y1) = start, end
    bulge = middle_y - (y0 + y1) / 2
    weights = np.array([(x0, y0), (x1 - x0, y1 - y0), (0.0, 4 * bulge)])
    return np.asarray(_parabola_basis(n_points) @ weights)


@lru_cache
def _circle(n_points: int) -> Floats:
    turn = np.linspace(0, 2 * np.pi, n_points, endpoint=False)
    return np.stack([np.cos(turn), np.sin(turn)], axis=1)


@lru_cache
def _parabola_basis(n_points: int) -> Floats:
    share = np.linspace(0.0, 1.0, n_points)
    return np.stack([np.ones(n_points), share, share * (1 - share)], axis=1)
