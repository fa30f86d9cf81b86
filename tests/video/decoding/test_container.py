from __future__ import annotations

import av
import pytest

from ravdess_mm.video.decoding.container import list_packets, open_video
from ravdess_mm.video.decoding.gop import Packet


def packets_of(path) -> tuple[Packet, ...]:
    with open_video(path) as (container, stream):
        return list_packets(container, stream)


def x264(make_video, name: str, parameters: str, **options) -> tuple[Packet, ...]:
    return packets_of(make_video(name, 40, options={"x264-params": parameters}, **options))


def test_starts_and_references_of_h264(make_video) -> None:
    packets = x264(make_video, "a.mp4", "keyint=10:scenecut=0:bframes=2:b-adapt=0:b-pyramid=none:weightp=0")
    assert [position for position, packet in enumerate(packets) if packet.is_start] == [0, 10, 20, 30]
    assert sum(packet.is_reference for packet in packets) == pytest.approx(40 / 3, abs=4)
    assert all(packet.is_reference for packet in packets if packet.is_start)
    assert sorted(packet.pts for packet in packets) == [512 * n for n in range(40)]


def test_key_frame_that_is_a_mere_recovery_point_is_no_start(make_video) -> None:
    path = make_video("a.mp4", 40, options={"x264-params": "keyint=10:min-keyint=10:bframes=3:b-adapt=0:open-gop=1"})
    with av.open(str(path)) as container:
        keys = sum(packet.is_keyframe for packet in container.demux(video=0))
    assert keys > 1
    assert sum(packet.is_start for packet in packets_of(path)) == 1


def test_interlaced_and_other_codecs_have_no_start(make_video) -> None:
    assert not any(packet.is_start for packet in x264(make_video, "a.mp4", "interlaced=1", height=64))
    assert not any(packet.is_start for packet in packets_of(make_video("b.mp4", 40, codec="mpeg4")))


def test_pictures_of_motion_jpeg_stand_alone(make_video) -> None:
    packets = packets_of(make_video("a.avi", 5, codec="mjpeg", pix_fmt="yuvj420p"))
    assert packets == tuple(Packet(n, is_start=True) for n in range(5))
