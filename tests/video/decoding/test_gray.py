from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange

from ravdess_mm.video.decoding.gray import gray_of, is_black, resize_area


def flat(value: int, pix_fmt: str, color_range: ColorRange) -> av.VideoFrame:
    frame = av.VideoFrame(32, 16, pix_fmt)
    for plane in frame.planes:
        plane.update(bytes([value]) * plane.buffer_size)
    frame.color_range = color_range
    return frame


@pytest.mark.parametrize(
    ("value", "pix_fmt", "color_range", "gray"),
    [
        (16, "yuv420p", ColorRange.MPEG, 0),
        (235, "yuv420p", ColorRange.MPEG, 255),
        (126, "yuv422p", ColorRange.UNSPECIFIED, 128),
        (5, "nv12", ColorRange.MPEG, 0),
        (250, "yuv444p", ColorRange.MPEG, 255),
        (126, "yuv420p", ColorRange.JPEG, 126),
        (126, "yuvj420p", ColorRange.UNSPECIFIED, 126),
        (126, "gray", ColorRange.UNSPECIFIED, 126),
        (77, "rgb24", ColorRange.UNSPECIFIED, 77),
    ],
)
def test_gray_has_full_range(value: int, pix_fmt: str, color_range: ColorRange, gray: int) -> None:
    found = gray_of(flat(value, pix_fmt, color_range))
    assert found.shape == (16, 32)
    assert found.dtype == np.uint8
    assert set(found.ravel()) == {gray}


def test_ten_bits_become_eight() -> None:
    frame = flat(126, "yuv420p", ColorRange.MPEG).reformat(format="yuv420p10le")
    assert np.abs(gray_of(frame).astype(int) - 128).max() <= 1


def test_colours_are_weighed_as_bt601() -> None:
    picture = np.zeros((16, 32, 3), np.uint8)
    picture[..., 1] = 255
    assert int(gray_of(av.VideoFrame.from_ndarray(picture, format="rgb24")).mean()) == pytest.approx(150, abs=1)


@pytest.mark.parametrize(("rotation_deg", "turns"), [(0, 0), (90, 1), (180, 2), (-90, 3)])
def test_rotation_flag_is_honoured(tmp_path: Path, video_tools, rotation_deg: int, turns: int) -> None:
    picture = np.full((48, 64), 60, np.uint8)
    picture[:12, :16] = 200  # a bright corner, top left in the stored picture
    path = video_tools.write_video(tmp_path / "a.mp4", picture[None].repeat(3, 0), rotation_deg=rotation_deg)
    with av.open(str(path)) as container:
        found = gray_of(next(container.decode(video=0)))
    upright = np.rot90(picture, turns)
    assert found.shape == upright.shape
    assert np.corrcoef(found.ravel(), upright.ravel())[0, 1] > 0.95


def test_black_is_black_all_over() -> None:
    picture = np.full((4, 4), 16, np.uint8)
    assert is_black(picture)
    picture[2, 3] = 17
    assert not is_black(picture)


def test_resizing_averages_areas() -> None:
    picture = np.arange(16 * 32, dtype=np.uint8).reshape(16, 32)
    expected = picture.reshape(8, 2, 8, 4).mean(axis=(1, 3))
    np.testing.assert_allclose(resize_area(picture, 8), expected, atol=0.51)
