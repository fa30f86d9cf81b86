"""The drawn faces of the synthetic sample.

Drawn at twice the size and averaged down, so that every edge is smooth. The origin is the middle of the face, the
unit half its height; x goes to the right, y down.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ravdess_mm.corpus.sample_hair import draw_hair_behind, draw_hair_in_front
from ravdess_mm.corpus.sample_look import Colour, Look, look
from ravdess_mm.corpus.sample_pen import Floats, Image, Pen, bow, mix, oval, shade
from ravdess_mm.corpus.sample_pose import Pose
from ravdess_mm.corpus.sample_script import Script, Stream, take_rng

FRAME_SIZE_PX: Final = 288
"""Width and height of a frame, in pixels."""

_OVERSAMPLING: Final = 2
_SHIFTS_PX: Final = 64
_MOUTH: Final[Colour] = (98, 30, 36)
_TEETH: Final[Colour] = (250, 248, 240)
_TONGUE: Final[Colour] = (206, 96, 98)
_INK: Final[Colour] = (34, 26, 28)


def draw_faces(script: Script, poses: Sequence[Pose]) -> Iterator[Image]:
    """Draw one picture a pose, as a camera sees it: light from a side, a little noise.

    Parameters
    ----------
    script : Script
        The take; it says who is drawn.
    poses : sequence of Pose
        The moments to draw.

    Yields
    ------
    NDArray [shape=(FRAME_SIZE_PX * 3 // 2, FRAME_SIZE_PX)]
        YUV 4:2:0 with the planes one below the other (I420), as video encoders take it, 0-255.
    """
    import cv2

    person = look(script.take.actor)
    rng = take_rng(script.take, Stream.CAMERA)
    centre = (0.5 + rng.normal(0.0, 0.01), 0.52 + rng.normal(0.0, 0.01))
    unit = 0.45 * (1.0 + rng.normal(0.0, 0.015))
    light = _light(rng)
    noise = _noise(rng)
    size_px = FRAME_SIZE_PX * _OVERSAMPLING
    backdrop = np.empty((size_px, size_px, 3), np.uint8)
    backdrop[:] = person.backdrop
    for pose in poses:
        canvas = backdrop.copy()
        draw_person(canvas, person, pose, centre=centre, unit=unit)
        small = cv2.resize(canvas, (FRAME_SIZE_PX, FRAME_SIZE_PX), interpolation=cv2.INTER_AREA)
        row, column = rng.integers(0, _SHIFTS_PX, 2)
        grain = noise[row : row + FRAME_SIZE_PX, column : column + FRAME_SIZE_PX]
        picture: Image = cv2.cvtColor(small, cv2.COLOR_RGB2YUV_I420)
        luma = picture[:FRAME_SIZE_PX]
        cv2.multiply(luma, light, dst=luma, dtype=cv2.CV_8U)
        cv2.add(luma, grain, dst=luma, dtype=cv2.CV_8U)
        yield picture


def _light(rng: np.random.Generator) -> NDArray[np.float32]:
    """Return the light on each pixel: brighter to one side, darker in the corners [shape=(size, size)]."""
    place = np.linspace(-1.0, 1.0, FRAME_SIZE_PX)
    angle = rng.uniform(0, 2 * np.pi)
    slope = rng.uniform(0.02, 0.09)
    level = rng.normal(1.0, 0.035)
    side = slope * (np.cos(angle) * place[None, :] + np.sin(angle) * place[:, None])
    corners = 0.08 * (place[None, :] ** 2 + place[:, None] ** 2)
    return np.asarray(level + side - corners, dtype=np.float32)


def _noise(rng: np.random.Generator) -> NDArray[np.int16]:
    """Return the sensor noise of a clip, larger than a frame: each frame shows another part of it."""
    side_px = FRAME_SIZE_PX + _SHIFTS_PX
    grain = rng.normal(0.0, rng.uniform(2.0, 4.5), (side_px, side_px))
    return np.asarray(np.round(grain), dtype=np.int16)


def draw_person(canvas: Image, person: Look, pose: Pose, *, centre: tuple[float, float], unit: float) -> None:
    """Draw head and shoulders of a person on an RGB canvas, in place.

    Parameters
    ----------
    canvas : NDArray [shape=(size, size, 3)]
        The backdrop.
    person : Look
        Who.
    pose : Pose
        In which moment.
    centre : tuple of float
        Where the middle of the face is, in parts of the canvas.
    unit : float
        Half a face's height, in parts of the canvas.
    """
    head = Pen(canvas, centre=centre, unit=unit, pose=pose)
    draw_hair_behind(head, person)
    _body(Pen(canvas, centre=centre, unit=unit), person)
    _head(head, person, pose)
    for side in (-1, 1):
        _eye(head, person, pose, side)
    _nose(head, person, pose)
    _mouth(head, person, pose)
    draw_hair_in_front(head, person)
    for side in (-1, 1):
        _brow(head, person, pose, side)
    if person.glasses:
        _glasses(head, person)


def _body(pen: Pen, person: Look) -> None:
    pen.fill(shade(person.skin, 0.8), np.array([(-0.3, 0.6), (0.3, 0.6), (0.36, 1.3), (-0.36, 1.3)]))
    shoulders = np.concatenate([bow((-1.3, 1.45), 1.02, (1.3, 1.45)), [(1.3, 2.0), (-1.3, 2.0)]])
    pen.fill(person.shirt, shoulders)
    pen.fill(shade(person.skin, 0.88), bow((-0.34, 1.08), 1.3, (0.34, 1.08)))


def _outline(person: Look) -> Floats:
    """Return the outline of the head: an egg, narrower towards the chin."""
    outline = oval(0.0, 0.0, person.half_width, 1.0, 72)
    below = np.clip(outline[:, 1], 0.0, 1.0)
    outline[:, 0] *= 1.0 - person.jaw * below**1.5
    return outline


def _head(pen: Pen, person: Look, pose: Pose) -> None:
    edge = shade(person.skin, 0.62)
    for side in (-1, 1):
        ear = oval(side * (person.half_width + 0.02), 0.02, 0.13, 0.19)
        pen.fill(shade(person.skin, 0.93), ear, depth=0.2)
        pen.line(edge, ear, 0.02, depth=0.2, closed=True)
    outline = _outline(person)
    pen.fill(edge, outline * 1.012, depth=0.5)
    pen.fill(person.skin, outline * 0.99, depth=0.5)
    if person.goatee:
        chin = np.concatenate([bow((-0.3, 0.84), 0.74, (0.3, 0.84)), bow((0.3, 0.84), 1.0, (-0.3, 0.84))])
        pen.fill(mix(person.skin, person.hair, 0.6), chin, depth=0.8)
    if min(pose.inner_brow, pose.outer_brow + 0.6) > 0.5:
        furrow = mix(person.skin, edge, pose.inner_brow - 0.3)
        pen.line(furrow, bow((-0.34, -0.76), -0.79, (0.34, -0.76)), 0.016, depth=0.7)
    cheek = mix(person.skin, (226, 84, 84), 0.12 + 0.2 * pose.flush)
    lift = 0.06 * max(pose.squint, 0.0)
    for side in (-1, 1):
        pen.fill(cheek, oval(side * 0.46, 0.3 - lift, 0.17, 0.12), depth=0.9)
        if person.freckles:
            for x, y in ((0.38, 0.22), (0.46, 0.28), (0.54, 0.23), (0.45, 0.2)):
                pen.fill(shade(person.skin, 0.7), oval(side * x, y, 0.016, 0.016, 10), depth=0.9)


def _eye(pen: Pen, person: Look, pose: Pose, side: int) -> None:
    size, x = person.eye_size, side * person.eye_x
    half_width, y = 0.26 * size, -0.1
    top = 0.19 * size * float(np.clip(pose.eyes, 0.03, 1.6))
    bottom = 0.14 * size * float(np.clip((1.0 - 0.75 * pose.squint) * min(1.0, 0.3 + pose.eyes), 0.06, 1.3))
    share = np.linspace(-1.0, 1.0, 21)
    arch = (1.0 - share**2) ** 0.7
    upper = np.stack([x + half_width * share, y - top * arch], axis=1)
    lower = np.stack([x + half_width * share, y + bottom * arch], axis=1)[::-1]
    almond = np.concatenate([upper, lower])
    iris_x = x + 0.08 * pose.gaze_x
    iris_y = y - 0.015 + 0.06 * pose.gaze_y
    pen.fill((250, 250, 250), almond)
    pen.fill(person.iris, oval(iris_x, iris_y, 0.125, 0.125))
    pen.fill((16, 14, 18), oval(iris_x, iris_y, 0.065, 0.065, 20))
    pen.fill((255, 255, 255), oval(iris_x - 0.035, iris_y - 0.035, 0.022, 0.022, 12))
    # lids: what of the iris lies outside the almond disappears under them
    socket = oval(x, y - 0.01, half_width + 0.03, max(top, bottom, 0.17) + 0.03)
    pen.fill(shade(person.skin, 0.95), socket, almond)
    pen.line(shade(person.skin, 0.55), lower, 0.014)
    pen.line(_INK, upper, 0.045 if person.lips == 1.0 else 0.034)


def _brow(pen: Pen, person: Look, pose: Pose, side: int) -> None:
    inner_y = -0.45 - 0.18 * pose.inner_brow + 0.16 * pose.frown
    outer_y = -0.42 - 0.17 * pose.outer_brow + 0.02 * pose.frown
    middle_y = (inner_y + outer_y) / 2 - 0.05
    inner_x = side * (0.15 - 0.055 * max(pose.frown, 0.0))
    outer_x = side * 0.64
    thick = 0.058 * person.brow_width
    above = bow((inner_x, inner_y - thick), middle_y - thick, (outer_x, outer_y))
    below = bow((outer_x, outer_y), middle_y + thick, (inner_x, inner_y + thick))
    dark = shade(person.hair, 0.75) if sum(person.hair) < sum(person.skin) * 0.5 else shade(person.hair, 0.6)
    pen.fill(dark, np.concatenate([above, below]))
    crease = mix(person.skin, shade(person.skin, 0.55), (pose.frown - 0.2) * 1.2)
    if pose.frown > 0.3:
        pen.line(crease, np.array([(side * 0.05, -0.42), (side * 0.065, -0.24)]), 0.02)


def _nose(pen: Pen, person: Look, pose: Pose) -> None:
    size, lift = person.nose, 0.05 * pose.wrinkle
    ink = shade(person.skin, 0.58)
    tip_y = 0.26 - lift
    pen.line(ink, bow((-0.11 * size, tip_y - 0.02), tip_y + 0.06, (0.11 * size, tip_y - 0.02)), 0.028, depth=1.5)
    pen.line(shade(person.skin, 0.8), np.array([(0.06, -0.02), (0.09 * size, tip_y - 0.06)]), 0.022, depth=1.3)
    if pose.wrinkle > 0.3:
        crease = mix(person.skin, ink, pose.wrinkle)
        for y in (-0.1, -0.01):
            pen.line(crease, bow((-0.085, y), y + 0.035, (0.085, y)), 0.02, depth=1.2)
    folds = max(pose.wrinkle, 0.8 * pose.corners) - 0.25
    if folds > 0:
        crease = mix(person.skin, ink, folds)
        for side in (-1, 1):
            fold = np.array([(side * 0.15, tip_y - 0.02), (side * 0.31, tip_y + 0.05), (side * 0.42, tip_y + 0.17)])
            pen.line(crease, fold, 0.02)


def _mouth(pen: Pen, person: Look, pose: Pose) -> None:
    y = person.mouth_y
    half_width = 0.37 * person.mouth_width * float(np.clip(1.0 + 0.32 * pose.width + 0.1 * pose.corners, 0.45, 1.6))
    corner_y = y - 0.15 * pose.corners
    sneer = 0.11 * max(pose.wrinkle, 0.0)
    upper_y = y + 0.04 * pose.corners - 0.07 * pose.opening - sneer
    lower_y = max(y + 0.09 * pose.corners + 0.31 * pose.opening - 0.4 * sneer, upper_y + 0.006)
    left, right = (-half_width, corner_y), (half_width, corner_y - 0.5 * sneer)
    upper, lower = bow(left, upper_y, right), bow(left, lower_y, right)

    lip = mix(person.skin, (178, 60, 70), 0.5 * person.lips + 0.1)
    lip = shade(lip, 0.85)
    pen.fill(lip, np.concatenate([bow(left, upper_y - 0.05 - 0.02 * person.lips, right), upper[::-1]]))
    pen.fill(lip, np.concatenate([lower, bow(left, lower_y + 0.07 + 0.03 * person.lips, right)[::-1]]))
    gap = lower[:, 1] - upper[:, 1]
    if gap.max() > 0.02:
        pen.fill(_MOUTH, np.concatenate([upper, lower[::-1]]))
        tongue = np.stack([upper[:, 0], np.maximum(lower[:, 1] - 0.35 * gap, upper[:, 1])], axis=1)[3:-3]
        pen.fill(_TONGUE, np.concatenate([tongue, lower[3:-3][::-1]]))
        if pose.tongue > 0.2:
            reach = 0.2 * pose.tongue
            out = oval(0.1 * half_width, float(lower[5, 1]) + 0.3 * reach, 0.12 + 0.2 * reach, 0.05 + reach)
            pen.fill(shade(_TONGUE, 0.75), out * (1.0, 1.012))
            pen.fill(_TONGUE, out)
        if pose.teeth > 0.25:
            _teeth(pen, upper, lower, clenched=pose.teeth > 0.75 and pose.frown > 0.5)
    pen.line(_INK, upper, 0.024)
    if gap.max() > 0.02:
        pen.line(shade(lip, 0.6), lower, 0.014)


def _teeth(pen: Pen, upper: Floats, lower: Floats, *, clenched: bool) -> None:
    gap = lower[:, 1] - upper[:, 1]
    height = gap if clenched else np.minimum(gap, 0.11)
    edge = np.stack([upper[:, 0], upper[:, 1] + height], axis=1)
    pen.fill(_TEETH, np.concatenate([upper, edge[::-1]]))
    if clenched:
        for place in range(2, len(upper) - 2, 2):
            pen.line((150, 140, 140), np.array([upper[place], lower[place]]), 0.012)
        pen.line((150, 140, 140), (upper + lower) / 2, 0.014)


def _glasses(pen: Pen, person: Look) -> None:
    for side in (-1, 1):
        pen.line(_INK, oval(side * person.eye_x, -0.08, 0.31, 0.28), 0.026, depth=1.2, closed=True)
    pen.line(_INK, bow((-0.08, -0.1), -0.13, (0.08, -0.1)), 0.026, depth=1.2)
