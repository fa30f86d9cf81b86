"""The files of the embedded sample corpus: WAV voices and MP4 faces, and a manifest of what is whole.

It lets everybody run the whole path in minutes, without a download and without anybody's face. Its figures say
nothing about real people, so they always stand beside `SYNTHETIC_NOTE`.

The manifest, a hidden file of the folder, says how the sample was made and lists each file with its SHA-256 after it
is whole, so a sample that was killed half-way is completed, not made again.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ravdess_mm.corpus.identifier import ACTORS, EMOTIONS, Identifier, Modality
from ravdess_mm.errors import InputError
from ravdess_mm.import_graph import source_fingerprint
from ravdess_mm.parallel.progress import map_parallel
from ravdess_mm.sample.face import FRAME_SIZE_PX, draw_faces
from ravdess_mm.sample.script import Script, sample_scripts
from ravdess_mm.sample.voice import SAMPLE_RATE, synthesize_voice
from ravdess_mm.store import hash_file, read_json, whole_file, write_json, write_text

logger = logging.getLogger(__name__)

SYNTHETIC_NOTE: Final = "synthetic sample"
"""The words that stand beside every figure that comes from the sample."""

SAMPLE_ACTORS: Final[range] = range(1, 13)
"""The actors of the sample: six men, six women."""

FRAME_RATE: Final = Fraction(30_000, 1001)
"""Frames a second, as in RAVDESS: 29.97."""

MANIFEST_NAME: Final = ".sample.json"
MANIFEST_SCHEMA: Final = "sample/1"
README_NAME: Final = "README.txt"

_CLIP_NAME: Final = re.compile(r"Actor_[0-9]{2}/[0-9-]+\.(wav|mp4)")
_SAVE_EVERY: Final = 4
_HELD_FRAMES: Final = 3  # drawn "on threes", as in animation: one drawing is held for three frames
_AAC_FRAME: Final = 1024
# one thread and no lookahead (which `superfast` leaves out): with either, the bits differ now and then
_X264_OPTIONS: Final = {"preset": "superfast", "crf": "27", "g": "30", "x264-params": "threads=1"}
_MPEG4_OPTIONS: Final = {"qscale": "5", "threads": "1"}
_BITEXACT: Final = {"flags": "+bitexact"}


def ensure_sample(folder: str | Path, *, actors: Iterable[int] = SAMPLE_ACTORS, jobs: int = -1) -> Path:
    """Make the sample, or what of it is missing or was altered: each actor has 16 takes in all eight emotions.

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
        "generator": source_fingerprint(__name__),
        "actors": list(actors),
    }
    with _locked(folder):
        _refuse_strangers(folder)
        for leftover in (*folder.glob("Actor_*/.*"), *folder.glob(".README-*"), *folder.glob("..sample-*")):
            leftover.unlink(missing_ok=True)  # half-written files of a killed run; `store.whole_file` hides them
        scripts = sample_scripts(actors)
        planned = {clip_path(script, modality).as_posix() for script in scripts for modality in script.modalities}
        listed = _listed_files(folder, recipe, planned)
        hashes = {name: digest for name, digest in listed.items() if _is_unaltered(folder / name, digest)}
        manifest = folder / MANIFEST_NAME
        if hashes != listed or not manifest.is_file():
            write_json(manifest, recipe | {"files": hashes})
        if len(hashes) < len(planned):
            n_missing = len(planned) - len(hashes)
            logger.info("making %d of %d clips of the %s in %s", n_missing, len(planned), SYNTHETIC_NOTE, folder)
        work = [(script, missing) for script in scripts if (missing := _missing(script, hashes))]
        made = map_parallel(partial(_make, folder=folder), work, description=SYNTHETIC_NOTE, jobs=jobs, unit="take")
        for number, files in enumerate(made, start=1):
            hashes |= files
            if number % _SAVE_EVERY == 0 or number == len(work):
                write_json(manifest, recipe | {"files": hashes})
        _write_readme(folder, actors)
    return folder


def clip_path(script: Script, modality: Modality) -> Path:
    """Return where a clip is in the sample: in its actor's folder, under its RAVDESS name."""
    suffix = ".wav" if modality is Modality.AUDIO_ONLY else ".mp4"
    return Path(f"Actor_{script.take.actor:02d}", f"{Identifier(modality, script.take)}{suffix}")


def write_clips(script: Script, folder: Path, modalities: Iterable[Modality]) -> list[Path]:
    """Write some of the clips of a take, each whole or not at all; return the files, relative to `folder`."""
    import soundfile

    written = []
    voice = synthesize_voice(script)
    for modality in modalities:
        path = clip_path(script, modality)
        with whole_file(folder / path) as temporary:
            if modality is Modality.AUDIO_ONLY:
                soundfile.write(temporary, np.round(voice * 32767).astype(np.int16), SAMPLE_RATE, subtype="PCM_16")
            else:
                _write_mp4(temporary, script, voice if modality is Modality.FULL_AV else None)
        written.append(path)
    return written


def _write_mp4(path: Path, script: Script, voice: NDArray[np.float32] | None) -> None:
    import av

    # rounded down, so that the sound track is never shorter than the picture
    n_frames = int(script.duration_s * FRAME_RATE)
    times_s = np.arange(0, n_frames, _HELD_FRAMES) / float(FRAME_RATE)
    with av.open(path, "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        video = _add_video(container)
        audio = None
        if voice is not None:
            audio = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono", options=dict(_BITEXACT))
            audio.bit_rate = 48_000
        for number, picture in enumerate(draw_faces(script, times_s)):
            planes = np.vstack([picture, np.full((FRAME_SIZE_PX // 2, FRAME_SIZE_PX), 128, np.uint8)])
            for frame_number in range(number * _HELD_FRAMES, min((number + 1) * _HELD_FRAMES, n_frames)):
                # a frame of its own each time: the encoder keeps it for a while
                frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
                frame.pts = frame_number
                container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None and voice is not None:
            _encode_audio(container, audio, voice)


def _add_video(container: Any) -> Any:
    import av

    h264 = "libx264" in av.codecs_available
    codec, options = ("libx264", _X264_OPTIONS) if h264 else ("mpeg4", _MPEG4_OPTIONS)
    stream = container.add_stream(codec, rate=FRAME_RATE, options=options | _BITEXACT)
    stream.width = stream.height = FRAME_SIZE_PX
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = 1 / FRAME_RATE
    return stream


def _encode_audio(container: Any, stream: Any, voice: NDArray[np.float32]) -> None:
    import av

    for start in range(0, len(voice), _AAC_FRAME):
        frame = av.AudioFrame.from_ndarray(voice[None, start : start + _AAC_FRAME], format="fltp", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        frame.pts = start
        frame.time_base = Fraction(1, SAMPLE_RATE)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


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


def _listed_files(folder: Path, recipe: Mapping[str, Any], planned: set[str]) -> dict[str, str]:
    """Return the finished files by the manifest; of another recipe there are none, and what is left over goes."""
    path = folder / MANIFEST_NAME
    if not path.is_file():
        return {}
    try:
        manifest = read_json(path)
        files = {str(name): str(digest) for name, digest in manifest["files"].items()}
        same = all(manifest.get(key) == value for key, value in recipe.items())
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


def _missing(script: Script, hashes: Mapping[str, str]) -> list[Modality]:
    return [modality for modality in script.modalities if clip_path(script, modality).as_posix() not in hashes]


def _make(work: tuple[Script, Sequence[Modality]], *, folder: Path) -> dict[str, str]:
    script, modalities = work
    return {path.as_posix(): hash_file(folder / path) for path in write_clips(script, folder, modalities)}


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
