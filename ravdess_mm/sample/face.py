"""The drawn faces of the synthetic sample: who is drawn, how the face moves, and the pictures.

The origin of a face is its middle, the unit half its height; x goes to the right, y down.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ravdess_mm.arrays import Floats
from ravdess_mm.corpus.identifier import Emotion, Sex, actor_sex
from ravdess_mm.sample.script import Script, Stream, actor_rng, take_rng

FRAME_SIZE_PX: Final = 288
"""Width and height of a frame, in pixels."""

_SUBPIXEL_BITS: Final = 4
_TURN: Final = np.linspace(0, 2 * np.pi, 32, endpoint=False)
_CIRCLE: Final = np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1)
_SHARE: Final = np.linspace(0.0, 1.0, 15)[:, None]

Image = NDArray[np.uint8]
Point = tuple[float, float]


class Pose(NamedTuple):
    """One moment of a face, in parts of a feature's travel; the numbers are those of the action units of FACS."""

    inner_brow: float  # raised; AU1
    outer_brow: float  # raised; AU2
    frown: float  # brows lowered and drawn together; AU4
    lids: float  # upper lids raised or, below 0, lowered; AU5
    squint: float  # lower lids raised; AU6, AU7
    wrinkle: float  # nose wrinkled, upper lip raised; AU9, AU10
    corners: float  # mouth corners up (AU12) or down (AU15)
    jaw: float  # open; AU26
    width: float  # mouth stretched (AU20) or rounded (AU18)
    teeth: float  # how much of the teeth shows; AU25
    tilt_deg: float  # head tilted towards a shoulder


