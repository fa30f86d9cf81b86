"""The 7356 clips of the full release.

Livingstone SR, Russo FA (2018), PLoS ONE 13(5): e0196391: 24 actors speak 60 takes, 23 of them (not actor 18) sing
44, and each take comes in three modalities: 7356 clips.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import Final

from ravdess_mm.corpus.identifier import (
    ACTORS,
    SONG_EMOTIONS,
    Emotion,
    Identifier,
    Intensity,
    Modality,
    Repetition,
    Statement,
    Take,
    VocalChannel,
)

ACTORS_WITHOUT_SONG: Final[frozenset[int]] = frozenset({18})


@lru_cache(maxsize=1)
def release_clips() -> tuple[Identifier, ...]:
    """Return the identifiers of all 7356 clips, sorted."""
    return tuple(sorted(Identifier(modality, take) for modality, take in product(Modality, release_takes())))


@lru_cache(maxsize=1)
def release_takes() -> tuple[Take, ...]:
    """Return the 2452 takes that were published, sorted: 1440 spoken and 1012 sung."""
    takes: list[Take] = []
    for channel, emotion, actor in product(VocalChannel, Emotion, ACTORS):
        if channel is VocalChannel.SONG and (emotion not in SONG_EMOTIONS or actor in ACTORS_WITHOUT_SONG):
            continue
        intensities = [Intensity.NORMAL] if emotion is Emotion.NEUTRAL else list(Intensity)
        for intensity, statement, repetition in product(intensities, Statement, Repetition):
            takes.append(Take(channel, emotion, intensity, statement, repetition, actor))
    return tuple(sorted(takes))
