"""The cast of the synthetic sample: what each actor looks like."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ravdess_mm.corpus.identifier import Sex, actor_sex
from ravdess_mm.corpus.sample_script import Stream, actor_rng

Colour = tuple[float, float, float]

_SKINS: Final[tuple[Colour, ...]] = (
    (250, 216, 190),
    (198, 142, 104),
    (238, 192, 156),
    (150, 100, 72),
    (224, 172, 130),
    (244, 204, 172),
    (176, 120, 86),
)
_HAIRS: Final[tuple[Colour, ...]] = (
    (62, 40, 28),
    (30, 26, 30),
    (120, 70, 34),
    (28, 22, 22),
    (166, 112, 54),
    (96, 38, 26),
    (84, 84, 92),
)
_BACKDROPS: Final[tuple[Colour, ...]] = (
    (170, 205, 214),
    (214, 200, 172),
    (188, 204, 178),
    (206, 184, 206),
    (180, 190, 218),
    (222, 190, 176),
)
_SHIRTS: Final[tuple[Colour, ...]] = (
    (64, 96, 148),
    (150, 62, 66),
    (70, 122, 96),
    (212, 164, 64),
    (96, 80, 132),
    (60, 60, 68),
    (204, 108, 84),
)
_EYES: Final[tuple[Colour, ...]] = ((74, 52, 36), (66, 104, 140), (70, 108, 78), (52, 38, 30))
_CUTS: Final[dict[Sex, tuple[str, ...]]] = {
    Sex.MALE: ("short", "parted", "curly", "bald", "tuft", "cap"),
    Sex.FEMALE: ("long", "bob", "bun", "fringe", "curls", "tail"),
}


@dataclass(frozen=True)
class Look:
    """What an actor looks like; lengths in units of half a face's height."""

    cut: str
    skin: Colour
    hair: Colour
    iris: Colour
    shirt: Colour
    backdrop: Colour
    half_width: float
    jaw: float
    eye_x: float
    eye_size: float
    brow_width: float
    nose: float
    mouth_y: float
    mouth_width: float
    lips: float
    glasses: bool
    freckles: bool
    goatee: bool


@lru_cache(maxsize=32)
def look(actor: int) -> Look:
    """Draw lots for the face of an actor; haircuts and skins go round, so that neighbours differ."""
    rng = actor_rng(actor, Stream.FACE)
    sex = actor_sex(actor)
    man = sex is Sex.MALE
    turn = (actor - 1) // 2
    return Look(
        cut=_CUTS[sex][turn % 6],
        skin=_SKINS[(actor * 3) % len(_SKINS)],
        hair=_HAIRS[(actor * 2 + turn) % len(_HAIRS)],
        iris=_EYES[rng.integers(len(_EYES))],
        shirt=_SHIRTS[(actor * 5) % len(_SHIRTS)],
        backdrop=_BACKDROPS[(actor + turn) % len(_BACKDROPS)],
        half_width=rng.uniform(0.78, 0.86) if man else rng.uniform(0.74, 0.81),
        jaw=rng.uniform(0.05, 0.16) if man else rng.uniform(0.16, 0.26),
        eye_x=rng.uniform(0.36, 0.39),
        eye_size=rng.uniform(0.95, 1.05) * (1.0 if man else 1.06),
        brow_width=rng.uniform(0.95, 1.25) if man else rng.uniform(0.7, 0.9),
        nose=rng.uniform(0.85, 1.2),
        mouth_y=rng.uniform(0.55, 0.58),
        mouth_width=rng.uniform(0.92, 1.08),
        lips=0.6 if man else 1.0,
        glasses=actor % 7 == 5,
        freckles=actor % 7 == 4,
        goatee=man and turn % 3 == 1,
    )
