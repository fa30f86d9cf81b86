"""What one media file holds: by its header, quickly, or by decoding it to its end.

WAV, FLAC, Ogg and MP3 are opened by libsndfile and everything else by FFmpeg, by content, as in decoding later on.
"""

from __future__ import annotations

import math
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from ravdess_mm.corpus.media import open_media, sound_kind
from ravdess_mm.errors import MediaError, one_line

SOUND_SUFFIXES: Final[tuple[str, ...]] = (".wav", ".flac", ".ogg", ".mp3")
"""Sound files, the best first: where a clip exists twice, the earlier one is kept."""

FILM_SUFFIXES: Final[tuple[str, ...]] = (".mp4", ".mov", ".mkv", ".webm", ".avi")
"""Containers of video, the best first."""

MEDIA_SUFFIXES: Final[tuple[str, ...]] = SOUND_SUFFIXES + FILM_SUFFIXES

MISSING_FRAMES_ALLOWED: Final = 2
"""How many pictures fewer than promised a whole film may hold: headers are often off by one or two."""

MISSING_SECONDS_ALLOWED: Final = 0.25
"""How much shorter than promised a whole stream may be: encoders pad their first and last block."""

_OGG_PAGE_BYTES: Final = 65_307  # the largest page RFC 3533 allows


@dataclass(frozen=True)
class Streams:
    """What a media file holds.

    Attributes
    ----------
    has_audio, has_video : bool
        Whether there is a stream that can be decoded; a cover picture is no video.
    duration_s : float
        Length in seconds; NaN where the header does not say.
    """

    has_audio: bool
    has_video: bool
    duration_s: float


def probe_media(path: str | Path) -> Streams:
    """Read the header of a media file.

    Raises
    ------
    MediaError
        If the header is unreadable, no stream can be decoded or there are no samples; the message is the reason.
    """
    path = Path(path)
    _check_readable(path)
    try:
        streams = _probe_sound(path) if sound_kind(path) else _probe_film(path)
    except MediaError:
        raise
    except Exception as error:  # decoders raise many kinds on damaged bytes; each is the file's fault
        raise MediaError(f"unreadable header: {_reason(error, path)}") from error
    if not (streams.has_audio or streams.has_video):
        raise MediaError("no audio or video stream that can be decoded")
    return streams


def decode_to_end(path: str | Path) -> str:
    """Decode every stream of a file to its end.

    Returns
    -------
    str
        Why the file is broken, such as ``truncated: 40 of 99 pictures``; empty where it is whole.
    """
    path = Path(path)
    try:
        _check_readable(path)
        # an MP3 says its length in a tag that FFmpeg reads and libsndfile corrects
        kind = sound_kind(path)
        if kind and kind != "mp3":
            _decode_sound(path, kind)
        else:
            _decode_film(path)
    except MediaError as error:
        return str(error)
    except Exception as error:  # as above: whatever a decoder raises is the file's fault
        return f"damaged: {_reason(error, path)}"
    return ""


def os_reason(error: OSError) -> str:
    """Return the reason of a system error in lower case and without the path."""
    return (error.strerror or type(error).__name__).lower()


def _check_readable(path: Path) -> None:
    """Say what the system says, before a decoder turns it into "unknown error"."""
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise MediaError(os_reason(error)) from error


def _probe_sound(path: Path) -> Streams:
    import soundfile

    with soundfile.SoundFile(path) as file:
        if file.frames <= 0:
            raise MediaError("holds no samples")
        return Streams(has_audio=True, has_video=False, duration_s=file.frames / file.samplerate)


def _probe_film(path: Path) -> Streams:
    with open_media(path) as container:
        audio, video = _decodable(container)
        return Streams(has_audio=bool(audio), has_video=bool(video), duration_s=_duration_s(container))


def _decodable(container: Any) -> tuple[list[Any], list[Any]]:
    """Return the audio and the video streams that this build of FFmpeg can decode."""
    import av

    cover = av.stream.Disposition.attached_pic
    audio = [stream for stream in container.streams.audio if stream.codec_context is not None]
    video = [
        stream
        for stream in container.streams.video
        if stream.codec_context is not None and not stream.disposition & cover
    ]
    return audio, video


def _duration_s(container: Any) -> float:
    import av

    if container.duration is not None:
        return float(container.duration / av.time_base)
    lengths = [float(s.duration * s.time_base) for s in container.streams if s.duration is not None and s.time_base]
    return max(lengths, default=math.nan)


