"""Sampling of a clip: every Nth frame, whole or cropped to the face, 256x256.

With ``CROP=face`` every sampled frame has a status: ``found``, ``carried`` (the last box, over a few frames at most) or
``none``. A frame without a face keeps its number and its status and has no picture, so nothing is ever trained on or
predicted from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import tee
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from ravdess_mm.config import Crop, FaceDetector
from ravdess_mm.video.decoding.frames import GrayFrame, iter_frames
from ravdess_mm.video.decoding.gray import resize_area
from ravdess_mm.video.faces import Box, Detector, FaceStatus, crop_face, find_faces, make_detector

FRAME_SIZE_PX: Final = 256
"""Width and height of a stored frame."""
FACE_MARGIN: Final = 0.03
"""What a crop adds on each side of the detector's box, as a share of the box.

The cascade's box of a FER2013 training image is 0.95 of that image's side in the median (2147 boxes of 3000 images, one
in each), so with (1 / 0.95 - 1) / 2 a face fills the crop as it fills the images the face networks were trained on. No
RAVDESS clip was looked at for it.
"""


@dataclass(frozen=True)
class SampledFrame:
    """One frame of a clip, ready to be stored or predicted from.

    Attributes
    ----------
    number : int
        Place in the order of presentation, from 0.
    time_s : float
        Time of presentation in seconds after the first frame.
    image : numpy.ndarray [shape=(256, 256), dtype=uint8] or None
        Gray, 0-255; None if and only if no face was found where one is to be cut out.
    face : FaceStatus or None
        How the face was come by; None where the whole frame is kept.
    """

    number: int
    time_s: float
    image: npt.NDArray[np.uint8] | None
    face: FaceStatus | None = None


def sample_frames(
    path: str | Path, *, frame_step: int, crop: Crop, detector: FaceDetector | Detector = FaceDetector.HAAR
) -> Iterator[SampledFrame]:
    """Yield every `frame_step`-th frame of a clip that is not black, one at a time.

    Parameters
    ----------
    path : str or Path
        The clip.
    frame_step : int
        Keep every `frame_step`-th frame, at least 1.
    crop, detector
        As for `prepare_frames`.

    Raises
    ------
    InputError, MediaError
        As :func:`ravdess_mm.video.decoding.frames.iter_frames`.
    """
    return prepare_frames(iter_frames(path, frame_step=frame_step), crop=crop, detector=detector)


def prepare_frames(
    frames: Iterable[GrayFrame], *, crop: Crop, detector: FaceDetector | Detector = FaceDetector.HAAR
) -> Iterator[SampledFrame]:
    """Yield frames of one clip as the networks take them, one at a time.

    Parameters
    ----------
    frames : iterable of GrayFrame
        In the order of time.
    crop : Crop
        What part of a frame is kept.
    detector : FaceDetector or Detector
        What finds the faces to be cut out, by name, or itself.
    """
    if crop is Crop.NONE:
        for frame in frames:
            yield SampledFrame(frame.number, frame.time_s, resize_area(frame.image, FRAME_SIZE_PX))
        return
    detect = make_detector(detector) if isinstance(detector, FaceDetector) else detector
    shown, searched = tee(frames)  # both move on together: one frame in memory
    for frame, face in zip(shown, find_faces((frame.image for frame in searched), detector=detect), strict=True):
        image = None if face.box is None else cut_face(frame.image, face.box)
        yield SampledFrame(frame.number, frame.time_s, image, face.status)


def no_face(n_frames: int) -> str:
    """Return the reason why a clip of so many sampled frames cannot be used."""
    return f"no face was found in any of its {n_frames} sampled frames"


def cut_face(image: npt.NDArray[np.uint8], box: Box) -> npt.NDArray[np.uint8]:
    """Return a face as the networks see it [shape=(256, 256), dtype=uint8], cut out of a gray image."""
    return crop_face(image, box, margin=FACE_MARGIN, size_px=FRAME_SIZE_PX)
