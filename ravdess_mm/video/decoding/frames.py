"""Every Nth frame of a clip: gray, upright, with number and time.

A frame's *number* is its place in the order of presentation, counted from 0; so variable frame rates need no
special care. Packets that no wanted frame needs are not decoded (:mod:`ravdess_mm.video.decoding.gop`); where that
might not be exact, all are. The pictures are the same bit for bit.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ravdess_mm.corpus.media import late_s
from ravdess_mm.errors import InputError, MediaError
from ravdess_mm.video.decoding.container import MISSING_ALLOWED, coded_packets, list_packets, open_video, reason_of
from ravdess_mm.video.decoding.gop import GroupOfPictures, Packet, plan_groups
from ravdess_mm.video.decoding.gray import gray_of, is_black

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class GrayFrame:
    """One sampled frame.

    Attributes
    ----------
    number : int
        Place in the order of presentation, from 0.
    time_s : float
        Time of presentation in seconds, as a player shows it: after the first frame, or after the sound where that
        begins well before.
    image : numpy.ndarray [shape=(height, width), dtype=uint8]
        Gray, 0-255, upright, in the size of the stream.
    """

    number: int
    time_s: float
    image: npt.NDArray[np.uint8]


class _NotExactError(Exception):
    """The decoder's output is not what the packets promised."""


def iter_frames(path: str | Path, *, frame_step: int, skip_black: bool = True) -> Iterator[GrayFrame]:
    """Yield frames 0, `frame_step`, 2 `frame_step`, ... of a clip, one at a time.

    Frames that are black all over (padding at the end of some published face clips) are left out; the numbers of
    the others do not change.

    Parameters
    ----------
    path : str or Path
        Any container and codec FFmpeg reads.
    frame_step : int
        Keep every `frame_step`-th frame, at least 1.
    skip_black : bool
        False yields black frames too.

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
    seen = kept = 0
    for frame in _decode_sampled(path, frame_step):
        seen += 1
        if not (skip_black and is_black(frame.image)):
            kept += 1
            yield frame
    if seen == 0:
        raise MediaError("no frame could be decoded")
    if kept == 0:
        raise MediaError(f"all {seen} sampled frames are black")


def _decode_sampled(path: Path, frame_step: int) -> Iterator[GrayFrame]:
    import av

    n_done = 0
    with open_video(path) as (container, stream):
        packets = list_packets(container, stream)
        wanted = range(0, sum(packet.is_shown for packet in packets), frame_step)
        groups = plan_groups(packets, frame_step)
        if groups is not None:
            try:
                container.seek(packets[0].pts, stream=stream)
                for frame in _decode_groups(container, stream, packets, groups):
                    yield frame
                    n_done += 1
            except (_NotExactError, av.error.FFmpegError) as error:
                logger.debug("%s: decoding everything, since its packets do not keep their word: %r", path, error)
    if n_done < len(wanted):
        yield from _decode_all(path, wanted[n_done:])


def _decode_groups(
    container: Any, stream: Any, packets: Sequence[Packet], groups: Sequence[GroupOfPictures]
) -> Iterator[GrayFrame]:
    """Decode only what a plan names; each frame must come when it is due."""
    decoder = stream.codec_context
    coming = enumerate(coded_packets(container, stream))
    first_pts = min(groups[0].wanted)
    for group in groups:
        due = iter(sorted(group.wanted))
        for frame in _decode_packets(decoder, coming, packets, group.positions):
            if frame.pts not in group.wanted:
                continue
            if frame.pts != next(due, None):
                raise _NotExactError(f"frame at {frame.pts} is not due")
            yield gray_frame(frame, group.wanted[frame.pts], first_pts, stream)
        if (missing := next(due, None)) is not None:
            raise _NotExactError(f"no frame at {missing}")
        decoder.flush_buffers()


def _decode_packets(
    decoder: Any, coming: Iterator[tuple[int, Any]], packets: Sequence[Packet], positions: Sequence[int]
) -> Iterator[Any]:
    """Send the packets at some positions to a decoder; yield all frames that come out."""
    needed = set(positions)
    for position, packet in coming:
        if packet.pts != packets[position].pts:
            raise _NotExactError(f"packet {position} is at {packet.pts}, not {packets[position].pts}")
        if position in needed:
            yield from decoder.decode(packet)
        if position == positions[-1]:
            break
    yield from decoder.decode(None)


def _decode_all(path: Path, wanted: range) -> Iterator[GrayFrame]:
    """Decode every frame and yield the wanted ones: right for any stream."""
    import av

    with open_video(path) as (container, stream):
        first_pts: int | None = None
        number = -1
        try:
            for number, frame in enumerate(_all_frames(container, stream)):
                if first_pts is None:
                    first_pts = frame.pts
                if number in wanted:
                    yield gray_frame(frame, number, first_pts, stream)
        except av.error.FFmpegError as error:
            raise MediaError(f"damaged after frame {number}: {reason_of(error)}") from error
        if len(wanted) and number < wanted[-1] - MISSING_ALLOWED:
            raise MediaError(f"truncated: only {number + 1} frames can be decoded")


def _all_frames(container: Any, stream: Any) -> Iterator[Any]:
    for packet in coded_packets(container, stream):
        yield from packet.decode()
    yield from stream.codec_context.decode(None)


def gray_frame(frame: Any, number: int, first_pts: int | None, stream: Any) -> GrayFrame:
    """Turn a decoded frame into a :class:`GrayFrame`; refuse one whose data the decoder found damaged."""
    if frame.is_corrupt:
        raise MediaError(f"frame {number} is damaged")
    if frame.pts is not None and first_pts is not None:
        first_s = late_s(stream.container, float(first_pts * stream.time_base))
        time_s = float((frame.pts - first_pts) * stream.time_base) + first_s
    else:
        time_s = number / float(stream.average_rate or 30)
    return GrayFrame(number, time_s, gray_of(frame, pixel_aspect=float(stream.sample_aspect_ratio or 1)))