EXPRESSIONS: Final[Mapping[Emotion, Pose]] = {
    Emotion.NEUTRAL: Pose(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    Emotion.CALM: Pose(0.2, 0.2, 0, -0.5, 0.1, 0, 0.7, 0, 0.1, 0, 5),
    Emotion.HAPPY: Pose(0.4, 0.4, 0, -0.1, 0.8, 0, 1.3, 0.5, 0.6, 1.0, -3),
    Emotion.SAD: Pose(1.1, -0.8, 0.2, -0.4, 0.1, 0, -1.3, 0, -0.2, 0, 8),
    Emotion.ANGRY: Pose(-0.4, 0.5, 1.4, -0.1, 0.5, 0.2, -0.6, 0.4, 0.2, 1.0, 0),
    Emotion.FEARFUL: Pose(1.3, 0.4, 0.4, 0.5, 0.1, 0, -0.7, 0.5, 0.7, 0.6, -4),
    Emotion.DISGUST: Pose(-0.3, -0.4, 0.7, -0.5, 0.8, 1.3, -0.5, 0.2, -0.3, 0, -8),
    Emotion.SURPRISED: Pose(1.0, 1.2, -0.2, 0.6, 0, 0, 0, 1.2, -0.6, 0, 0),
}
"""What each emotion looks like at full strength (Ekman P, Friesen WV (1978), *Facial Action Coding System*)."""

_SPREAD: Final = Pose(0.15, 0.15, 0.12, 0.07, 0.1, 0.1, 0.15, 0.06, 0.1, 0.1, 2.0)


class Look(NamedTuple):
    """What an actor looks like; colours are shades of gray, 0-1, lengths in units of half a face's height."""

    skin: float
    hair: float
    shirt: float
    backdrop: float
    half_width: float
    long_hair: bool
    brow: float
    mouth: float


def look(actor: int) -> Look:
    """Draw the looks of an actor; shades go round, so that neighbours differ."""
    rng = actor_rng(actor, Stream.FACE)
    man = actor_sex(actor) is Sex.MALE
    return Look(
        skin=0.62 + 0.055 * (actor * 3 % 7),
        hair=0.1 + 0.09 * (actor * 2 % 5),
        shirt=0.15 + 0.12 * (actor * 5 % 7),
        backdrop=0.3 + 0.13 * (actor * 4 % 5),
        half_width=rng.uniform(0.72, 0.8) if man else rng.uniform(0.68, 0.75),
        long_hair=not man,
        brow=rng.uniform(0.06, 0.08) if man else rng.uniform(0.035, 0.05),
        mouth=rng.uniform(0.3, 0.36),
    )


def face_poses(script: Script, times_s: Floats) -> list[Pose]:
    """Act one take: the expression comes and ebbs, the jaw follows the voice, the head sways.

    Parameters
    ----------
    script : Script
        What is said and expressed.
    times_s : NDArray [shape=(n,)]
        Times of the drawings, in seconds.

    Returns
    -------
    list of Pose [length=n]
        The same script and times give the same poses.
    """
    rng = take_rng(script.take, Stream.FACE)
    habits = actor_rng(script.take.actor, Stream.FACE_ACTING).normal(1.0, 0.12, len(Pose._fields))
    target = np.array(EXPRESSIONS[script.face.shown]) * script.face.strength * habits
    target += np.array(_SPREAD) * rng.normal(size=len(target))
    rise = np.clip(times_s / rng.uniform(0.3, 0.8), 0.0, 1.0)
    fall = np.clip((script.duration_s - times_s) / 0.5, 0.0, 1.0)
    sway = np.sin(2 * np.pi * (np.outer(times_s, rng.uniform([0.25, 0.7], [0.6, 1.4])) + rng.random(2)))
    shown = (0.7 + 0.3 * rise) * (0.85 + 0.15 * fall) * (1.0 + 0.08 * sway[:, 0])
    spoken = script.sounds_at((times_s[:, None] + np.linspace(-0.05, 0.05, 9)).ravel())[:, -1]
    jaw = spoken.reshape(-1, 9).mean(axis=1)  # slower than the sounds: averaged over 0.1 s
    poses = [Pose(*row) for row in (shown[:, None] * target).tolist()]
    return [
        pose._replace(
            jaw=max(pose.jaw * (1.0 - 0.3 * opened) + 0.32 * opened, 0.0), tilt_deg=pose.tilt_deg + 1.5 * turn
        )
        for pose, opened, turn in zip(poses, jaw.tolist(), sway[:, 1].tolist(), strict=True)
    ]


def draw_faces(script: Script, times_s: Floats) -> Iterator[Image]:
    """Draw one picture a time, as a camera sees it: light from a side, a little noise.

    Parameters
    ----------
    script : Script
        The take.
    times_s : NDArray [shape=(n,)]
        When, in seconds.

    Yields
    ------
    NDArray [shape=(FRAME_SIZE_PX, FRAME_SIZE_PX)]
        Gray, 0-255.
    """
    import cv2

    person = look(script.take.actor)
    rng = take_rng(script.take, Stream.CAMERA)
    centre = (0.5 + rng.normal(0.0, 0.01), 0.5 + rng.normal(0.0, 0.01))
    unit = 0.36 * (1.0 + rng.normal(0.0, 0.015))
    side = np.linspace(-1.0, 1.0, FRAME_SIZE_PX)
    slope_x, slope_y = rng.uniform(-0.09, 0.09, 2)
    light = (rng.normal(1.0, 0.035) + slope_x * side[None, :] + slope_y * side[:, None]).astype(np.float32)
    noise = rng.normal(0.0, rng.uniform(2.0, 4.5), (FRAME_SIZE_PX + 64, FRAME_SIZE_PX + 64)).astype(np.float32)
    for pose in face_poses(script, times_s):
        picture = draw_person(person, pose, centre=centre, unit=unit)
        row, column = rng.integers(0, 64, 2)  # each frame shows another part of the noise
        grain = noise[row : row + FRAME_SIZE_PX, column : column + FRAME_SIZE_PX]
        lit = cv2.multiply(picture, light, dtype=cv2.CV_32F)
        yield np.asarray(cv2.add(lit, grain, dtype=cv2.CV_8U), dtype=np.uint8)


class _Pen:
    """Fills outlines in units of a face, turned with the head; `shade` 0-1."""

    def __init__(self, canvas: Image, *, centre: Point, unit: float, tilt_deg: float) -> None:
        angle = np.deg2rad(tilt_deg)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        self.canvas = canvas
        self._turn = turn * unit * len(canvas) * 2**_SUBPIXEL_BITS
        self._centre = np.array(centre) * len(canvas) * 2**_SUBPIXEL_BITS

    def fill(self, shade: float, *outlines: Floats) -> None:
        """Fill a closed outline [shape=(n, 2)]; of two nested ones, the ring between them."""
        import cv2

        pixels = [np.rint(outline @ self._turn + self._centre).astype(np.int32) for outline in outlines]
        gray = 255 * min(max(shade, 0.0), 1.0)
        cv2.fillPoly(self.canvas, pixels, gray, lineType=cv2.LINE_AA, shift=_SUBPIXEL_BITS)


def _oval(x: float, y: float, half_width: float, half_height: float) -> Floats:
    return np.asarray(_CIRCLE * (half_width, half_height) + (x, y))


def _bow(start: Point, middle_y: float, end: Point) -> Floats:
    """Return a parabola from `start` to `end` that passes half-way through `middle_y` [shape=(15, 2)]."""
    bulge = np.array((0.0, 4 * (middle_y - (start[1] + end[1]) / 2)))
    return np.asarray(start + (np.subtract(end, start) + bulge * (1 - _SHARE)) * _SHARE)


def draw_person(person: Look, pose: Pose, *, centre: Point = (0.5, 0.5), unit: float = 0.36) -> Image:
    """Draw head and shoulders of a person.

    Parameters
    ----------
    person : Look
        Who.
    pose : Pose
        In which moment.
    centre : tuple of float
        Where the middle of the face is, in parts of the picture.
    unit : float
        Half a face's height, in parts of the picture.

    Returns
    -------
    NDArray [shape=(FRAME_SIZE_PX, FRAME_SIZE_PX)]
        Gray, 0-255.
    """
    import cv2

    canvas = np.full((FRAME_SIZE_PX, FRAME_SIZE_PX), 255 * person.backdrop, np.uint8)
    head = _Pen(canvas, centre=centre, unit=unit, tilt_deg=pose.tilt_deg)
    body = _Pen(canvas, centre=centre, unit=unit, tilt_deg=0.0)
    if person.long_hair:
        head.fill(person.hair, _oval(0.0, 0.1, person.half_width + 0.2, 1.2))
    body.fill(0.75 * person.skin, np.array([(-0.3, 0.6), (0.3, 0.6), (0.36, 1.4), (-0.36, 1.4)]))
    body.fill(person.shirt, np.concatenate([_bow((-1.3, 1.45), 1.05, (1.3, 1.45)), [(1.3, 2.0), (-1.3, 2.0)]]))
    outline = _oval(0.0, 0.0, person.half_width, 1.0)
    head.fill(person.hair, _oval(0.0, -0.12, person.half_width + 0.06, 1.0))
    head.fill(0.85 * person.skin, outline)
    head.fill(person.skin, outline * (0.9, 0.94) + (0.0, 0.02))
    head.fill(person.hair, _bow((-0.66, -0.62), -1.15, (0.66, -0.62)))
    for side in (-1, 1):
        _eye(head, person, pose, side)
    _nose(head, person, pose)
    _mouth(head, person, pose)
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), 1.2), dtype=np.uint8)


