"""Train on frames while clips are still being decoded.

Which frames a clip has stands in its container, so a store can be *announced* before a single picture is decoded: which
takes, how many frames, in which rows. Training begins on the announced store and waits where it asks for a frame that
is not there yet; clips are decoded in the order in which it will ask. Frames land in a store of their own (``ahead``),
in the order of arrival, and the store itself is copied from it in the order of takes.

What is learned is what would have been learned from a store filled beforehand, bit for bit. Where a clip does not keep
its container's word (it is damaged inside, has black frames, or shows no face where faces are cut out) the training
begun is given up; it begins anew once all frames are there.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from threading import Condition, Event, Thread

import numpy as np
import numpy.typing as npt
import pandas as pd
from typing_extensions import override

from ravdess_mm.config import Backend, Crop
from ravdess_mm.errors import InputError, MediaError
from ravdess_mm.progress import map_parallel
from ravdess_mm.video.appending import AHEAD_NAME, BUILDING_NAME, Appender, TakeFrames
from ravdess_mm.video.decode import list_frames
from ravdess_mm.video.faces import FaceStatus
from ravdess_mm.video.frames import (
    FrameStore,
    FrameStoreBuild,
    build_frame_store,
    decode_takes,
    fill_store,
    is_current,
    open_if_there,
)
from ravdess_mm.video.planning import TakePlan, plan_takes
from ravdess_mm.video.sampling import FRAME_SIZE_PX

logger = logging.getLogger(__name__)


class ArrivalError(InputError):
    """A frame that was announced will not come."""


class ArrivingFrames(FrameStore):
    """An announced store: all is known of its frames but their pictures, which `read` waits for.

    Parameters
    ----------
    folder : Path
        Where frames arrive.
    frame_step, crop
        How clips are sampled.
    takes : sequence of TakeFrames
        What was announced.
    """

    def __init__(self, folder: Path, *, frame_step: int, crop: Crop, takes: Sequence[TakeFrames]) -> None:
        super().__init__(folder, {"frame_step": frame_step, "crop": crop}, tuple(takes))
        self._building_path = folder / BUILDING_NAME
        self._announced = {found.take: found for found in takes}
        self._first_rows = np.cumsum([0, *(len(found.numbers) for found in takes)])
        self._places: dict[str, int] = {}
        self._n_arrived = 0
        self._file: int | None = None
        self._news = Condition()
        self._refusal: str | None = None

    @property
    def refusal(self) -> str | None:
        """Why there is nothing to wait for any more; None while there is."""
        return self._refusal

    def arrived(self, found: TakeFrames) -> None:
        """Say that a take's frames are on disk, behind those of all takes that arrived before."""
        with self._news:
            if self._file is None:
                self._file = os.open(self._building_path, os.O_RDONLY)
            self._places[found.take] = self._n_arrived
            self._n_arrived += len(found.numbers)
            if not _same_frames(found, self._announced[found.take]):
                self._refusal = self._refusal or f"take {found.take} has other frames than its container says"
            self._news.notify_all()

    def refuse(self, reason: str) -> None:
        """Let nobody wait any longer."""
        with self._news:
            self._refusal = self._refusal or reason
            self._news.notify_all()

    def close(self) -> None:
        """Close the file that frames are read from; who reads after this is refused."""
        self.refuse("the frames are closed")
        with self._news:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    @override
    def read(self, rows: npt.ArrayLike) -> npt.NDArray[np.uint8]:
        """Read some frames [shape=(len(rows), 256, 256)] as soon as all of them are there; any thread may call this.

        Raises
        ------
        ArrivalError
            If one of them will not come.
        """
        rows = np.asarray(rows, dtype=np.int64)
        owners = np.searchsorted(self._first_rows, rows, side="right") - 1
        wanted = {self.takes[owner].take for owner in owners}
        frames = np.empty((len(rows), FRAME_SIZE_PX, FRAME_SIZE_PX), dtype=np.uint8)
        with self._news:
            self._news.wait_for(lambda: self._refusal is not None or wanted <= self._places.keys())
            if self._refusal is not None:
                raise ArrivalError(self._refusal)
            for frame, row, owner in zip(frames, rows, owners, strict=True):
                place = self._places[self.takes[owner].take] + int(row - self._first_rows[owner])
                self._read_into(frame, place)
        return frames

    def _read_into(self, frame: npt.NDArray[np.uint8], place: int) -> None:
        if self._file is None:
            raise ArrivalError("nothing has arrived")
        data = os.pread(self._file, frame.nbytes, Appender.size_of(place, FRAME_SIZE_PX))
        frame[:] = np.frombuffer(data, dtype=np.uint8).reshape(frame.shape)


