"""Files in folders: clips by their name, and rejections with reasons.

Every real folder is entered once, however often it is named, nested in another or linked to.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from ravdess_mm.corpus.identifier import Identifier
from ravdess_mm.corpus.probe import MEDIA_SUFFIXES
from ravdess_mm.errors import IdentifierError, InputError, os_reason

TABLE_SUFFIX: Final = ".csv"
TABLE_OF_A_CLIP: Final = "a table named as a clip, such as of its action units; no clip itself"


class RejectionKind(Enum):
    """Why a file is not used, as a kind: only a broken one means that data is damaged."""

    FOREIGN = "foreign"
    BROKEN = "broken"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, order=True)
class Rejection:
    """A file or folder that is not used.

    Attributes
    ----------
    path : str
        Where it is.
    reason : str
        Why, in words.
    fault : RejectionKind
        Why, as a kind.
    clip : str
        The identifier its name stands for; empty where it stands for none.
    """

    path: str
    reason: str
    fault: RejectionKind
    clip: str = ""


@dataclass(frozen=True)
class FoundFile:
    """A file under one of the folders.

    Attributes
    ----------
    path : Path
        Starts with the folder as it was given.
    depth : int
        Number of folders between it and the folder given.
    """

    path: Path
    depth: int


@dataclass(frozen=True)
class NamedFile(FoundFile):
    """A file whose name makes it a clip; its content has not been looked at.

    Attributes
    ----------
    identifier : Identifier
        The name, decoded.
    size_bytes, mtime_ns : int
        Size, and time of the last change in nanoseconds.
    """

    identifier: Identifier
    size_bytes: int
    mtime_ns: int


def discover(folders: Sequence[str | Path]) -> tuple[list[NamedFile], list[Rejection]]:
    """Find the clips in folders, nested to any depth, by their names.

    Parameters
    ----------
    folders : sequence of str or Path
        May overlap, repeat each other and hold symbolic links, loops included.

    Returns
    -------
    candidates : list of NamedFile
        Sorted by path; neither depends on the order of folders and files.
    rejections : list of Rejection
        Everything else.

    Raises
    ------
    InputError
        If no folder is named, or one is missing, no folder, empty or may not be read.
    """
    files, rejections = list_files(folders)
    candidates: list[NamedFile] = []
    for file in files:
        item = _classify(file)
        if isinstance(item, NamedFile):
            candidates.append(item)
        else:
            rejections.append(item)
    candidates, aliases = _drop_aliases(candidates)
    return sorted(candidates, key=lambda candidate: candidate.path), sorted(rejections + aliases, key=_by_path)


def list_files(folders: Sequence[str | Path]) -> tuple[list[FoundFile], list[Rejection]]:
    """List the files in folders, nested to any depth; hidden folders are not entered.

    Returns
    -------
    files : list of FoundFile
        In no promised order.
    rejections : list of Rejection
        Folders that are not entered, and why.

    Raises
    ------
    InputError
        As :func:`discovery`.
    """
    return _walk(_checked_folders(folders))


def utf8_text(path: str | Path) -> str:
    """Return a path that can be printed and stored: bytes that are no UTF-8 become escapes."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def _by_path(rejection: Rejection) -> tuple[str, str]:
    return rejection.path, rejection.reason


def _checked_folders(folders: Sequence[str | Path]) -> list[Path]:
    """Check what the user named; outer folders come first, so that what is in two is found in the outer one."""
    if not folders:
        raise InputError("no folder of clips is named; name at least one")
    by_target: dict[str, Path] = {}
    for folder in sorted(map(Path, folders)):
        try:
            is_empty = not os.listdir(folder)
        except FileNotFoundError as error:
            raise InputError(f"{folder}: no such folder") from error
        except NotADirectoryError as error:
            raise InputError(f"{folder}: a file, where a folder of clips is due") from error
        except OSError as error:
            raise InputError(f"{folder}: cannot be read: {os_reason(error)}") from error
        if is_empty:
            raise InputError(f"{folder}: the folder is empty")
        by_target.setdefault(os.path.realpath(folder), folder)
    return [by_target[target] for target in sorted(by_target, key=lambda target: (target.count(os.sep), target))]


