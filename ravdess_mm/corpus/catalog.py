"""The catalog: a table of the clips in folders, and one of rejected files with reasons.

Neither table depends on the order of folders and files, on the number of processes or on what the cache holds.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ravdess_mm.config import Backend, ChannelChoice
from ravdess_mm.corpus.discovery import NamedFile, Rejection, RejectionKind, discover
from ravdess_mm.corpus.identifier import Modality, VocalChannel
from ravdess_mm.corpus.probe import FILM_SUFFIXES, SOUND_SUFFIXES, Streams
from ravdess_mm.corpus.reading import read_all
from ravdess_mm.errors import InputError
from ravdess_mm.store import fingerprint

logger = logging.getLogger(__name__)

CATALOG_SCHEMA: Final = "catalog/1"
CLIP_COLUMNS: Final[tuple[str, ...]] = (
    "path",
    "clip",
    "take",
    "modality",
    "channel",
    "emotion",
    "intensity",
    "statement",
    "repetition",
    "actor",
    "sex",
    "size_bytes",
    "sha256",
    "has_audio",
    "has_video",
    "duration_s",
    "voice",
    "face",
)


@dataclass(frozen=True)
class Catalog:
    """What the folders hold.

    Attributes
    ----------
    clips : pandas.DataFrame
        The columns `CLIP_COLUMNS`, one row a clip, sorted by take and modality. ``voice`` marks the one clip of a
        take the audio branch uses, ``face`` the one of the video branch; ``duration_s`` may be NaN.
    rejected : pandas.DataFrame
        Columns ``path``, ``reason`` and ``stage`` (``catalog``), sorted by path.
    """

    clips: pd.DataFrame
    rejected: pd.DataFrame


@dataclass(frozen=True)
class ReadClip:
    """A candidate that has been read."""

    candidate: NamedFile
    sha256: str
    streams: Streams


@dataclass(frozen=True)
class Scan:
    """All files of the folders: clips and rejections.

    Attributes
    ----------
    clips : list of ReadClip
        One an identifier, in the chosen channels.
    rejections : list of Rejection
        What is not used, sorted by path.
    n_other_channel : int
        Files of the channel that was not chosen; nothing is wrong with them, and they were not read.
    """

    clips: list[ReadClip]
    rejections: list[Rejection]
    n_other_channel: int


def build_catalog(
    folders: Sequence[str | Path],
    *,
    channel: ChannelChoice = ChannelChoice.SPEECH,
    cache_path: str | Path | None = None,
    jobs: int = -1,
    backend: Backend = Backend.LOKY,
) -> Catalog:
    """Find, check and list the clips in folders.

    Parameters
    ----------
    folders : sequence of str or Path
        Nested as in the official zips or flat; they may overlap and hold links.
    channel : ChannelChoice
        Vocal channels to list; clips of the other are counted in a message.
    cache_path : str or Path, optional
        Where hashes and headers of files are kept, so that unchanged files (path, size and time of change) are not
        read again.
    jobs : int
        Processes; -1 for one a core.
    backend : Backend
        What spreads the work.

    Returns
    -------
    Catalog
        Of two files of one identifier, the one with the most of the streams its modality promises is kept, then the
        one nested least, then the better container, then the first by path.

    Raises
    ------
    InputError
        If a folder is missing, no folder, empty or may not be read, or there is no usable clip.
    """
    scan = scan_folders(folders, channel=channel, cache_path=cache_path, jobs=jobs, backend=backend)
    if scan.n_other_channel:
        logger.info("%d files are not of channel %s and were not used", scan.n_other_channel, channel.value)
    if not scan.clips:
        raise InputError(nothing_usable(folders, channel, scan))
    groups = same_bytes(scan.clips)
    if groups:
        first = " and ".join(groups[0])
        logger.warning("%d times clips of different names hold the same bytes; all are used: %s", len(groups), first)
    return Catalog(_clip_table(scan.clips), _rejected_table(scan.rejections))


def scan_folders(
    folders: Sequence[str | Path],
    *,
    channel: ChannelChoice,
    cache_path: str | Path | None = None,
    jobs: int = -1,
    backend: Backend = Backend.LOKY,
) -> Scan:
    """Decide on every file in folders; parameters as for :func:`build_catalog`.

    Raises
    ------
    InputError
        If a folder is missing, no folder, empty or may not be read.
    """
    candidates, rejections = discover(folders)
    chosen = [candidate for candidate in candidates if _is_chosen(candidate, channel)]
    read: list[ReadClip] = []
    results = read_all(chosen, cache_path=cache_path, jobs=jobs, backend=backend)
    for candidate, facts in zip(chosen, results, strict=True):
        reason = facts if isinstance(facts, str) else _missing_stream(candidate, facts.streams)
        if isinstance(facts, str) or reason:
            clip = str(candidate.identifier)
            rejections.append(Rejection(str(candidate.path), reason, RejectionKind.BROKEN, clip))
        else:
            read.append(ReadClip(candidate, facts.sha256, facts.streams))
    clips, duplicates = _drop_duplicates(read)
    rejections = sorted(rejections + duplicates, key=lambda rejection: (rejection.path, rejection.reason))
    return Scan(clips, rejections, len(candidates) - len(chosen))


def same_bytes(clips: Iterable[ReadClip]) -> list[tuple[str, ...]]:
    """Return the identifiers of clips that share their bytes with a clip of another name; the release has two."""
    names: dict[str, list[str]] = {}
    for clip in clips:
        names.setdefault(clip.sha256, []).append(str(clip.candidate.identifier))
    return sorted(tuple(sorted(group)) for group in names.values() if len(group) > 1)


def data_fingerprint(clips: pd.DataFrame) -> str:
    """Return a fingerprint of what clips hold and are used for, independent of their paths and their order.

    Parameters
    ----------
    clips : pandas.DataFrame
        The columns ``clip``, ``sha256``, ``voice`` and ``face`` of a catalog.
    """
    columns = [clips[name].tolist() for name in ("clip", "sha256", "voice", "face")]
    return fingerprint(sorted(zip(*columns, strict=True)))


def _is_chosen(candidate: NamedFile, channel: ChannelChoice) -> bool:
    return channel is ChannelChoice.BOTH or candidate.identifier.channel.label == channel.value


def nothing_usable(folders: Sequence[str | Path], channel: ChannelChoice, scan: Scan) -> str:
    """Return one line that says why a scan found no clip, and what to do where the other channel has some."""
    where = ", ".join(map(str, folders))
    if scan.n_other_channel:
        other = VocalChannel.SONG if channel is ChannelChoice.SPEECH else VocalChannel.SPEECH
        return (
            f"{where}: no clip of channel {channel.value}, {scan.n_other_channel} of channel {other.label}; "
            f"choose CHANNEL={other.label} or CHANNEL=both"
        )
    if not scan.rejections:
        return f"{where}: no usable clip: there are no files"
    first = scan.rejections[0]
    n_files = len(scan.rejections)
    return f"{where}: no usable clip among {n_files} files; the first, {first.path}: {first.reason}"


def _missing_stream(candidate: NamedFile, streams: Streams) -> str:
    """Return what keeps a readable clip from being of use to any branch; empty if nothing does."""
    modality = candidate.identifier.modality
    if modality is Modality.AUDIO_ONLY and not streams.has_audio:
        return "an audio-only clip without an audio stream"
    if modality is Modality.VIDEO_ONLY and not streams.has_video:
        return "a video-only clip without a video stream"
    return ""


def _drop_duplicates(clips: Iterable[ReadClip]) -> tuple[list[ReadClip], list[Rejection]]:
    """Keep one file of each identifier; which one does not depend on the order of files."""
    kept: dict[str, ReadClip] = {}
    rejections: list[Rejection] = []
    for clip in sorted(clips, key=_preference):
        name = str(clip.candidate.identifier)
        first = kept.setdefault(name, clip)
        if first is not clip:
            bytes_ = "identical bytes" if clip.sha256 == first.sha256 else "different bytes"
            reason = f"duplicate of {first.candidate.path} ({bytes_})"
            rejections.append(Rejection(str(clip.candidate.path), reason, RejectionKind.DUPLICATE, name))
    return list(kept.values()), rejections


def _preference(clip: ReadClip) -> tuple[int, int, int, str]:
    """Return a key that sorts the best of several files of one identifier first."""
    modality, streams = clip.candidate.identifier.modality, clip.streams
    useful = streams.has_audio * (modality is not Modality.VIDEO_ONLY)
    useful += streams.has_video * (modality is not Modality.AUDIO_ONLY)
    order = SOUND_SUFFIXES + FILM_SUFFIXES if modality is Modality.AUDIO_ONLY else FILM_SUFFIXES + SOUND_SUFFIXES
    path = clip.candidate.path
    return -useful, clip.candidate.depth, order.index(path.suffix.lower()), str(path)


def _clip_table(clips: Iterable[ReadClip]) -> pd.DataFrame:
    rows = [_clip_row(clip) for clip in clips]
    table = pd.DataFrame(rows).sort_values(["take", "clip"], ignore_index=True)
    # a take has one clip a modality, so the first by a branch's order of preference is one clip
    table["voice"] = _chosen(table, "has_audio", (Modality.AUDIO_ONLY, Modality.FULL_AV))
    table["face"] = _chosen(table, "has_video", (Modality.FULL_AV, Modality.VIDEO_ONLY))
    return table[list(CLIP_COLUMNS)]


def _clip_row(clip: ReadClip) -> dict[str, Any]:
    identifier, streams = clip.candidate.identifier, clip.streams
    return {
        "path": str(clip.candidate.path),
        "clip": str(identifier),
        "take": str(identifier.take),
        "modality": identifier.modality.label,
        "channel": identifier.channel.label,
        "emotion": identifier.emotion.label,
        "intensity": identifier.intensity.label,
        "statement": int(identifier.statement),
        "repetition": int(identifier.repetition),
        "actor": identifier.actor,
        "sex": identifier.sex.value,
        "size_bytes": clip.candidate.size_bytes,
        "sha256": clip.sha256,
        "has_audio": streams.has_audio,
        "has_video": streams.has_video,
        "duration_s": streams.duration_s,
    }


def _chosen(table: pd.DataFrame, stream: str, preferred: tuple[Modality, ...]) -> npt.NDArray[np.bool_]:
    """Mark for each take the clip of the first preferred modality that has the stream."""
    ranks = {modality.label: rank for rank, modality in enumerate(preferred)}
    rank = table["modality"].map(ranks).where(table[stream])
    best = rank.groupby(table["take"]).transform("min")
    return np.asarray(rank.notna() & (rank == best), dtype=np.bool_)


def _rejected_table(rejections: Iterable[Rejection]) -> pd.DataFrame:
    rows = [(rejection.path, rejection.reason, "catalog") for rejection in rejections]
    return pd.DataFrame(rows, columns=["path", "reason", "stage"], dtype=str)
