"""Headers tell what a file holds; decoding to the end tells whether it is whole."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import av
import numpy as np
import pytest

from ravdess_mm.corpus.probe import MEDIA_SUFFIXES, SOUND_SUFFIXES, decode_to_end, probe_media
from ravdess_mm.errors import MediaError


def clip(folder: Path, suffix: str, make_sound: Callable[..., Path], make_film: Callable[..., Path]) -> Path:
    """Make about two seconds of the kind a suffix stands for."""
    path = folder / f"clip{suffix}"
    return make_sound(path, duration_s=2.0) if suffix in SOUND_SUFFIXES else make_film(path, n_pictures=60)


@pytest.mark.parametrize("suffix", MEDIA_SUFFIXES)
def test_every_kind_of_file_is_understood_and_whole(
    suffix: str, tmp_path: Path, make_sound: Callable[..., Path], make_film: Callable[..., Path]
) -> None:
    path = clip(tmp_path, suffix, make_sound, make_film)
    streams = probe_media(path)
    assert streams.has_audio
    assert streams.has_video == (suffix not in SOUND_SUFFIXES)
    assert streams.duration_s == pytest.approx(2.0, abs=0.05)
    assert decode_to_end(path) == ""


@pytest.mark.parametrize("suffix", MEDIA_SUFFIXES)
def test_a_truncated_file_is_found_by_decoding_it(
    suffix: str, tmp_path: Path, make_sound: Callable[..., Path], make_film: Callable[..., Path]
) -> None:
    path = clip(tmp_path, suffix, make_sound, make_film)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    # the header is sound, which is why it takes decoding; an index at the end would be lost with it
    assert probe_media(path).has_audio
    assert decode_to_end(path).startswith(("truncated: ", "damaged"))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_pictures_the_decoder_patched_are_damage(suffix: str, tmp_path: Path, make_film: Callable[..., Path]) -> None:
    path = make_film(tmp_path / f"film{suffix}", audio=False, n_pictures=60)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 300] = np.random.default_rng(0).bytes(300)
    path.write_bytes(bytes(content))
    assert probe_media(path).has_video
    assert decode_to_end(path).startswith("damaged after ")


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".wav", ".flac"])
def test_one_missing_byte_is_found(
    suffix: str, tmp_path: Path, make_sound: Callable[..., Path], make_film: Callable[..., Path]
) -> None:
    path = clip(tmp_path, suffix, make_sound, make_film)
    path.write_bytes(path.read_bytes()[:-1])
    assert decode_to_end(path) != ""


@pytest.mark.parametrize("suffix", MEDIA_SUFFIXES)
@pytest.mark.parametrize("content", [b"x", b"not a media file " * 40, bytes(range(256)) * 20])
def test_bytes_that_are_no_media_become_a_reason(suffix: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"clip{suffix}"
    path.write_bytes(content)
    with pytest.raises(MediaError) as caught:
        probe_media(path)
    reason = str(caught.value)
    assert reason.startswith(("unreadable header: ", "no audio or video stream", "holds no samples"))
    assert "\n" not in reason
    assert str(tmp_path) not in reason
    assert "pipe" not in reason
    assert decode_to_end(path) != ""


def test_streams_that_are_absent_are_seen(tmp_path: Path, make_film: Callable[..., Path]) -> None:
    silent = probe_media(make_film(tmp_path / "silent.mp4", audio=False))
    assert (silent.has_audio, silent.has_video) == (False, True)
    blind = probe_media(make_film(tmp_path / "blind.mp4", video=False))
    assert (blind.has_audio, blind.has_video) == (True, False)


def test_a_cover_picture_is_no_video(tmp_path: Path, make_film: Callable[..., Path]) -> None:
    source = make_film(tmp_path / "sound.mp4", video=False)
    path = tmp_path / "cover.mp4"
    with av.open(str(source)) as given, av.open(str(path), "w") as container:
        sound = container.add_stream_from_template(given.streams.audio[0])
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 16, 16, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        picture = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
        for packet in [*cover.encode(picture), *cover.encode(None)]:
            container.mux(packet)
        for packet in given.demux(given.streams.audio[0]):
            if packet.size:
                packet.stream = sound
                container.mux(packet)
    streams = probe_media(path)
    assert (streams.has_audio, streams.has_video) == (True, False)


def test_a_sound_file_without_samples_is_refused(tmp_path: Path, make_sound: Callable[..., Path]) -> None:
    with pytest.raises(MediaError, match="holds no samples"):
        probe_media(make_sound(tmp_path / "none.wav", duration_s=0))


def test_a_length_the_header_leaves_open_is_measured(tmp_path: Path, make_film: Callable[..., Path]) -> None:
    source = make_film(tmp_path / "whole.mkv")
    path = tmp_path / "live.mkv"
    with av.open(str(source)) as given, av.open(str(path), "w", options={"live": "1"}) as container:
        stream = container.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(given.streams.video[0]):
            if packet.size:
                packet.stream = stream
                container.mux(packet)
    assert probe_media(path).duration_s == pytest.approx(1 / 3, abs=1e-3)
    assert decode_to_end(path) == ""


def test_a_wave_header_that_leaves_the_length_open_is_no_fault(tmp_path: Path, make_sound: Callable[..., Path]) -> None:
    path = make_sound(tmp_path / "streamed.wav")
    content = bytearray(path.read_bytes())
    place = content.index(b"data") + 4
    content[place : place + 4] = struct.pack("<I", 0xFFFFFFFF)
    path.write_bytes(bytes(content))
    assert decode_to_end(path) == ""


def test_what_the_system_forbids_is_the_reason(
    public_path: Path, make_sound: Callable[..., Path], as_nobody: Callable[[], AbstractContextManager[None]]
) -> None:
    path = make_sound(public_path / "clip.wav")
    path.chmod(0)
    with as_nobody(), pytest.raises(MediaError, match=r"^permission denied$"):
        probe_media(path)
    with pytest.raises(MediaError, match=r"^no such file or directory$"):
        probe_media(public_path / "absent.mp4")


@pytest.mark.real
def test_real_clips_are_whole(real_data: Path) -> None:
    films = sorted((real_data / "ravdess" / "speech_video").rglob("*.mp4"))
    faces = sorted((real_data / "ravdess" / "face_clips").rglob("*.avi"))
    assert (len(films), len(faces)) == (6, 112)
    for path in films:
        streams = probe_media(path)
        assert (streams.has_audio, streams.has_video) == (True, True)
        assert 3 < streams.duration_s < 5
    for path in faces:
        assert (probe_media(path).has_audio, probe_media(path).has_video) == (False, True)
    assert [reason for path in films[:1] + faces if (reason := decode_to_end(path))] == []


@pytest.mark.parametrize("name", ["a.wav", "a.mp4", "a.txt"])
def test_a_file_without_a_byte_is_called_empty(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(MediaError, match=r"^the file is empty$"):
        probe_media(tmp_path / name)
