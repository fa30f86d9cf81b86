"""What telephone lines and codecs leave of a voice, and that it is in time with what went in."""

from __future__ import annotations

import av
import numpy as np
import pytest

from ravdess_mm.audio.codecs import Codec, code, lower_rate, mu_law, telephone
from ravdess_mm.errors import InputError
from tests.audio.voices import speech_like


def energy_share(y: np.ndarray, sr: int, *, above_hz: float = 0.0, below_hz: float = np.inf) -> float:
    power = np.abs(np.fft.rfft(y * np.hanning(len(y)))) ** 2
    hertz = np.fft.rfftfreq(len(y), 1 / sr)
    return float(power[(hertz > above_hz) & (hertz < below_hz)].sum() / power.sum())


def lag(late: np.ndarray, early: np.ndarray) -> int:
    size = 2 * len(early)
    match = np.fft.irfft(np.fft.rfft(late, size) * np.conj(np.fft.rfft(early, size)), size)
    peak = int(np.argmax(match))
    return peak if peak < size // 2 else peak - size


def test_the_mu_law_is_that_of_ffmpeg() -> None:
    ramp = np.linspace(-1, 1, 40_001).astype(np.float32)
    whole = np.clip(np.rint(ramp * 2**15), -(2**15), 2**15 - 1).astype(np.int16)
    encoder = av.CodecContext.create("pcm_mulaw", "w")
    encoder.sample_rate, encoder.layout, encoder.format = 8000, "mono", "s16"
    frame = av.AudioFrame.from_ndarray(whole[None], format="s16", layout="mono")
    frame.sample_rate = 8000
    decoder = av.CodecContext.create("pcm_mulaw", "r")
    decoder.sample_rate, decoder.layout = 8000, "mono"
    decoded = [frame for packet in encoder.encode(frame) for frame in decoder.decode(packet)]
    theirs = np.concatenate([frame.to_ndarray()[0] for frame in decoded]) / 2**15
    ours = mu_law(ramp)
    levels = np.unique(ours)
    # both zeros of the 256 codes are one number
    assert len(levels) == 255
    np.testing.assert_array_equal(levels, np.unique(theirs))
    # a sample next to the border of two steps may fall to either side
    assert np.mean(ours == theirs) > 0.98
    assert np.all(np.abs(np.searchsorted(levels, ours) - np.searchsorted(levels, theirs)) <= 1)


@pytest.mark.parametrize("sr", [16000, 22050, 48000])
def test_a_telephone_keeps_300_to_3400_hz(sr: int) -> None:
    random = np.random.default_rng(1)
    noise = (0.1 * random.standard_normal(2 * sr)).astype(np.float32)
    heard = telephone(noise, sr)
    assert heard.shape == noise.shape
    assert heard.dtype == np.float32
    assert energy_share(heard, sr, above_hz=3600) < 1e-6
    assert energy_share(heard, sr, below_hz=150) < 1e-3
    kept = energy_share(heard, sr, above_hz=300, below_hz=3400) * np.sum(heard**2)
    assert kept == pytest.approx(energy_share(noise, sr, above_hz=300, below_hz=3400) * np.sum(noise**2), rel=0.05)


def test_a_telephone_is_not_late_and_quantises() -> None:
    voice = speech_like()
    heard = telephone(voice, 16000)
    assert lag(heard, voice) == 0
    tone = 0.25 * np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000).astype(np.float32)
    error = (telephone(tone, 16000) - tone)[1000:-1000]
    # 8 bits of the mu-law are worth about 37 dB, whatever the level: ITU-T G.712
    assert 10 * np.log10(np.mean(tone**2) / np.mean(error**2)) == pytest.approx(38, abs=3)


@pytest.mark.parametrize("sr", [16000, 22050, 44100])
@pytest.mark.parametrize(
    ("codec", "kbit_s", "least"),
    [(Codec.MP3, 16, 0.9), (Codec.MP3, 32, 0.97), (Codec.OPUS, 8, 0.8), (Codec.OPUS, 16, 0.9), (Codec.AAC, 16, 0.9)],
)
def test_a_codec_keeps_the_voice_and_its_time(codec: Codec, kbit_s: int, least: float, sr: int) -> None:
    voice = speech_like(sr)
    heard = code(voice, sr, codec, kbit_s=kbit_s)
    assert heard.shape == voice.shape
    assert heard.dtype == np.float32
    assert abs(lag(heard, voice)) <= sr / 8000
    assert np.corrcoef(heard, voice)[0, 1] > least
    # it is lossy indeed
    assert np.mean((heard - voice) ** 2) > 1e-5 * np.mean(voice**2)
    assert np.array_equal(heard, code(voice, sr, codec, kbit_s=kbit_s))


def test_fewer_bits_keep_less() -> None:
    voice = speech_like()
    errors = [np.mean((code(voice, 16000, Codec.MP3, kbit_s=rate) - voice) ** 2) for rate in (16, 32, 64)]
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize("n", [1, 50, 700])
@pytest.mark.parametrize("codec", list(Codec))
def test_a_clip_shorter_than_a_frame_keeps_its_length(codec: Codec, n: int) -> None:
    assert code(speech_like()[16000 : 16000 + n], 16000, codec, kbit_s=16).shape == (n,)


def test_a_coder_clips_at_full_scale() -> None:
    loud = 3 * np.sin(2 * np.pi * 300 * np.arange(16000) / 16000).astype(np.float32)
    assert np.abs(code(loud, 16000, Codec.MP3, kbit_s=32)).max() < 1.5
    assert np.abs(mu_law(loud)).max() == pytest.approx(8031 / 8192)


def test_a_lower_rate_loses_what_is_above_half_of_it() -> None:
    noise = np.random.default_rng(1).standard_normal(32000).astype(np.float32)
    heard = lower_rate(noise, 16000, rate=8000)
    assert heard.shape == noise.shape
    assert energy_share(heard, 16000, above_hz=4200) < 1e-3
    assert np.array_equal(lower_rate(noise, 16000, rate=16000), noise)


def test_a_bit_rate_that_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match=r"0 kbit/s is not possible"):
        code(speech_like(), 16000, Codec.MP3, kbit_s=0)
