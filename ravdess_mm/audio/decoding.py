"""Decoding of any container to mono float32 samples.

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
from ravdess_mm.corpus.media import LONGEST_S, UNMEASURED, default_track, late_s, open_media, sound_kind
from ravdess_mm.errors import InputError, MediaError, one_line

MIN_DECODED_SHARE: Final = 0.5
"""A clip that breaks off is used if at least this share of its declared length can be decoded.

WAV and AVI files that were cut declare no more than they hold; a cut FLAC file is refused by libsndfile.
"""

BLOCK: Final = 2**20
"""Samples of all channels of a sound file that are read at a time: 22 s at 48 kHz. An MP3 is read at once."""

MOST_READ: Final = 2**29
"""Most samples a channel that are decoded: three hours at 48 kHz."""

MOST_OWN: Final = 2**26
"""Most samples that are kept at the clip's own sampling rate: 23 minutes at 48 kHz. Longer ones have `LONG_SR`."""

MOST_KEPT: Final = 90_000_000
"""Most samples that are kept: 360 MB, 94 minutes at `LONG_SR`."""

LONG_SR: Final = 16_000
"""Sampling rate of what is too long for its own, in Hz: what the speech encoder takes."""

RATES: Final = (1000, 1_000_000)
"""Lowest and highest sampling rate of sound, in Hz."""

LARGEST_SAMPLE: Final = 2.0**31
"""A larger sample is damage; squared and summed over a frame, much larger ones are infinite in single precision."""

_SAMPLE_BYTES: Final = 4

Samples = npt.NDArray[np.float32]

Mix = Callable[[Iterator[Samples]], Iterator[Samples]]
"""Makes blocks of one channel [shape=(n,)] of blocks [shape=(n_channels, n)]."""


class _Sound(NamedTuple):
    """One channel, its sampling rate and length, the declared length, and the channels' names if known."""

    samples: Samples
    sr: int
    decoded_s: float
    declared_s: float
    names: Sequence[str] = ()
    is_cut: bool = False
    note: str = ""


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
    sound = read(path, statistics.watch)
    choice = statistics.choose(sound.names)
    if choice.channel is not None:
        # read once more, since holding every channel until it is known which is wanted takes memory for all of them
        del sound
        sound = read(path, lambda blocks: (block[choice.channel] for block in blocks))
    y = sound.samples
    if len(y) == 0:
        raise MediaError("empty: the clip has no samples")
    # what declares more than a day says nothing
    if not sound.is_cut and sound.decoded_s < MIN_DECODED_SHARE * sound.declared_s < LONGEST_S:
        raise MediaError(f"truncated: {sound.decoded_s:.2f} s of {sound.declared_s:.2f} s can be decoded")
    check_finite(y)
    cut = f"only the first {sound.decoded_s / 60:.0f} minutes are used" if sound.is_cut else ""
    note = "; ".join(filter(None, (sound.note, choice.note, cut)))
    return DecodedAudio(y, sound.sr, note) if sr is None else DecodedAudio(resample(y, sound.sr, sr), sr, note)


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


def _read_sound_file(path: Path, mix: Mix) -> _Sound:
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            names = VORBIS if file.format == "OGG" and file.channels not in (1, 2, 4) else ()
            samples, sr, decoded_s, is_cut = _join(mix(_file_blocks(file)), lambda: file.samplerate)
            return _Sound(samples, sr, decoded_s, file.frames / file.samplerate, names, is_cut)
    except (soundfile.SoundFileError, OSError) as error:
        raise MediaError(f"undecodable: {one_line(error, path)}") from error


def _read_sound_track(path: Path, mix: Mix) -> _Sound:
    import av

    try:
        with open_media(path) as container:
            if not container.streams.audio:
                raise MediaError("no audio stream")
            tracks = container.streams.audio
            stream = default_track(tracks)
            note = f"the sound is track {tracks.index(stream) + 1} of {len(tracks)}" if len(tracks) > 1 else ""
            setups: list[tuple[Any, int]] = []
            blocks = mix(_track_blocks(av, container, stream, setups))
            samples, sr, decoded_s, is_cut = _join(blocks, lambda: setups[0][1])
            if not len(samples):
                raise MediaError("empty: the audio stream has no samples")
            declared_s = _declared_length_s(av, container, stream)
            names = tuple(channel.name for channel in setups[0][0].channels)
    except (av.FFmpegError, OSError, IndexError) as error:
        raise MediaError(f"undecodable: {one_line(error, path)}") from error
    return _Sound(samples, sr, decoded_s, declared_s, names, is_cut, note)


def _join(blocks: Iterable[Samples], rate_of: Callable[[], int]) -> tuple[Samples, int, float, bool]:
    """Join blocks [shape=(n,)], holding what is joined and one block at a time; no more than `MOST_KEPT` samples.

    Returns the samples, their rate, how many seconds they are of, and whether there are more. `rate_of` gives the rate
    of the blocks once there is one.
    """
    import soxr

    joined = bytearray()
    stream: Any = None
    n_read = rate = 0
    is_cut = False
    for block in blocks:
        if not rate:
            rate = rate_of()
            if not RATES[0] <= rate <= RATES[1]:
                raise MediaError(f"a sampling rate of {rate:,} Hz is no sound's; allowed: {RATES[0]:,} to {RATES[1]:,}")
        if is_cut := n_read >= MOST_READ or len(joined) >= MOST_KEPT * _SAMPLE_BYTES:
            break
        n_read += len(block)
        if stream is None and n_read > MOST_OWN and rate > LONG_SR:
            stream = soxr.ResampleStream(rate, LONG_SR, 1, dtype="float32", quality="HQ")
            samples = np.frombuffer(joined, dtype=np.float32)
            joined = bytearray()
            for start in range(0, len(samples), BLOCK):
                joined += stream.resample_chunk(samples[start : start + BLOCK]).tobytes()
        joined += (block if stream is None else stream.resample_chunk(block)).tobytes()
    if stream is not None:
        joined += stream.resample_chunk(np.empty(0, np.float32), last=True).tobytes()
    sr = rate if stream is None else LONG_SR
    return np.frombuffer(joined, dtype=np.float32), sr, n_read / max(rate, 1), is_cut


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
    length = -1 if file.format == "MP3" else max(1, BLOCK // file.channels)
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
        if before is None and frame.pts is not None:
            silence_s = late_s(container, float(frame.pts * frame.time_base))
            yield from _silence(round(silence_s * frame.sample_rate), len(frame.layout.channels))
        if before not in (None, now):  # another recording was joined to the first
            to_float = av.AudioResampler(format="fltp", layout=setups[0][0], rate=setups[0][1])
        before = now
        for block in to_float.resample(frame):
            yield block.to_ndarray()


def _silence(n: int, n_channels: int) -> Iterator[Samples]:
    """Yield blocks [shape=(channels, n)] that stand for the time before a late track begins."""
    for start in range(0, n, BLOCK):
        yield np.zeros((n_channels, min(BLOCK, n - start)), np.float32)


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
    except (av.FFmpegError, IndexError):  # PyAV knows no track that begins in the midst of a file
        if is_empty:
            raise
