"""The kind of a media file, told by its content, not its suffix."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ravdess_mm.errors import MediaError

if TYPE_CHECKING:
    from av.container import InputContainer

HEAD_BYTES: Final = 4096
"""How much of a file tells its kind, in bytes."""

JOINED_S: Final = 0.25
"""An MP3 holds this much more than its first header says, in seconds, where others follow the first."""

LONGEST_S: Final = 86_400.0
"""A header that claims more than a day of sound or film is not believed."""

LONG_MP3_S: Final = 600.0
"""A longer MP3 is FFmpeg's, in seconds: libsndfile reads all of it at once, or at least as much as its header says."""

UNMEASURED: Final = frozenset({"aac", "ac3", "amr", "dts", "eac3", "loas", "mp3", "truehd"})
"""Formats without a declared length: what FFmpeg says of it is a guess from the first frames."""

LATE_S: Final = 0.1
"""A track that begins so much later than its file, in seconds, is late; less is the delay of an encoder."""

LATEST_S: Final = 3600.0
"""A track that begins later than this is not waited for: what a header says is believed within bounds."""

_OGG_SOUND: Final = (b"\x01vorbis", b"OpusHead", b"\x7fFLAC", b"Speex   ")
# fmt: off
_TEXT: Final = frozenset({
    "adf", "aqtitle", "ass", "bin", "dvbsub", "dvbtxt", "ffmetadata", "idf", "jacosub", "lrc", "mcc", "microdvd",
    "mpl2", "mpsub", "pjs", "realtext", "sami", "scc", "srt", "stl", "subviewer", "subviewer1", "sup",
    "tedcaptions", "ttml", "tty", "vobsub", "vplayer", "webvtt", "xbin",
})
_HEADERLESS: Final = frozenset({
    "adp", "alaw", "aptx", "aptx_hd", "bit", "bitpacked", "codec2raw", "data", "daud", "dfpwm", "f32be", "f32le",
    "f64be", "f64le", "g722", "g723_1", "g726", "g726le", "g729", "gsm", "mulaw", "pdv", "rawvideo", "s16be",
    "s16le", "s24be", "s24le", "s32be", "s32le", "s8", "sln", "u16be", "u16le", "u24be", "u24le", "u32be",
    "u32le", "u8", "v210", "v210x", "vidc",
})
_OTHER_FILES: Final = frozenset({
    "concat", "dash", "hls", "imf", "lavfi", "rtp", "rtsp", "sap", "sdp", "smoothstreaming", "webm_dash_manifest",
})
# fmt: on
_PICTURES: Final = frozenset(
    {"alias_pix", "apng", "brender_pix", "fits", "gif", "ico", "image2", "jpegxl_anim", "txd", "webp"}
)
_PICTURE_BRANDS: Final = frozenset({"avif", "avis", "heic", "heix", "mif1", "msf1"})
_MEASURE: Final = {"audio": "sample_rate", "video": "width"}


