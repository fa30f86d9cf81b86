"""Any container to mono float32 samples at a rate.

WAV, FLAC, Ogg and MP3 are read by libsndfile, everything else by FFmpeg; both give what ``librosa.load`` gives.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from ravdess_mm.audio.downmix import VORBIS, ChannelStatistics
from ravdess_mm.corpus.media import open_media, sound_kind
from ravdess_mm.errors import InputError, MediaError, one_line

UNMEASURED: Final = frozenset({"aac", "ac3", "amr", "dts", "eac3", "loas", "mp3", "truehd"})
"""Formats without a declared length: what FFmpeg says of it is a guess from the first frames."""

MIN_DECODED_SHARE: Final = 0.5
"""A clip that breaks off is used if at least this share of its declared length can be decoded.

WAV and AVI files that were cut declare no more than they hold; a cut FLAC file is refused by libsndfile.
"""

BLOCK: Final = 2**20
"""Samples a channel of a sound file that are read at a time: 22 s at 48 kHz. An MP3 is read at once."""

LARGEST_SAMPLE: Final = 2.0**31
"""A larger sample is damage; squared and summed over a frame, much larger ones are infinite in single precision."""

Samples = npt.NDArray[np.float32]

Mix = Callable[[Iterator[Samples]], Samples]
"""Makes one channel [shape=(n,)] of blocks [shape=(n_channels, n)]."""

_Read = tuple[Samples, int, int, Sequence[str]]
"""One channel, the sampling rate, the declared number of samples a channel, and the channels' names if known."""


class DecodedAudio(NamedTuple):
    """The sound of a clip as one channel.

    Attributes
    ----------
    samples : numpy.ndarray [shape=(n,)], float32
        Full scale is -1 to 1.
    sr : int
        Their sampling rate, in Hz.
    note : str
        Which channel was used, where it is not the mean of all; else empty.
    """

    samples: Samples
    sr: int
    note: str


def decode_audio(path: str | Path, *, sr: int | None = None) -> tuple[Samples, int]:
    """Read the sound of a clip as one channel.

    Parameters
    ----------
    path : str or Path
        A sound file or a film with a sound track, of any kind that FFmpeg decodes, under any name.
    sr : int, optional
        Sampling rate to return, in Hz; None for the clip's own.

    Returns
    -------
    y : numpy.ndarray [shape=(n,)], float32
        The mean of the channels, and then equal to ``librosa.load(path, sr=sr)``; or the channel that
        `ravdess_mm.audio.downmix.ChannelStatistics.choose` prefers to it. Full scale is -1 to 1.
    sr : int
        The sampling rate of `y`, in Hz.

    Raises
    ------
    MediaError
        If the clip is missing, has no audio stream, cannot be decoded, breaks off before half its length, is empty,
        or holds samples that are NaN or infinite. The message is the reason, without the path.
    InputError
        If `sr` is not positive.
    """
    decoded = decode_with_note(path, sr=sr)
    return decoded.samples, decoded.sr


def decode_with_note(path: str | Path, *, sr: int | None = None) -> DecodedAudio:
    """Read the sound of a clip as `decode_audio` does, and say which channel it is."""
    if sr is not None and sr <= 0:
        raise InputError(f"sampling rate {sr} Hz is not possible; allowed: more than 0, or None for the clip's own")
    path = Path(path)
    if not path.is_file():
        raise MediaError("no such file")
    try:
        read = _read_sound_file if sound_kind(path) else _read_sound_track
    except OSError as error:
        raise MediaError(f"undecodable: {one_line(error, path)}") from error
    statistics = ChannelStatistics()
    y, native, declared, names = read(path, lambda blocks: _join(statistics.watch(blocks)))
    choice = statistics.choose(names)
    if choice.channel is not None:
        # read once more, since holding every channel until it is known which is wanted takes memory for all of them
        y, native, declared, names = read(path, lambda blocks: _join(block[choice.channel] for block in blocks))
    n = len(y)
    if n == 0:
        raise MediaError("empty: the clip has no samples")
    if n < MIN_DECODED_SHARE * declared:
        raise MediaError(f"truncated: {n / native:.2f} s of {declared / native:.2f} s can be decoded")
    check_finite(y)
    return (
        DecodedAudio(y, native, choice.note) if sr is None else DecodedAudio(resample(y, native, sr), sr, choice.note)
    )