def _eye(pen: _Pen, person: Look, pose: Pose, side: int) -> None:
    x, y = 0.34 * side, -0.12
    pen.fill(0.72 * person.skin, _oval(x, y - 0.1, 0.27, 0.22))  # the socket
    top = y - 0.13 * max(1.0 + pose.lids, 0.1)
    bottom = y + 0.09 * max(1.0 - 0.8 * pose.squint, 0.1)
    left, right = (x - 0.19, y), (x + 0.19, y)
    eye = np.concatenate([_bow(left, top, right), _bow(right, bottom, left)])
    pen.fill(0.15, eye - (0.0, 0.03))
    pen.fill(0.95, eye)
    pen.fill(0.08, _oval(x, (top + bottom) / 2, 0.09, min(0.11, (bottom - top) / 2)))
    inner = (side * (0.13 - 0.05 * pose.frown), -0.42 - 0.14 * pose.inner_brow + 0.15 * pose.frown)
    outer = (side * 0.6, -0.4 - 0.15 * pose.outer_brow + 0.02 * pose.frown)
    middle_y = (inner[1] + outer[1]) / 2 - 0.05
    thick = _bow(outer, middle_y + 2 * person.brow, (inner[0], inner[1] + person.brow))
    pen.fill(0.7 * person.hair, np.concatenate([_bow(inner, middle_y, outer), thick]))


def _nose(pen: _Pen, person: Look, pose: Pose) -> None:
    tip_y = 0.26 - 0.05 * pose.wrinkle
    pen.fill(min(1.12 * person.skin, 1.0), _oval(0.0, tip_y - 0.22, 0.07, 0.24))
    pen.fill(
        0.55 * person.skin, np.concatenate([_bow((-0.14, tip_y), tip_y + 0.08, (0.14, tip_y)), [(0.0, tip_y + 0.01)]])
    )
    for side in (-1, 1):  # the fold from the nose to the corner of the mouth
        depth = min(max(pose.wrinkle, 0.7 * pose.corners, 0.0), 1.0)
        start, end = (0.16 * side, tip_y - 0.02), (0.4 * side, tip_y + 0.2)
        fold = np.concatenate([_bow(start, tip_y + 0.02, end), _bow(end, tip_y + 0.06, start)])
        pen.fill((1.0 - 0.45 * depth) * person.skin, fold)
    for y in (-0.22, -0.12) if pose.wrinkle > 0.3 else ():
        pen.fill(0.6 * person.skin, _oval(0.0, y, 0.1, 0.02))


def _mouth(pen: _Pen, person: Look, pose: Pose) -> None:
    y = 0.55
    half_width = person.mouth * max(1.0 + 0.32 * pose.width + 0.1 * pose.corners, 0.45)
    sneer = 0.1 * max(pose.wrinkle, 0.0)
    left, right = (-half_width, y - 0.14 * pose.corners), (half_width, y - 0.14 * pose.corners)
    upper_y = y + 0.04 * pose.corners - 0.06 * pose.jaw - sneer
    lower_y = max(y + 0.08 * pose.corners + 0.28 * pose.jaw - 0.4 * sneer, upper_y + 0.02)
    upper, lower = _bow(left, upper_y, right), _bow(right, lower_y, left)
    lips = np.concatenate([_bow(left, upper_y - 0.07, right), _bow(right, lower_y + 0.1, left)])
    pen.fill(0.55 * person.skin, lips)
    pen.fill(0.08, np.concatenate([upper, lower]))
    if pose.teeth > 0.2:
        bite_y = upper_y + min(0.9 * pose.teeth, 1.0) * min(lower_y - upper_y, 0.2)
        pen.fill(0.97, np.concatenate([upper, _bow(right, bite_y, left)]))
