"""Actor-disjoint protocols by name."""
from __future__ import annotations
from dataclasses import dataclass

@dataclass(frozen=True)
class Fold:
    """One split of actors."""
    number: int
    train: tuple[int, ...]
    test: tuple[int, ...]
