"""The feature table of a corpus: parallel over clips, cached by content, resumable.

The cache holds one row a clip, keyed by the clip's bytes; see `ravdess_mm.audio.feature_cache`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from ravdess_mm.arrays import AnyFloats
from ravdess_mm.audio.decoding import decode_audio
from ravdess_mm.audio.feature_cache import Outcome, VectorCache, code_version
from ravdess_mm.audio.mfcc_delta_rms import ANALYSIS_SR, FEATURE_SET, extract_features, mfcc_feature_names
from ravdess_mm.config import Backend
from ravdess_mm.errors import InputError, MediaError

logger = logging.getLogger(__name__)

FEATURES_SCHEMA: Final = "audio-features/1"
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
    clips: pd.DataFrame, *, cache_dir: str | Path, jobs: int = -1, backend: Backend = Backend.LOKY
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
    cache = VectorCache(Path(cache_dir), FEATURE_SET, depends_on=code_version(_work_on_clip))
    chosen, rejected = vectors_of_takes(
        clips,
        cache,
        _work_on_clip,
        keys_of=lambda clip: (clip.sha256,),
        what="audio features",
        jobs=jobs,
        backend=backend,
    )
    return FeatureTable(
        features=feature_frame(clips, {take: vectors[0] for take, vectors in chosen.items()}, mfcc_feature_names()),
        rejected=rejected,
        n_computed=cache.n_computed,
    )


def vectors_of_takes(
    clips: pd.DataFrame,
    cache: VectorCache,
    work: Callable[[Clip], Sequence[Outcome]],
    *,
    keys_of: Callable[[Clip], tuple[str, ...]],
    what: str,
    jobs: int,
    backend: Backend,
) -> tuple[dict[str, list[AnyFloats]], pd.DataFrame]:
    """Compute, or fetch from the cache, the vectors of every take that has a voice, by its best usable clip.

    Parameters
    ----------
    clips : pandas.DataFrame
        The catalog's clips.
    cache : VectorCache
        Where vectors are kept.
    work : callable
        From a clip to one outcome for each of its keys.
    keys_of : callable
        From a clip to the keys of its vectors; a clip is usable if there is a vector for each.
    what : str
        Of the progress bar and of messages.
    jobs, backend
        The result does not depend on them.

    Returns
    -------
    vectors : dict of str to list of numpy.ndarray
        By take.
    rejected : pandas.DataFrame
        Columns ``path``, ``reason``, ``stage`` (always ``audio``); sorted by path.

    Raises
    ------
    InputError
        If a column of `clips` is missing.
    """
    missing = [column for column in CLIP_COLUMNS if column not in clips.columns]
    if missing:
        raise InputError(f"the table of clips has no column {', '.join(missing)}; needed: {', '.join(CLIP_COLUMNS)}")
    waiting = _clips_by_preference(clips)
    chosen: dict[str, list[AnyFloats]] = {}
    rejected: list[tuple[str, str, str]] = []
    while waiting:
        first_choices = {keys_of(ranked[0]): ranked[0] for ranked in waiting.values()}
        cache.compute(work, first_choices, description=what, jobs=jobs, backend=backend)
        still_waiting: dict[str, list[Clip]] = {}
        for take, (clip, *others) in waiting.items():
            outcomes = [cache[key] for key in keys_of(clip)]
            reasons = [outcome.reason for outcome in outcomes if outcome.vector is None]
            if not reasons:
                chosen[take] = [outcome.vector for outcome in outcomes if outcome.vector is not None]
                continue
            consequence = f"tried instead: {others[0].name}" if others else "the take has no other sound"
            rejected.append((clip.path, f"{reasons[0]}; {consequence}", "audio"))
            if others:
                still_waiting[take] = others
        waiting = still_waiting
    cache.merge_parts()
    logger.info("%s: %d takes, %d clips computed, %d rejected", what, len(chosen), cache.n_computed, len(rejected))
    return chosen, pd.DataFrame(sorted(rejected), columns=["path", "reason", "stage"], dtype=str)


@dataclass(frozen=True)
class Clip:
    """A clip from which its take's features may be computed."""

    path: str
    name: str
    sha256: str


def _clips_by_preference(clips: pd.DataFrame) -> dict[str, list[Clip]]:
    """Return for each take with a voice its clips that have sound, the best first, in the order of takes."""
    voiced = clips[clips["take"].isin(clips.loc[clips["voice"], "take"])]
    usable = voiced[voiced["voice"] | (voiced["has_audio"] & (voiced["modality"] != "video-only"))]
    # audio-only before full-AV is alphabetical order
    ranked = usable.sort_values(["take", "voice", "modality", "path"], ascending=[True, False, True, True])
    preference: dict[str, list[Clip]] = {}
    for row in ranked.itertuples(index=False):
        preference.setdefault(str(row.take), []).append(Clip(str(row.path), str(row.clip), str(row.sha256)))
    return preference


def feature_frame(clips: pd.DataFrame, vectors: Mapping[str, AnyFloats], names: Sequence[str]) -> pd.DataFrame:
    """Return a feature table: take, actor, emotion and the named columns, one row a take, sorted by take."""
    takes = sorted(vectors)
    facts = clips.drop_duplicates("take").set_index("take").loc[takes, ["actor", "emotion"]].reset_index()
    values = np.array([vectors[take] for take in takes]).reshape(len(takes), len(names))
    return pd.concat([facts, pd.DataFrame(values, columns=list(names))], axis=1)


def _work_on_clip(clip: Clip) -> tuple[Outcome]:
    if not os.access(clip.path, os.R_OK):
        return (Outcome(None, "the file is gone or may not be read", lasting=False),)
    try:
        y, sr = decode_audio(clip.path, sr=ANALYSIS_SR)
        return (Outcome(extract_features(y, sr)),)
    except MediaError as error:
        return (Outcome(None, str(error)),)
