"""The embedded sample corpus: synthetic voices and drawn faces under RAVDESS names, made on the spot.

It lets everybody run the whole path in minutes, without a download and without anybody's face. Its figures say
nothing about real people, so they always stand beside `SYNTHETIC_NOTE`.

A hidden file of the folder, the manifest, says how the sample was made and what is in it, file by file with SHA-256.
A file is listed only after it is whole, so a sample that was killed half-way is completed, not made again.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from ravdess_mm.corpus.identifier import ACTORS, EMOTIONS, Modality
from ravdess_mm.corpus.sample_clip import clip_path, write_clips
from ravdess_mm.corpus.sample_script import Script, sample_scripts
from ravdess_mm.errors import InputError
from ravdess_mm.progress import map_parallel
from ravdess_mm.store import hash_file, read_json, source_fingerprint, write_json, write_text

logger = logging.getLogger(__name__)

SYNTHETIC_NOTE: Final = "synthetic sample"
"""The words that stand beside every figure that comes from the sample."""

SAMPLE_ACTORS: Final[range] = range(1, 13)
"""The actors of the sample: six men, six women."""

MANIFEST_NAME: Final = ".sample.json"
MANIFEST_SCHEMA: Final = "sample/1"
README_NAME: Final = "README.txt"

_CLIP_NAME: Final = re.compile(r"Actor_[0-9]{2}/[0-9-]+\.(wav|mp4)")
_SAVE_EVERY: Final = 4


@dataclass(frozen=True)
class _Work:
    """The clips of one take that are missing or altered."""

    script: Script
    modalities: tuple[Modality, ...]


def ensure_sample(folder: str | Path, *, jobs: int = -1) -> Path:
    """Return the folder of the whole sample; make what of it is missing or was altered.

    Parameters
    ----------
    folder : str or Path
        Where the sample is or shall be; missing, empty, or a sample.
    jobs : int
        Processes; -1 for one a core. The files do not depend on it.

    Returns
    -------
    Path
        `folder`.

    Raises
    ------
    InputError
        If `folder` is a file, cannot be written, or holds something that is not a sample.
    """
    return make_sample(folder, actors=SAMPLE_ACTORS, jobs=jobs)


def make_sample(folder: str | Path, *, actors: Iterable[int] = SAMPLE_ACTORS, jobs: int = -1) -> Path:
    """Make a sample of some actors, or complete it: each has 16 takes of speech in all eight emotions.

    Parameters
    ----------
    folder : str or Path
        Missing, empty, or a sample. Of a sample made otherwise (other actors, another version of the generator)
        only what the manifest lists is replaced.
    actors : iterable of int
        Numbers of the actors, 1-24.
    jobs : int
        Processes; -1 for one a core. The files do not depend on it.

    Returns
    -------
    Path
        `folder`.

    Raises
    ------
    InputError
        If an actor is out of range, or `folder` is a file, cannot be written, or holds something that is not a
        sample.
    """
    folder, actors = Path(folder), _checked_actors(actors)
    recipe = {
        "schema": MANIFEST_SCHEMA,
        "what": f"{SYNTHETIC_NOTE}: drawn faces and computed voices, no real person",
        "generator": _generator(),
        "actors": list(actors),
    }
    with _locked(folder):
        _refuse_strangers(folder)
        _sweep(folder)
        scripts = sample_scripts(actors)
        planned = {clip_path(script, modality).as_posix() for script in scripts for modality in script.modalities}
        listed = _listed_files(folder, recipe, planned)
        hashes = {name: digest for name, digest in listed.items() if _is_unaltered(folder / name, digest)}
        manifest = folder / MANIFEST_NAME
        if hashes != listed or not manifest.is_file():
            write_json(manifest, recipe | {"files": hashes})
        work = list(_missing(scripts, hashes))
        if work:
            logger.info("making %d of %d clips of the %s in %s", _count(work), len(planned), SYNTHETIC_NOTE, folder)
        finished = map_parallel(partial(_make, folder=folder), work, description=SYNTHETIC_NOTE, jobs=jobs, unit="take")
        for number, made in enumerate(finished, start=1):
            hashes |= made
            if number % _SAVE_EVERY == 0 or number == len(work):
                write_json(manifest, recipe | {"files": hashes})
        _write_readme(folder, actors)
        _warn_of_strangers(folder, planned)
    return folder


def _generator() -> str:
    """Return the fingerprint of the code that computes voices and draws faces."""
    parts = sorted(path.name for path in Path(__file__).parent.glob("sample_*.py"))
    return source_fingerprint(*(f"corpus/{part}" for part in parts))


def _checked_actors(actors: Iterable[int]) -> tuple[int, ...]:
    chosen = tuple(sorted(set(actors)))
    wrong = [actor for actor in chosen if actor not in ACTORS]
    if wrong or not chosen:
        raise InputError(f"actors {wrong or 'none'}: cannot make a sample of them; allowed: one or more of 1-24")
    return chosen


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Make the folder and let one process at a time work in it; what the disk refuses becomes one clear line."""
    import fcntl

    try:
        folder.mkdir(parents=True, exist_ok=True)
        # the folder itself is locked: a lock file in it would be one more thing for the catalog to reject
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
    except OSError as error:
        raise InputError(f"{folder}: cannot hold the {SYNTHETIC_NOTE} ({error.strerror or error})") from error


