"""Telephone lines and lossy codecs: encoding and decoding in memory, without delay.

A coder takes samples of 16 bits, so louder ones than full scale are clipped here, as in any recording that is sent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

import numpy as np
from scipy import fft

from ravdess_mm.audio.acoustics import band_pass
from ravdess_mm.audio.decoding import Samples, resample
from ravdess_mm.audio.noise import speech_shaped_noise
from ravdess_mm.errors import InputError

TELEPHONE_SR: Final = 8000
"""Sampling rate of a telephone line, in Hz: ITU-T recommendation G.711 (1988)."""

TELEPHONE_BAND_HZ: Final = (300.0, 3400.0)
"""What a telephone line lets through: ITU-T recommendation G.712 (2001)."""

FULL_SCALE_14_BITS: Final = 8192.0
MU_LAW_BIAS: Final = 33.0
MU_LAW_LARGEST: Final = 8158.0
PROBE_S: Final = 0.5
"""Length of the noise by which the delay of a coder is found."""


class Codec(StrEnum):
    """Lossy coders of the FFmpeg that comes with PyAV."""

    MP3 = "mp3"
    OPUS = "opus"
    AAC = "aac"


@dataclass(frozen=True)
class Coder:
    """How FFmpeg names a coder and its decoder, what it is set to, and the rates it is used at, ascending, in Hz.

    Above 24 kHz an MP3 or AAC of the few kilobits that are of interest here is not made: coders lower the rate first.
    """

    encoder: str
    decoder: str
    sample_format: str
    rates: tuple[int, ...]
    options: dict[str, str] = field(default_factory=dict)


CODERS: Final[dict[Codec, Coder]] = {
    Codec.MP3: Coder(
        "libmp3lame", "mp3float", "s16p", (8000, 11025, 12000, 16000, 22050, 24000), {"compression_level": "7"}
    ),
    Codec.OPUS: Coder("libopus", "opus", "s16", (8000, 12000, 16000, 24000, 48000), {"compression_level": "5"}),
    Codec.AAC: Coder("aac", "aac", "fltp", (8000, 11025, 12000, 16000, 22050, 24000), {"aac_coder": "fast"}),
}
"""MP3: ISO/IEC 13818-3 by LAME. Opus: RFC 6716 (2012). AAC: ISO/IEC 14496-3 by FFmpeg. Set for speed."""


def mu_law(y: Samples) -> Samples:
    """Quantise samples to the 256 values of the mu-law.

    Parameters
    ----------
    y : numpy.ndarray [shape=(n,)]
        Full scale is -1 to 1.

    Returns
    -------
    numpy.ndarray [shape=(n,)], float32
        At most 8031 / 8192: ITU-T recommendation G.711 (1988), table 2a.
    """
    biased = np.minimum(np.abs(y) * np.float32(FULL_SCALE_14_BITS), np.float32(MU_LAW_LARGEST)) + np.float32(
        MU_LAW_BIAS
    )
    # the exponent names one of eight segments; each holds sixteen equal steps and is twice as wide as the one before
    step = np.ldexp(np.float32(1), np.frexp(biased)[1] - 5)
    decoded = (np.floor(biased / step) + np.float32(0.5)) * step - np.float32(MU_LAW_BIAS)
    return np.asarray(np.copysign(decoded, y) / np.float32(FULL_SCALE_14_BITS), dtype=np.float32)


def telephone(y: Samples, sr: int) -> Samples:
    """Return a voice as it comes out of a telephone line: 300-3400 Hz, 8 kHz, 8 bits by the mu-law.

    Parameters
    ----------
    y : numpy.ndarray [shape=(n,)]
    sr : int
        Sampling rate of `y` and of what is returned, in Hz.
    """
    low, high = TELEPHONE_BAND_HZ
    narrow = band_pass(resample(y, sr, TELEPHONE_SR), TELEPHONE_SR, low_hz=low, high_hz=high)
    # the decoder's filter takes away the part of the quantisation noise that lies above the band
    decoded = band_pass(mu_law(narrow), TELEPHONE_SR, low_hz=0.0, high_hz=high)
    return _of_length(resample(decoded, TELEPHONE_SR, sr), len(y))


def lower_rate(y: Samples, sr: int, *, rate: int) -> Samples:
    """Return what is left after recording at a lower sampling rate; at a higher one everything is.

    Parameters
    ----------
    y : numpy.ndarray [shape=(n,)]
    sr, rate : int
        Sampling rate of `y` and of what is returned, and the rate in between, in Hz.
    """
    return y.copy() if rate >= sr else _of_length(resample(resample(y, sr, rate), rate, sr), len(y))


def code(y: Samples, sr: int, codec: Codec, *, kbit_s: float) -> Samples:
    """Encode and decode a clip.

    Parameters
    ----------
    y : numpy.ndarray [shape=(n,)]
    sr : int
        Sampling rate of `y` and of what is returned, in Hz; the coder works at the next of its own rates.
    codec : Codec
    kbit_s : float
        Bit rate of the one channel.

    Returns
    -------
    numpy.ndarray [shape=(n,)], float32
        In time with `y`: the coder's delay is taken away.

    Raises
    ------
    InputError
        If the bit rate is not positive, or this FFmpeg has no such coder or refuses the bit rate.
    """
    if not 0 < kbit_s < math.inf:
        raise InputError(f"a bit rate of {kbit_s} kbit/s is not possible; allowed: more than 0, such as 16")
    rates = CODERS[codec].rates
    rate = next((rate for rate in rates if rate >= sr), rates[-1])
    bit_s = round(1000 * kbit_s)
    decoded = _there_and_back(resample(y, sr, rate), rate, codec, bit_s)
    return _of_length(resample(decoded[_delay(rate, codec, bit_s) :], rate, sr), len(y))


@lru_cache
def _delay(rate: int, codec: Codec, bit_s: int) -> int:
    """Return by how many samples a coder is late, measured once: what FFmpeg takes away itself differs by version.

    The probe sounds like speech: at 8 kbit/s, Opus keeps no waveform of a tone.
    """
    n = round(PROBE_S * rate)
    probe = speech_shaped_noise(n, rate, np.random.default_rng(0)) * np.hanning(n).astype(np.float32) * np.float32(0.1)
    decoded = _there_and_back(probe, rate, codec, bit_s)
    size = fft.next_fast_len(len(decoded) + len(probe), real=True)
    match = fft.irfft(fft.rfft(decoded, size) * np.conj(fft.rfft(probe, size)), size)
    return int(np.argmax(match[: len(decoded)]))


def _there_and_back(y: Samples, rate: int, codec: Codec, bit_s: int) -> Samples:
    """Return the decoded samples at the same rate: late by the coder's delay, and longer than before."""
    import av

    coder = CODERS[codec]
    try:
        encoder = av.CodecContext.create(coder.encoder, "w")
        encoder.sample_rate, encoder.layout, encoder.format = rate, "mono", coder.sample_format
        encoder.bit_rate, encoder.options = bit_s, dict(coder.options)
        encoder.open()
        packets = _encode(av, encoder, y)
        decoder = av.CodecContext.create(coder.decoder, "r")
        decoder.sample_rate, decoder.layout = rate, "mono"
        if encoder.extradata:
            decoder.extradata = encoder.extradata
        frames = [frame for packet in [*packets, None] for frame in decoder.decode(packet)]
    except (av.FFmpegError, ValueError) as error:
        raise InputError(
            f"{codec.value} at {bit_s / 1000:g} kbit/s and {rate} Hz cannot be made by this FFmpeg: {error}"
        ) from error
    decoded = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    if decoded.dtype == np.int16:
        decoded = decoded / np.float32(2**15)
    return resample(np.asarray(decoded, dtype=np.float32), frames[0].sample_rate, rate)


def _encode(av: Any, encoder: Any, y: Samples) -> list[Any]:
    """Return the packets of a clip and of the silence behind it that pushes it through the coder."""
    size, name = encoder.frame_size, encoder.format.name
    n_frames = math.ceil(len(y) / size) + 3
    padded = np.pad(y, (0, n_frames * size - len(y)))
    whole = np.clip(np.rint(padded * 2**15), -(2**15), 2**15 - 1)
    blocks = (whole / np.float32(2**15) if name == "fltp" else whole.astype(np.int16)).reshape(n_frames, 1, size)
    packets = []
    for number, block in enumerate(blocks):
        frame = av.AudioFrame.from_ndarray(block, format=name, layout="mono")
        frame.sample_rate, frame.pts = encoder.sample_rate, number * size
        packets += encoder.encode(frame)
    return [*packets, *encoder.encode(None)]


def _of_length(y: Samples, n: int) -> Samples:
    return np.asarray(y[:n] if len(y) >= n else np.pad(y, (0, n - len(y))), dtype=np.float32)
