"""Who is who from frame to frame: faces with identities, found now and then and followed in between.

A box belongs to the face of the frame before whose centre and size are close to it. Between two searches a face is
followed by the place where its picture fits best (normalised cross-correlation), in a frame as small as the detector
searches: a twentieth of the work of a search.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from ravdess_mm.config import FaceDetector
from ravdess_mm.video.faces import MAX_CARRY, Box, Detector, GrayImage, make_detector

SEARCH_EVERY: Final = 10
"""Frames from one search for faces to the next, where every frame is looked at."""
FINE_EVERY: Final = 10
"""Searches from one for small faces to the next, as long as none is there: each costs as much as three others."""

_FAR: Final = 0.7  # of the longer side: centres of one face's boxes are closer
_JUMP: Final = 2.5  # the same of the only face of two frames in a row
_GROWN: Final = 1.8  # sides of one face's boxes differ by less
_FOLLOWED_PX: Final = 180  # short side of the frame in which faces are followed
_REACH: Final = 0.25  # of a box's side: how far a face moves from frame to frame
_FITS: Final = 0.5  # lowest correlation of a face that is still there
_FORGOTTEN: Final = 3  # searches in a row that miss a followed face
_REMEMBERED: Final = 200  # searches after which a face that is gone gets another number when it returns
_SHARE: Final = 0.1  # of the frames in which a face is seen by chance


@dataclass(frozen=True)
class TrackedFace:
    """One face of one frame.

    Attributes
    ----------
    face : int
        Its identity: 1, 2, ... in the order in which faces appear, the largest first.
    box : Box
        Where it is, in pixels.
    is_found : bool
        Whether it was found in this frame, not carried over or followed from an earlier one.
    """

    face: int
    box: Box
    is_found: bool


@dataclass
class FaceTracker:
    """Gives the boxes of successive frames of one film their identities.

    Attributes
    ----------
    max_carry : int
        Over how many searches in a row a box is carried that is not found again.
    """

    max_carry: int = MAX_CARRY
    _last: dict[int, Box] = field(default_factory=dict)
    _missed: dict[int, int] = field(default_factory=dict)
    _n_faces: int = 0

    def update(self, boxes: Iterable[Box]) -> list[TrackedFace]:
        """Return the faces of the next frame: those found, and those carried over."""
        left = sorted(boxes, key=lambda box: (-box.area, box.x, box.y))
        pairs = sorted(
            (_apart(self._last[face], box), face, number) for face in self._last for number, box in enumerate(left)
        )
        matches: dict[int, Box] = {}
        taken: set[int] = set()
        for apart, face, number in pairs:
            if apart < _FAR and face not in matches and number not in taken:
                matches[face] = left[number]
                taken.add(number)
        seen = [face for face, missed in self._missed.items() if not missed]
        if len(seen) == len(left) == 1 and not matches and _apart(self._last[seen[0]], left[0]) < _JUMP:
            matches[seen[0]] = left[0]
            taken.add(0)
        for number, box in enumerate(left):
            if number not in taken:
                self._n_faces += 1
                matches[self._n_faces] = box
        for face in {**self._last, **matches}:
            self._missed[face] = 0 if face in matches else self._missed[face] + 1
        self._last = {**self._last, **matches}
        for face in [face for face, missed in self._missed.items() if missed > _REMEMBERED]:
            del self._missed[face], self._last[face]
        return [
            TrackedFace(face, box, is_found=face in matches)
            for face, box in self._last.items()
            if self._missed[face] <= self.max_carry
        ]

    def move(self, face: int, box: Box) -> None:
        """Say where a face has moved since the last search."""
        self._last[face] = box


def find_all_faces(
    frames: Iterable[GrayImage], *, detector: FaceDetector | Detector = FaceDetector.HAAR
) -> Iterator[list[TrackedFace]]:
    """Yield the faces of frames of one film, searching each.

    Parameters
    ----------
    frames : iterable of numpy.ndarray [shape=(height, width), dtype=uint8]
        Gray, in the order of time.
    detector : FaceDetector or Detector
        By name, or itself. By name, small faces are searched in every `FINE_EVERY`-th frame until one is seen.
    """
    tracker, search = FaceTracker(), _Search(detector)
    for frame in frames:
        yield tracker.update(search(frame))


def follow_faces(
    frames: Iterable[GrayImage], *, detector: FaceDetector | Detector = FaceDetector.HAAR, every: int = SEARCH_EVERY
) -> Iterator[list[TrackedFace]]:
    """Yield the faces of every frame of one film, searching every `every`-th and following them in between.

    Parameters
    ----------
    frames, detector
        As for `find_all_faces`; the frames follow each other closely.
    every : int
        At least 1. Where a face is lost, the next frame is searched.
    """
    tracker, search = FaceTracker(max_carry=_FORGOTTEN), _Search(detector)
    patches: dict[int, _Patch] = {}
    due = 0
    for number, frame in enumerate(frames):
        small = _Small.of(frame)
        is_lost = False
        for face, patch in list(patches.items()):
            moved = patch.follow(small)
            if moved is None:
                del patches[face]
                is_lost = True
            else:
                patches[face] = moved
                tracker.move(face, moved.box)
        if number >= due or is_lost:
            due = number + every
            patches = {
                one.face: _Patch.cut(small, _steady(patches.get(one.face), one.box))
                for one in tracker.update(search(frame))
                if one.is_found or one.face in patches
            }
            for face, patch in patches.items():
                tracker.move(face, patch.box)
        yield [TrackedFace(face, patch.box, is_found=number + every == due) for face, patch in patches.items()]


def steady_faces(n_frames: dict[int, int], total: int) -> set[int]:
    """Return the faces that are seen often enough to be somebody's.

    Parameters
    ----------
    n_frames : dict of int to int
        In how many frames each face was found.
    total : int
        Frames that were searched. Of three or more, a face is in two at least and in `_SHARE` of them; where no face
        is, the one found most often counts.
    """
    needed = max(min(2, total // 2 + 1), _SHARE * total) if total > 2 else 1
    faces = {face for face, n in n_frames.items() if n >= needed}
    return faces or set(sorted(n_frames, key=lambda face: (-n_frames[face], face))[:1])


class _Search:
    """A detector that looks for small faces now and then, or always where there are some."""

    def __init__(self, detector: FaceDetector | Detector) -> None:
        by_name = isinstance(detector, FaceDetector)
        self._large: Detector = make_detector(detector) if isinstance(detector, FaceDetector) else detector
        self._all: Detector = (
            make_detector(detector, every_face=True) if isinstance(detector, FaceDetector) else detector
        )
        self._n = 0
        self._has_small = not by_name

    def __call__(self, frame: GrayImage) -> list[Box]:
        is_fine = self._has_small or self._n % FINE_EVERY == 0
        self._n += 1
        boxes = (self._all if is_fine else self._large)(frame)
        if is_fine:
            self._has_small = len(boxes) > 1 and min(box.width for box in boxes) < 0.2 * min(frame.shape)
        return boxes


@dataclass(frozen=True)
class _Small:
    """A frame as faces are followed in it, and its size as a share of what it was."""

    image: GrayImage
    scale: float

    @classmethod
    def of(cls, frame: GrayImage) -> _Small:
        import cv2

        scale = min(1.0, _FOLLOWED_PX / min(frame.shape))
        size = (max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale)))
        return cls(np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), dtype=np.uint8), scale)

    def window(self, box: Box, reach: float = 0.0) -> tuple[int, int, GrayImage]:
        """Return left and top edge of a box with what is `reach` of its side around it, and that part of the image."""
        left = max(0, round((box.x - reach * box.width) * self.scale))
        top = max(0, round((box.y - reach * box.height) * self.scale))
        right = round((box.x + (1 + reach) * box.width) * self.scale)
        bottom = round((box.y + (1 + reach) * box.height) * self.scale)
        return left, top, self.image[top : max(top, bottom), left : max(left, right)]


@dataclass(frozen=True)
class _Patch:
    """A face as it looked when it was last found, and where it is."""

    box: Box
    image: GrayImage
    offset: tuple[int, int]

    @classmethod
    def cut(cls, small: _Small, box: Box) -> _Patch:
        left, top, image = small.window(box)
        return cls(box, image.copy(), (round(box.x * small.scale) - left, round(box.y * small.scale) - top))

    def follow(self, small: _Small) -> _Patch | None:
        """Return the face where it is in the next frame; None where it is not."""
        import cv2

        left, top, window = small.window(self.box, _REACH)
        if min(self.image.shape) < 4 or any(a < b for a, b in zip(window.shape, self.image.shape, strict=True)):
            return None
        fits = np.asarray(cv2.matchTemplate(window, self.image, cv2.TM_CCOEFF_NORMED))
        _, best, _, (x, y) = cv2.minMaxLoc(fits)
        if not best >= _FITS:
            return None
        x, y = (left + x + self.offset[0]) / small.scale, (top + y + self.offset[1]) / small.scale
        still = abs(x - self.box.x) * small.scale < 1.5 and abs(y - self.box.y) * small.scale < 1.5
        return self if still else replace(self, box=Box(x, y, self.box.width, self.box.height))


def _steady(patch: _Patch | None, box: Box) -> Box:
    """Return the mean of where a face was followed to and where it was found, so that its box does not jump."""
    if patch is None or _apart(patch.box, box) >= _FAR:
        return box
    sides = zip(
        (patch.box.x, patch.box.y, patch.box.width, patch.box.height),
        (box.x, box.y, box.width, box.height),
        strict=True,
    )
    return Box(*((was + now) / 2 for was, now in sides))


def _apart(one: Box, other: Box) -> float:
    """Return how far apart two boxes are, in sides of the larger; infinite where their sizes differ too much."""
    longer, shorter = max(one.width, other.width), min(one.width, other.width)
    if longer > _GROWN * shorter:
        return float("inf")
    x = one.x + one.width / 2 - other.x - other.width / 2
    y = one.y + one.height / 2 - other.y - other.height / 2
    return float(np.hypot(x, y)) / longer


def largest(faces: Sequence[TrackedFace]) -> TrackedFace | None:
    """Return the largest face of a frame; None where there is none."""
    return max(faces, key=lambda one: one.box.area, default=None)
