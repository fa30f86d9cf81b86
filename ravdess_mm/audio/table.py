"""The feature table of a corpus: parallel over clips, cached by content, resumable.

The cache holds one row a clip, keyed by the clip's bytes; see `ravdess_mm.audio.cache`.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from ravdess_mm.arrays import Floats
from ravdess_mm.audio.cache import Outcome, VectorCache
from ravdess_mm.audio.decode import decode_audio
from ravdess_mm.audio.features import ANALYSIS_SR, extract_features, feature_names
from ravdess_mm.config import Backend
from ravdess_mm.errors import InputError, MediaError

logger = logging.getLogger(__name__)

FEATURES_SCHEMA: Final = "audio-features/1"
CLIPS_PER_PART: Final = 64
CLIP_COLUMNS: Final[tuple[str, ...]] = (
    "path",
    "clip",
    "take",
    "modality",
    "emotion",
    "actor",
    "sha256",
    "has_audio",
    "voice",
)


@dataclass(frozen=True)
class FeatureTable:
    """The summary vectors of a corpus.

    Attributes
    ----------
    features : pandas.DataFrame
        Columns ``take``, ``actor``, ``emotion`` and the feature names; one row a take, sorted by take.
    rejected : pandas.DataFrame
        Columns ``path``, ``reason``, ``stage`` (always ``audio``); sorted by path.
    n_computed : int
        How many clips were decoded in this run; the others came from the cache.
    """

    features: pd.DataFrame
    rejected: pd.DataFrame
    n_computed: int


def build_feature_table(
    clips: pd.DataFrame,
    *,
    cache_dir: str | Path,
    jobs: int = -1,
    backend: Backend = Backend.LOKY,
) -> FeatureTable:
    """Compute, or fetch from the cache, the features of every take that has a voice.

    A take is represented by its clip with ``voice``; where that clip is unusable, the sound track of another clip of
    the take (never a video-only one) takes its place, and the rejected row says so.

    Parameters
    ----------
    clips : pandas.DataFrame
        The catalog's clips.
    cache_dir : str or Path
        Folder of the cache; made if it is missing.
    jobs : int
        Processes; -1 for one a core. The result does not depend on it.
    backend : Backend
        What spreads the work.

    Returns
    -------
    FeatureTable
        The same bytes whatever `jobs`, the order of `clips`, and the state of the cache.

    Raises
    ------
    InputError
        If a column of `clips` is missing.
    """
    missing = [column for column in CLIP_COLUMNS if column not in clips.columns]
    if missing:
        raise InputError(f"the table of clips has no column {', '.join(missing)}; needed: {', '.join(CLIP_COLUMNS)}")
    cache = VectorCache(Path(cache_dir), vectors_per_part=CLIPS_PER_PART)
    waiting = _clips_by_preference(clips)
    chosen: dict[str, Floats] = {}
    rejected: list[tuple[str, str, str]] = []
    while waiting:
        first_choices: dict[tuple[str, ...], _Clip] = {(ranked[0].sha256,): ranked[0] for ranked in waiting.values()}
        cache.compute(_work_on_clip, first_choices, description="audio features", jobs=jobs, backend=backend)
        still_waiting: dict[str, list[_Clip]] = {}
        for take, (clip, *others) in waiting.items():
            outcome = cache[clip.sha256]
            if outcome.vector is not None:
                chosen[take] = outcome.vector
                continue
            consequence = f"tried instead: {others[0].name}" if others else "the take has no other sound"
            rejected.append((clip.path, f"{outcome.reason}; {consequence}", "audio"))
            if others:
                still_waiting[take] = others
        waiting = still_waiting
    cache.merge_parts()
    logger.info(
        "audio features: %d takes, %d clips computed, %d rejected", len(chosen), cache.n_computed, len(rejected)
    )
    return FeatureTable(
        features=_feature_frame(clips, chosen, feature_names()),
        rejected=pd.DataFrame(sorted(rejected), columns=["path", "reason", "stage"], dtype=str),
        n_computed=cache.n_computed,
    )


@dataclass(frozen=True)
class _Clip:
    path: str
    name: str
    sha256: str


def _clips_by_preference(clips: pd.DataFrame) -> dict[str, list[_Clip]]:
    """Return for each take with a voice its clips that have sound, the best first, in the order of takes."""
    voiced = clips[clips["take"].isin(clips.loc[clips["voice"], "take"])]
    usable = voiced[voiced["voice"] | (voiced["has_audio"] & (voiced["modality"] != "video-only"))]
    # audio-only before full-AV is alphabetical order
    ranked = usable.sort_values(["take", "voice", "modality", "path"], ascending=[True, False, True, True])
    preference: dict[str, list[_Clip]] = {}
    for row in ranked.itertuples(index=False):
        preference.setdefault(str(row.take), []).append(_Clip(str(row.path), str(row.clip), str(row.sha256)))
    return preference


def _feature_frame(clips: pd.DataFrame, chosen: dict[str, Floats], names: tuple[str, ...]) -> pd.DataFrame:
    takes = sorted(chosen)
    facts = clips.drop_duplicates("take").set_index("take").loc[takes, ["actor", "emotion"]].reset_index()
    values = np.array([chosen[take] for take in takes]).reshape(len(takes), len(names))
    return pd.concat([facts, pd.DataFrame(values, columns=list(names))], axis=1)


def _work_on_clip(clip: _Clip) -> tuple[Outcome]:
    if not os.access(clip.path, os.R_OK):
        return (Outcome(None, "the file is gone or may not be read", lasting=False),)
    try:
        y, sr = decode_audio(clip.path, sr=ANALYSIS_SR)
        return (Outcome(extract_features(y, sr)),)
    except MediaError as error:
        return (Outcome(None, str(error)),)
