"""An append-only array of frames on disk with a journal; it survives being killed."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ravdess_mm.errors import InputError

FRAMES_NAME: Final = "frames.npy"
TAKES_NAME: Final = "takes.jsonl"
BUILDING_NAME: Final = "building.npy"
"""The array while it grows."""

_HEADER_BYTES: Final = 128  # numpy pads its header so that the first axis can grow in place


@dataclass(frozen=True)
class TakeFrames:
    """The frames of one take, and the clips that were tried for it.

    Attributes
    ----------
    take : str
        The take.
    tried : tuple of str
        Keys of the clips tried, in order; the last is the one the frames are from, if there are frames.
    failures : tuple of str
        Why the clips before it could not be used, in the order of `tried`.
    numbers : tuple of int
        Frame numbers.
    times_s : tuple of float
        Times of presentation in seconds.
    faces : tuple of str
        ``found`` or ``carried`` for each of `numbers`; empty where whole frames are kept.
    """

    take: str
    tried: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    times_s: tuple[float, ...] = ()
    faces: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, line: str) -> TakeFrames:
        """Read one line of a journal; the inverse of `to_json`."""
        fields: dict[str, Any] = json.loads(line)
        return cls(fields.pop("take"), **{name: tuple(values) for name, values in fields.items()})

    def to_json(self) -> str:
        """Return one line of a journal, without the line's end."""
        return json.dumps(asdict(self), ensure_ascii=False)


def read_takes(path: Path) -> tuple[TakeFrames, ...]:
    """Read a journal; a last line without its end (the writer was killed) is left out.

    Raises
    ------
    InputError
        If a complete line is not what `TakeFrames.to_json` writes.
    """
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    try:
        return tuple(TakeFrames.from_json(line) for line in lines)
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path}: not a list of takes ({error})") from error


class Appender:
    """Appends the frames of take after take to ``building.npy`` beside a journal ``building.jsonl``.

    A take counts once its line is in the journal, which is written after its frames. Use it as a context manager.

    Parameters
    ----------
    folder : Path
        Where to write.
    size_px : int
        Width and height of a frame.
    """

    def __init__(self, folder: Path, size_px: int) -> None:
        self._folder = folder
        self._size_px = size_px
        self._frames_path = folder / BUILDING_NAME
        self._journal_path = folder / "building.jsonl"
        self.takes: list[TakeFrames] = []

    def __enter__(self) -> Appender:
        if self._frames_path.is_file() and self._journal_path.is_file():
            self.takes = list(read_takes(self._journal_path))
        self._frames = self._frames_path.open("r+b" if self.takes else "w+b")
        self._journal = self._journal_path.open("r+b" if self.takes else "w+b")
        self.keep_while(lambda index, frames: True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._frames.close()
        self._journal.close()

    @staticmethod
    def size_of(n_frames: int, size_px: int) -> int:
        """Return the bytes of an array of so many frames, which is also where the next one begins."""
        return _HEADER_BYTES + n_frames * size_px * size_px

    @property
    def n_takes(self) -> int:
        """Number of takes appended so far."""
        return len(self.takes)

    @property
    def n_frames(self) -> int:
        """Number of frames appended so far."""
        return sum(len(frames.numbers) for frames in self.takes)

    def keep_while(self, is_right: Callable[[int, TakeFrames], bool]) -> None:
        """Keep what a killed build appended up to the first take that `is_right` refuses, and cut off the rest.

        Takes whose frames are not all on disk are cut off in any case.
        """
        kept: list[TakeFrames] = []
        on_disk = os.fstat(self._frames.fileno()).st_size
        n_frames = 0
        for index, frames in enumerate(self.takes):
            n_frames += len(frames.numbers)
            if not is_right(index, frames) or self.size_of(n_frames, self._size_px) > on_disk:
                break
            kept.append(frames)
        self.takes = kept
        self._frames.truncate(self.size_of(self.n_frames, self._size_px))
        self._frames.seek(0, os.SEEK_END)
        self._journal.truncate(sum(len(_line(frames)) for frames in kept))
        self._journal.seek(0, os.SEEK_END)

    def append(self, frames: TakeFrames, images: npt.NDArray[np.uint8]) -> None:
        """Append one take's frames [shape=(n, size_px, size_px)]."""
        expected = (len(frames.numbers), self._size_px, self._size_px)
        if images.shape != expected or images.dtype != np.uint8:
            msg = f"take {frames.take}: frames are {images.dtype} {images.shape}; expected uint8 {expected}"
            raise ValueError(msg)
        self._frames.write(images.tobytes())
        self._frames.flush()
        self._journal.write(_line(frames))
        self._journal.flush()
        self.takes.append(frames)

    def finish(self) -> None:
        """Write the array's header and give both files their final names."""
        header = io.BytesIO()
        shape = (self.n_frames, self._size_px, self._size_px)
        np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
        if len(header.getvalue()) != _HEADER_BYTES:
            raise ValueError(f"numpy's header has {len(header.getvalue())} bytes; expected {_HEADER_BYTES}")
        self._frames.seek(0)
        self._frames.write(header.getvalue())
        for handle in (self._frames, self._journal):
            handle.flush()
            os.fsync(handle.fileno())
        self._frames_path.replace(self._folder / FRAMES_NAME)
        self._journal_path.replace(self._folder / TAKES_NAME)


def _line(frames: TakeFrames) -> bytes:
    return frames.to_json().encode() + b"\n"
