"""Conversion of a decoded frame to an upright gray picture of full range.

Gray is the luma the codec itself stores, stretched to 0-255; no trip through RGB. For RGB sources it is the BT.601
luma that FFmpeg computes.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ravdess_mm.errors import InputError

BLACK_MAX: Final = 16
"""A frame whose brightest pixel (0-255) is at most this is black padding, not a picture of a face."""

SQUARE: Final = 0.02
"""Pixels this close to square are."""
ASPECTS: Final = (0.25, 4.0)
"""Pixels are no narrower and no wider."""

_LUMA_FIRST: Final = frozenset(
    ("yuv420p", "yuv422p", "yuv444p", "yuvj420p", "yuvj422p", "yuvj444p", "nv12", "nv21", "gray")
)
_ALWAYS_FULL: Final = frozenset(("yuvj420p", "yuvj422p", "yuvj444p", "gray"))
_STRETCH: Final = np.clip(np.rint((np.arange(256) - 16.0) * (255.0 / 219.0)), 0, 255).astype(np.uint8)


def gray_of(frame: Any, *, pixel_aspect: float = 1.0) -> npt.NDArray[np.uint8]:
    """Return the gray picture of a decoded frame, turned upright.

    Parameters
    ----------
    frame : av.VideoFrame
        Any pixel format, limited or full range, with or without a rotation flag.
    pixel_aspect : float
        Width of a pixel by its height; the picture is stretched so that pixels are square. Beyond `ASPECTS` it is not
        believed.

    Returns
    -------
    numpy.ndarray [shape=(height, width), dtype=uint8]
        0 is black and 255 is white, whatever range the stream used: limited luma ``y`` (16-235, ITU-R BT.601 and
        BT.709 alike) becomes ``round((y - 16) * 255 / 219)``, clipped. Height and width are those on screen.
    """
    import cv2
    from av.video.reformatter import ColorRange

    name = frame.format.name
    if name in _LUMA_FIRST:
        gray = _first_plane(frame)
        if name not in _ALWAYS_FULL and frame.color_range != ColorRange.JPEG:
            gray = cv2.LUT(gray, _STRETCH)
    else:
        gray = _first_plane(frame.reformat(format="gray", dst_color_range=ColorRange.JPEG))
    if abs(pixel_aspect - 1) > SQUARE and ASPECTS[0] <= pixel_aspect <= ASPECTS[1]:
        height, width = gray.shape
        gray = cv2.resize(gray, (round(width * max(pixel_aspect, 1)), round(height / min(pixel_aspect, 1))))
    return _upright(gray, int(frame.rotation))


def is_black(gray: npt.NDArray[np.uint8]) -> bool:
    """Return whether a gray picture is black all over (brightest pixel at most `BLACK_MAX`)."""
    return int(gray.max()) <= BLACK_MAX


def resize_area(gray: npt.NDArray[np.uint8], size_px: int) -> npt.NDArray[np.uint8]:
    """Resize a gray picture [shape=(height, width)] to a square of `size_px` by area interpolation.

    The aspect ratio is not kept: the whole picture fills the square, as the seed network expects it.
    """
    import cv2

    resized: npt.NDArray[np.uint8] = cv2.resize(gray, (size_px, size_px), interpolation=cv2.INTER_AREA)
    return resized


def _first_plane(frame: Any) -> npt.NDArray[np.uint8]:
    plane = frame.planes[0]
    rows = np.frombuffer(plane, dtype=np.uint8).reshape(-1, plane.line_size)
    return rows[: frame.height, : frame.width]


def _upright(gray: npt.NDArray[np.uint8], rotation_deg: int) -> npt.NDArray[np.uint8]:
    # FFmpeg gives the counter-clockwise angle that puts the picture upright; phones write multiples of 90 degrees
    turns = round(rotation_deg / 90) % 4
    return np.ascontiguousarray(np.rot90(gray, turns))


def as_gray(image: Any) -> npt.NDArray[np.uint8]:
    """Return a picture in memory in gray [shape=(height, width), dtype=uint8].

    Parameters
    ----------
    image : numpy.ndarray
        Blue, green, red [shape=(height, width, 3), dtype=uint8], as OpenCV reads them, or gray.

    Raises
    ------
    InputError
        If it is something else.
    """
    import cv2

    if not isinstance(image, np.ndarray):
        raise InputError(f"an image is a {type(image).__name__}; allowed: a numpy array or the path of a picture")
    if (
        image.dtype != np.uint8
        or image.size == 0
        or image.ndim not in (2, 3)
        or image.shape[2:] not in ((), (1,), (3,))
    ):
        raise InputError(
            f"an image has shape {image.shape} and type {image.dtype}; "
            "allowed: uint8 of shape (height, width, 3) in the order BGR, or (height, width) in gray"
        )
    if image.shape[2:] == (3,):
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
    return image.reshape(image.shape[:2])
