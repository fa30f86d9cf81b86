"""Pictures in memory, read like the frames of a film."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from ravdess_mm.errors import InputError, MediaError

if TYPE_CHECKING:
    from ravdess_mm.predict.faces import FrameSource
    from ravdess_mm.video.decoding.frames import GrayFrame

FPS: Final = 30_000 / 1001
"""Frames a second of the films that the models' frame step was chosen for."""


def frame_source(frames: Sequence[npt.ArrayLike] | npt.ArrayLike, fps: float) -> tuple[FrameSource, float]:
    """Return what gives every n-th of some pictures, and how long they last in seconds.

    Parameters
    ----------
    frames : array-like [shape=(n, height, width, 3) or (n, height, width), dtype=uint8]
        Blue, green, red, or gray.
    fps : float
        Frames a second. Where it is not `FPS`, as many seconds are stepped over as there.

    Raises
    ------
    InputError
        If there is no frame or `fps` is not positive; of a frame of another shape or type, when it is read.
    """
    pictures: Any = frames if isinstance(frames, Sequence) else np.asarray(frames)
    if not math.isfinite(fps) or fps <= 0:
        raise InputError(f"fps is {fps}; allowed: above 0")
    if isinstance(pictures, np.ndarray) and pictures.ndim not in (3, 4):
        raise InputError(f"frames have shape {pictures.shape}; allowed: (n, height, width, 3) or (n, height, width)")
    if not len(pictures):
        raise InputError("no frames; allowed: one or more")

    def source(frame_step: int) -> Iterator[GrayFrame]:
        from ravdess_mm.video.decoding.frames import GrayFrame
        from ravdess_mm.video.decoding.gray import as_gray, is_black

        is_empty = True
        for number in range(0, len(pictures), max(1, round(frame_step * fps / FPS))):
            image = as_gray(np.asarray(pictures[number]))
            if not is_black(image):
                is_empty = False
                yield GrayFrame(number, number / fps, image)
        if is_empty:
            raise MediaError("all sampled frames are black")

    return source, len(pictures) / fps
