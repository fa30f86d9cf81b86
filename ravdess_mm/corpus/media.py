"""What kind of file a clip is, told by its content: the suffix is a name that anybody can give."""

from __future__ import annotations

import errno
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
        libsndfile has not, FLAC that was written to a pipe and knows no length, and MP3 that was joined of several.

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
        return "wav" if _length_s(path) is not None else ""
    if head[:4] == b"fLaC":
        # the number of samples is the last 36 bits before the checksum (RFC 9639, section 8.2); 0 is unknown
        return "flac" if int.from_bytes(head[18:26], "big") & (2**36 - 1) else ""
    if head[:4] == b"OggS":
        return "ogg" if _is_ogg_sound(head) else ""
    # eleven bits set, and a layer: AAC in ADTS has none
    is_mp3 = len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 0x06 != 0
    # tags may be padded beyond what they say
    return "mp3" if (is_mp3 or (is_tagged and not any(head[:16]))) and not _is_joined(path) else ""


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


def _is_joined(path: Path) -> bool:
    """Tell whether an MP3 goes on where its first header says that it ends."""
    import av

    length_s = _length_s(path)
    if length_s is None:
        return False
    held_s = 0.0
    try:
        with open_media(path) as container:
            for packet in container.demux(container.streams.audio):
                held_s += float((packet.duration or 0) * packet.time_base) if packet.size else 0.0
    except (av.FFmpegError, MediaError):
        return False
    return held_s > length_s + JOINED_S
