"""What kind of file a clip is, told by its content."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from ravdess_mm.corpus.media import is_media, open_media, sound_kind
from ravdess_mm.errors import MediaError

NOISE = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)


def write_picture(path: Path, codec: str) -> Path:
    """Write one picture, whatever the suffix says."""
    encoder = av.CodecContext.create(codec, "w")
    encoder.width = encoder.height = 64
    encoder.pix_fmt = "yuvj420p" if codec == "mjpeg" else "rgb24"
    encoder.time_base = 1
    frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 90, np.uint8), format="rgb24")
    packets = [*encoder.encode(frame.reformat(format=encoder.pix_fmt)), *encoder.encode()]
    path.write_bytes(b"".join(bytes(packet) for packet in packets))
    return path


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3"])
def test_what_libsndfile_reads_is_known_under_any_name(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    soundfile.write(path, NOISE, 16000, format=kind.upper())
    assert sound_kind(path) == kind
    assert is_media(path)


@pytest.mark.parametrize("kind", ["mp3", "flac"])
def test_a_tag_before_the_sound_is_skipped(kind: str, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "plain", NOISE, 16000, format=kind.upper())
    tag = b"ID3\x04\x00\x00\x00\x00\x40\x00" + b"x" * 0x2000
    (tmp_path / "tagged").write_bytes(tag + (tmp_path / "plain").read_bytes())
    assert sound_kind(tmp_path / "tagged") == kind


def test_ogg_that_begins_a_second_stream_is_left_to_ffmpeg(tmp_path: Path) -> None:
    path = tmp_path / "clip.ogg"
    soundfile.write(path, NOISE, 16000)
    content = path.read_bytes()
    first_page = 27 + content[26] + sum(content[27 : 27 + content[26]])
    path.write_bytes(content[:first_page] + content)
    assert sound_kind(path) == ""


def test_wav_with_a_codec_that_libsndfile_has_not_is_left_to_ffmpeg(tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mp2", rate=16000, layout="mono")
        block = av.AudioFrame.from_ndarray((NOISE[np.newaxis] * 2**15).astype(np.int16), format="s16", layout="mono")
        block.sample_rate = 16000
        container.mux(stream.encode(block))
        container.mux(stream.encode())
    assert sound_kind(path) == ""
    assert is_media(path)


@pytest.mark.parametrize("name", ["notes.txt", "notes.nfo", "notes.asc"])
def test_text_that_ffmpeg_would_draw_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("dear diary " * 100)
    with pytest.raises(MediaError, match=r"\Aholds text \(tty\), no sound or film\Z"):
        open_media(tmp_path / name)
    assert not is_media(tmp_path / name)


def test_subtitles_are_refused_under_any_name(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_text("WEBVTT\n\n00:00.000 --> 00:02.000\nhello\n")
    with pytest.raises(MediaError, match=r"\Aholds text \(webvtt\)"):
        open_media(tmp_path / "clip.mp4")


@pytest.mark.parametrize(("codec", "name"), [("png", "png_pipe"), ("mjpeg", "jpeg_pipe")])
def test_a_picture_is_refused_under_any_name(codec: str, name: str, tmp_path: Path) -> None:
    path = write_picture(tmp_path / "clip.mp4", codec)
    with pytest.raises(MediaError, match=rf"\Aholds a picture \({name}\), no sound or film\Z"):
        open_media(path)


@pytest.mark.parametrize("suffix", [".sw", ".g722", ".gsm", ".al"])
def test_bytes_that_are_sound_by_their_suffix_alone_are_refused(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"clip{suffix}"
    path.write_bytes(NOISE.tobytes())
    with pytest.raises(MediaError, match="by its suffix alone"):
        open_media(path)


@pytest.mark.parametrize("suffix", [".flac", ".ac3", ".m4v", ".mjpeg"])
def test_bytes_of_which_only_the_suffix_says_anything_are_refused(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"clip{suffix}"
    path.write_bytes(b"not a media file, " * 400)
    with pytest.raises(MediaError, match="no audio or video stream"):
        open_media(path)


def test_a_list_of_other_files_is_refused_before_they_are_opened(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "other.wav", NOISE, 16000)
    (tmp_path / "clip.mp4").write_text("ffconcat version 1.0\nfile other.wav\n")
    with pytest.raises(MediaError, match="a list of other files"):
        open_media(tmp_path / "clip.mp4")


def test_a_name_that_looks_like_an_address_is_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soundfile.write(tmp_path / "12:30.mp4", NOISE, 16000, format="WAV")
    monkeypatch.chdir(tmp_path)
    with open_media(Path("12:30.mp4")) as container:
        assert container.format.name == "wav"
