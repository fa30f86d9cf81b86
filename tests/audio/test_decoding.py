"""Any container to mono float32."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from ravdess_mm.audio import decoding
from ravdess_mm.audio.decoding import decode_audio, decode_with_note, resample
from ravdess_mm.corpus.probe import decode_to_end, probe_media
from ravdess_mm.errors import InputError, MediaError

SR = 48000


def tone(hz: float = 440.0, seconds: float = 0.5, sr: int = SR) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(sr * seconds)) / sr)).astype(np.float32)


def write_film(path: Path, y: np.ndarray | None, *, codec: str = "aac", with_video: bool = False) -> Path:
    """Write samples [shape=(channels, n)] as the sound track of a film; None for no sound."""
    with av.open(str(path), "w") as container:
        # all streams are declared before the first packet: containers write their header then
        video = (
            container.add_stream("libvpx" if path.suffix == ".webm" else "mpeg4", rate=25)
            if with_video or y is None
            else None
        )
        layout = "stereo" if y is not None and len(y) == 2 else "mono"
        sound = container.add_stream(codec, rate=SR, layout=layout) if y is not None else None
        if sound is not None and codec == "wmav2":
            sound.bit_rate = 96_000  # it has none by default
        if video is not None:
            video.width = video.height = 32
            video.pix_fmt = "yuv420p"
            for _ in range(5):
                frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
                container.mux(video.encode(frame))
            container.mux(video.encode())
        if sound is not None:
            to_codec = av.AudioResampler(format=sound.format, layout=layout, rate=SR)
            for start in range(0, y.shape[1], 4800):
                for block in to_codec.resample(_block(y[:, start : start + 4800], layout, start)):
                    container.mux(sound.encode(block))
            container.mux(sound.encode())
    return path


def _block(samples: np.ndarray, layout: str, start: int) -> av.AudioFrame:
    block = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples, dtype=np.float32), format="fltp", layout=layout)
    block.sample_rate = SR
    block.pts = start
    return block


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
@pytest.mark.parametrize("channels", [1, 2])
def test_sound_files_decode_as_librosa_does(tmp_path: Path, suffix: str, channels: int) -> None:
    import librosa

    path = tmp_path / f"clip{suffix}"
    soundfile.write(path, np.stack([tone(440), tone(660)][:channels], axis=1), SR)
    for sr in (None, 22050, 16000):
        y, rate = decode_audio(path, sr=sr)
        expected, expected_rate = librosa.load(path, sr=sr)
        assert rate == expected_rate
        assert y.dtype == np.float32
        np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
def test_a_long_file_is_read_block_by_block(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / f"clip{suffix}"
    soundfile.write(path, np.stack([tone(440), tone(660)], axis=1), SR)
    at_once, _ = decode_audio(path)
    monkeypatch.setattr("ravdess_mm.audio.decoding.BLOCK", 1001)
    np.testing.assert_array_equal(decode_audio(path)[0], at_once)


def test_a_long_file_is_held_once_and_not_a_channel_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "clip.wav"
    soundfile.write(path, np.zeros((60 * SR, 2), np.float32), SR)
    monkeypatch.setattr("ravdess_mm.audio.decoding.BLOCK", 2**16)
    tracemalloc.start()
    y, _ = decode_audio(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(y) == 60 * SR
    assert peak < 1.5 * y.nbytes


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [(".mp4", "aac"), (".mov", "aac"), (".mkv", "flac"), (".avi", "pcm_s16le"), (".webm", "opus")],
)
def test_sound_track_of_a_film_is_the_mean_of_its_channels(tmp_path: Path, suffix: str, codec: str) -> None:
    path = write_film(tmp_path / f"film{suffix}", np.stack([tone(440), tone(880)]), codec=codec, with_video=True)
    y, sr = decode_audio(path)
    assert sr == SR
    assert len(y) == pytest.approx(SR / 2, rel=0.1)
    spectrum = np.abs(np.fft.rfft(y[2000:21200])) / 9600
    bins = np.fft.rfftfreq(19200, 1 / SR)
    amplitudes = [spectrum[np.argmin(abs(bins - hz))] for hz in (440, 880)]
    # each channel has amplitude 0.5, so in their mean each tone has 0.25
    assert amplitudes == pytest.approx([0.25, 0.25], abs=0.02)


def test_pcm_sound_track_is_scaled_to_one(tmp_path: Path) -> None:
    expected = tone()
    path = write_film(tmp_path / "film.avi", expected[np.newaxis], codec="pcm_s16le")
    y, _ = decode_audio(path)
    np.testing.assert_allclose(y, expected, atol=2**-15)


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        (".m4a", "aac"),
        (".aac", "aac"),
        (".opus", "opus"),
        (".aiff", "pcm_s16be"),
        (".caf", "pcm_s16be"),
        (".3gp", "aac"),
        (".ts", "aac"),
        (".mts", "aac"),
        (".m4v", "aac"),
        (".mpg", "mp2"),
        (".wma", "wmav2"),
        (".flv", "aac"),
    ],
)
def test_a_container_is_read_under_its_own_name_and_a_wrong_one(tmp_path: Path, suffix: str, codec: str) -> None:
    path = write_film(tmp_path / f"clip{suffix}", tone()[np.newaxis], codec=codec)
    y, sr = decode_audio(path)
    assert sr == SR
    assert len(y) / sr == pytest.approx(0.5, abs=0.1)
    spectrum = np.abs(np.fft.rfft(y))
    assert np.argmax(spectrum) * sr / len(y) == pytest.approx(440, abs=4)
    for wrong in (".wav", ".mp3", ".flac", ""):
        renamed = tmp_path / f"renamed{wrong}"
        renamed.write_bytes(path.read_bytes())
        np.testing.assert_array_equal(decode_audio(renamed)[0], y)


def test_a_webm_named_wav_is_read_as_what_it_is(tmp_path: Path) -> None:
    path = write_film(tmp_path / "clip.webm", tone()[np.newaxis], codec="opus")
    expected, _ = decode_audio(path)
    np.testing.assert_array_equal(decode_audio(path.rename(tmp_path / "clip.wav"))[0], expected)


def test_a_flac_that_knows_no_length_is_read_as_one_that_does(tmp_path: Path) -> None:
    path = tmp_path / "clip.flac"
    soundfile.write(path, tone(), SR)
    expected, _ = decode_audio(path)
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    path.write_bytes(content)
    np.testing.assert_array_equal(decode_audio(path)[0], expected)


@pytest.mark.parametrize("second_sr", [SR, 16000])
def test_joined_mp3_files_are_heard_to_the_end(tmp_path: Path, second_sr: int) -> None:
    soundfile.write(tmp_path / "a.mp3", tone(440, seconds=2), SR)
    soundfile.write(tmp_path / "b.mp3", np.stack([tone(880, seconds=2, sr=second_sr)] * 2, axis=1), second_sr)
    joined = tmp_path / "joined.mp3"
    joined.write_bytes((tmp_path / "a.mp3").read_bytes() + (tmp_path / "b.mp3").read_bytes())
    y, sr = decode_audio(joined)
    assert sr == SR
    assert len(y) / sr == pytest.approx(4, abs=0.2)
    last = y[-SR:]
    assert np.argmax(np.abs(np.fft.rfft(last))) == pytest.approx(880, abs=2)


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_film_without_sound_is_refused(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(MediaError, match="no audio stream"):
        decode_audio(write_film(tmp_path / f"film{suffix}", None))


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3", ".mp4", ".mkv"])
@pytest.mark.parametrize("content", [b"", b"not a clip at all" * 50])
def test_what_is_no_clip_is_refused_in_one_line(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"clip{suffix}"
    path.write_bytes(content)
    with pytest.raises(MediaError, match=r"\A(undecodable: |no audio or video stream)[^\n]+\Z") as caught:
        decode_audio(path)
    assert str(tmp_path) not in str(caught.value)


def test_header_without_samples_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "clip.wav", np.zeros(0, np.float32), SR)
    with pytest.raises(MediaError, match="empty"):
        decode_audio(tmp_path / "clip.wav")


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no such file"):
        decode_audio(tmp_path / "clip.wav")


def test_broken_off_flac_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "clip.flac"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, SR), SR)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    with pytest.raises(MediaError, match=r"undecodable|truncated"):
        decode_audio(path)


@pytest.mark.parametrize(("share", "usable"), [(0.8, True), (0.2, False)])
def test_broken_off_film_is_used_from_half_its_length_on(tmp_path: Path, share: float, usable: bool) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, (1, 2 * SR)).astype(np.float32)
    path = write_film(tmp_path / "film.mkv", noise, codec="flac")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    if usable:
        assert len(decode_audio(path)[0]) == pytest.approx(share * 2 * SR, rel=0.05)
    else:
        with pytest.raises(MediaError, match=r"truncated: 0\.\d\d s of 2\.00 s"):
            decode_audio(path)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_refused(tmp_path: Path, bad: float) -> None:
    y = tone()
    y[7] = bad
    soundfile.write(tmp_path / "clip.wav", y, SR, subtype="FLOAT")
    with pytest.raises(MediaError, match=f"1 of {len(y)} samples are NaN or infinite"):
        decode_audio(tmp_path / "clip.wav")


@pytest.mark.parametrize("sr", [0, -1])
def test_impossible_rate_is_refused(tmp_path: Path, sr: int) -> None:
    with pytest.raises(InputError, match="more than 0"):
        decode_audio(tmp_path / "clip.wav", sr=sr)


@pytest.mark.parametrize("orig_sr", [8000, 16000, 44100, 96000])
def test_resampling_equals_librosa(orig_sr: int) -> None:
    import librosa

    y = tone(300, seconds=0.3001, sr=orig_sr)
    expected = librosa.resample(y, orig_sr=orig_sr, target_sr=22050, res_type="soxr_hq")
    np.testing.assert_array_equal(resample(y, orig_sr, 22050), expected)


@pytest.mark.real
def test_real_film_has_its_sound(real_data: Path) -> None:
    films = sorted((real_data / "ravdess" / "speech_video").glob("*/01-*.mp4"))
    assert films
    for film in films:
        y, sr = decode_audio(film)
        assert sr == 48000
        assert 2 < len(y) / sr < 6


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("06_joined.mp3", 28.4),
        ("07_piped.flac", 3.64),
        ("09_voice_memo.m4a", 3.65),
        ("09_whatsapp.opus", 3.64),
        ("10_browser_blob.wav", 3.64),
    ],
)
def test_recordings_as_people_have_them_are_heard_whole(real_cases: Path, name: str, seconds: float) -> None:
    y, sr = decode_audio(real_cases / name)
    assert len(y) / sr == pytest.approx(seconds, abs=0.1)


def claim(path: Path, mark: bytes, offset: int, value: bytes) -> Path:
    """Overwrite what a header says, `offset` bytes after a mark in it."""
    content = bytearray(path.read_bytes())
    start = content.index(mark) + offset
    content[start : start + len(value)] = value
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("size", [0, 0x7FFFFFF0, 0xFFFFFFFF])
def test_a_wav_is_as_long_as_its_samples_whatever_its_header_says(tmp_path: Path, size: int) -> None:
    soundfile.write(path := tmp_path / "a.wav", tone(), SR, subtype="PCM_16")
    claim(path, b"RIFF", 4, struct.pack("<I", size))
    claim(path, b"data", 4, struct.pack("<I", size))
    assert len(decode_audio(path)[0]) == len(tone())
    assert probe_media(path).has_audio
    assert decode_to_end(path) == ""


def test_a_flac_that_claims_a_month_is_as_long_as_its_samples(tmp_path: Path) -> None:
    soundfile.write(path := tmp_path / "a.flac", tone(), SR)
    facts = int.from_bytes(path.read_bytes()[18:26], "big") | (2**36 - 1)
    path.write_bytes(path.read_bytes()[:18] + facts.to_bytes(8, "big") + path.read_bytes()[26:])
    assert len(decode_audio(path)[0]) == len(tone())
    assert decode_to_end(path) == ""


@pytest.mark.parametrize("rate", [1, 2_000_000])
def test_a_rate_that_is_no_sounds_is_refused(tmp_path: Path, rate: int) -> None:
    soundfile.write(path := tmp_path / "a.wav", tone(), SR, subtype="PCM_16")
    with pytest.raises(MediaError, match=r"sampling rate of .* allowed: 1,000 to 1,000,000"):
        decode_audio(claim(path, b"fmt ", 12, struct.pack("<I", rate)))


def test_what_is_long_is_kept_at_a_lower_rate_and_what_is_longer_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(path := tmp_path / "a.wav", tone(seconds=3), SR, subtype="FLOAT")
    monkeypatch.setattr(decoding, "BLOCK", 4096)
    monkeypatch.setattr(decoding, "MOST_OWN", SR)
    lowered = decode_with_note(path)
    assert (lowered.sr, lowered.note) == (decoding.LONG_SR, "")
    np.testing.assert_allclose(lowered.samples, resample(tone(seconds=3), SR, decoding.LONG_SR), atol=1e-3)
    monkeypatch.setattr(decoding, "MOST_READ", 2 * SR)
    cut = decode_with_note(path)
    assert len(cut.samples) == pytest.approx(2 * decoding.LONG_SR, rel=0.05)
    assert cut.note == "only the first 0 minutes are used"


def write_tracks(path: Path, *tracks: np.ndarray, default: int = 0, late_s: float = 0.0) -> Path:
    """Write mono sounds as the tracks of one file."""
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("pcm_s16le", rate=SR, layout="mono") for _ in tracks]
        for number, stream in enumerate(streams):
            stream.disposition = av.stream.Disposition.default if number == default else av.stream.Disposition(0)
        for number, (stream, y) in enumerate(zip(streams, tracks, strict=True)):
            frame = av.AudioFrame.from_ndarray((y[np.newaxis] * 32767).astype(np.int16), format="s16", layout="mono")
            frame.sample_rate = SR
            frame.pts = round(late_s * SR) if number == default else 0
            container.mux([*stream.encode(frame), *stream.encode()])
    return path


def test_the_default_track_is_heard_and_the_other_mentioned(tmp_path: Path) -> None:
    decoded = decode_with_note(write_tracks(tmp_path / "a.mkv", 0 * tone(), tone(), default=1))
    assert decoded.samples.max() == pytest.approx(0.5, abs=0.01)
    assert decoded.note == "the sound is track 2 of 2"


def test_a_late_track_begins_when_a_player_plays_it(tmp_path: Path) -> None:
    samples, _ = decode_audio(write_tracks(tmp_path / "a.mkv", tone(), tone(), default=1, late_s=3.0))
    assert len(samples) == 3 * SR + len(tone())
    assert not samples[: 3 * SR].any()
