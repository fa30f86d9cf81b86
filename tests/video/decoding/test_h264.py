from __future__ import annotations

import pytest

from ravdess_mm.video.decoding.h264 import CodedPicture, inspect_picture, length_bytes

IDR, REFERENCE, DISPOSABLE, SEI, SPS = b"\x65aa", b"\x41bbb", b"\x01c", b"\x06d", b"\x67ee"


def packed(units: list[bytes], n_length_bytes: int) -> bytes:
    if n_length_bytes:
        return b"".join(len(unit).to_bytes(n_length_bytes, "big") + unit for unit in units)
    return b"".join((b"\0\0\0\1" if place == 0 else b"\0\0\1") + unit for place, unit in enumerate(units))


@pytest.mark.parametrize("n_length_bytes", [0, 1, 2, 4])
@pytest.mark.parametrize(
    ("units", "picture"),
    [
        ([SEI, IDR], CodedPicture(is_idr=True, is_reference=True, has_parameters=False)),
        ([SPS, SEI, IDR, IDR], CodedPicture(is_idr=True, is_reference=True, has_parameters=True)),
        ([REFERENCE], CodedPicture(is_idr=False, is_reference=True, has_parameters=False)),
        ([SEI, DISPOSABLE, DISPOSABLE], CodedPicture(is_idr=False, is_reference=False, has_parameters=False)),
        ([DISPOSABLE, REFERENCE], CodedPicture(is_idr=False, is_reference=True, has_parameters=False)),
        ([SEI], CodedPicture(is_idr=False, is_reference=True, has_parameters=False)),
    ],
)
def test_unit_headers_tell_what_a_picture_is(n_length_bytes: int, units: list[bytes], picture: CodedPicture) -> None:
    assert inspect_picture(packed(units, n_length_bytes), n_length_bytes=n_length_bytes) == picture


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0\0\1", b"\xff\xff\xff\xff\x65", b"\0\0\0\0\0\0\0\0"])
def test_damaged_data_ends(data: bytes) -> None:
    for n_length_bytes in (0, 1, 4):
        inspect_picture(data, n_length_bytes=n_length_bytes)


def test_length_bytes() -> None:
    assert length_bytes(b"\x01d\x003\xff\xe1") == 4
    assert length_bytes(b"\x01d\x003\xfd\xe1") == 2
    assert length_bytes(b"\0\0\0\1\x67") == 0
    assert length_bytes(b"") == length_bytes(None) == 0