def _walk(folders: Iterable[Path]) -> tuple[list[FoundFile], list[Rejection]]:
    """List all files; linked folders come last, so that a file is found where it really is if that is inside."""
    files: list[FoundFile] = []
    rejections: list[Rejection] = []
    entered: set[str] = set()
    linked: list[tuple[Path, int]] = []
    for folder in folders:
        _walk_one((folder, 0), entered, files, linked, rejections)
    while linked:
        start = min(linked)
        linked.remove(start)
        _walk_one(start, entered, files, linked, rejections)
    return files, rejections


def _walk_one(
    start: tuple[Path, int],
    entered: set[str],
    files: list[FoundFile],
    linked: list[tuple[Path, int]],
    rejections: list[Rejection],
) -> None:
    """List the files under one folder; links to folders are noted in `linked` and not followed."""
    waiting = [start]
    while waiting:
        folder, depth = waiting.pop()
        target = os.path.realpath(folder)
        if target in entered:
            continue
        entered.add(target)
        try:
            names = sorted(os.listdir(folder))
        except OSError as error:
            reason = f"the folder cannot be read: {os_reason(error)}"
            rejections.append(Rejection(utf8_text(folder), reason, RejectionKind.BROKEN))
            continue
        for name in names:
            path = folder / name
            # the functions of os.path, unlike those of Path, never raise: on a link to itself or without permission
            if not os.path.isdir(path):
                files.append(FoundFile(path, depth))
            elif name.startswith("."):
                rejections.append(Rejection(utf8_text(path), "hidden folder", RejectionKind.FOREIGN))
            elif not os.path.islink(path):
                waiting.append((path, depth + 1))
            elif os.path.join(target, "").startswith(os.path.join(os.path.realpath(path), "")):
                rejections.append(Rejection(utf8_text(path), "a link to a folder it lies in", RejectionKind.FOREIGN))
            else:
                linked.append((path, depth + 1))


def _classify(file: FoundFile) -> NamedFile | Rejection:
    """Decide by name, kind and size of a file whether it can be a clip."""
    path, shown = file.path, utf8_text(file.path)
    if path.name.startswith("."):
        return Rejection(shown, "hidden file", RejectionKind.FOREIGN)
    if path.suffix.lower() == TABLE_SUFFIX:
        with suppress(IdentifierError):  # a table of something else, and no clip either
            return Rejection(shown, TABLE_OF_A_CLIP, RejectionKind.FOREIGN, str(Identifier.parse(path)))
    if path.suffix.lower() not in MEDIA_SUFFIXES:
        kind = f"extension {utf8_text(path.suffix)}" if path.suffix else "no extension"
        return Rejection(shown, f"{kind}; clips are {' '.join(MEDIA_SUFFIXES)}", RejectionKind.FOREIGN)
    try:
        identifier = Identifier.parse(path)
    except IdentifierError as error:
        return Rejection(shown, utf8_text(str(error)), RejectionKind.FOREIGN)
    try:
        status = path.stat()
    except OSError as error:
        kind = "broken link" if os.path.islink(path) else "cannot be read"
        return Rejection(shown, f"{kind}: {os_reason(error)}", RejectionKind.BROKEN, str(identifier))
    if not stat.S_ISREG(status.st_mode):
        return Rejection(shown, "not a regular file", RejectionKind.FOREIGN)
    if status.st_size == 0:
        return Rejection(shown, "zero bytes", RejectionKind.BROKEN, str(identifier))
    if shown != str(path):
        return Rejection(shown, "the path is not valid UTF-8; rename the folder", RejectionKind.FOREIGN)
    return NamedFile(path, file.depth, identifier, status.st_size, status.st_mtime_ns)


def _drop_aliases(candidates: list[NamedFile]) -> tuple[list[NamedFile], list[Rejection]]:
    """Keep one path of each file that links make visible under several."""
    linked = [candidate for candidate in candidates if os.path.islink(candidate.path)]
    kept = [candidate for candidate in candidates if not os.path.islink(candidate.path)]
    at = {os.path.realpath(candidate.path): candidate.path for candidate in kept} if linked else {}
    rejections: list[Rejection] = []
    for candidate in sorted(linked, key=lambda candidate: (candidate.depth, candidate.path)):
        first = at.setdefault(os.path.realpath(candidate.path), candidate.path)
        if first == candidate.path:
            kept.append(candidate)
        else:
            reason = f"duplicate of {first}: a link to the same file"
            rejections.append(
                Rejection(str(candidate.path), reason, RejectionKind.DUPLICATE, str(candidate.identifier))
            )
    return kept, rejections
