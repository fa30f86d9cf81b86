"""The official release: what it consists of, fetched whole, checked against the checksums of its record.

RAVDESS is Zenodo record 1188976 (Livingstone SR, Russo FA (2018), PLoS ONE 13(5): e0196391). The facial action units of
its films, measured by OpenFace 2.1.0 in every frame, are record 3255102 (Swanson R, Livingstone SR, Russo FA (2019)).
Both are under CC BY-NC-SA 4.0. A record itself says which files it has, how large they are and what their MD5 is; a
file that differs is not kept.
"""

from __future__ import annotations

import logging
import re
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from ravdess_mm.errors import InputError
from ravdess_mm.parallel.progress import Bar
from ravdess_mm.store import UNREADABLE

logger = logging.getLogger(__name__)

RECORD_URL: Final = "https://zenodo.org/api/records/1188976"
TRACKING_URL: Final = "https://zenodo.org/api/records/3255102"
LICENCE: Final = "CC BY-NC-SA 4.0: not for commercial use, name Livingstone & Russo (2018), share alike"
TIMEOUT_S: Final = 60
_DONE_SUFFIX: Final = ".unpacked"


class ArchivePart(StrEnum):
    """A part of the release, or of the one that accompanies it."""

    SPEECH_AUDIO = "speech-audio"
    SONG_AUDIO = "song-audio"
    SPEECH_VIDEO = "speech-video"
    SONG_VIDEO = "song-video"
    ACTION_UNITS = "action-units"

    @property
    def record_url(self) -> str:
        """Where the record that has it is described."""
        return TRACKING_URL if self is ArchivePart.ACTION_UNITS else RECORD_URL


_PATTERNS: Final[dict[ArchivePart, str]] = {
    ArchivePart.SPEECH_AUDIO: r"Audio_Speech_Actors_01-24\.zip",
    ArchivePart.SONG_AUDIO: r"Audio_Song_Actors_01-24\.zip",
    ArchivePart.SPEECH_VIDEO: r"Video_Speech_Actor_(\d\d)\.zip",
    ArchivePart.SONG_VIDEO: r"Video_Song_Actor_(\d\d)\.zip",
    ArchivePart.ACTION_UNITS: r"FacialTracking_Actors_01-24\.zip",
}


@dataclass(frozen=True)
class Archive:
    """One file of the record.

    Attributes
    ----------
    name, url : str
    size : int
        Bytes.
    checksum : str
        Such as ``md5:...``.
    """

    name: str
    url: str
    size: int
    checksum: str


def list_archives(
    parts: Sequence[ArchivePart], *, actors: Sequence[int] | None = None, record_url: str | None = None
) -> list[Archive]:
    """Ask the records which files make up some parts of the release.

    Parameters
    ----------
    parts : sequence of ArchivePart
        Which.
    actors : sequence of int, optional
        Whose videos; sound and action units come for all actors in one file. None for everybody's.
    record_url : str, optional
        Where a record that has all of them is described; None for the official ones.

    Raises
    ------
    InputError
        If a record cannot be reached, is not such a description, or lacks a part.
    """
    urls = [record_url or part.record_url for part in parts]
    entries = {url: _entries(url) for url in dict.fromkeys(urls)}
    chosen: set[Archive] = set()
    for part, url in zip(parts, urls, strict=True):
        matches = [(entry, re.fullmatch(_PATTERNS[part], entry.name)) for entry in entries[url]]
        found = [
            entry
            for entry, match in matches
            if match and (not match.groups() or actors is None or int(match[1]) in actors)
        ]
        if not found:
            of_whom = "" if actors is None else f" of actors {', '.join(map(str, actors))}"
            raise InputError(f"{url}: the record has no {part.value}{of_whom}")
        chosen.update(found)
    return sorted(chosen, key=lambda archive: archive.name)


def download(
    folder: str | Path,
    parts: Sequence[ArchivePart] = (ArchivePart.SPEECH_AUDIO,),
    *,
    actors: Sequence[int] | None = None,
    keep_archives: bool = False,
    record_url: str | None = None,
) -> list[Path]:
    """Fetch and unpack parts of the release.

    What is unpacked already is not fetched again; a download that was cut off starts with the file it was cut off in.

    Parameters
    ----------
    folder : str or Path
        Where to; a folder for each archive is made in it.
    parts, actors, record_url
        See `list_archives`.
    keep_archives : bool
        Whether the zip files stay.

    Returns
    -------
    list of Path
        The unpacked folders.

    Raises
    ------
    InputError
        If something cannot be reached, a checksum differs, or the disk has too little room.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    archives = list_archives(parts, actors=actors, record_url=record_url)
    missing = [archive for archive in archives if not _is_unpacked(folder, archive)]
    # a zip and what comes out of it stand side by side for a while
    _need_room(folder, 2 * sum(archive.size for archive in missing))
    logger.info("%d of %d archives to fetch; licence %s", len(missing), len(archives), LICENCE)
    for archive in missing:
        _fetch(archive, folder, keep=keep_archives)
    return [folder / Path(archive.name).stem for archive in archives]


def _entries(record_url: str) -> list[Archive]:
    import requests

    try:
        answer = requests.get(record_url, timeout=TIMEOUT_S)
        answer.raise_for_status()
        return [_archive(entry) for entry in answer.json()["files"]]
    except requests.RequestException as error:
        raise InputError(f"{record_url}: cannot be reached ({type(error).__name__}); is there a network?") from error
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{record_url}: not the description of a record ({error!r})") from error


def _archive(entry: Any) -> Archive:
    name, checksum = str(entry["key"]), str(entry["checksum"])
    if Path(name).name != name or ":" not in checksum:
        raise ValueError(f"file {name!r} with checksum {checksum!r}")
    return Archive(name, str(entry["links"]["self"]), int(entry["size"]), checksum)


def _need_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise InputError(f"{folder}: {needed / 1e9:.1f} GB are needed, {free / 1e9:.1f} GB are free")


def _is_unpacked(folder: Path, archive: Archive) -> bool:
    mark = folder / f"{archive.name}{_DONE_SUFFIX}"
    return mark.is_file() and mark.read_text().strip() == archive.checksum


def _fetch(archive: Archive, folder: Path, *, keep: bool) -> None:
    import pooch
    import requests

    pooch.get_logger().setLevel(logging.WARNING)
    try:
        with Bar(archive.name, total=archive.size, unit="B") as bar:
            fetcher = pooch.HTTPDownloader(bar, chunk_size=2**16, timeout=TIMEOUT_S)
            fetched = pooch.retrieve(
                archive.url, known_hash=archive.checksum, fname=archive.name, path=folder, downloader=fetcher
            )
        path = Path(fetched)
        with zipfile.ZipFile(path) as content:
            # tables of numbers become several times as large
            _need_room(folder, sum(member.file_size for member in content.infolist()))
            content.extractall(folder / path.stem)
    except requests.RequestException as error:
        raise InputError(f"{archive.url}: cannot be fetched ({type(error).__name__}); run the command again") from error
    except ValueError as error:  # pooch: another checksum
        raise InputError(f"{archive.name}: damaged on the way ({error})") from error
    except UNREADABLE as error:
        raise InputError(f"{archive.name}: not a readable zip file, although its checksum is right") from error
    (folder / f"{archive.name}{_DONE_SUFFIX}").write_text(archive.checksum + "\n")
    if not keep:
        path.unlink()
