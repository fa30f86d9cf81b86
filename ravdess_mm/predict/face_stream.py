"""Every frame of a film: faces followed from frame to frame, and what each says, as fast as two cores go.

Decoding, following and the network work at the same time, in a thread each: all three leave the interpreter's lock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import Full, Queue
from threading import Event, Thread
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import numpy as np

from ravdess_mm.arrays import Floats
from ravdess_mm.video.tracking import SEARCH_EVERY

if TYPE_CHECKING:
    from ravdess_mm.predict.predictor import Predictor
    from ravdess_mm.video.decoding.frames import GrayFrame
    from ravdess_mm.video.faces import Box

Item = TypeVar("Item")

AT_A_TIME: Final = 16
"""Frames that the network is shown at a time."""
AHEAD: Final = 8
"""Frames that are decoded before they are needed."""


@dataclass(frozen=True)
class FaceAnswer:
    """What one face of one frame says.

    Attributes
    ----------
    face : int
        Its identity; 0 for a model that takes whole frames.
    box : Box or None
        Where it is, in pixels; None for a whole frame.
    probabilities : numpy.ndarray [shape=(8,)]
        In the order of `EMOTIONS`.
    """

    face: int
    box: Box | None
    probabilities: Floats


@dataclass(frozen=True)
class AnsweredFrame(Generic[Item]):
    """One frame with what its faces say.

    Attributes
    ----------
    item : object
        What came with the frame.
    time_s : float
        From the first frame.
    shape : tuple of int
        Height and width of the picture in which boxes are.
    faces : tuple of FaceAnswer
        Empty where none is seen.
    """

    item: Item
    time_s: float
    shape: tuple[int, int]
    faces: tuple[FaceAnswer, ...]


def stream_faces(
    predictor: Predictor,
    frames: Iterable[tuple[Item, GrayFrame]],
    *,
    every: int = SEARCH_EVERY,
    at_a_time: int = AT_A_TIME,
    ahead: int = AHEAD,
) -> Iterator[AnsweredFrame[Item]]:
    """Yield every frame with what its faces say, in order; memory does not grow.

    Parameters
    ----------
    predictor : Predictor
        The face model, and whose face it is.
    frames : iterable of tuple
        Anything, such as the frame in colour, and the frame in gray; read in a thread of its own.
    every : int
        Faces are searched in every so many frames, and followed in between.
    at_a_time : int
        Frames that the network is shown at a time: more is faster and later.
    ahead : int
        Frames that are read before they are needed; 0 reads each when the one before is done.
    """
    items: deque[tuple[Item, GrayFrame]] = deque()

    def gray() -> Iterator[GrayFrame]:
        for pair in read_ahead(frames, ahead) if ahead else frames:
            items.append(pair)
            yield pair[1]

    pending: deque[Future[list[AnsweredFrame[Item]]]] = deque()
    with ThreadPoolExecutor(1) as network:
        batch: list[tuple[Item, GrayFrame, list]] = []  # type: ignore[type-arg]
        for _, shown in predictor.face.show(gray(), every=every):
            batch.append((*items.popleft(), shown))
            if len(batch) == at_a_time:
                pending.append(network.submit(_answer, predictor, batch))
                batch = []
            if len(pending) > 2 or (pending and at_a_time == 1):
                yield from pending.popleft().result()
        if batch:
            pending.append(network.submit(_answer, predictor, batch))
        while pending:
            yield from pending.popleft().result()


def _answer(predictor: Predictor, batch: list) -> list[AnsweredFrame]:  # type: ignore[type-arg]
    images = [image for _, _, shown in batch for _, image in shown]
    rows = iter(predictor.score_images(np.stack(images)) if images else ())
    return [
        AnsweredFrame(
            item,
            frame.time_s,
            frame.image.shape,
            tuple(
                FaceAnswer(0, None, next(rows)) if face is None else FaceAnswer(face.face, face.box, next(rows))
                for face, _ in shown
            ),
        )
        for item, frame, shown in batch
    ]


def read_ahead(items: Iterable[Item], n_ahead: int = AHEAD) -> Iterator[Item]:
    """Yield items that a thread reads a few ahead; its error is raised here, and it ends when nobody reads on."""
    queue: Queue[tuple[Item | None, BaseException | None]] = Queue(n_ahead)
    is_left = Event()

    def put(item: Item | None, error: BaseException | None) -> bool:
        while not is_left.is_set():
            try:
                queue.put((item, error), timeout=0.1)
            except Full:
                continue
            return True
        return False

    def read() -> None:
        end: BaseException = StopIteration()
        try:
            for item in items:
                if not put(item, None):
                    return
        except BaseException as error:  # raised again where the items are used
            end = error
        put(None, end)

    thread = Thread(target=read, daemon=True)
    thread.start()
    try:
        while True:
            item, error = queue.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item  # type: ignore[misc]
    finally:
        is_left.set()
        thread.join()
