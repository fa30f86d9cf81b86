"""How the faces of the synthetic sample move: expression, speech, blinks and head, as one pose a drawing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ravdess_mm.corpus.identifier import Emotion
from ravdess_mm.corpus.sample_script import SOUNDS, Script, Stream, actor_rng, sound_track, take_rng

Floats = NDArray[np.float64]


class Pose(NamedTuple):
    """One moment of a face; zeros and open eyes are the neutral one. Lengths are in parts of a feature's travel."""

    inner_brow: float  # raised; the action unit AU1
    outer_brow: float  # raised; AU2
    frown: float  # brows lowered and drawn together; AU4
    eyes: float  # upper lids: 0 shut, 1 normal, above it wide; AU5
    squint: float  # lower lids raised; AU6, AU7
    wrinkle: float  # nose wrinkled, upper lip raised; AU9, AU10
    corners: float  # mouth corners: up (AU12) or down (AU15)
    opening: float  # jaw; AU25, AU26
    width: float  # mouth stretched (AU20) or rounded (AU18)
    teeth: float  # how much the teeth show and close
    tongue: float  # how far it sticks out; AD19
    roll_deg: float  # head tilted towards a shoulder
    pitch: float  # head lowered
    yaw: float  # head turned
    gaze_x: float
    gaze_y: float
    flush: float  # colour in the cheeks


EXPRESSIONS: Final[Mapping[Emotion, Pose]] = {
    Emotion.NEUTRAL: Pose(0, 0, 0, 1.0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    Emotion.CALM: Pose(0.2, 0.2, 0, 0.5, 0.1, 0, 0.6, 0, 0.1, 0, 0, 5, 0.1, 0, 0, 0, 0.2),
    Emotion.HAPPY: Pose(0.4, 0.4, 0, 0.85, 0.75, 0, 1.25, 0.5, 0.6, 0.8, 0, -3, -0.1, 0, 0, 0, 1.0),
    Emotion.SAD: Pose(1.1, -0.8, 0.2, 0.55, 0.15, 0, -1.3, 0, -0.2, 0, 0, 8, 0.6, 0, 0, 0.6, 0),
    Emotion.ANGRY: Pose(-0.4, 0.5, 1.4, 0.85, 0.5, 0.2, -0.6, 0.42, 0.2, 1.0, 0, 0, 0.35, 0, 0, 0, 0.8),
    Emotion.FEARFUL: Pose(1.3, 0.4, 0.4, 1.4, 0.1, 0, -0.6, 0.5, 0.6, 0.5, 0, -4, -0.3, 0.15, 0.1, 0, -0.5),
    Emotion.DISGUST: Pose(-0.3, -0.4, 0.7, 0.5, 0.75, 1.2, -0.5, 0.3, -0.2, 0, 1.0, -8, -0.25, 0.45, -0.4, 0.1, 0),
    Emotion.SURPRISED: Pose(1.0, 1.2, -0.2, 1.45, 0, 0, 0, 1.15, -0.55, 0.1, 0, 0, -0.25, 0, 0, 0, 0.2),
}
"""What each emotion looks like at full strength (action units after Ekman P, Friesen WV (1978), FACS)."""

_SPREAD: Final = Pose(0.15, 0.15, 0.12, 0.07, 0.1, 0.1, 0.15, 0.06, 0.1, 0.1, 0.1, 2.0, 0.1, 0.15, 0.12, 0.08, 0.2)
_LIVELINESS: Final[Mapping[Emotion, float]] = {
    emotion: liveliness for emotion, liveliness in zip(Emotion, (0.6, 0.4, 1.2, 0.5, 1.1, 1.0, 0.7, 1.1), strict=True)
}


def face_poses(script: Script, times_s: Floats) -> list[Pose]:
    """Act one take.

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
    neutral = np.array(EXPRESSIONS[Emotion.NEUTRAL], dtype=float)
    shown = np.array(EXPRESSIONS[script.face.shown], dtype=float)
    target = (shown - neutral) * script.face.strength * habits + np.array(_SPREAD) * rng.normal(size=len(neutral))
    poses = neutral + target * _envelope(times_s, script.duration_s, rng)[:, None]

    column = {name: number for number, name in enumerate(Pose._fields)}
    life = _LIVELINESS[script.face.shown]
    for name, size in (("roll_deg", 1.6), ("pitch", 0.1), ("yaw", 0.16), ("gaze_x", 0.1)):
        poses[:, column[name]] += size * life * _sway(times_s, rng)
    _speak(poses, column, script, times_s)
    poses[:, column["eyes"]] *= _blinks(times_s, rng)
    return [Pose(*(float(part) for part in pose)) for pose in poses]


def _envelope(times_s: Floats, duration_s: float, rng: np.random.Generator) -> Floats:
    """Return how much of the expression is there: most of it at once, then all, with some ebb."""
    rise = np.clip(times_s / rng.uniform(0.3, 0.8), 0.0, 1.0)
    fall = np.clip((duration_s - times_s) / 0.5, 0.0, 1.0)
    return np.asarray((0.7 + 0.3 * rise) * (0.85 + 0.15 * fall) * (1.0 + 0.08 * _sway(times_s, rng)))


def _sway(times_s: Floats, rng: np.random.Generator) -> Floats:
    """Return slow motion of about unit size: two sines of random period and phase."""
    turns = np.outer(times_s, rng.uniform([0.25, 0.7], [0.6, 1.4])) + rng.random(2)
    return np.asarray(np.sin(2 * np.pi * turns) @ [0.9, 0.5])


def _speak(poses: Floats, column: Mapping[str, int], script: Script, times_s: Floats) -> None:
    """Move the mouth with the sounds of the sentence, in place."""
    table = np.array([(SOUNDS[sound].jaw, SOUNDS[sound].rounding) for sound in script.sounds])
    # the jaw is slower than the sounds: average over 0.1 s
    moments_s = times_s[:, None] + np.linspace(-0.05, 0.05, 9)
    jaw, rounding = sound_track(script, table, moments_s.clip(0)).mean(axis=1).T
    poses[:, column["opening"]] = np.maximum(poses[:, column["opening"]] * (1.0 - 0.3 * jaw) + 0.32 * jaw, 0.0)
    poses[:, column["width"]] -= 0.35 * rounding


def _blinks(times_s: Floats, rng: np.random.Generator) -> Floats:
    """Return the factor of the upper lids: 1, and near 0 for a moment every few seconds."""
    begins_s = np.cumsum(rng.uniform(0.8, 3.0, 4)) - 0.5
    nearness = np.clip(1.0 - np.abs(times_s[:, None] - begins_s) / 0.1, 0.0, 1.0).max(axis=1)
    return np.asarray(1.0 - 0.95 * np.minimum(1.6 * nearness, 1.0))