def build_while(
    clips: pd.DataFrame,
    folder: str | Path,
    *,
    first_needed: Callable[[FrameStore], Sequence[str]],
    work: Callable[[FrameStore], None],
    frame_step: int,
    crop: Crop = Crop.NONE,
    jobs: int = -1,
    backend: Backend = Backend.LOKY,
) -> FrameStoreBuild:
    """Fill a frame store, and work on its frames as they arrive.

    Parameters
    ----------
    clips, folder, frame_step, crop, jobs, backend
        As for :func:`ravdess_mm.video.frames.build_frame_store`, which this is where the store is filled already or
        the clips do not announce their frames.
    first_needed : callable
        Names takes of the announced store in the order in which `work` will ask for them; the others follow. Where it
        names none, the store is filled without any work.
    work : callable
        Gets the announced store. What it raises after a frame was refused to it is taken for a consequence of that:
        it is told of in a message, and its work is for the caller to begin anew on the filled store.

    Raises
    ------
    InputError
        If `frame_step` is below 1.
    """
    from filelock import FileLock

    folder = Path(folder)
    ahead = folder / AHEAD_NAME
    fill = partial(build_frame_store, clips, folder, frame_step=frame_step, crop=crop, jobs=jobs, backend=backend)
    plans = plan_takes(clips, frame_step=frame_step, crop=crop)
    earlier = open_if_there(folder)
    if frame_step < 1 or (earlier is not None and is_current(earlier, plans)):
        return fill()
    takes = announce(plans, frame_step=frame_step, crop=crop, jobs=jobs, backend=backend)
    if takes is None:
        logger.info("video frames: some clips do not say which frames they have; all are decoded before training")
        return fill()
    store = ArrivingFrames(ahead, frame_step=frame_step, crop=crop, takes=takes)
    needed = first_needed(store)
    if not needed:
        return fill()
    known = {plan.take: plan for plan in plans}
    order = [known[take] for take in dict.fromkeys([*needed, *known])]
    decode = partial(decode_takes, frame_step=frame_step, crop=crop, jobs=jobs, backend=backend)
    ahead.mkdir(parents=True, exist_ok=True)
    with FileLock(ahead / ".lock"):
        there = open_if_there(ahead) or earlier
        filling = _Filling(store, partial(fill_store, order, ahead, there, decode, frame_step=frame_step, crop=crop))
        with filling:
            work(store)
    built = fill(ahead=FrameStore.open(ahead))
    return FrameStoreBuild(built.rejected, filling.n_computed, built.n_frames)


def announce(
    plans: Sequence[TakePlan], *, frame_step: int, crop: Crop, jobs: int = 1, backend: Backend = Backend.LOKY
) -> list[TakeFrames] | None:
    """Say of each take what decoding its clips should give; None if that cannot be said of one of them.

    Every frame is expected to show something, and a face where faces are cut out.
    """
    ask = partial(_announce_take, frame_step=frame_step, crop=crop)
    takes = list(map_parallel(ask, plans, description="video headers", jobs=jobs, backend=backend, unit="take"))
    sure = [take for take in takes if take is not None]
    return sure if len(sure) == len(takes) else None


def _announce_take(plan: TakePlan, *, frame_step: int, crop: Crop) -> TakeFrames | None:
    failures: list[str] = []
    for place, clip in enumerate(plan.clips):
        tried = tuple(clip.key for clip in plan.clips[: place + 1])
        try:
            frames = list_frames(clip.path, frame_step=frame_step)
        except MediaError as error:
            failures.append(str(error))
            continue
        if frames is None:
            return None
        return TakeFrames(
            plan.take,
            tried=tried,
            failures=tuple(failures),
            numbers=tuple(number for number, _ in frames),
            times_s=tuple(round(time_s, 6) for _, time_s in frames),
            faces=(FaceStatus.FOUND.value,) * len(frames) if crop is Crop.FACE else (),
        )
    return TakeFrames(plan.take, tried=tuple(clip.key for clip in plan.clips), failures=tuple(failures))


def _same_frames(one: TakeFrames, other: TakeFrames) -> bool:
    """Say whether both hold the same frames of the same clip; where each frame's face was found is another matter."""
    return (one.tried, one.numbers, one.times_s) == (other.tried, other.numbers, other.times_s)


class _StoppedError(Exception):
    """The work on the frames failed, so no more are wanted."""


class _Filling:
    """Fills a store in a thread of its own while the body of a ``with`` works on it.

    The body's end waits for the thread. An error of the thread is raised; an error of the body is raised unless a
    frame was refused to it; an interruption ends the thread after the take it is at, which the next build keeps.
    """

    def __init__(self, store: ArrivingFrames, fill: Callable[..., int]) -> None:
        self._store = store
        self._fill = fill
        self._stop = Event()
        self._error: Exception | None = None
        self._thread = Thread(target=self._run, name="video-frames")
        self.n_computed = 0

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        refusal = self._store.refusal
        was_refused = isinstance(error, Exception) and refusal is not None
        if error is not None and not was_refused:
            self._stop.set()
        self._thread.join()
        refusal = self._store.refusal
        self._store.close()
        if self._error is not None:
            raise self._error
        if refusal is not None:
            logger.info("video frames: %s; training begins anew once all frames are there", refusal)
        return was_refused

    def _run(self) -> None:
        try:
            self.n_computed = self._fill(on_append=self._on_append)
        except _StoppedError:
            logger.debug("video frames: stopped, since the work on them failed")
        except Exception as error:  # for the main thread, which may be waiting for a frame
            self._error = error
            self._store.refuse(f"the frames cannot be filled in: {error}")

    def _on_append(self, found: TakeFrames) -> None:
        if self._stop.is_set():
            raise _StoppedError
        self._store.arrived(found)
