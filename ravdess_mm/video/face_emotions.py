"""Emotions of the faces in pictures and films, with the interface of ``fer``.

What a face expresses is the answer of the face network that ships, as :mod:`ravdess_mm.predict` gives it for a frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Final, TypedDict

import numpy as np
import numpy.typing as npt
import pandas as pd

from ravdess_mm.arrays import Floats
from ravdess_mm.bundles.pretrained import SHIPPED, need_pretrained
from ravdess_mm.config import FaceDetector
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.errors import InputError, MediaError
from ravdess_mm.predictions import PROBABILITIES
from ravdess_mm.video.decoding.frames import iter_frames
from ravdess_mm.video.decoding.gray import as_gray
from ravdess_mm.video.embeddings import AT_A_TIME, Embedder, load_embedder
from ravdess_mm.video.faces import Box, GrayImage, make_detector
from ravdess_mm.video.frame_store.sampling import cut_face

BOX_COLUMNS: Final = ("box_x", "box_y", "box_w", "box_h")
"""Left, top, width and height of a face in pixels."""
COLUMNS: Final = ("frame", "time_s", "face", *BOX_COLUMNS, *PROBABILITIES)
"""The columns of `FaceEmotions.analyze_video`."""
NO_FACE: Final = -1
"""The number of the face in the row of a frame without one."""


class FaceEmotion(TypedDict):
    """One face of a picture: where it is (left, top, width, height in pixels), and each emotion's probability."""

    box: tuple[int, int, int, int]
    emotions: dict[str, float]


class FaceEmotions:
    """Finds faces and says what they express.

    Parameters
    ----------
    detector : FaceDetector or str
        What finds the faces: ``haar``, or ``mtcnn``, which is an extra. Either looks for faces down to a tenth of the
        picture's short side.

    Raises
    ------
    InputError
        If the detector is unknown or not installed.

    Examples
    --------
    >>> faces = FaceEmotions(detector="haar")
    >>> faces.detect_emotions("group.jpg")[0]["box"]  # doctest: +SKIP
    (212, 80, 164, 164)
    """

    def __init__(self, *, detector: FaceDetector | str = FaceDetector.HAAR) -> None:
        self._detect = make_detector(detector, every_face=True)

    @cached_property
    def _embedder(self) -> Embedder:
        return load_embedder(need_pretrained(SHIPPED))

    def detect_emotions(self, image: npt.NDArray[np.uint8] | str | Path) -> list[FaceEmotion]:
        """Return the faces of a picture with their emotions, the biggest first; an empty list where there is none.

        Parameters
        ----------
        image : numpy.ndarray or path
            Pixels [shape=(height, width, 3), dtype=uint8] in the order blue, green, red, as OpenCV reads them, or gray
            [shape=(height, width), dtype=uint8]; or a picture file.

        Returns
        -------
        list of dict
            ``box`` is (left, top, width, height) in whole pixels inside of the picture; ``emotions`` has the eight
            emotions of `EMOTIONS`, whose probabilities sum to 1.

        Raises
        ------
        InputError
            If it is no picture.
        """
        gray = _read_gray(Path(image)) if isinstance(image, str | Path) else as_gray(image)
        boxes = self._boxes(gray)
        probabilities = self._answer([cut_face(gray, box) for box in boxes])
        return [
            {"box": _inside(box, gray), "emotions": dict(zip(EMOTIONS, map(float, row), strict=True))}
            for box, row in zip(boxes, probabilities, strict=True)
        ]

    def top_emotion(self, image: npt.NDArray[np.uint8] | str | Path) -> tuple[str, float] | tuple[None, None]:
        """Return the most probable emotion of the biggest face and its probability; (None, None) without a face.

        Parameters and errors are those of `detect_emotions`.
        """
        faces = self.detect_emotions(image)
        if not faces:
            return None, None
        emotions = faces[0]["emotions"]
        label = max(emotions, key=lambda emotion: emotions[emotion])
        return label, emotions[label]

    def analyze_video(self, path: str | Path, *, frame_step: int = 1) -> pd.DataFrame:
        """Return every face of every frame of a film.

        Parameters
        ----------
        path : str or Path
            Any film that FFmpeg reads.
        frame_step : int
            Look at every `frame_step`-th frame, at least 1.

        Returns
        -------
        pandas.DataFrame
            The columns `COLUMNS`, one row a frame and face, the biggest face first: ``frame`` (its number in the film,
            from 0), ``time_s`` (seconds after the first frame), ``face`` (0, 1, ... within the frame), its box in
            pixels, and the probabilities ``p_neutral`` ... ``p_surprised``, which sum to 1. A frame without a face has
            one row, whose ``face`` is -1 and whose box and probabilities are NaN.

        Raises
        ------
        InputError
            If `frame_step` is below 1.
        MediaError
            If the file is no film, or damaged.
        """
        rows: list[list[float]] = []
        cut: list[GrayImage] = []
        answers: list[Floats] = []
        try:
            for frame in iter_frames(path, frame_step=frame_step, skip_black=False):
                boxes = self._boxes(frame.image)
                for number, box in enumerate(boxes):
                    rows.append([frame.number, frame.time_s, number, *_inside(box, frame.image)])
                    cut.append(cut_face(frame.image, box))
                if not boxes:
                    rows.append([frame.number, frame.time_s, NO_FACE, *[np.nan] * len(BOX_COLUMNS)])
                if len(cut) >= AT_A_TIME:
                    answers.append(self._answer(cut))
                    cut = []
        except MediaError as error:
            raise MediaError(f"{path}: {error}") from error
        answers.append(self._answer(cut))
        table = pd.DataFrame(rows, columns=list(COLUMNS[: -len(EMOTIONS)])).astype({"frame": int, "face": int})
        probabilities = np.full((len(rows), len(EMOTIONS)), np.nan)
        probabilities[table["face"] != NO_FACE] = np.concatenate(answers)
        table[list(PROBABILITIES)] = probabilities
        return table

    def _boxes(self, gray: GrayImage) -> list[Box]:
        return sorted(self._detect(gray), key=lambda box: (-box.area, box.x, box.y))

    def _answer(self, faces: Sequence[GrayImage]) -> Floats:
        """Return the probabilities of faces cut out [shape=(n, 8)], in the order of `EMOTIONS`."""
        if not faces:
            return np.empty((0, len(EMOTIONS)))
        return self._embedder.zero_shot(self._embedder.describe(np.stack(faces)))


def _inside(box: Box, image: GrayImage) -> tuple[int, int, int, int]:
    """Return a box in whole pixels, without what lies outside of the image."""
    height, width = image.shape
    left, top = max(0, round(box.x)), max(0, round(box.y))
    right, bottom = min(width, round(box.x + box.width)), min(height, round(box.y + box.height))
    return left, top, right - left, bottom - top


def _read_gray(path: Path) -> GrayImage:
    """Read a picture, turned upright; of a film, its first frame."""
    import cv2

    try:
        # not `cv2.imread`, which cannot open every name
        picture = cv2.imdecode(np.fromfile(path, dtype=np.uint8), cv2.IMREAD_GRAYSCALE)
    except (OSError, cv2.error) as error:
        raise InputError(f"{path}: not a picture that can be read ({error})") from error
    if picture is not None:
        return np.asarray(picture, dtype=np.uint8)
    try:
        return next(iter_frames(path, frame_step=1, skip_black=False)).image
    except MediaError as error:
        raise InputError(f"{path}: not a picture that can be read ({error})") from error
