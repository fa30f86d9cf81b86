"""Face detection frame by frame, and square face crops.

The detector that ships is OpenCV's cascade of Haar features (Viola P, Jones M 2001, CVPR; the stumps trained by
Lienhart R et al. 2003). MTCNN (Zhang K et al. 2016, IEEE SPL 23(10)) stands behind the same interface: an image in,
boxes out. Both find frontal faces down to `SMALLEST_FACE`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from ravdess_mm.config import FaceDetector
from ravdess_mm.errors import InputError
from ravdess_mm.extras import need_extra

GrayImage: TypeAlias = npt.NDArray[np.uint8]
"""[shape=(height, width)], 0-255."""

MAX_CARRY: Final = 2
"""Over how many frames in a row a box is carried at most."""
MIN_SCORE: Final = 0.8
"""Lowest score of a face found by MTCNN, 0-1."""
SMALLEST_FACE: Final = 0.1
"""Width of the smallest face that is looked for, as a share of the frame's short side."""

_SEARCH_PX: Final = 180  # the short side that is searched first: 720p at a quarter, some 10 ms a frame
_LARGE_FACE: Final = 0.2  # smallest face found there, as a share of the short side
_FINE_SEARCH_PX: Final = 240  # the short side that is searched for smaller faces; two to three times the work
_FINE_FACE: Final = (
    0.09  # smallest box there: of 34 faces at a tenth of the short side all were found, and 30 at 200 px
)
_FEWEST_PX: Final = 20  # the window of the cascade; an image with a shorter side shows no face
_MOST_PIXELS: Final = 4_000_000  # of an image as it is searched: what is very long is not made larger
_BORDER: Final = 0.15  # published face clips are cut so tight that the cascade needs the border repeated around them
_MIN_NEIGHBOURS: Final = 5


class FaceStatus(StrEnum):
    """How the box of a frame was obtained."""

    FOUND = "found"
    CARRIED = "carried"
    NONE = "none"


@dataclass(frozen=True)
class Box:
    """A face in an image, in pixels; parts of it may lie outside of the image.

    Attributes
    ----------
    x, y : float
        Left and upper edge.
    width, height : float
        Size, above 0.
    """

    x: float
    y: float
    width: float
    height: float

    @property
    def area(self) -> float:
        """Width times height, in square pixels."""
        return self.width * self.height

    def holds_centre_of(self, other: Box) -> bool:
        """Return whether the centre of another box lies in this one."""
        x, y = other.x + other.width / 2, other.y + other.height / 2
        return self.x <= x <= self.x + self.width and self.y <= y <= self.y + self.height


@dataclass(frozen=True)
class Face:
    """What is known about the face in one frame.

    Attributes
    ----------
    status : FaceStatus
        ``found`` in this frame, ``carried`` over from the last frame it was found in, or ``none``.
    box : Box or None
        None if and only if the status is ``none``.
    """

    status: FaceStatus
    box: Box | None


Detector: TypeAlias = Callable[[GrayImage], list[Box]]
"""From a gray image to the boxes of its faces, in any order; an empty list where there is none."""


def find_faces(frames: Iterable[GrayImage], *, detector: Detector | None = None) -> Iterator[Face]:
    """Yield the face of each frame of one clip, in order.

    Where several are found, the largest counts: a RAVDESS clip shows one actor. Where none is found, the last box is
    carried over, but over no more than `MAX_CARRY` frames in a row; a frame before the first face has none.

    Parameters
    ----------
    frames : iterable of numpy.ndarray [shape=(height, width), dtype=uint8]
        Gray frames of one clip in order of time.
    detector : Detector, optional
        See `make_detector`; None for the cascade.

    Yields
    ------
    Face
        One a frame.

    Raises
    ------
    InputError
        If a frame is not a gray image.
    """
    detect = make_detector() if detector is None else detector
    last: Box | None = None
    carried = 0
    for frame in frames:
        boxes = detect(_checked(frame))
        if boxes:
            last, carried = max(boxes, key=lambda box: box.area), 0
            yield Face(FaceStatus.FOUND, last)
        elif last is not None and carried < MAX_CARRY:
            carried += 1
            yield Face(FaceStatus.CARRIED, last)
        else:
            last = None
            yield Face(FaceStatus.NONE, None)


