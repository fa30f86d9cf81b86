"""Feature tables made on the spot: valid takes, features that depend on emotion and actor."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest

from ravdess_mm.corpus.identifier import EMOTIONS

MakeFeatures = Callable[..., pd.DataFrame]


def make_table(
    *,
    actors: Sequence[int] = (1, 2, 3, 4, 5, 6),
    emotions: Sequence[str] = EMOTIONS,
    n_features: int = 12,
    repetitions: int = 2,
    noise: float = 1.0,
) -> pd.DataFrame:
    random = np.random.default_rng(7)
    centres = random.normal(size=(len(EMOTIONS), n_features))
    offsets = random.normal(scale=0.3, size=(25, n_features))
    rows = []
    for actor in actors:
        for emotion in emotions:
            code = EMOTIONS.index(emotion) + 1
            for repetition in range(1, repetitions + 1):
                take = f"01-{code:02d}-01-01-{repetition:02d}-{actor:02d}"
                # numbers of a take depend on the take alone, so that tables of other actors agree
                own = np.random.default_rng([code, repetition, actor]).normal(scale=noise, size=n_features)
                rows.append((take, actor, emotion, *(centres[code - 1] + offsets[actor] + own)))
    columns = ["take", "actor", "emotion", *(f"f{number:02d}" for number in range(n_features))]
    return pd.DataFrame(rows, columns=columns)


@pytest.fixture(scope="session")
def make_features() -> MakeFeatures:
    return make_table
