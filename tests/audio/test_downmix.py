"""Channels never cancel, and a film's dialogue is taken from where it is."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from ravdess_mm.audio.decoding import DecodedAudio, decode_audio, decode_with_note
from ravdess_mm.audio.downmix import SURROUND, VORBIS, ChannelStatistics, UsedChannel

SR = 16_000
RANDOM = np.random.default_rng(0)
VOICE = RANDOM.normal(0, 0.1, SR).astype(np.float32)
OTHER = RANDOM.normal(0, 0.1, SR).astype(np.float32)
TONE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(SR) / SR)).astype(np.float32)
SILENCE = np.zeros(SR, np.float32)


def choose(*channels: np.ndarray, names: tuple[str, ...] = ()) -> UsedChannel:
    statistics = ChannelStatistics()
    blocks = np.array_split(np.stack(channels), 3, axis=1)
    mean = np.concatenate(list(statistics.watch(iter(blocks))))
    np.testing.assert_allclose(mean, np.mean(channels, axis=0), atol=1e-6)
    return statistics.choose(names)


@pytest.mark.parametrize(
    "channels",
    [(VOICE,), (VOICE, VOICE), (VOICE, OTHER), (VOICE, SILENCE), (VOICE, 0.5 * VOICE), (VOICE, VOICE, OTHER)],
)
def test_the_mean_is_used_where_nothing_cancels(channels: tuple[np.ndarray, ...]) -> None:
    assert choose(*channels) == UsedChannel()


def test_of_channels_that_cancel_the_louder_is_used() -> None:
    assert choose(VOICE, -VOICE) == UsedChannel(0, "the channels cancel each other; only the left was used")
    assert choose(-0.8 * VOICE, VOICE).channel == 1
    assert choose(VOICE, 0.2 * OTHER - 0.9 * VOICE).channel == 0


def test_one_voice_among_silent_channels_is_used() -> None:
    assert choose(SILENCE, VOICE, SILENCE, SILENCE, SILENCE).channel == 1


def test_an_offset_is_no_sound() -> None:
    assert choose(VOICE + 0.5, -VOICE + 0.5).channel == 0
    assert choose(SILENCE + 0.9, -VOICE, VOICE).channel != 0


def test_films_are_heard_in_their_centre_unless_it_is_silent() -> None:
    loud = 5 * OTHER
    surround = [loud, loud, VOICE, loud, loud, loud]
    assert choose(*surround) == UsedChannel(2, "the centre channel of 6 was used")
    assert choose(*surround, loud, loud).channel == 2
    # Vorbis has another order, and FFmpeg says which
    assert choose(loud, VOICE, loud, names=("FL", "FC", "FR")).channel == 1
    surround[2] = SILENCE
    assert choose(*surround) == UsedChannel()
    assert choose(VOICE, SILENCE, SILENCE, SILENCE, SILENCE, SILENCE).channel == 0


def test_nothing_is_chosen_of_nothing() -> None:
    assert ChannelStatistics().choose() == UsedChannel()
    assert choose(SILENCE, SILENCE) == UsedChannel()


@pytest.mark.filterwarnings("error")
def test_samples_that_are_not_finite_choose_nothing() -> None:
    bad = VOICE.copy()
    bad[0] = np.nan
    assert choose(bad, -bad) == UsedChannel()


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_an_inverted_channel_does_not_cancel_the_other(tmp_path: Path, suffix: str) -> None:
    soundfile.write(tmp_path / f"mono{suffix}", VOICE, SR)
    soundfile.write(tmp_path / f"inverted{suffix}", np.stack([VOICE, -VOICE], axis=1), SR)
    for sr in (None, 8000):
        decoded = decode_with_note(tmp_path / f"inverted{suffix}", sr=sr)
        assert "only the left was used" in decoded.note
        np.testing.assert_array_equal(decoded.samples, decode_audio(tmp_path / f"mono{suffix}", sr=sr)[0])


@pytest.mark.parametrize("n", [6, 8])
@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg"])
def test_the_centre_of_a_surround_file_is_found(tmp_path: Path, n: int, suffix: str) -> None:
    names = (*VORBIS, *"abcde")[:n] if suffix == ".ogg" else SURROUND[n]
    channels = np.stack([TONE if name == "FC" else 0.5 * OTHER for name in names], axis=1)
    soundfile.write(tmp_path / f"surround{suffix}", channels, SR)
    assert is_tone(decode_with_note(tmp_path / f"surround{suffix}"), n)


def test_the_centre_of_a_film_is_found(tmp_path: Path) -> None:
    channels = np.stack([TONE if name == "FC" else 0.5 * OTHER for name in SURROUND[6]])
    with av.open(str(tmp_path / "film.mkv"), "w") as container:
        stream = container.add_stream("ac3", rate=48_000, layout="5.1")
        to_codec = av.AudioResampler(format=stream.format, layout="5.1", rate=48_000, frame_size=1536)
        frame = av.AudioFrame.from_ndarray(channels, format="fltp", layout="5.1")
        frame.sample_rate, frame.pts = SR, 0
        for block in [*to_codec.resample(frame), *to_codec.resample(None)]:
            container.mux(stream.encode(block))
        container.mux(stream.encode())
    assert is_tone(decode_with_note(tmp_path / "film.mkv", sr=SR), 6)


def is_tone(decoded: DecodedAudio, n: int) -> bool:
    assert decoded.note == f"the centre channel of {n} was used"
    spectrum = np.abs(np.fft.rfft(decoded.samples[: SR - SR % 10]))
    return bool(spectrum.max() > 0.9 * np.sqrt(np.sum(spectrum**2)))
