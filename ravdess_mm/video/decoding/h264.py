"""Facts of a coded H.264 picture from its headers: ITU-T Rec. H.264, sections 7.3.1 and 7.4.1."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_IDR: Final = 5
_SLICES: Final = range(1, 6)
_PARAMETER_SETS: Final = frozenset((7, 8, 13, 15))


@dataclass(frozen=True)
class CodedPicture:
    """Facts of one coded picture.

    Attributes
    ----------
    is_idr : bool
        Whether the decoder forgets all earlier pictures here, so that decoding can begin here and is exact. (A key
        frame of a container may also be a mere recovery point, where it is not.)
    is_reference : bool
        Whether other pictures may be predicted from it.
    has_parameters : bool
        Whether it brings parameter sets that later pictures may need.
    """

    is_idr: bool
    is_reference: bool
    has_parameters: bool


def length_bytes(extradata: bytes | None) -> int:
    """Return how many bytes give the length of each unit: 1-4 (ISO/IEC 14496-15), or 0 for start codes (Annex B)."""
    if extradata and len(extradata) > 4 and extradata[0] == 1:
        return (extradata[4] & 3) + 1
    return 0


def inspect_picture(data: bytes, *, n_length_bytes: int) -> CodedPicture:
    """Read the unit headers of a coded picture.

    Parameters
    ----------
    data : bytes
        One packet.
    n_length_bytes : int
        See :func:`length_bytes`.
    """
    headers = list(_lengths(data, n_length_bytes) if n_length_bytes else _start_codes(data))
    types = {header & 31 for header in headers}
    slices = [header for header in headers if header & 31 in _SLICES]
    return CodedPicture(
        is_idr=_IDR in types,
        is_reference=any(header >> 5 & 3 for header in slices) or not slices,
        has_parameters=not types.isdisjoint(_PARAMETER_SETS),
    )


def _lengths(data: bytes, n_length_bytes: int) -> Iterator[int]:
    offset = n_length_bytes
    while offset < len(data):
        yield data[offset]
        offset += int.from_bytes(data[offset - n_length_bytes : offset], "big") + n_length_bytes


def _start_codes(data: bytes) -> Iterator[int]:
    offset = data.find(b"\0\0\1") + 3
    while 3 <= offset < len(data):
        yield data[offset]
        offset = data.find(b"\0\0\1", offset) + 3
