"""Media files of any name, and folders of them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from ravdess_mm.corpus.media import is_media
from ravdess_mm.corpus.probe import MEDIA_SUFFIXES
from ravdess_mm.errors import InputError

logger = logging.getLogger(__name__)

CLIP_SUFFIXES: Final = frozenset(
    {*MEDIA_SUFFIXES, ".3gp", ".aac", ".aif", ".aiff", ".amr", ".caf", ".flv", ".m4a", ".m4v", ".mpeg", ".mpg", ".mts"}
    | {".oga", ".ogv", ".opus", ".wma", ".wmv"}
)
"""Files so named in a folder are clips, whole or broken; any other file is one if sound or film is in it."""


def find_clips(paths: Iterable[str | Path], *, quiet: bool = False) -> Iterator[Path]:
    """Yield files, and the media files of folders, sorted.

    Hidden files and hidden folders inside a folder, such as ``._a.mp3`` and ``.Trash``, are passed over, and so are
    files that hold no sound or film; one message a folder counts both.

    Parameters
    ----------
    paths : iterable of path
        Files, which are yielded as they are, and folders.
    quiet : bool
        Whether to leave out the message, where the same paths were looked through before.

    Raises
    ------
    InputError
        If a path does not exist, or a folder holds no media file.
    """
    for given in paths:
        path = Path(given)
        if path.is_dir():
            yield from _clips_inside(path, quiet=quiet)
        elif path.is_file():
            yield path
        elif path.exists():
            raise InputError(f"{path}: neither a file nor a folder")
        else:
            raise InputError(f"{path}: no such file or folder")


def _clips_inside(folder: Path, *, quiet: bool) -> list[Path]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    shown = [file for file in files if not any(part.startswith(".") for part in file.relative_to(folder).parts)]
    clips = [file for file in shown if file.suffix.lower() in CLIP_SUFFIXES or is_media(file)]
    counts = {"hidden": len(files) - len(shown), "without sound or film": len(shown) - len(clips)}
    passed_over = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    if not clips:
        raise InputError(f"{folder}: no media file in this folder{f' (files: {passed_over})' if passed_over else ''}")
    if passed_over and not quiet:
        logger.warning("%s: files passed over: %s", folder, passed_over)
    return clips
