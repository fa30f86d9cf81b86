"""The feature table of a corpus: parallel over clips, cached by content, resumable.

The cache holds one row a clip, keyed by the clip's bytes; it lives in a folder named after the feature set and a
fingerprint of everything that its values depend on. While clips are worked on, whole part files appear there, so a
killed run loses at most one of them; at the end the parts become one file.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ravdess_mm.audio.decode import decode_audio
from ravdess_mm.audio.features import ANALYSIS_SR, extract_features, feature_names, feature_sources
from ravdess_mm.config import Backend, FeatureSet
from ravdess_mm.errors import InputError, MediaError
from ravdess_mm.progress import map_parallel
from ravdess_mm.store import fingerprint, read_table, source_fingerprint, write_table

logger = logging.getLogger(__name__)

FEATURES_SCHEMA: Final = "audio-features/1"
CACHE_SCHEMA: Final = "audio-feature-cache/1"
CLIPS_PER_PART: Final = 64
FEATURE_LIBRARIES: Final[tuple[str, ...]] = ("av", "librosa", "numpy", "scipy", "soundfile", "soxr")
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

Vector = npt.NDArray[np.float64]


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


@dataclass(frozen=True)
class _Outcome:
    """What became of one clip: a vector, or the reason why there is none."""

    vector: Vector | None
    reason: str = ""
    lasting: bool = True
    """Whether it follows from the clip's bytes; a file that cannot be opened today may be there tomorrow."""


def build_feature_table(
    clips: pd.DataFrame,
    *,
    feature_set: FeatureSet,
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
    feature_set : FeatureSet
        What to compute.
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
    cache = _Cache(Path(cache_dir), feature_set)
    waiting = _clips_by_preference(clips)
    chosen: dict[str, Vector] = {}
    rejected: list[tuple[str, str, str]] = []
    while waiting:
        first_choices = [ranked[0] for ranked in waiting.values()]
        cache.compute(first_choices, jobs=jobs, backend=backend)
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
        features=_feature_frame(clips, chosen, feature_names(feature_set)),
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


def _feature_frame(clips: pd.DataFrame, chosen: dict[str, Vector], names: tuple[str, ...]) -> pd.DataFrame:
    takes = sorted(chosen)
    facts = clips.drop_duplicates("take").set_index("take").loc[takes, ["actor", "emotion"]].reset_index()
    values = np.array([chosen[take] for take in takes]).reshape(len(takes), len(names))
    return pd.concat([facts, pd.DataFrame(values, columns=list(names))], axis=1)


def _work_on_clip(clip: _Clip, *, feature_set: FeatureSet) -> _Outcome:
    if not os.access(clip.path, os.R_OK):
        return _Outcome(None, "the file is gone or may not be read", lasting=False)
    try:
        y, sr = decode_audio(clip.path, sr=ANALYSIS_SR)
        return _Outcome(extract_features(y, sr, feature_set=feature_set))
    except MediaError as error:
        return _Outcome(None, str(error))


class _Cache:
    """Outcomes by the clip's SHA-256, on disk and in memory; unusable clips are remembered with their reason."""

    def __init__(self, folder: Path, feature_set: FeatureSet) -> None:
        self.feature_set = feature_set
        self.names = feature_names(feature_set)
        self.n_computed = 0
        self.folder = folder / f"{feature_set.value}-{_version(feature_set)}"
        self.whole_path = self.folder / "clips.parquet"
        self.outcomes: dict[str, _Outcome] = {}
        self.found_parts = sorted(self.folder.glob("part-*.parquet"))
        for path in [self.whole_path, *self.found_parts]:
            if path.exists():
                self._read(path)

    def __getitem__(self, sha256: str) -> _Outcome:
        return self.outcomes[sha256]

    def compute(self, clips: Iterable[_Clip], *, jobs: int, backend: Backend) -> None:
        """Work on the clips that the cache does not know; write a part every `CLIPS_PER_PART` of them."""
        unknown = {clip.sha256: clip for clip in clips if clip.sha256 not in self.outcomes}
        work = partial(_work_on_clip, feature_set=self.feature_set)
        outcomes = map_parallel(
            work, list(unknown.values()), description="audio features", jobs=jobs, backend=backend, unit="clip"
        )
        fresh: list[str] = []
        for sha256, outcome in zip(unknown, outcomes, strict=True):
            self.outcomes[sha256] = outcome
            self.n_computed += 1
            if outcome.lasting:
                fresh.append(sha256)
            if len(fresh) == CLIPS_PER_PART:
                self._write_part(fresh)
                fresh = []
        if fresh:
            self._write_part(fresh)

    def merge_parts(self) -> None:
        """Turn all parts into one file, so that their number does not grow with the number of runs."""
        if not self.found_parts:
            return
        self._write(self.whole_path, sorted(key for key, outcome in self.outcomes.items() if outcome.lasting))
        for path in self.found_parts:
            path.unlink(missing_ok=True)
        self.found_parts = []

    def _write_part(self, hashes: list[str]) -> None:
        path = self.folder / f"part-{fingerprint(hashes)[:16]}.parquet"
        self._write(path, hashes)
        self.found_parts.append(path)

    def _write(self, path: Path, hashes: list[str]) -> None:
        outcomes = [self.outcomes[sha256] for sha256 in hashes]
        nothing = np.full(len(self.names), np.nan)
        values = np.array([nothing if outcome.vector is None else outcome.vector for outcome in outcomes])
        keys = pd.DataFrame({"sha256": hashes, "reason": [outcome.reason for outcome in outcomes]})
        write_table(
            path, pd.concat([keys, pd.DataFrame(values, columns=list(self.names))], axis=1), schema=CACHE_SCHEMA
        )

    def _read(self, path: Path) -> None:
        table = read_table(path, schema=CACHE_SCHEMA)
        values = table[list(self.names)].to_numpy(dtype=np.float64)
        for sha256, reason, vector in zip(table["sha256"], table["reason"], values, strict=True):
            self.outcomes[str(sha256)] = _Outcome(None, str(reason)) if reason else _Outcome(vector)


def _version(feature_set: FeatureSet) -> str:
    """Return a fingerprint of everything but the clip that its features depend on: our code and the libraries."""
    libraries = {name: metadata.version(name) for name in FEATURE_LIBRARIES}
    return fingerprint(feature_set, source_fingerprint(*feature_sources(feature_set)), libraries)[:12]