def _decode_sound(path: Path, kind: str) -> None:
    import soundfile

    with soundfile.SoundFile(path) as file:
        for _ in file.blocks(blocksize=1 << 16, dtype="int16"):
            pass
    # libsndfile shortens what these two promise to what is there, and says nothing
    with path.open("rb") as raw:
        if kind == "wav":
            _check_wave_end(raw)
        elif kind == "ogg":
            _check_ogg_end(raw)


def _check_wave_end(file: BinaryIO) -> None:
    promised = _wave_data_end(file)
    size = file.seek(0, os.SEEK_END)
    if promised > size:
        raise MediaError(f"truncated: {size} of {promised} bytes")


def _check_ogg_end(file: BinaryIO) -> None:
    """Look for the end-of-stream flag on the last page of an Ogg file (RFC 3533, section 6)."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _OGG_PAGE_BYTES))
    tail = file.read()
    page = tail.rfind(b"OggS")
    if page < 0 or len(tail) < page + 6 or not tail[page + 5] & 0x04:
        raise MediaError("truncated: the last page is not marked as the end")


def _wave_data_end(file: BinaryIO) -> int:
    """Return where the samples of a RIFF WAVE file end by its header, in bytes; 0 where the header leaves it open."""
    if file.read(4) != b"RIFF":
        return 0
    file.seek(12)
    while len(head := file.read(8)) == 8:
        name, length = struct.unpack("<4sI", head)
        if name == b"data":
            return 0 if length == 0xFFFFFFFF else file.tell() + length
        file.seek(length + length % 2, 1)
    return 0


def _decode_film(path: Path) -> None:
    with open_media(path) as container:
        audio, video = _decodable(container)
        for stream in audio + video:
            stream.codec_context.thread_count = 1  # files are spread over processes
        pictures = dict.fromkeys((stream.index for stream in video), 0)
        ends_s = dict.fromkeys((stream.index for stream in audio + video), 0.0)
        for packet in container.demux(audio + video):
            for frame in packet.decode():
                _check_frame(frame, packet.stream, ends_s)
                if packet.stream.index in pictures:
                    pictures[packet.stream.index] += 1
        for stream in video:
            _check_pictures(stream, pictures[stream.index])
        for stream in audio + video:
            _check_length(stream, ends_s[stream.index])


def _check_frame(frame: Any, stream: Any, ends_s: dict[int, float]) -> None:
    """Refuse a frame the decoder had to patch up; note where the stream has come to."""
    if frame.is_corrupt:
        raise MediaError(f"damaged after {ends_s[stream.index]:.2f} s")
    if frame.pts is not None and frame.time_base is not None:
        start = stream.start_time or 0
        end_s = float((frame.pts + (frame.duration or 0)) * frame.time_base - start * stream.time_base)
        ends_s[stream.index] = max(ends_s[stream.index], end_s)


def _check_pictures(stream: Any, decoded: int) -> None:
    if decoded == 0:
        raise MediaError("the video stream holds no pictures")
    if stream.frames - decoded > MISSING_FRAMES_ALLOWED:
        raise MediaError(f"truncated: {decoded} of {stream.frames} pictures")


def _check_length(stream: Any, end_s: float) -> None:
    promised_s = float(stream.duration * stream.time_base) if stream.duration else _tagged_s(stream)
    # one picture may last longer than the allowance
    picture_s = 1 / float(stream.average_rate) if stream.type == "video" and stream.average_rate else 0.0
    if promised_s - end_s > max(MISSING_SECONDS_ALLOWED, 2 * picture_s):
        raise MediaError(f"truncated: {end_s:.2f} of {promised_s:.2f} s of {stream.type}")


def _tagged_s(stream: Any) -> float:
    """Return the length Matroska notes in a tag such as ``00:00:03.303000000``, in seconds; 0 without one."""
    hours, minutes, seconds = [*stream.metadata.get("DURATION", "").split(":"), "", ""][:3]
    return 3600 * int(hours) + 60 * int(minutes) + float(seconds) if hours and minutes and seconds else 0.0


def _reason(error: Exception, path: Path) -> str:
    """Return a decoder's words without the path, which stands in its own column."""
    text = one_line(error, path)
    if "possibly a pipe" in text:  # libsndfile says so of any bytes that are no MP3; the file was opened before
        text = "Format not recognised"
    return text.removeprefix("Error : ").rstrip(".")
