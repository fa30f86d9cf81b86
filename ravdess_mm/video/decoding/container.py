"""Video containers: the video track and its packets, before decoding."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from ravdess_mm.corpus.media import default_track, open_media
from ravdess_mm.corpus.probe import end_of, missing_s
from ravdess_mm.errors import MediaError
from ravdess_mm.video.decoding.gop import Packet
from ravdess_mm.video.decoding.h264 import inspect_picture, length_bytes

MISSING_ALLOWED: Final = 2
"""How many frames fewer than the container promises a clip may have: headers are often off by one or two."""

_PROGRESSIVE: Final = 1  # AV_FIELD_PROGRESSIVE


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
        container = open_media(path)
    except av.error.FFmpegError as error:
        raise MediaError(f"cannot be read as video: {reason_of(error)}") from error
    except OSError as error:
        raise MediaError(f"cannot be opened: {error.strerror or errno.errorcode.get(error.errno or 0)}") from error
    with container:
        still = av.stream.Disposition.attached_pic
        streams = [stream for stream in container.streams.video if not stream.disposition & still]
        if not streams:
            raise MediaError("no video track")
        stream = default_track(streams)
        if stream.codec_context is None:
            raise MediaError("no decoder for its video track")
        stream.codec_context.thread_count = 1
        yield container, stream


def reason_of(error: Exception) -> str:
    """Return FFmpeg's own words for an error, without the path (which stands in its own column)."""
    return str(getattr(error, "strerror", None) or error)


def list_packets(container: Any, stream: Any) -> tuple[Packet, ...]:
    """List the coded pictures of a track in the order of the file, without decoding any.

    Parameters
    ----------
    container, stream
        From `open_video`; read to the end.

    Raises
    ------
    MediaError
        If there is no picture, the file is damaged, or over `MISSING_ALLOWED` pictures are missing.
    """
    import av

    packets: list[Packet] = []
    broken: Exception | None = None
    end_s = 0.0
    describe = _describer(stream.codec_context)
    try:
        for packet in coded_packets(container, stream):
            packets.append(describe(packet))
            if packet.pts is not None:
                end_s = max(end_s, end_of(packet, stream))
    except (av.error.FFmpegError, IndexError) as error:  # PyAV knows no track that begins in the midst of a file
        broken = error
    promised = len(packets) + round(missing_s(stream, end_s) * float(stream.average_rate or 0))
    if not packets:
        raise MediaError("the video track holds no frames")
    if promised - len(packets) > MISSING_ALLOWED:
        raise MediaError(f"truncated: {len(packets)} of {promised} frames")
    if broken is not None:
        raise MediaError(f"damaged after {len(packets)} frames: {reason_of(broken)}")
    return tuple(packets)


def coded_packets(container: Any, stream: Any) -> Iterator[Any]:
    """Yield the whole packets of a track from its first key frame.

    What stands before one, in a film that was cut out of another, cannot be decoded; a half packet at the end of a
    truncated file is left out.
    """
    is_begun = False
    for packet in container.demux(stream):
        is_begun |= packet.is_keyframe
        if is_begun and packet.size and not packet.is_corrupt:  # PyAV marks the end by an empty packet
            yield packet


def _describer(codec: Any) -> Callable[[Any], Packet]:
    """Return what tells, for this codec, where decoding may begin and what others are predicted from."""
    if codec.codec.intra_only:
        return lambda packet: Packet(packet.pts, is_start=True, is_shown=not packet.is_discard)
    if codec.name != "h264" or codec.field_order != _PROGRESSIVE:
        return lambda packet: Packet(packet.pts, is_start=False, is_shown=not packet.is_discard)
    n_length_bytes = length_bytes(codec.extradata)

    def describe(packet: Any) -> Packet:
        picture = inspect_picture(bytes(packet), n_length_bytes=n_length_bytes)
        has_parameters = picture.has_parameters or packet.has_sidedata("new_extradata")
        return Packet(packet.pts, picture.is_idr, picture.is_reference, has_parameters, not packet.is_discard)

    return describe
