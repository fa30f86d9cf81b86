"""Clips of your own: files of any name, and folders of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from ravdess_mm.corpus.probe import MEDIA_SUFFIXES
from ravdess_mm.errors import InputError


def find_clips(paths: Iterable[str | Path]) -> Iterator[Path]:
    """Yield files, and the media files of folders, sorted.

    Raises
    ------
    InputError
        If a path does not exist, or a folder holds no media file.
    """
    for given in paths:
        path = Path(given)
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.suffix.lower() in MEDIA_SUFFIXES)
            if not inside:
                raise InputError(f"{path}: no media file in this folder; looked for {' '.join(MEDIA_SUFFIXES)}")
            yield from inside
        elif path.exists():
            yield path
        else:
            raise InputError(f"{path}: no such file or folder")
