"""Clips of another corpus: speaker, emotion and language, from file names.

Nothing is read but names, so a clip that cannot be heard is found out later and named there.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from ravdess_mm.corpus.corpus_names import NamedClip, SpeechCorpus, corpus_named
from ravdess_mm.corpus.discovery import list_files, utf8_text
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.corpus.probe import SOUND_SUFFIXES
from ravdess_mm.errors import InputError

CLIP_COLUMNS: Final[tuple[str, ...]] = ("path", "speaker", "sex", "emotion", "language")


@dataclass(frozen=True)
class CorpusClips:
    """What a folder holds of a corpus.

    Attributes
    ----------
    corpus : SpeechCorpus
    folder : Path
    clips : pandas.DataFrame
        The columns `CLIP_COLUMNS`, sorted by path; ``sex`` is ``female``, ``male`` or None, ``emotion`` one of eight.
    other_emotions : dict of str to int
        Clips left out because they show something else, such as ``boredom``, by its name.
    n_misnamed : int
        Sound files whose names are not those of the corpus.
    n_duplicates : int
        Further copies of a clip: a nested second tree, or the same clip in another format.
    """

    corpus: SpeechCorpus
    folder: Path
    clips: pd.DataFrame
    other_emotions: dict[str, int]
    n_misnamed: int
    n_duplicates: int

    @property
    def left_out(self) -> str:
        """What is left out, in words; empty where nothing is."""
        counts = {**self.other_emotions, "with other names": self.n_misnamed, "duplicate": self.n_duplicates}
        return ", ".join(f"{number} {word}" for word, number in counts.items() if number)


def find_corpus(name: str, folder: str | Path) -> CorpusClips:
    """Find the clips of a corpus in a folder, nested to any depth, by their names.

    Parameters
    ----------
    name : str
        Such as ``emodb``; see `corpus_names.CORPORA`.
    folder : str or Path
        As the owner publishes it, any folder above, or a folder of copies that keeps the names. What is hidden is
        passed over. Of a clip that is there more than once, WAV is kept before FLAC and these before lossy formats,
        and then the outermost.

    Returns
    -------
    CorpusClips
        The same for any order of the files.

    Raises
    ------
    InputError
        If the corpus is unknown, the folder is missing, empty or unreadable, or not one clip of the corpus is in it.
    """
    corpus = corpus_named(name)
    files, _ = list_files([folder])
    sounds = [file for file in files if _is_sound(file.path)]
    clips: dict[tuple[str, str], tuple[Path, NamedClip]] = {}
    n_misnamed = n_duplicates = 0
    for file in sorted(sounds, key=lambda file: (_suffix_rank(file.path), file.depth, file.path)):
        clip = corpus.parse(file.path) if utf8_text(file.path) == str(file.path) else None
        if clip is None:
            n_misnamed += 1
        elif (clip.speaker, file.path.stem) in clips:
            n_duplicates += 1
        else:
            clips[clip.speaker, file.path.stem] = file.path, clip
    named = sorted(clips.values(), key=lambda item: item[0])
    rows = [
        (str(path), clip.speaker, clip.sex.value if clip.sex else None, clip.emotion, corpus.language)
        for path, clip in named
        if clip.emotion in EMOTIONS
    ]
    if not rows:
        contents = f"{len(named)} clips of other emotions, {n_misnamed} sound files of other names"
        raise InputError(
            f"{utf8_text(folder)}: no clip of {corpus.name} shows one of the eight emotions ({contents}); "
            f"its names are like {corpus.example}, and end in one of {' '.join(SOUND_SUFFIXES)}"
        )
    others = Counter(clip.emotion for _, clip in named if clip.emotion not in EMOTIONS)
    return CorpusClips(
        corpus=corpus,
        folder=Path(folder),
        clips=pd.DataFrame(rows, columns=list(CLIP_COLUMNS)).astype({"sex": object}),
        other_emotions=dict(sorted(others.items())),
        n_misnamed=n_misnamed,
        n_duplicates=n_duplicates,
    )


def find_corpora(folders: Iterable[tuple[str, Path]]) -> dict[str, CorpusClips]:
    """Find several corpora.

    Parameters
    ----------
    folders : iterable of (str, Path)
        Name and folder of each.

    Returns
    -------
    dict of str to CorpusClips
        Sorted by name.

    Raises
    ------
    InputError
        As :func:`find_corpus`, or if a corpus or a folder is named twice.
    """
    pairs = sorted((corpus_named(name).name, Path(folder)) for name, folder in folders)
    names = Counter(name for name, _ in pairs)
    counts = Counter(os.path.realpath(folder) for _, folder in pairs)
    for name, folder in pairs:
        if names[name] > 1:
            raise InputError(f"corpus {name} is named {names[name]} times; name each corpus once")
        if counts[os.path.realpath(folder)] > 1:
            raise InputError(f"{utf8_text(folder)}: named for more than one corpus; each has a folder of its own")
    return {name: find_corpus(name, folder) for name, folder in pairs}


def _suffix_rank(path: Path) -> int:
    return SOUND_SUFFIXES.index(path.suffix.lower())


def _is_sound(path: Path) -> bool:
    # a broken link passes: whoever opens it says why it cannot be read
    regular = os.path.isfile(path) or not os.path.exists(path)
    return regular and path.suffix.lower() in SOUND_SUFFIXES and not path.name.startswith(".")
