from __future__ import annotations

import struct
import wave
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pytest

from ravdess_mm.corpus.probe import decode_to_end, probe_media
from ravdess_mm.errors import InputError, MediaError
from ravdess_mm.video.decoding import frames as decode
from ravdess_mm.video.decoding.frames import iter_frames
from ravdess_mm.video.decoding.gop import GroupOfPictures, Packet
from ravdess_mm.video.decoding.gray import gray_of

FASTSTART = {"movflags": "faststart"}


def test_frames_are_every_nth_with_their_times(make_video) -> None:
    path = make_video("a.mp4", 50)
    frames = list(iter_frames(path, frame_step=20))
    assert [frame.number for frame in frames] == [0, 20, 40]
    assert [frame.time_s for frame in frames] == pytest.approx([0, 20 / 30, 40 / 30])
    assert all(frame.image.shape == (48, 64) and frame.image.dtype == np.uint8 for frame in frames)


def full_decoding(path: Path, frame_step: int) -> list[np.ndarray]:
    """Return what plain decoding gives, every frame, by the same decoder."""
    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        return [gray_of(f) for n, f in enumerate(container.decode(video=0)) if n % frame_step == 0]


def x264(parameters: str, **options: object) -> dict:
    return {"options": {"x264-params": parameters}, **options}


STREAMS = {
    "plain.mp4": {},
    "b-pyramid.mp4": x264("bframes=3:b-pyramid=normal:b-adapt=0"),
    "open-gop.mp4": x264("bframes=3:b-adapt=0:open-gop=1:keyint=12:min-keyint=12"),
    "intra-refresh.mkv": x264("intra-refresh=1:keyint=10:bframes=0"),
    "interlaced.mp4": x264("interlaced=1:bframes=2", height=64),
    "scene-cuts.mkv": x264("keyint=250:min-keyint=1:scenecut=80"),
    "slices.mp4": x264("slices=4:bframes=2"),
    "start-codes.avi": x264("bframes=0"),
    "variable-rate.mp4": {"times": [t * 3 if t < 20 else 60 + t for t in range(50)]},
    "part2.mp4": {"codec": "mpeg4", "options": {"bf": "2"}},
    "part2.avi": {"codec": "mpeg4"},
    "vp8.webm": {"codec": "libvpx", "options": {"auto-alt-ref": "1", "lag-in-frames": "8"}},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"lag-in-frames": "8"}},
    "motion-jpeg.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    "lossless.mkv": {"codec": "ffv1"},
}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("frame_step", [1, 7, 20])
def test_frames_are_those_of_full_decoding(make_video, name: str, frame_step: int) -> None:
    options = STREAMS[name]
    if options.get("codec", "libx264") not in av.codecs_available:
        pytest.skip(f"this FFmpeg cannot write {options['codec']}")
    path = make_video(name, **options)
    expected = full_decoding(path, frame_step)
    found = list(iter_frames(path, frame_step=frame_step))
    assert [f.number for f in found] == list(range(0, 50, frame_step))
    np.testing.assert_array_equal([f.image for f in found], expected)


