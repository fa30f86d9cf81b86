"""The official release: what it consists of, fetched whole, checked against the checksums of its record.

RAVDESS is Zenodo record 1188976 (Livingstone SR, Russo FA (2018), PLoS ONE 13(5): e0196391). The facial action units of
its films, measured by OpenFace 2.1.0 in every frame, are record 3255102 (Swanson R, Livingstone SR, Russo FA (2019)).
Both are under CC BY-NC-SA 4.0. A record itself says which files it has, how large they are and what their MD5 is; a
file that differs is not kept.
"""

from __future__ import annotations

import hashlib
import logging
import re
import shutil
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from ravdess_mm.errors import InputError, one_line
from ravdess_mm.parallel.progress import Bar
from ravdess_mm.store import UNREADABLE

logger = logging.getLogger(__name__)

RECORD_URL: Final = "https://zenodo.org/api/records/1188976"
TRACKING_URL: Final = "https://zenodo.org/api/records/3255102"
LICENCE: Final = "CC BY-NC-SA 4.0: not for commercial use, name Livingstone & Russo (2018), share alike"
TIMEOUT_S: Final = 60
WAITS_S: Final[tuple[float, ...]] = (1, 4, 16)
"""How long is waited before asking again, in seconds."""
LONGEST_WAIT_S: Final = 120
"""More is not waited, whatever a server asks for, in seconds."""
BUSY: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""What a server answers that is better asked again."""
RANGE_BEYOND: Final = 416
TRIES: Final = 5
"""How often a file that was cut off is gone on with."""
_DONE_SUFFIX: Final = ".unpacked"
_PART_SUFFIX: Final = ".part"


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

    What is unpacked already is not fetched again; a download that was cut off goes on where it was.

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
    answer = _get(record_url)
    try:
        return [_archive(entry) for entry in answer.json()["files"]]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        kind = answer.headers.get("Content-Type", "").partition(";")[0]
        said = f"a page of {kind}" if kind == "text/html" else one_line(error)
        raise InputError(f"{record_url}: not the description of a record ({said})") from error


def _get(url: str, *, start: int = 0, name: str = "") -> Any:
    """Ask for an address, and again after a while where the server is busy; return the answer, not read yet.

    Raises
    ------
    InputError
        If it cannot be had: says why, in the words of HTTP.
    """
    import requests

    headers = {"Range": f"bytes={start}-"} if start else {}
    for wait_s in (*WAITS_S, None):
        try:
            answer = requests.get(url, headers=headers, timeout=TIMEOUT_S, stream=True)
        except requests.RequestException as error:
            reason = f"cannot be reached ({type(error).__name__}); is there a network?"
        else:
            if answer.ok or answer.status_code == RANGE_BEYOND:
                return answer
            reason = f"the server says {answer.status_code} {answer.reason}"
            if answer.status_code not in BUSY:
                break
            asked_s = answer.headers.get("Retry-After", "")
            if wait_s is not None and asked_s.isdecimal():
                wait_s = min(max(wait_s, int(asked_s)), LONGEST_WAIT_S)
        if wait_s is not None:
            logger.warning("%s: %s; asked again in %d s", name or url, reason, wait_s)
            time.sleep(wait_s)
    raise InputError(f"{url}: {reason}")


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
    path = folder / archive.name
    if not (path.is_file() and _checksum(path, archive) == archive.checksum):
        _fetch_file(archive, path)
    try:
        with zipfile.ZipFile(path) as content:
            # tables of numbers become several times as large
            _need_room(folder, sum(member.file_size for member in content.infolist()))
            content.extractall(folder / path.stem)
    except UNREADABLE as error:
        raise InputError(f"{archive.name}: not a readable zip file, although its checksum is right") from error
    (folder / f"{archive.name}{_DONE_SUFFIX}").write_text(archive.checksum + "\n")
    if not keep:
        path.unlink()


def _fetch_file(archive: Archive, path: Path) -> None:
    """Fetch a file beside its place, going on where it was cut off, and put it there when it is whole."""
    import requests

    part = path.with_name(f"{path.name}{_PART_SUFFIX}")
    with Bar(archive.name, total=archive.size, unit="B") as bar:
        for _ in range(TRIES):
            start = part.stat().st_size if part.is_file() else 0
            if start >= archive.size:
                break
            answer = _get(archive.url, start=start, name=archive.name)
            if start and answer.status_code != requests.codes.partial_content:
                start = 0  # a server that knows no ranges sends all of it
            if answer.headers.get("Content-Type", "").startswith("text/html"):
                raise InputError(f"{archive.url}: the server sent a page of HTML instead of the file")
            bar.reset()
            bar.update(start)
            try:
                with part.open("ab" if start else "wb") as file:
                    for block in answer.iter_content(2**16):
                        file.write(block)
                        bar.update(len(block))
            except requests.RequestException as error:
                logger.warning("%s: cut off (%s); it goes on from there", archive.name, type(error).__name__)
    found = _checksum(part, archive) if part.is_file() else "nothing"
    if found != archive.checksum:
        if part.is_file() and part.stat().st_size >= archive.size:
            part.unlink()
            raise InputError(f"{archive.name}: damaged on the way ({found}, expected {archive.checksum})")
        raise InputError(f"{archive.url}: cut off again and again; run the command again, it goes on from there")
    part.replace(path)


def _checksum(path: Path, archive: Archive) -> str:
    kind = archive.checksum.partition(":")[0]
    try:
        with path.open("rb") as file:
            return f"{kind}:{hashlib.file_digest(file, kind).hexdigest()}"
    except ValueError as error:
        raise InputError(f"{archive.name}: its checksum is of kind {kind!r}, which is not known") from error
