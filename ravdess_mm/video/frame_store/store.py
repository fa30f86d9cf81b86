"""The on-disk frame store: sampled frames of all takes in one memory-mapped array.

A store is a folder of three files: ``frames.npy``, uint8 [n_frames, 256, 256]; ``takes.jsonl``, one line a take in
the order of takes: which clips were tried, which failed and why, which frames follow; and ``store.json``, written
last, with the fingerprint of the takes, so that a mixture of an old store and a new one is seen for what it is.

A build walks the takes in order and appends. What a killed build had appended is kept by the next one, as far as the
takes and their clips are the same; what an earlier store holds is copied. So the bytes do not depend on how many
processes worked, in which order the files were listed, or how often the build was interrupted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ravdess_mm.config import Backend, Crop, FaceDetector
from ravdess_mm.corpus.identifier import Take
from ravdess_mm.errors import InputError, MediaError
from ravdess_mm.parallel.progress import map_parallel
from ravdess_mm.store import fingerprint, read_json, write_json
from ravdess_mm.video.faces import check_detector
from ravdess_mm.video.frame_store.appending import FRAMES_NAME, TAKES_NAME, Appender, TakeFrames, read_takes
from ravdess_mm.video.frame_store.planning import TakePlan, plan_takes
from ravdess_mm.video.frame_store.sampling import FRAME_SIZE_PX, no_face, sample_frames

SCHEMA: Final = "frames/2"

Decoded = tuple[TakeFrames, npt.NDArray[np.uint8]]
"""A take and its frames [shape=(n, 256, 256)]."""

_CARD: Final = "store.json"


@dataclass(frozen=True)
class FrameStoreBuild:
    """What a build did.

    Attributes
    ----------
    rejected : pandas.DataFrame
        Columns path, reason and stage (``video``): clips without a usable frame, sorted by path.
    n_computed : int
        Clips decoded by this build; the others were there already.
    n_frames : int
        Frames in the store.
    """

    rejected: pd.DataFrame
    n_computed: int
    n_frames: int


class FrameStore:
    """A finished frame store, open for reading.

    Attributes
    ----------
    frames_path : Path
        The array, ``.npy``.
    takes : tuple of TakeFrames
        What it holds, in its order.
    frame_step : int
        Every which frame was kept.
    crop : Crop
        What part of a frame was kept.
    detector : FaceDetector
        What found the faces, where they were cut out.
    """

    def __init__(self, folder: Path, card: dict[str, Any], takes: tuple[TakeFrames, ...]) -> None:
        self.frames_path = folder / FRAMES_NAME
        self.takes = takes
        self.frame_step = int(card["frame_step"])
        self.crop = Crop(card["crop"])
        self.detector = FaceDetector(card.get("detector", FaceDetector.HAAR))

    @classmethod
    def open(cls, folder: str | Path) -> FrameStore:
        """Open the store in a folder.

        Raises
        ------
        InputError
            If there is no finished store of this schema, or a part of it is missing or is not the one written.
        """
        folder = Path(folder)
        card = read_json(folder / _CARD)
        if not isinstance(card, dict) or card.get("schema") != SCHEMA:
            raise InputError(f"{folder}: not a frame store of schema {SCHEMA!r}")
        if not all(path.is_file() for path in store_files(folder)):
            raise InputError(f"{folder}: the frame store is not complete; build it again")
        store = cls(folder, card, read_takes(folder / TAKES_NAME))
        if store.fingerprint != card["fingerprint"] or not store._has_its_size():
            raise InputError(f"{folder}: the frame store is damaged; build it again")
        return store

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return sum(len(take.numbers) for take in self.takes)

    @property
    def fingerprint(self) -> str:
        """Hexadecimal hash of what the store holds: equal for equal frames of equal takes."""
        return takes_fingerprint(self.takes)

    def _has_its_size(self) -> bool:
        return self.frames_path.stat().st_size == Appender.size_of(self.n_frames, FRAME_SIZE_PX)

    @cached_property
    def frames(self) -> npt.NDArray[np.uint8]:
        """The frames, read-only and memory-mapped [shape=(n_frames, 256, 256), dtype=uint8]."""
        if self.n_frames == 0:
            return np.empty((0, FRAME_SIZE_PX, FRAME_SIZE_PX), dtype=np.uint8)
        mapped: npt.NDArray[np.uint8] = np.load(self.frames_path, mmap_mode="r")
        return mapped

    @cached_property
    def index(self) -> pd.DataFrame:
        """One row a frame, in the order of `frames`: take, actor, emotion, frame_number, time_s, face.

        `face` is ``found`` or ``carried`` where the frame was cut around a face, and empty where it is whole.
        """
        lengths = [len(frames.numbers) for frames in self.takes]
        takes = [Take.parse(frames.take) for frames in self.takes]
        return pd.DataFrame(
            {
                "take": np.repeat(np.array([str(take) for take in takes], dtype=object), lengths),
                "actor": np.repeat(np.array([take.actor for take in takes], dtype=np.int64), lengths),
                "emotion": np.repeat(np.array([take.emotion.label for take in takes], dtype=object), lengths),
                "frame_number": np.array([n for frames in self.takes for n in frames.numbers], dtype=np.int64),
                "time_s": np.array([t for frames in self.takes for t in frames.times_s], dtype=np.float64),
                "face": np.array(
                    [s for frames in self.takes for s in frames.faces or ("",) * len(frames.numbers)], dtype=object
                ),
            }
        ).astype({"take": "str", "emotion": "str", "face": "str"})

    def read(self, rows: npt.ArrayLike) -> npt.NDArray[np.uint8]:
        """Read some frames [shape=(len(rows), 256, 256)] into memory; any thread may call this at any time.

        Unlike indexing `frames`, it leaves no pages of the file in this process, so that the memory of a training
        does not grow with the part of the corpus it has seen.
        """
        rows = np.asarray(rows, dtype=np.int64)
        out = np.empty((len(rows), FRAME_SIZE_PX, FRAME_SIZE_PX), dtype=np.uint8)
        with self.frames_path.open("rb", buffering=0) as handle:
            for frame, row in zip(out, rows, strict=True):
                if not 0 <= row < self.n_frames:
                    raise IndexError(f"row {row} is out of range; the store has {self.n_frames} frames")
                handle.seek(Appender.size_of(int(row), FRAME_SIZE_PX))
                if handle.readinto(frame.data) != frame.nbytes:
                    raise InputError(f"{self.frames_path}: ends before frame {row}; build the store again")
        return out


def store_files(folder: str | Path) -> tuple[Path, Path, Path]:
    """Return the files of the store in a folder, whether or not they are there."""
    folder = Path(folder)
    return folder / FRAMES_NAME, folder / TAKES_NAME, folder / _CARD


def build_frame_store(
    clips: pd.DataFrame,
    folder: str | Path,
    *,
    frame_step: int,
    crop: Crop = Crop.NONE,
    detector: FaceDetector = FaceDetector.HAAR,
    jobs: int = -1,
    backend: Backend = Backend.LOKY,
) -> FrameStoreBuild:
    """Sample the frames of every take that has a clip for the video branch.

    Where the preferred clip of a take (``face``) cannot be used, the take's other clips with a video track are
    tried; each clip that fails, or shows no face where one is to be cut out, is returned with its reason.

    Parameters
    ----------
    clips : pandas.DataFrame
        The catalog: columns take, path, sha256, modality, has_video, face.
    folder : str or Path
        The store; made if it is missing, brought up to date if it is there.
    frame_step : int
        Keep every `frame_step`-th frame.
    crop : Crop
        What part of a frame is kept.
    detector : FaceDetector
        What finds the faces to be cut out.
    jobs, backend
        See :func:`ravdess_mm.parallel.progress.map_parallel`. The bytes of the store do not depend on them.

    Raises
    ------
    InputError
        If `frame_step` is below 1, or the detector is not installed.
    """
    from filelock import FileLock

    if frame_step < 1:
        raise InputError(f"frame_step is {frame_step}; allowed: 1 or more")
    if crop is Crop.FACE:
        check_detector(detector)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    sampling: dict[str, Any] = {"frame_step": frame_step, "crop": crop, "detector": detector}
    plans = plan_takes(clips, **sampling)
    with FileLock(folder / ".lock"):
        earlier = open_if_there(folder)
        n_computed = 0
        if earlier is None or not is_current(earlier, plans):
            decode = partial(decode_takes, **sampling, jobs=jobs, backend=backend)
            n_computed = fill_store(plans, folder, earlier, decode, sampling=sampling)
        store = FrameStore.open(folder)
    rejected = [row for plan, frames in zip(plans, store.takes, strict=True) for row in plan.rejections(frames)]
    table = pd.DataFrame(rejected, columns=["path", "reason", "stage"]).sort_values("path", ignore_index=True)
    return FrameStoreBuild(table.astype("str"), n_computed, store.n_frames)


def open_if_there(folder: Path) -> FrameStore | None:
    """Open the store in a folder; None if there is none yet, it is of an older schema, or damaged."""
    try:
        return FrameStore.open(folder)
    except InputError:
        return None


def is_current(store: FrameStore, plans: Sequence[TakePlan]) -> bool:
    """Return whether a store holds what decoding these takes, in this order, would give."""
    return len(store.takes) == len(plans) and all(map(TakePlan.agrees_with, plans, store.takes))


def fill_store(
    plans: Sequence[TakePlan],
    folder: Path,
    earlier: FrameStore | None,
    decode: Callable[[Sequence[TakePlan]], Iterator[Decoded]],
    *,
    sampling: Mapping[str, Any],
) -> int:
    """Write a store of takes in the order given: kept by a killed build, copied from an earlier store, or decoded.

    Parameters
    ----------
    plans : sequence of TakePlan
        The takes.
    folder : Path
        The store.
    earlier : FrameStore or None
        What frames of the same clips are copied from, whatever its order.
    decode : callable
        Decodes takes; yields them in the order given.
    sampling : mapping
        How clips are sampled, for the card: frame_step, crop, detector.

    Returns
    -------
    int
        How many clips were decoded.
    """
    old: dict[str, tuple[TakeFrames, int]] = {}
    if earlier is not None:
        first = np.cumsum([0, *(len(frames.numbers) for frames in earlier.takes)])
        old = {frames.take: (frames, int(row)) for frames, row in zip(earlier.takes, first, strict=False)}
    with Appender(folder, FRAME_SIZE_PX) as appender:
        appender.keep_while(lambda index, frames: index < len(plans) and plans[index].agrees_with(frames))
        remaining = plans[appender.n_takes :]
        reusable = [plan.take in old and plan.agrees_with(old[plan.take][0]) for plan in remaining]
        decoded = decode([plan for plan, is_reusable in zip(remaining, reusable, strict=True) if not is_reusable])
        n_computed = 0
        for plan, is_reusable in zip(remaining, reusable, strict=True):
            if is_reusable and earlier is not None:
                frames, row = old[plan.take]
                images = earlier.read(range(row, row + len(frames.numbers)))
            else:
                frames, images = next(decoded)
                n_computed += len(frames.tried)
            appender.append(frames, images)
        appender.finish()
    card = {"schema": SCHEMA, "fingerprint": takes_fingerprint(appender.takes), **sampling}
    write_json(folder / _CARD, card)
    return n_computed


def decode_takes(
    plans: Sequence[TakePlan], *, frame_step: int, crop: Crop, detector: FaceDetector, jobs: int, backend: Backend
) -> Iterator[Decoded]:
    """Decode takes over processes; yield them in the order given, with a bar."""
    decode = partial(_decode_take, frame_step=frame_step, crop=crop, detector=detector)
    return map_parallel(decode, plans, description="video frames", jobs=jobs, backend=backend)


def _decode_take(plan: TakePlan, *, frame_step: int, crop: Crop, detector: FaceDetector) -> Decoded:
    """Sample the first clip of a take that can be used; runs in a worker process."""
    take_frames = TakeFrames(plan.take)
    for clip in plan.clips:
        take_frames = replace(take_frames, tried=(*take_frames.tried, clip.key))
        try:
            frames = list(sample_frames(clip.path, frame_step=frame_step, crop=crop, detector=detector))
        except MediaError as error:
            take_frames = replace(take_frames, failures=(*take_frames.failures, str(error)))
            continue
        shown = [frame for frame in frames if frame.image is not None]
        if not shown:
            take_frames = replace(take_frames, failures=(*take_frames.failures, no_face(len(frames))))
            continue
        return replace(
            take_frames,
            numbers=tuple(frame.number for frame in shown),
            times_s=tuple(round(frame.time_s, 6) for frame in shown),
            faces=tuple(frame.face.value for frame in shown if frame.face is not None),
        ), np.stack([frame.image for frame in shown if frame.image is not None])
    return take_frames, np.empty((0, FRAME_SIZE_PX, FRAME_SIZE_PX), dtype=np.uint8)


def takes_fingerprint(takes: Sequence[TakeFrames]) -> str:
    """Return the hexadecimal hash of a store of these takes in this order."""
    return fingerprint([(frames.take, frames.tried, frames.numbers) for frames in takes])