def sound_kind(path: Path) -> str:
    """Tell whether libsndfile reads a file, by the first bytes; every other file is FFmpeg's.

    Returns
    -------
    str
        ``wav``, ``flac``, ``ogg``, ``mp3``; or empty: for another kind, Ogg with a picture, WAV with a codec that
        libsndfile has not or whose header says that it is empty, FLAC that was written to a pipe and knows no length,
        and MP3 that is long or was joined of several.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        if is_tagged := head[:3] == b"ID3" and len(head) > 10:
            # the length of an ID3v2 tag is four times seven bits
            file.seek(10 + sum((byte & 0x7F) << 7 * (3 - number) for number, byte in enumerate(head[6:10])))
            head = file.read(HEAD_BYTES)
    if head[:4] in (b"RIFF", b"RIFX", b"RF64") and head[8:12] == b"WAVE":
        length_s = _length_s(path)
        is_empty = length_s == 0 and path.stat().st_size < HEAD_BYTES
        return "wav" if length_s or is_empty else ""
    if head[:4] == b"fLaC":
        # rate and number of samples stand before the checksum (RFC 9639, section 8.2); 0 samples are unknown
        facts = int.from_bytes(head[18:26], "big")
        return "flac" if 0 < facts & (2**36 - 1) <= LONGEST_S * (facts >> 44) else ""
    if head[:4] == b"OggS":
        return "ogg" if _is_ogg_sound(head) else ""
    # eleven bits set, and a layer: AAC in ADTS has none
    is_mp3 = len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 0x06 != 0
    # tags may be padded beyond what they say
    return "mp3" if (is_mp3 or (is_tagged and not any(head[:16]))) and _is_one_mp3(path) else ""


def open_media(path: Path) -> InputContainer:
    """Open a file with FFmpeg.

    Raises
    ------
    MediaError
        If it holds text, pictures or a list of other files, or is told by its suffix alone: FFmpeg would draw a text
        as a film of letters, and hear any bytes as samples.
    av.FFmpegError, OSError
        As FFmpeg says.
    """
    import av

    try:
        # an absolute path, since FFmpeg takes "12:30.mp4" for an address; tags in a foreign encoding are no fault
        container = av.open(
            str(path.absolute()), metadata_errors="replace", options={"format_whitelist": _allowed_formats()}
        )
    except av.FFmpegError as error:
        if error.errno == errno.EINVAL:
            raise MediaError("holds a list of other files, or nothing that FFmpeg can use") from error
        raise
    opened: InputContainer = container
    if reason := _refusal(opened):
        opened.close()
        raise MediaError(reason)
    return opened


def default_track(streams: Sequence[Any]) -> Any:
    """Return the track that a player shows: the first that the file calls its default, else the first."""
    import av

    return next((stream for stream in streams if stream.disposition & av.stream.Disposition.default), streams[0])


def late_s(container: Any, start_s: float) -> float:
    """Return by how much a track that starts at `start_s` is late, in seconds; 0 where hardly, or beyond belief."""
    import av

    late = start_s - float(container.start_time or 0) / float(av.time_base)
    return late if LATE_S < late <= LATEST_S else 0.0


def is_media(path: Path) -> bool:
    """Tell whether a file holds sound or film, by opening it."""
    import av

    try:
        if sound_kind(path):
            return True
        with open_media(path) as container:
            return any(stream.type in ("audio", "video") for stream in container.streams)
    except (MediaError, av.FFmpegError, OSError):
        return False


@cache
def _allowed_formats() -> str:
    """Return the formats that open no other files; FFmpeg does not even begin with the rest."""
    import av

    return ",".join(sorted(av.formats_available - _OTHER_FILES))


def _refusal(container: Any) -> str:
    name = container.format.name
    if name in _TEXT:
        return f"holds text ({name}), no sound or film"
    is_still = container.metadata.get("major_brand", "").strip() in _PICTURE_BRANDS
    if name in _PICTURES or name.endswith("_pipe") or is_still:
        return f"holds a picture ({name}), no sound or film"
    if name in _HEADERLESS:
        return f"has no header and is {name} by its suffix alone; give it one, as in a WAV"
    # what was opened by its suffix alone has no rate and no size
    coded = [stream for stream in container.streams if stream.codec_context is not None]
    measured = (s for s in coded if s.type not in _MEASURE or getattr(s.codec_context, _MEASURE[s.type]))
    if coded and not any(measured):
        return "no audio or video stream that can be decoded"
    return ""


def _is_ogg_sound(head: bytes) -> bool:
    """Tell an Ogg file with one stream, of sound, by its first two pages (RFC 3533, section 6)."""
    if len(head) < 28:
        return False
    n_segments = head[26]
    start = 27 + n_segments
    second = start + sum(head[27:start])
    is_begun_again = head[second : second + 4] == b"OggS" and len(head) > second + 5 and head[second + 5] & 0x02
    return head[start:].startswith(_OGG_SOUND) and not is_begun_again


def _length_s(path: Path) -> float | None:
    """Return the length that libsndfile finds, in seconds; None where it cannot open the file."""
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            return float(file.frames / file.samplerate)
    except soundfile.SoundFileError:
        return None


def _is_one_mp3(path: Path) -> bool:
    """Tell whether an MP3 ends where its first header says that it ends, within `LONG_MP3_S`."""
    import av

    length_s = _length_s(path)
    if length_s is None:
        return True  # what is wrong with it is said where it is read
    if length_s > LONG_MP3_S:
        return False
    held_s = 0.0
    try:
        with open_media(path) as container:
            for packet in container.demux(container.streams.audio):
                held_s += float((packet.duration or 0) * packet.time_base) if packet.size else 0.0
    except (av.FFmpegError, MediaError):
        return True
    return held_s <= length_s + JOINED_S