def resample(y: Samples, orig_sr: int, target_sr: int) -> Samples:
    """Change the sampling rate with SoX's high-quality band-limited resampler, as ``librosa.resample`` does.

    Parameters
    ----------
    y : numpy.ndarray [shape=(n,)], float32
        Samples at `orig_sr`.
    orig_sr, target_sr : int
        Sampling rates, in Hz.

    Returns
    -------
    numpy.ndarray [shape=(ceil(n * target_sr / orig_sr),)], float32
        Samples at `target_sr`.
    """
    if orig_sr == target_sr:
        return y
    import soxr

    size = math.ceil(len(y) * target_sr / orig_sr)
    resampled: Samples = soxr.resample(y, orig_sr, target_sr, quality="HQ")[:size]
    return np.pad(resampled, (0, size - len(resampled))) if len(resampled) < size else resampled


def check_finite(y: Samples) -> None:
    """Refuse samples that are NaN, infinite, or so large that their power would be.

    Raises
    ------
    MediaError
        If there is one; whole numbers of up to 32 bits, that somebody never scaled to -1 to 1, are let through.
    """
    # NaN and infinities reach at least one of the two extremes; this reads the array without a mask the size of it
    lowest, highest = float(y.min()), float(y.max())
    if not (np.isfinite(highest) and np.isfinite(lowest)):
        bad = int(np.count_nonzero(~np.isfinite(y)))
        raise MediaError(f"{bad} of {len(y)} samples are NaN or infinite")
    if max(-lowest, highest) > LARGEST_SAMPLE:
        raise MediaError(f"samples from {lowest:.3g} to {highest:.3g} are no sound; full scale is -1 to 1")


def _read_sound_file(path: Path, mix: Mix) -> _Read:
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            names = VORBIS if file.format == "OGG" and file.channels not in (1, 2, 4) else ()
            return mix(_file_blocks(file)), file.samplerate, file.frames, names
    except (soundfile.SoundFileError, OSError) as error:
        raise MediaError(f"undecodable: {one_line(error, path)}") from error


def _read_sound_track(path: Path, mix: Mix) -> _Read:
    import av

    try:
        with open_media(path) as container:
            if not container.streams.audio:
                raise MediaError("no audio stream")
            stream = container.streams.audio[0]
            setups: list[tuple[Any, int]] = []
            y = mix(_track_blocks(av, container, stream, setups))
            if not len(y):
                raise MediaError("empty: the audio stream has no samples")
            layout, rate = setups[0]
            declared = round(_declared_length_s(av, container, stream) * rate)
            names = tuple(channel.name for channel in layout.channels)
    except (av.FFmpegError, OSError) as error:
        raise MediaError(f"undecodable: {one_line(error, path)}") from error
    return y, rate, declared, names


def _join(blocks: Iterable[Samples]) -> Samples:
    """Join blocks [shape=(n,)], holding what is joined and one block at a time."""
    joined = bytearray()
    for block in blocks:
        joined += block.tobytes()
    return np.frombuffer(joined, dtype=np.float32)


def _declared_length_s(av: Any, container: Any, stream: Any) -> float:
    """Return the length that the container promises, in seconds; 0 where it says nothing."""
    if container.format.name in UNMEASURED:
        return 0.0
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    return float(container.duration or 0) / float(av.time_base)


def _file_blocks(file: Any) -> Iterator[Samples]:
    """Yield blocks [shape=(channels, n)] up to the end or to where the file breaks off."""
    # soundfile seeks to where it is after every read, which in an MP3 finds other samples than reading on does
    length = -1 if file.format == "MP3" else BLOCK
    while len(block := file.read(length, dtype="float32", always_2d=True)):
        yield block.T


def _track_blocks(av: Any, container: Any, stream: Any, setups: list[tuple[Any, int]]) -> Iterator[Samples]:
    """Yield the decoded blocks [shape=(channels, n)] up to the end or to the first packet that is broken.

    `setups` receives the layout and the sampling rate of the first block, and those that others had before they were
    brought to it.
    """
    # brings 16-bit, packed and planar samples alike to planar float, at the stream's own rate and layout
    to_float = av.AudioResampler(format="fltp")
    before = None
    for frame in _frames(av, container, stream):
        now = frame.format.name, frame.layout.name, frame.sample_rate
        if now != before:
            setups.append((frame.layout, frame.sample_rate))
        if before not in (None, now):  # another recording was joined to the first
            to_float = av.AudioResampler(format="fltp", layout=setups[0][0], rate=setups[0][1])
        before = now
        for block in to_float.resample(frame):
            yield block.to_ndarray()


def _frames(av: Any, container: Any, stream: Any) -> Iterator[Any]:
    """Yield decoded frames; what stands between joined MP3 files, as tags do, is no frame and is left out."""
    is_empty = True
    is_mp3 = container.format.name == "mp3"
    try:
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.InvalidDataError:
                if not is_mp3:
                    raise
                continue
            for frame in frames:
                is_empty = False
                yield frame
    except av.FFmpegError:
        if is_empty:
            raise
