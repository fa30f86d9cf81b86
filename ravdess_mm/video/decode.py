"""A clip -> every Nth frame, gray, upright, with its number and time.

A frame's *number* is its place in the order of presentation, counted from 0; so variable frame rates need no
special care.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ravdess_mm.errors import InputError, MediaError
from ravdess_mm.video.gray import gray_of, is_black

MISSING_ALLOWED: Final = 2
"""How many frames fewer than the container promises a clip may have: headers are often off by one or two."""


@dataclass(frozen=True)
class GrayFrame:
    """One sampled frame.

    Attributes
    ----------
    number : int
        Place in the order of presentation, from 0.
    time_s : float
        Time of presentation in seconds after the first frame.
    image : numpy.ndarray [shape=(height, width), dtype=uint8]
        Gray, 0-255, upright, in the size of the stream.
    """

    number: int
    time_s: float
    image: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Packet:
    """One coded picture, as the container lists it.

    Attributes
    ----------
    pts : int or None
        Time of presentation in units of the stream's time base.
    is_key : bool
        Whether the container calls it a key frame.
    """

    pts: int | None
    is_key: bool


def iter_frames(path: str | Path, *, frame_step: int) -> Iterator[GrayFrame]:
    """Yield frames 0, `frame_step`, 2 `frame_step`, ... of a clip, one at a time.

    Frames that are black all over (padding at the end of some published face clips) are left out; the numbers of
    the others do not change.

    Parameters
    ----------
    path : str or Path
        Any container and codec FFmpeg reads.
    frame_step : int
        Keep every `frame_step`-th frame, at least 1.

    Yields
    ------
    GrayFrame
        In order of presentation.

    Raises
    ------
    InputError
        If `frame_step` is below 1.
    MediaError
        If the file cannot be opened, holds no video or no frames, holds black frames only, is damaged at a frame
        that is wanted, or is truncated: it holds over `MISSING_ALLOWED` frames fewer than its container promises.
    """
    if frame_step < 1:
        raise InputError(f"frame_step is {frame_step}; allowed: 1 or more")
    path = Path(path)
    packets = _list_packets(path)
    seen = kept = 0
    for frame in _decode_all(path, range(0, len(packets), frame_step)):
        seen += 1
        if not is_black(frame.image):
            kept += 1
            yield frame
    if seen == 0:
        raise MediaError("no frame could be decoded")
    if kept == 0:
        raise MediaError(f"all {seen} sampled frames are black")


def _list_packets(path: Path) -> tuple[Packet, ...]:
    """List a file's coded pictures in the order of the file, without decoding any; refuse a truncated file."""
    import av

    packets: list[Packet] = []
    ends_early = False
    end_s = 0.0
    with open_video(path) as (container, stream):
        try:
            for packet in container.demux(stream):
                if packet.size == 0:  # the end of the stream, as PyAV marks it
                    continue
                if packet.is_corrupt:
                    ends_early = True
                    continue
                packets.append(Packet(packet.pts, packet.is_keyframe))
                if packet.pts is not None:
                    end_s = max(end_s, float((packet.pts + (packet.duration or 0)) * stream.time_base))
        except av.error.FFmpegError:
            ends_early = True
        promised = stream.frames or _frames_of_duration(stream, end_s, len(packets))
    if not packets:
        raise MediaError("the video track holds no frames")
    if promised - len(packets) > MISSING_ALLOWED:
        raise MediaError(f"truncated: {len(packets)} of {promised} frames")
    if ends_early and not promised:
        raise MediaError(f"damaged after {len(packets)} frames")
    return tuple(packets)


def _frames_of_duration(stream: Any, end_s: float, n_packets: int) -> int:
    """Return how many frames a Matroska track promises, from its own duration tag; 0 where there is none."""
    hours, minutes, seconds = ([*stream.metadata.get("DURATION", "").split(":"), "", ""])[:3]
    if not (hours and minutes and seconds and stream.average_rate):
        return 0
    track_s = 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    return n_packets + max(0, round((track_s - end_s) * float(stream.average_rate)))


def _decode_all(path: Path, wanted: range) -> Iterator[GrayFrame]:
    """Decode every frame and yield the wanted ones: right for any stream."""
    import av

    with open_video(path) as (container, stream):
        first_pts: int | None = None
        number = -1
        try:
            for number, frame in enumerate(container.decode(stream)):
                if first_pts is None:
                    first_pts = frame.pts
                if number in wanted:
                    yield gray_frame(frame, number, first_pts, stream)
        except av.error.FFmpegError as error:
            raise MediaError(f"damaged after frame {number}: {reason_of(error)}") from error
        if len(wanted) and number < wanted[-1] - MISSING_ALLOWED:
            raise MediaError(f"truncated: only {number + 1} frames can be decoded")


def gray_frame(frame: Any, number: int, first_pts: int | None, stream: Any) -> GrayFrame:
    """Turn a decoded frame into a :class:`GrayFrame`; refuse one whose data the decoder found damaged."""
    if frame.is_corrupt:
        raise MediaError(f"frame {number} is damaged")
    if frame.pts is not None and first_pts is not None:
        time_s = float((frame.pts - first_pts) * stream.time_base)
    else:
        time_s = number / float(stream.average_rate or 30)
    return GrayFrame(number, time_s, gray_of(frame))


@contextmanager
def open_video(path: Path) -> Iterator[tuple[Any, Any]]:
    """Open a file and find its video track.

    Yields
    ------
    tuple of av.container.InputContainer and av.VideoStream
        The decoder is set to one thread: clips are spread over processes, and one thread costs the least CPU.

    Raises
    ------
    MediaError
        If there is no such file, it is empty, FFmpeg cannot read it, or it holds no video (a cover picture in an
        audio file is no video).
    """
    import av

    try:
        if path.stat().st_size == 0:
            raise MediaError("the file is empty")
        container = av.open(str(path))
    except av.error.FFmpegError as error:
        raise MediaError(f"cannot be read as video: {reason_of(error)}") from error
    except OSError as error:
        raise MediaError(
            f"cannot be opened: {error.strerror or errno.errorcode.get(error.errno or 0)}"
        ) from error
    with container:
        still = av.stream.Disposition.attached_pic
        streams = [stream for stream in container.streams.video if not stream.disposition & still]
        if not streams:
            raise MediaError("no video track")
        streams[0].codec_context.thread_count = 1
        yield container, streams[0]


def reason_of(error: Exception) -> str:
    """Return FFmpeg's own words for an error, without the path (which stands in its own column)."""
    return str(getattr(error, "strerror", None) or error)