@pytest.mark.parametrize("name", ["plain.mp4", "b-pyramid.mp4", "slices.mp4", "variable-rate.mp4", "motion-jpeg.avi"])
def test_common_streams_are_decoded_in_part(make_video, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    path = make_video(name, **STREAMS[name])
    monkeypatch.setattr(decode, "_decode_all", None)
    assert len(list(iter_frames(path, frame_step=20))) == 3


def test_a_plan_that_does_not_come_true_is_given_up(make_video, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_video("a.mp4")
    plan = decode.plan_groups

    def wrong_plan(packets: Sequence[Packet], frame_step: int) -> tuple[GroupOfPictures, ...]:
        first, second, *rest = plan(packets, frame_step)
        return first, GroupOfPictures(second.positions, {pts + 1: n for pts, n in second.wanted.items()}), *rest

    monkeypatch.setattr(decode, "plan_groups", wrong_plan)
    found = list(iter_frames(path, frame_step=20))
    assert [f.number for f in found] == [0, 20, 40]
    np.testing.assert_array_equal([f.image for f in found], full_decoding(path, 20))


def test_frames_cut_by_an_edit_list_are_not_counted(make_video) -> None:
    path = make_video("a.mp4", 50, **x264("bframes=2"))
    whole = path.read_bytes()
    # movie and media run at 1000 and 15360 units a second: cut the first edit from 50 to 30 thirtieths
    place = whole.index(b"elst") + 12
    path.write_bytes(whole[:place] + (1000).to_bytes(4, "big") + whole[place + 4 :])
    expected = full_decoding(path, 7)
    assert len(expected) < 8
    found = list(iter_frames(path, frame_step=7))
    np.testing.assert_array_equal([f.image for f in found], expected)


def test_variable_frame_rate_counts_frames_not_seconds(make_video) -> None:
    times = [t * 3 if t < 20 else 60 + t for t in range(45)]
    frames = list(iter_frames(make_video("a.mp4", 45, times=times), frame_step=20))
    assert [frame.number for frame in frames] == [0, 20, 40]
    assert [frame.time_s for frame in frames] == pytest.approx([0, 80 / 30, 100 / 30])


def test_step_one_keeps_everything_and_a_long_step_the_first(make_video) -> None:
    path = make_video("a.mp4", 7)
    assert [f.number for f in iter_frames(path, frame_step=1)] == list(range(7))
    assert [f.number for f in iter_frames(path, frame_step=99)] == [0]
    with pytest.raises(InputError, match="frame_step is 0; allowed: 1 or more"):
        next(iter_frames(path, frame_step=0))


def test_odd_sizes(make_video) -> None:
    path = make_video("a.mp4", 4, height=37, width=51, pix_fmt="yuv444p")
    assert next(iter_frames(path, frame_step=2)).image.shape == (37, 51)


def test_black_padding_is_left_out_and_numbers_stay(tmp_path: Path, video_tools) -> None:
    pictures = video_tools.moving_pictures(9)
    pictures[[0, 7, 8]] = 0
    path = video_tools.write_video(tmp_path / "a.avi", pictures, codec="mjpeg", pix_fmt="yuvj420p")
    assert [f.number for f in iter_frames(path, frame_step=1)] == [1, 2, 3, 4, 5, 6]
    video_tools.write_video(path, np.zeros((5, 48, 64), np.uint8), codec="mjpeg", pix_fmt="yuvj420p")
    with pytest.raises(MediaError, match="all 3 sampled frames are black"):
        list(iter_frames(path, frame_step=2))


def test_no_such_file_empty_file_and_no_video(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="No such file"):
        list(iter_frames(tmp_path / "none.mp4", frame_step=1))
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(MediaError, match="the file is empty"):
        list(iter_frames(tmp_path / "empty.mp4", frame_step=1))
    (tmp_path / "text.mp4").write_text("not a video at all " * 50)
    with pytest.raises(MediaError, match="cannot be read as video"):
        list(iter_frames(tmp_path / "text.mp4", frame_step=1))


def test_metadata_that_is_not_text_does_no_harm(make_video) -> None:
    path = make_video("a.mp4", 5)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"VideoHandler", b"Video\xb3andler"))
    assert path.read_bytes() != whole
    assert len(list(iter_frames(path, frame_step=2))) == 3


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "b.avi"])
def test_damaged_files_give_frames_or_a_reason(make_video, name: str) -> None:
    path = make_video(name, 30, **({"codec": "mjpeg", "pix_fmt": "yuvj420p"} if name == "b.avi" else {}))
    whole = path.read_bytes()
    rng = np.random.default_rng(5)
    reasons = set()
    for _ in range(25):
        damaged = np.frombuffer(whole, np.uint8).copy()
        damaged[rng.integers(0, len(damaged), rng.integers(1, 40))] = rng.integers(0, 256)
        path.write_bytes(damaged[: rng.integers(1, len(damaged) + 1)].tobytes())
        try:
            assert len(list(iter_frames(path, frame_step=10))) <= 3
        except MediaError as error:
            reasons.add(str(error))
    assert not [reason for reason in reasons if "\n" in reason or str(path) in reason]
    assert any(reason.startswith(("truncated: ", "cannot be read")) for reason in reasons)