def _refuse_strangers(folder: Path) -> None:
    """Raise where a folder without a manifest holds anything that can be seen."""
    visible = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    if visible and not (folder / MANIFEST_NAME).is_file():
        raise InputError(
            f"{folder}: holds {visible[0]!r} and is not a {SYNTHETIC_NOTE}; allowed: a folder that is missing, "
            "empty or a sample"
        )


def _sweep(folder: Path) -> None:
    """Remove the half-written files of a killed run; `store.whole_file` hides them under a dot."""
    leftovers = [*folder.glob("Actor_*/.*"), *folder.glob(".README-*"), *folder.glob("..sample-*")]
    for path in leftovers:
        path.unlink(missing_ok=True)


def _listed_files(folder: Path, recipe: Mapping[str, Any], planned: set[str]) -> dict[str, str]:
    """Return the finished files by the manifest; of another recipe there are none, and what is left over goes."""
    path = folder / MANIFEST_NAME
    if not path.is_file():
        return {}
    try:
        found = read_json(path)
        files = {str(name): str(digest) for name, digest in found["files"].items()}
        same = all(found.get(key) == value for key, value in recipe.items())
    except (InputError, AttributeError, KeyError, TypeError):
        logger.warning("%s: is damaged; all clips are made again", path)
        return {}
    if same:
        return {name: digest for name, digest in files.items() if name in planned}
    for name in sorted(set(files) - planned):
        if _CLIP_NAME.fullmatch(name):
            (folder / name).unlink(missing_ok=True)
    return {}


def _is_unaltered(path: Path, digest: str) -> bool:
    return path.is_file() and hash_file(path) == digest


def _missing(scripts: Iterable[Script], hashes: Mapping[str, str]) -> Iterator[_Work]:
    for script in scripts:
        missing = [m for m in script.modalities if clip_path(script, m).as_posix() not in hashes]
        if missing:
            yield _Work(script, tuple(missing))


def _count(work: Iterable[_Work]) -> int:
    return sum(len(item.modalities) for item in work)


def _make(work: _Work, *, folder: Path) -> dict[str, str]:
    written = write_clips(work.script, folder, work.modalities)
    return {path.as_posix(): hash_file(folder / path) for path in written}


def _write_readme(folder: Path, actors: tuple[int, ...]) -> None:
    text = f"""{SYNTHETIC_NOTE.upper()}

Nobody speaks here and nobody is shown: the voices are computed and the faces are drawn by ravdess-mm.
The names are those of RAVDESS (modality-channel-emotion-intensity-statement-repetition-actor), so that every
step from files to report can be tried without the real recordings.

Actors: {", ".join(str(actor) for actor in actors)} (odd: men, even: women).
Emotions: {", ".join(EMOTIONS)}.

Accuracies on these files say nothing about accuracies on people.
This file is not a clip: a catalog of this folder rejects it and says why.
"""
    path = folder / README_NAME
    if not path.is_file() or path.read_bytes() != text.encode():
        write_text(path, text)


def _warn_of_strangers(folder: Path, planned: set[str]) -> None:
    """Say which visible files are not of the sample; hidden ones are a killed run's or the desktop's."""
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    strangers = sorted(name for name in found - planned if name != README_NAME and "/." not in f"/{name}")
    if strangers:
        logger.warning(
            "%s: %d files are not of the %s, such as %s", folder, len(strangers), SYNTHETIC_NOTE, strangers[0]
        )
