"""Where the face is, frame by frame, and the square that is cut around it.

The detector that ships is OpenCV's cascade of Haar features (Viola P, Jones M 2001, CVPR; the stumps trained by
Lienhart R et al. 2003). MTCNN (Zhang K et al. 2016, IEEE SPL 23(10)) and YuNet (Wu W et al. 2023, MIR 20) stand behind
the same interface: an image in, boxes out.
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

from ravdess_mm.errors import InputError

GrayImage: TypeAlias = npt.NDArray[np.uint8]
"""[shape=(height, width)], 0-255."""

MAX_CARRY: Final = 2
"""Over how many frames in a row a box is carried at most."""
MIN_SCORE: Final = 0.8
"""Lowest score of a face found by MTCNN or YuNet, 0-1."""

_SEARCH_PX: Final = 180  # the short side that is searched: 720p at a quarter, some 10 ms a frame
_MIN_FACE: Final = 0.2  # smallest face, as a share of the short side
_BORDER: Final = 0.15  # published face clips are cut so tight that the cascade needs the border repeated around them
_MIN_NEIGHBOURS: Final = 5


class FaceStatus(StrEnum):
    """How the box of a frame was come by."""

    FOUND = "found"
    CARRIED = "carried"
    NONE = "none"


class DetectorKind(StrEnum):
    """A named face detector."""

    HAAR = "haar"
    MTCNN = "mtcnn"
    YUNET = "yunet"


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


def find_faces(
    frames: Iterable[GrayImage], *, detector: Detector | None = None, max_carry: int = MAX_CARRY
) -> Iterator[Face]:
    """Yield the face of each frame of one clip, in order.

    Where several are found, the largest counts: a RAVDESS clip shows one actor. Where none is found, the last box is
    carried over, but over no more than `max_carry` frames in a row; a frame before the first face has none.

    Parameters
    ----------
    frames : iterable of numpy.ndarray [shape=(height, width), dtype=uint8]
        Gray frames of one clip in order of time.
    detector : Detector, optional
        See `make_detector`; None for the cascade.
    max_carry : int
        0 carries nothing.

    Yields
    ------
    Face
        One a frame.

    Raises
    ------
    InputError
        If `max_carry` is negative or a frame is not a gray image.
    """
    if max_carry < 0:
        raise InputError(f"max_carry is {max_carry}; allowed: 0 or more")
    detect = make_detector() if detector is None else detector
    last: Box | None = None
    carried = 0
    for frame in frames:
        boxes = detect(_checked(frame))
        if boxes:
            last, carried = max(boxes, key=lambda box: box.area), 0
            yield Face(FaceStatus.FOUND, last)
        elif last is not None and carried < max_carry:
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


def make_detector(kind: DetectorKind | str = DetectorKind.HAAR, *, model_path: Path | None = None) -> Detector:
    """Return a face detector by name, ready to use in this process.

    Parameters
    ----------
    kind : DetectorKind
        ``haar`` needs nothing, ``mtcnn`` the extra of that name, ``yunet`` a model file.
    model_path : Path, optional
        The ``.onnx`` file of YuNet, such as ``face_detection_yunet_2023mar.onnx`` of the OpenCV model zoo.

    Raises
    ------
    InputError
        If the name is unknown, the extra is not installed, or the model file is missing or no YuNet.
    """
    try:
        kind = DetectorKind(kind)
    except ValueError as error:
        allowed = ", ".join(member.value for member in DetectorKind)
        raise InputError(f"face detector {kind!r} is unknown; allowed: {allowed}") from error
    if (kind is DetectorKind.YUNET) != (model_path is not None):
        raise InputError(f"detector {kind.value} and model_path={model_path}: yunet, and only yunet, has a model file")
    if model_path is not None:
        return _yunet(model_path)
    return _haar() if kind is DetectorKind.HAAR else _mtcnn()


def _checked(image: GrayImage) -> GrayImage:
    if image.ndim != 2 or image.dtype != np.uint8 or image.size == 0:
        raise InputError(f"a frame has shape {image.shape} and type {image.dtype}; allowed: (height, width), uint8")
    return image


@lru_cache(maxsize=1)
def _haar() -> Detector:
    import cv2
    import cv2.data

    cascade = cv2.CascadeClassifier(str(Path(cv2.data.haarcascades) / "haarcascade_frontalface_alt2.xml"))

    def detect(image: GrayImage) -> list[Box]:
        scale = _SEARCH_PX / min(image.shape)
        size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        border = round(_BORDER * _SEARCH_PX)
        padded = cv2.copyMakeBorder(small, border, border, border, border, cv2.BORDER_REPLICATE)
        smallest = round(_MIN_FACE * _SEARCH_PX)
        found = cascade.detectMultiScale(
            padded, scaleFactor=1.1, minNeighbors=_MIN_NEIGHBOURS, minSize=(smallest, smallest)
        )
        return [
            Box((x - border) / scale, (y - border) / scale, w / scale, h / scale)
            for x, y, w, h in np.asarray(found, dtype=np.float64).reshape(-1, 4).tolist()
        ]

    return detect


@lru_cache(maxsize=1)
def _mtcnn() -> Detector:
    try:
        from mtcnn import MTCNN  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise InputError("the face detector mtcnn needs its extra: pip install 'ravdess-mm[mtcnn]'") from error
    network: Any = MTCNN(device="CPU:0")

    def detect(image: GrayImage) -> list[Box]:
        found = network.detect_faces(np.repeat(image[:, :, None], 3, axis=2), box_format="xywh") or []
        boxes = [Box(*map(float, face["box"])) for face in found if face["confidence"] >= MIN_SCORE]
        return [box for box in boxes if box.width > 0 and box.height > 0]

    return detect


def _yunet(model_path: Path) -> Detector:
    import cv2

    if not model_path.is_file():
        raise InputError(f"{model_path}: no such file; yunet needs its .onnx model")
    try:
        network = cv2.FaceDetectorYN.create(str(model_path), "", (64, 64), score_threshold=MIN_SCORE)
        network.detect(np.zeros((64, 64, 3), dtype=np.uint8))  # another network is accepted, but fails here
    except cv2.error as error:
        raise InputError(f"{model_path}: not a YuNet model ({error.err or error})") from error

    def detect(image: GrayImage) -> list[Box]:
        height, width = image.shape
        network.setInputSize((width, height))
        _, found = network.detect(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR))
        rows = [] if found is None else np.asarray(found, dtype=np.float64)[:, :4].tolist()
        return [Box(*row) for row in rows if row[2] > 0 and row[3] > 0]

    return detect
