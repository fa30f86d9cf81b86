"""The haircuts of the synthetic sample, in units of half a face's height."""

from __future__ import annotations

import numpy as np

from ravdess_mm.corpus.sample_look import Look
from ravdess_mm.corpus.sample_pen import Floats, Pen, bow, oval, shade


def draw_hair_behind(pen: Pen, person: Look) -> None:
    """Draw what of the hair is behind the head; before the head."""
    hair, width = shade(person.hair, 0.85), person.half_width
    if person.cut in ("long", "fringe"):
        pen.fill(hair, oval(0.0, 0.1, width + 0.24, 1.25), depth=0.0)
        pen.fill(hair, oval(0.0, 0.9, width + 0.3, 0.8), depth=0.0)
    elif person.cut == "bob":
        pen.fill(hair, oval(0.0, -0.1, width + 0.26, 1.08), depth=0.0)
    elif person.cut == "bun":
        pen.fill(hair, oval(0.0, -1.05, 0.36, 0.3), depth=0.0)
    elif person.cut == "tail":
        pen.fill(hair, oval(width + 0.08, 0.3, 0.24, 0.85), depth=0.0)
    elif person.cut == "curls":
        for angle in np.linspace(np.pi * 0.75, np.pi * 2.25, 13):
            x, y = (width + 0.1) * np.cos(angle), 0.95 * np.sin(angle)
            pen.fill(hair, oval(x, y + 0.1, 0.24, 0.24, 20), depth=0.0)


def draw_hair_in_front(pen: Pen, person: Look) -> None:
    """Draw hair or hat on top of the head; after the head."""
    hair, width = person.hair, person.half_width + 0.05
    turn = np.linspace(np.pi, 2 * np.pi, 33)
    cap = np.stack([width * np.cos(turn), 1.07 * np.sin(turn)], axis=1)
    cap = cap[cap[:, 1] < -0.12]  # from temple to temple
    left, right = (float(cap[0, 0]), float(cap[0, 1])), (float(cap[-1, 0]), float(cap[-1, 1]))
    hairlines: dict[str, Floats] = {
        "short": bow(right, -0.84, left),
        "parted": np.concatenate([bow(right, -0.8, (-0.3, -0.92)), bow((-0.3, -0.92), -0.72, left)]),
        "tuft": bow(right, -0.94, left),
        "long": np.concatenate([bow(right, -0.62, (0.0, -0.86)), bow((0.0, -0.86), -0.62, left)]),
        "bob": bow(right, -0.9, left),
        "bun": bow(right, -0.92, left),
        "fringe": np.concatenate([[right], bow((0.6, -0.55), -0.62, (-0.6, -0.55)), [left]]),
        "tail": np.concatenate([bow(right, -0.78, (0.3, -0.9)), bow((0.3, -0.9), -0.66, left)]),
        "curls": bow(right, -0.92, left),
        "curly": bow(right, -0.95, left),
    }
    if person.cut == "bald":
        for side in (-1, 1):
            pen.fill(hair, oval(side * (width - 0.01), -0.2, 0.09, 0.26), depth=0.4)
        return
    if person.cut == "cap":
        line = bow(right, -0.85, left)
        pen.fill(person.shirt, np.concatenate([cap, line]), depth=0.5)
        pen.fill(shade(person.shirt, 0.7), np.concatenate([line, bow(left, -0.68, right)]), depth=0.5)
        return
    line = hairlines[person.cut].copy()
    # between the temples a hairline stays well inside the head, or the backdrop would show
    reach = np.hypot(line[1:-1, 0] / width, line[1:-1, 1] / 1.07)
    line[1:-1] *= np.minimum(1.0, 0.92 / reach)[:, None]
    pen.fill(hair, np.concatenate([cap, line]), depth=0.5)
    if person.cut in ("curly", "curls"):
        for angle in np.linspace(np.pi * 1.1, np.pi * 1.9, 9):
            pen.fill(hair, oval(width * 0.93 * np.cos(angle), 0.98 * np.sin(angle), 0.17, 0.17, 20), depth=0.5)
    if person.cut == "tuft":
        for x in (-0.24, -0.08, 0.08, 0.24):
            pen.fill(hair, np.array([(x - 0.12, -0.98), (x + 0.06, -1.24), (x + 0.12, -0.98)]), depth=0.5)
