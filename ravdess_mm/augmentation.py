"""Changed copies of training clips: noisy, louder or softer, faster or slower.

`speed_copies` makes two of each training take, one slower and lower, one faster and higher, as if somebody a little
larger or smaller had spoken. `training_copies` makes two noisy ones, one in white noise and one in babble.

Copies are learned from and never scored: not by a search, not by a temperature, not by a test. The babble behind a
take is made of other actors of the same inner fold, so that no voice crosses from the side that is scored to the side
that is learned from, inside a search no more than outside of it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from ravdess_mm.audio.changed import SOURCES as CHANGED_SOURCES
from ravdess_mm.audio.changed import Change, Voice, changed_features, choose_others, seed_of
from ravdess_mm.audio.noise import Noise
from ravdess_mm.classifiers.crossfit import deal_inner_folds
from ravdess_mm.classifiers.rows import LABEL_COLUMNS, FeatureRows
from ravdess_mm.config import Backend, FeatureSet
from ravdess_mm.corpus.splits import Fold

logger = logging.getLogger(__name__)

SOURCES: Final[tuple[str, ...]] = (*CHANGED_SOURCES, "audio/features.py", "augmentation.py")
SNR_RANGE_DB: Final = (5.0, 20.0)
GAIN_RANGE_DB: Final = (-6.0, 6.0)
SPEED_RANGE: Final = (0.95, 1.05)
SPEEDS: Final = (0.92, 1.08)
"""Of the two copies that are as clean as the clip itself."""


def speed_copies(
    voices: Sequence[Voice],
    folds: Sequence[Fold],
    *,
    feature_set: FeatureSet,
    cache_dir: Path,
    jobs: int = -1,
    backend: Backend = Backend.LOKY,
) -> dict[int, tuple[pd.DataFrame, ...]]:
    """Return feature tables of slower and faster copies of the training takes of each fold.

    Parameters
    ----------
    voices : sequence of Voice
        All usable clips of the run.

    Returns
    -------
    dict of int to tuple of pandas.DataFrame
        Number of a fold to a table a speed, in the order of `SPEEDS`.
    """
    learned = [voice for voice in voices if any(voice.actor in fold.train for fold in folds)]
    tables = [
        _features(
            {voice: Change(speed=speed) for voice in learned},
            feature_set,
            cache_dir / f"speed-{speed}",
            f"copies at speed {speed}",
            jobs,
            backend,
        )
        for speed in SPEEDS
    ]
    return {
        fold.number: tuple(
            own for table in tables if len(own := table[table["actor"].isin(fold.train)].reset_index(drop=True))
        )
        for fold in folds
    }


def training_copies(
    voices: Sequence[Voice],
    rows: FeatureRows,
    folds: Sequence[Fold],
    *,
    inner_folds: int,
    feature_set: FeatureSet,
    cache_dir: Path,
    seed: int,
    jobs: int = -1,
    backend: Backend = Backend.LOKY,
) -> dict[int, tuple[pd.DataFrame, ...]]:
    """Return feature tables of changed copies of the training takes of each fold.

    Parameters
    ----------
    voices : sequence of Voice
        All usable clips of the run.
    rows : FeatureRows
        The run's features; they tell how actors are dealt into inner folds.
    inner_folds, seed : int
        As `ravdess_mm.classifiers.run.run_classifier` is given them.

    Returns
    -------
    dict of int to tuple of pandas.DataFrame
        Number of a fold to a table of white noise and one of babble. A take that could not be changed is in neither
        table of its kind, and a message says so.
    """
    learned = [voice for voice in voices if any(voice.actor in fold.train for fold in folds)]
    white = _features(
        {voice: _change(voice, Noise.WHITE, (), seed=seed) for voice in learned},
        feature_set,
        cache_dir / "white",
        "white copies",
        jobs,
        backend,
    )
    copies = {}
    for fold in folds:
        babble = _features(
            _babble_changes(voices, rows, fold, inner_folds=inner_folds, seed=seed),
            feature_set,
            cache_dir / fold.name,
            f"babble copies, {fold.name}",
            jobs,
            backend,
        )
        own = white[white["actor"].isin(fold.train)].reset_index(drop=True)
        copies[fold.number] = tuple(table for table in (own, babble) if len(table))
    return copies


def inner_pools(
    voices: Sequence[Voice], rows: FeatureRows, fold: Fold, *, inner_folds: int, seed: int
) -> dict[int, tuple[Voice, ...]]:
    """Return for each training actor of a fold who may be heard behind them: the actors of their own inner fold."""
    train = rows.of_actors(fold.train)
    dealt = deal_inner_folds(train.sample, inner_folds, seed=seed)
    # without inner folds nothing is scored by them, and any training actor may be heard
    places = np.zeros(len(train.sample), dtype=np.int64) if dealt is None else dealt
    inner = {int(actor): int(place) for actor, place in zip(train.sample.groups, places, strict=True)}
    return {
        actor: tuple(voice for voice in voices if inner.get(voice.actor) == place) for actor, place in inner.items()
    }


def _babble_changes(
    voices: Sequence[Voice], rows: FeatureRows, fold: Fold, *, inner_folds: int, seed: int
) -> dict[Voice, Change]:
    pools = inner_pools(voices, rows, fold, inner_folds=inner_folds, seed=seed)
    changes = {}
    for voice in voices:
        if voice.actor in pools:
            own_seed = seed_of(seed, voice.take, "others in training")
            others = choose_others(voice, pools[voice.actor], seed=own_seed, strict=False)
            # an actor alone in an inner fold has nobody to be drowned by: a second copy in white noise instead
            changes[voice] = _change(voice, Noise.BABBLE if others else Noise.WHITE, others, seed=seed + 1)
    return changes


def _change(voice: Voice, noise: Noise, others: tuple[Voice, ...], *, seed: int) -> Change:
    own_seed = seed_of(seed, voice.take, noise, "in training")
    random = np.random.default_rng(own_seed)
    snr_db, gain_db, speed = (
        round(float(random.uniform(*ends)), 3) for ends in (SNR_RANGE_DB, GAIN_RANGE_DB, SPEED_RANGE)
    )
    return Change(noise, snr_db, seed=own_seed, others=others, gain_db=gain_db, speed=speed)


def _features(
    changes: dict[Voice, Change],
    feature_set: FeatureSet,
    cache_dir: Path,
    description: str,
    jobs: int,
    backend: Backend,
) -> pd.DataFrame:
    if not changes:
        return pd.DataFrame(columns=list(LABEL_COLUMNS))
    (table,), failed = changed_features(
        {voice: (change,) for voice, change in changes.items()},
        feature_set=feature_set,
        cache_dir=cache_dir,
        description=description,
        jobs=jobs,
        backend=backend,
    )
    for take, reason in sorted(failed.items()):
        logger.warning("%s: take %s has none (%s)", description, take, reason)
    return table
