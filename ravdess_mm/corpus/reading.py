"""Hash and header of every file, cached until the file changes."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Final

import pandas as pd

from ravdess_mm.config import Backend
from ravdess_mm.corpus.discovery import NamedFile, utf8_text
from ravdess_mm.corpus.probe import Streams, probe_media
from ravdess_mm.errors import InputError, MediaError, os_reason
from ravdess_mm.import_graph import source_fingerprint
from ravdess_mm.parallel.progress import CRASHED, map_parallel
from ravdess_mm.store import fingerprint, hash_file, read_table, write_table

logger = logging.getLogger(__name__)

_CACHE_COLUMNS: Final = ("path", "size_bytes", "mtime_ns", "sha256", "has_audio", "has_video", "duration_s")
_IN_PROCESS_BYTES: Final = 1 << 28  # below this much to read, starting processes takes longer than reading
_FLUSH_FILES: Final = 500  # the cache is written after so many files, so that a scan that is killed goes on from there


@dataclass(frozen=True)
class FileFacts:
    """What is known of a file once it has been read.

    Attributes
    ----------
    size_bytes, mtime_ns : int
        Size, and time of the last change in nanoseconds, when it was read.
    sha256 : str
        Of the bytes, in hexadecimal.
    streams : Streams
        What it holds.
    """

    size_bytes: int
    mtime_ns: int
    sha256: str
    streams: Streams


def read_all(
    candidates: Sequence[NamedFile], *, cache_path: str | Path | None, jobs: int, backend: Backend
) -> list[FileFacts | str]:
    """Read each file, or remember what was read when it had the same size and time of change.

    Parameters
    ----------
    candidates : sequence of NamedFile
        The files.
    cache_path : str or Path, optional
        Table of what is known; None to read everything. One that cannot be used is replaced.
    jobs : int
        Processes; -1 for one a core.
    backend : Backend
        What spreads the work.

    Returns
    -------
    list of FileFacts or str
        In the order of `candidates`: what is known of the file, or the reason why it cannot be used.
    """
    cached = _read_cache(cache_path)
    paths = [os.path.abspath(candidate.path) for candidate in candidates]
    new = [index for index, path in enumerate(paths) if not _is_as_known(candidates[index], cached.get(path))]
    is_little = sum(candidates[index].size_bytes for index in new) < _IN_PROCESS_BYTES
    results: Iterator[FileFacts | str] = map_parallel(
        read_file,
        [candidates[index] for index in new],
        description="reading clips",
        jobs=1 if is_little else jobs,
        backend=backend,
        lost=CRASHED,
    )
    # what is broken is read again each time: the reason may lie outside of the file
    broken: dict[str, str] = {}
    unsaved = 0
    try:
        for index, result in zip(new, results, strict=True):
            if isinstance(result, str):
                broken[paths[index]] = result
                continue
            cached[paths[index]] = result
            unsaved += 1
            if unsaved >= _FLUSH_FILES:
                _write_cache(cache_path, cached)
                unsaved = 0
    finally:
        if unsaved:
            _write_cache(cache_path, cached)
    return [broken.get(path) or cached[path] for path in paths]


def read_file(candidate: NamedFile) -> FileFacts | str:
    """Probe and hash one file; a file that cannot be used comes back as a reason and never raises."""
    try:
        streams = probe_media(candidate.path)
        return FileFacts(candidate.size_bytes, candidate.mtime_ns, hash_file(candidate.path), streams)
    except MediaError as error:
        return utf8_text(str(error))
    except OSError as error:
        return os_reason(error)


def _is_as_known(candidate: NamedFile, facts: FileFacts | None) -> bool:
    return facts is not None and (facts.size_bytes, facts.mtime_ns) == (candidate.size_bytes, candidate.mtime_ns)


@lru_cache(maxsize=1)
def _cache_schema() -> str:
    """Return the schema of the cache; it changes with whatever may read a header differently."""
    libraries = {name: metadata.version(name) for name in ("av", "soundfile")}
    return f"files/1-{fingerprint(libraries, source_fingerprint(probe_media.__module__))[:16]}"


def _read_cache(path: str | Path | None) -> dict[str, FileFacts]:
    if path is None or not Path(path).exists():
        return {}
    try:
        table = read_table(path, schema=_cache_schema())
    except InputError as error:
        logger.info("reading all files again: %s", error)
        return {}
    if tuple(table.columns) != _CACHE_COLUMNS:
        return {}
    return {
        file: FileFacts(int(size), int(mtime), sha256, Streams(bool(audio), bool(video), float(duration_s)))
        for file, size, mtime, sha256, audio, video, duration_s in table.itertuples(index=False)
    }


def _write_cache(path: str | Path | None, cached: Mapping[str, FileFacts]) -> None:
    if path is None:
        return
    rows = [(file, f.size_bytes, f.mtime_ns, f.sha256, *astuple(f.streams)) for file, f in cached.items()]
    write_table(path, pd.DataFrame(rows, columns=list(_CACHE_COLUMNS)), schema=_cache_schema())