def crop_face(image: GrayImage, box: Box, *, margin: float, size_px: int) -> GrayImage:
    """Cut a square around a face and scale it.

    Parameters
    ----------
    image : numpy.ndarray [shape=(height, width), dtype=uint8]
        Gray.
    box : Box
        The face. The square has its centre and its longer side.
    margin : float
        What is added on each side, as a share of that side; negative cuts into the box. Above -0.5.
    size_px : int
        Width and height of the result.

    Returns
    -------
    numpy.ndarray [shape=(size_px, size_px), dtype=uint8]
        Where the square leaves the image, the image's edge is repeated.

    Raises
    ------
    InputError
        If an argument is out of range, or the square does not touch the image.
    """
    import cv2

    image = _checked(image)
    if margin <= -0.5 or size_px < 1:
        raise InputError(f"margin is {margin} and size_px is {size_px}; allowed: above -0.5, and 1 or more")
    side = max(1, round(max(box.width, box.height) * (1 + 2 * margin)))
    left = round(box.x + (box.width - side) / 2)
    top = round(box.y + (box.height - side) / 2)
    height, width = image.shape
    inside = image[max(0, top) : max(0, top + side), max(0, left) : max(0, left + side)]
    if inside.size == 0:
        raise InputError(f"{box} does not touch the image of {width}x{height} pixels")
    square = cv2.copyMakeBorder(
        inside,
        max(0, -top),
        max(0, top + side - height),
        max(0, -left),
        max(0, left + side - width),
        cv2.BORDER_REPLICATE,
    )
    shrinks = side >= size_px
    scaled = cv2.resize(square, (size_px, size_px), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.asarray(scaled, dtype=np.uint8)


def make_detector(kind: FaceDetector | str = FaceDetector.HAAR, *, every_face: bool = False) -> Detector:
    """Return a face detector by name, ready to use in this process.

    Parameters
    ----------
    kind : FaceDetector
        ``haar`` needs nothing, ``mtcnn`` the extra of that name.
    every_face : bool
        Whether small faces are looked for beside large ones too; else, by the cascade, only where no large one is:
        enough to know the largest, at a third of the cost.

    Raises
    ------
    InputError
        If the name is unknown or the extra is not installed.
    """
    return _haar(every_face=every_face) if check_detector(kind) is FaceDetector.HAAR else _mtcnn()


def check_detector(kind: FaceDetector | str) -> FaceDetector:
    """Return a detector's name if it can be used here; nothing is loaded.

    Raises
    ------
    InputError
        If the name is unknown or the extra is not installed.
    """
    try:
        kind = FaceDetector(kind)
    except ValueError as error:
        allowed = ", ".join(FaceDetector)
        raise InputError(f"face detector {kind!r} is unknown; allowed: {allowed}") from error
    if kind is FaceDetector.MTCNN:
        need_extra("mtcnn")
    return kind


def _checked(image: GrayImage) -> GrayImage:
    if image.ndim != 2 or image.dtype != np.uint8 or image.size == 0:
        raise InputError(f"a frame has shape {image.shape} and type {image.dtype}; allowed: (height, width), uint8")
    return image


def _scaled(image: GrayImage, short_side_px: int) -> tuple[GrayImage, float]:
    """Return an image as it is searched, and its size as a share of what it was."""
    import cv2

    height, width = image.shape
    scale = min(short_side_px / min(height, width), max(1.0, (_MOST_PIXELS / (height * width)) ** 0.5))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    scaled = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return np.asarray(scaled, dtype=np.uint8), scale


@lru_cache(maxsize=2)
def _haar(*, every_face: bool) -> Detector:
    import cv2
    import cv2.data

    cascade = cv2.CascadeClassifier(str(Path(cv2.data.haarcascades) / "haarcascade_frontalface_alt2.xml"))

    def search(image: GrayImage, short_side_px: int, smallest: float) -> list[Box]:
        small, scale = _scaled(image, short_side_px)
        border = round(_BORDER * short_side_px)
        padded = cv2.copyMakeBorder(small, border, border, border, border, cv2.BORDER_REPLICATE)
        side = round(smallest * short_side_px)
        detections = cascade.detectMultiScale(
            padded, scaleFactor=1.1, minNeighbors=_MIN_NEIGHBOURS, minSize=(side, side)
        )
        boxes = [
            Box((x - border) / scale, (y - border) / scale, w / scale, h / scale)
            for x, y, w, h in np.asarray(detections, dtype=np.float64).reshape(-1, 4).tolist()
        ]
        whole = Box(0, 0, image.shape[1], image.shape[0])
        return [box for box in boxes if whole.holds_centre_of(box)]  # not what is in the border alone

    def detect(image: GrayImage) -> list[Box]:
        if min(image.shape) < _FEWEST_PX:
            return []
        large = search(image, _SEARCH_PX, _LARGE_FACE)
        if large and not every_face:
            return large
        small = search(image, _FINE_SEARCH_PX, _FINE_FACE)
        return large + [box for box in small if not any(other.holds_centre_of(box) for other in large)]

    return detect


@lru_cache(maxsize=1)
def _mtcnn() -> Detector:
    from ravdess_mm.bundles.keras_backend import keras

    keras.utils.disable_interactive_logging()  # and TensorFlow, which mtcnn imports, is loaded without its chatter
    from mtcnn import MTCNN  # type: ignore[import-not-found,unused-ignore]

    network: Any = MTCNN(device="CPU:0")

    def detect(image: GrayImage) -> list[Box]:
        if min(image.shape) < _FEWEST_PX:
            return []
        # it finds faces of 20 pixels and more, and fails where it is told another size
        small, scale = _scaled(image, min(_FINE_SEARCH_PX, *image.shape))
        detections = network.detect_faces(np.repeat(small[:, :, None], 3, axis=2), box_format="xywh") or []
        sides = [
            [float(side) / scale for side in face["box"]] for face in detections if face["confidence"] >= MIN_SCORE
        ]
        return [Box(*box) for box in sides if box[2] > 0 and box[3] > 0]

    return detect
