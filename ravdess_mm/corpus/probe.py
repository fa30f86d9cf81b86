"""The streams of a media file: by its header, or by decoding it to its end.

WAV, FLAC, Ogg and MP3 are opened by libsndfile and everything else by FFmpeg, by content, as in decoding later on.
"""

from __future__ import annotations

import math
import os
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from ravdess_mm.corpus.media import LONGEST_S, UNMEASURED, open_media, sound_kind
from ravdess_mm.errors import MediaError, one_line, os_reason

SOUND_SUFFIXES: Final[tuple[str, ...]] = (".wav", ".flac", ".ogg", ".mp3")
"""Sound files, the best first: where a clip exists twice, the earlier one is kept."""

FILM_SUFFIXES: Final[tuple[str, ...]] = (".mp4", ".mov", ".mkv", ".webm", ".avi")
"""Containers of video, the best first."""

MEDIA_SUFFIXES: Final[tuple[str, ...]] = SOUND_SUFFIXES + FILM_SUFFIXES

MISSING_SECONDS_ALLOWED: Final = 0.25
"""How much shorter than promised a whole stream may be: encoders pad their first and last block."""

_UNKNOWN_BYTES: Final = 0x7FFFF000  # what writes to a pipe puts the largest number there, less its header
_OGG_PAGE_BYTES: Final = 65_307  # the largest page RFC 3533 allows


@dataclass(frozen=True)
class Streams:
    """What a media file holds.

    Attributes
    ----------
    has_audio, has_video : bool
        Whether there is a stream that can be decoded; a cover picture is no video.
    duration_s : float
        Length in seconds; NaN where the header of sound does not say, and where a day is not enough.
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
            _decode_film(path, is_one_mp3=bool(kind))
    except MediaError as error:
        return str(error)
    except Exception as error:  # as above: whatever a decoder raises is the file's fault
        return f"damaged: {_reason(error, path)}"
    return ""


def _check_readable(path: Path) -> None:
    """Say what the system says, before a decoder turns it into "unknown error"."""
    try:
        if path.exists() and not path.is_file():
            raise MediaError("is no file" if not path.is_dir() else "is a folder")
        with path.open("rb") as file:
            if not file.read(1):
                raise MediaError("the file is empty")
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
        duration_s = _duration_s(container)
        if math.isnan(duration_s) and not audio:
            duration_s = _measured_s(container, video)
        return Streams(has_audio=bool(audio), has_video=bool(video), duration_s=duration_s)


def _measured_s(container: Any, streams: list[Any]) -> float:
    """Return where the last picture ends, in seconds; NaN where that is nowhere, or beyond a day."""
    packets = container.demux(streams)
    ends_s = [end_of(packet, packet.stream) for packet in packets if packet.size and packet.pts is not None]
    longest_s = max(ends_s, default=math.nan)
    return longest_s if 0 < longest_s <= LONGEST_S else math.nan


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

    lengths = [float(s.duration * s.time_base) for s in container.streams if s.duration is not None and s.time_base]
    if container.duration is not None:
        lengths.insert(0, float(container.duration / av.time_base))
    return next((length for length in lengths if 0 < length <= LONGEST_S), math.nan)


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
            return 0 if length >= _UNKNOWN_BYTES else file.tell() + length
        file.seek(length + length % 2, 1)
    return 0


def _decode_film(path: Path, *, is_one_mp3: bool) -> None:
    with open_media(path) as container:
        audio, video = _decodable(container)
        for stream in audio + video:
            stream.codec_context.thread_count = 1  # files are spread over processes
        pictures = dict.fromkeys((stream.index for stream in video), 0)
        ends_s = dict.fromkeys((stream.index for stream in audio + video), 0.0)
        for packet in container.demux(audio + video):
            for frame in _decoded(packet, is_joined=container.format.name == "mp3" and not is_one_mp3):
                _check_frame(frame, packet.stream, ends_s)
                if packet.stream.index in pictures:
                    pictures[packet.stream.index] += 1
        if any(count == 0 for count in pictures.values()):
            raise MediaError("the video stream holds no pictures")
        # of joined MP3 files, and where no header says it, the length is a guess
        for stream in audio + video if is_one_mp3 or container.format.name not in UNMEASURED else ():
            _check_length(stream, ends_s[stream.index])


def _decoded(packet: Any, *, is_joined: bool) -> list[Any]:
    """Return the frames of a packet; what stands between joined MP3 files, as tags do, has none."""
    import av

    try:
        return list(packet.decode())
    except av.InvalidDataError:
        if is_joined:
            return []
        raise


def _check_frame(frame: Any, stream: Any, ends_s: dict[int, float]) -> None:
    """Refuse a frame the decoder had to patch up; note where the stream has come to."""
    if frame.is_corrupt:
        raise MediaError(f"damaged after {ends_s[stream.index]:.2f} s")
    if frame.pts is not None and frame.time_base is not None:
        ends_s[stream.index] = max(ends_s[stream.index], end_of(frame, stream))


def end_of(part: Any, stream: Any) -> float:
    """Return where a packet or frame ends, in seconds from the start of its stream."""
    time_base = part.time_base or stream.time_base
    return float((part.pts + (part.duration or 0)) * time_base - (stream.start_time or 0) * stream.time_base)


def _check_length(stream: Any, end_s: float) -> None:
    # one picture may last longer than the allowance
    picture_s = 1 / float(stream.average_rate) if stream.type == "video" and stream.average_rate else 0.0
    if (lacking_s := missing_s(stream, end_s)) > max(MISSING_SECONDS_ALLOWED, 2 * picture_s):
        raise MediaError(f"truncated: {end_s:.2f} of {end_s + lacking_s:.2f} s of {stream.type}")


def missing_s(stream: Any, end_s: float) -> float:
    """Return how much longer a stream is by its header, in seconds, than what was found in it; at least 0.

    How many pictures a header says there are is asked of AVI alone, where the duration is what FFmpeg finds in the
    file: elsewhere edit lists may show fewer. More than a day is not believed.
    """
    start_s = float((stream.start_time or 0) * stream.time_base)  # the tag says where a late stream ends
    promised_s = float(stream.duration * stream.time_base) if stream.duration else _tagged_s(stream) - start_s
    if stream.container.format.name == "avi" and stream.type == "video" and stream.average_rate:
        promised_s = max(promised_s, stream.frames / float(stream.average_rate))
    return max(0.0, promised_s - end_s) if promised_s < LONGEST_S else 0.0


def _tagged_s(stream: Any) -> float:
    """Return the length Matroska notes in a tag such as ``00:00:03.303000000``, in seconds; 0 without one."""
    match = re.fullmatch(r"(\d{1,9}):(\d{1,9}):(\d{1,9}(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    return 3600 * int(match[1]) + 60 * int(match[2]) + float(match[3]) if match else 0.0


def _reason(error: Exception, path: Path) -> str:
    """Return a decoder's words without the path, which stands in its own column."""
    text = one_line(error, path)
    if "possibly a pipe" in text:  # libsndfile says so of any bytes that are no MP3; the file was opened before
        text = "Format not recognised"
    if "Invalid data found" in text:  # FFmpeg says so of a text file as of a film that lost its beginning
        text = "no sound or film that can be read, or its beginning is damaged"
    return text.removeprefix("Error : ").rstrip(".")