def test_audio_only_file(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "a.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(struct.pack("<800h", *range(800)))
    with pytest.raises(MediaError, match="no video track"):
        list(iter_frames(tmp_path / "a.wav", frame_step=1))


def test_zero_frames(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.avi"), "w") as container:
        stream = container.add_stream("mjpeg", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        container.start_encoding()
    with pytest.raises(MediaError, match=r"holds no frames|cannot be read"):
        list(iter_frames(tmp_path / "a.avi", frame_step=1))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", {"container_options": FASTSTART}),
        ("a.mkv", {}),
        ("a.avi", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}),
    ],
)
def test_truncated_files_are_refused(make_video, name: str, options: dict) -> None:
    path = make_video(name, 90, **options)
    assert len(list(iter_frames(path, frame_step=20))) == 5
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MediaError, match=r"truncated|cannot be read"):
        list(iter_frames(path, frame_step=20))


def test_truncated_before_its_index_cannot_be_read(make_video) -> None:
    path = make_video("a.mp4", 60)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(MediaError, match="cannot be read as video"):
        list(iter_frames(path, frame_step=20))


@pytest.mark.real
def test_real_clips_have_a_frame_every_twenty(real_data: Path) -> None:
    clips = sorted((real_data / "ravdess" / "speech_video").rglob("*.mp4"))
    assert len(clips) == 6
    for clip in clips:
        frames = list(iter_frames(clip, frame_step=20))
        assert [f.number for f in frames] in ([0, 20, 40, 60, 80], [0, 20, 40, 60, 80, 100])
        assert all(f.image.shape == (720, 1280) for f in frames)
        np.testing.assert_array_equal([f.image for f in frames], full_decoding(clip, 20))


def copy_packets(source: Path, path: Path, *, after_s: float) -> Path:
    """Cut a film without decoding it, wherever that is."""
    with av.open(str(source)) as given, av.open(str(path), "w") as container:
        own = container.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.dts is not None and packet.dts * packet.time_base >= after_s:
                packet.stream = own
                container.mux(packet)
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_film_that_begins_between_key_frames_is_used_from_its_first(make_video, tmp_path: Path, suffix: str) -> None:
    whole = make_video("whole.mp4", 60, **x264("keyint=20:min-keyint=20:scenecut=0:bframes=0"))
    cut = copy_packets(whole, tmp_path / f"cut{suffix}", after_s=0.3)
    frames = list(iter_frames(cut, frame_step=10))
    assert [frame.number for frame in frames] == [0, 10, 20, 30]
    for frame, expected in zip(frames, list(iter_frames(whole, frame_step=10))[2:], strict=True):
        assert np.array_equal(frame.image, expected.image)
    assert decode_to_end(cut) == ""


@pytest.mark.parametrize("n_claimed", [2**31 - 1, 2**32 - 1])
def test_a_number_of_pictures_beyond_belief_is_not_believed(make_video, n_claimed: int) -> None:
    path = make_video("a.avi", 50, codec="mpeg4")
    content = bytearray(path.read_bytes())
    length = content.index(b"strh") + 8 + 32
    content[length : length + 4] = struct.pack("<I", n_claimed)
    path.write_bytes(content)
    assert len(list(iter_frames(path, frame_step=20))) == 3
    assert decode_to_end(path) == ""


def test_an_absurd_rate_claims_no_time_and_no_memory(make_video) -> None:
    path = make_video("a.avi", 50, codec="mpeg4")
    content = bytearray(path.read_bytes())
    scale = content.index(b"strh") + 8 + 20
    content[scale : scale + 8] = struct.pack("<II", 2**31 - 1, 1)
    path.write_bytes(content)
    assert not probe_media(path).duration_s > 86_400
    assert len(list(iter_frames(path, frame_step=20))) == 3


def test_pixels_are_square_whatever_they_were(make_video) -> None:
    path = make_video("wide.mp4", 2, aspect=2)
    (first, *_) = iter_frames(path, frame_step=1)
    assert first.image.shape == (48, 128)
