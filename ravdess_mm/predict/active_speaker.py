"""Which of several faces speaks: whose mouth moves when something is heard.

How much the lower face changes from frame to frame, less what the upper face does, is correlated with the loudness of
the voice over a segment; synchrony of lip movement and sound as in Cutler R, Davis L (2000), ICME, 1589-1592.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ravdess_mm.arrays import Floats
from ravdess_mm.audio.decoding import Samples
from ravdess_mm.audio.segmentation import Span

if TYPE_CHECKING:
    from ravdess_mm.video.decoding.frames import GrayFrame
    from ravdess_mm.video.faces import Box

LEAST_CORRELATION: Final = 0.3
"""Of the mouth of whoever speaks with the sound."""
LEAST_LEAD: Final = 0.3
"""By how much it is above that of everybody else."""
SMOOTHED_S: Final = 0.2
AROUND_S: Final = 0.5
"""What is looked at before and after a segment."""
FEWEST_FRAMES: Final = 12

_MOUTH: Final = (0.2, 0.62, 0.6, 0.38)  # left, top, width and height in shares of the box
_UPPER: Final = (0.2, 0.15, 0.6, 0.38)
_PATCH_PX: Final = (32, 20)


@dataclass(frozen=True)
class BoxPath:
    """Where a face is over time.

    Attributes
    ----------
    times_s : numpy.ndarray [shape=(n,)]
        When it was seen, rising.
    sides : numpy.ndarray [shape=(n, 4)]
        Left, top, width and height, in pixels.
    """

    times_s: Floats
    sides: Floats

    @classmethod
    def of(cls, times_s: Sequence[float], boxes: Sequence[Box]) -> BoxPath:
        """Take the boxes of some moments."""
        return cls(np.array(times_s), np.array([[box.x, box.y, box.width, box.height] for box in boxes]))

    def at(self, time_s: float) -> Floats | None:
        """Return the sides in between [shape=(4,)]; None where the face was not seen within a second."""
        if np.abs(self.times_s - time_s).min() > 1:
            return None
        return np.array([np.interp(time_s, self.times_s, side) for side in self.sides.T])


@dataclass(frozen=True)
class MouthMovement:
    """How much a mouth moves.

    Attributes
    ----------
    times_s : numpy.ndarray [shape=(n,)]
        Of the frames, rising.
    amounts : numpy.ndarray [shape=(n,)]
        Change of the lower face since the frame before, less that of the upper face; in grey levels.
    """

    times_s: Floats
    amounts: Floats


def measure_mouths(frames: Iterable[GrayFrame], paths: Mapping[int, BoxPath]) -> dict[int, MouthMovement]:
    """Measure how each face's mouth moves in every frame of a film."""
    rows: dict[int, list[tuple[float, float]]] = {face: [] for face in paths}
    before: dict[int, tuple[Floats, Floats]] = {}
    for frame in frames:
        for face, path in paths.items():
            sides = path.at(frame.time_s)
            if sides is None:
                before.pop(face, None)
                continue
            now = _patch(frame, sides, _MOUTH), _patch(frame, sides, _UPPER)
            if face in before:
                mouth, upper = (float(np.abs(a - b).mean()) for a, b in zip(now, before[face], strict=True))
                rows[face].append((frame.time_s, max(0.0, mouth - upper)))
            before[face] = now
    return {face: MouthMovement(*np.array(own).T) for face, own in rows.items() if own}


def find_speakers(
    movements: Mapping[int, MouthMovement], samples: Samples, sr: int, spans: Sequence[Span]
) -> list[int | None]:
    """Return whose mouth moves with the sound in each of several segments; None where that cannot be told."""
    hop = max(1, sr // 100)
    n = len(samples) // hop
    rms = np.sqrt((samples[: n * hop].reshape(n, hop).astype(np.float64) ** 2).mean(axis=1))
    loudness_times_s = (np.arange(n) + 0.5) * hop / sr
    found: list[int | None] = []
    for start_s, end_s in spans:
        scores = {}
        for face, movement in movements.items():
            inside = (movement.times_s >= start_s - AROUND_S) & (movement.times_s < end_s + AROUND_S)
            if inside.sum() < FEWEST_FRAMES or n < FEWEST_FRAMES:
                continue
            times_s = movement.times_s[inside]
            width = max(1, round(SMOOTHED_S / max(1e-3, float(np.median(np.diff(times_s))))))
            scores[face] = _correlation(
                _smooth(movement.amounts[inside], width),
                _smooth(np.interp(times_s, loudness_times_s, rms), width),
            )
        best = max(scores, key=lambda face: scores[face], default=None)
        others = [score for face, score in scores.items() if face != best]
        is_told = best is not None and scores[best] >= LEAST_CORRELATION
        found.append(
            best if is_told and best is not None and scores[best] >= max(others, default=0.0) + LEAST_LEAD else None
        )
    return found


def _patch(frame: GrayFrame, sides: Floats, part: tuple[float, float, float, float]) -> Floats:
    import cv2

    x, y, width, height = sides
    left, top, across, down = part
    size = (max(2, round(across * width)), max(2, round(down * height)))
    centre = (x + (left + across / 2) * width, y + (top + down / 2) * height)
    cut = cv2.getRectSubPix(frame.image, size, centre)
    return np.asarray(cv2.resize(cut, _PATCH_PX, interpolation=cv2.INTER_AREA), dtype=np.float64)


def _smooth(values: Floats, width: int) -> Floats:
    return np.convolve(values, np.ones(width) / width, mode="same")


def _correlation(one: Floats, other: Floats) -> float:
    if one.std() < 1e-9 or other.std() < 1e-9:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])
