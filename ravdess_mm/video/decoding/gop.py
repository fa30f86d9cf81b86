"""Groups of pictures: the packets that must be decoded to get the wanted frames bit-exact.

A video is a row of *groups of pictures*: each begins where a decoder can begin, and no picture looks beyond its own
group. So of each group only the part up to its last wanted frame is decoded, and of that part only wanted pictures
and those that others are predicted from. Where it is not certain that this is exact, there is no plan, and everything
is decoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Packet:
    """One coded picture, in the order of the file, which is the order of decoding.

    Attributes
    ----------
    pts : int or None
        Time of presentation in units of the stream's time base.
    is_start : bool
        Whether a decoder that begins here gets this and all later pictures exactly.
    is_reference : bool
        Whether other pictures may be predicted from it.
    has_parameters : bool
        Whether it brings parameters that later pictures may need.
    is_shown : bool
        Whether it becomes a frame; a container's edit list may cut it.
    """

    pts: int | None
    is_start: bool
    is_reference: bool = True
    has_parameters: bool = False
    is_shown: bool = True


@dataclass(frozen=True)
class GroupOfPictures:
    """A part of a video that is decoded by itself.

    Attributes
    ----------
    positions : tuple of int
        The packets to decode, in order, as positions in the file.
    wanted : dict of int to int
        Time of presentation of each wanted frame, to its number.
    """

    positions: tuple[int, ...]
    wanted: dict[int, int]


def plan_groups(packets: Sequence[Packet], frame_step: int) -> tuple[GroupOfPictures, ...] | None:
    """Plan how to get frames 0, `frame_step`, 2 `frame_step`, ...

    Parameters
    ----------
    packets : sequence of Packet
        All packets of the video.
    frame_step : int
        At least 1.

    Returns
    -------
    tuple of GroupOfPictures or None
        In order of presentation; None where only full decoding is certain to be exact: the video does not begin with
        a start, times are missing or doubled, a group shows pictures among those of another, or parameters arrive
        where they might be skipped.
    """
    starts = [position for position, packet in enumerate(packets) if packet.is_start]
    if not starts or starts[0] != 0 or not _parameters_are_safe(packets):
        return None
    groups: list[GroupOfPictures] = []
    number = 0
    latest: int | None = None
    for first, end in pairwise([*starts, len(packets)]):
        part = packets[first:end]
        times = sorted(packet.pts for packet in part if packet.pts is not None)
        if len(set(times)) != len(part) or times[0] != part[0].pts or (latest is not None and times[0] <= latest):
            return None
        latest = times[-1]
        shown = sorted(packet.pts for packet in part if packet.pts is not None and packet.is_shown)
        wanted = {pts: rank for rank, pts in enumerate(shown, start=number) if rank % frame_step == 0}
        number += len(shown)
        ranks = [rank for rank, packet in enumerate(part) if packet.pts in wanted]
        if ranks:
            needed = (
                first + rank
                for rank, packet in enumerate(part[: ranks[-1] + 1])
                if packet.is_reference or packet.pts in wanted
            )
            groups.append(GroupOfPictures(tuple(needed), wanted))
    return tuple(groups)


def _parameters_are_safe(packets: Sequence[Packet]) -> bool:
    """Return whether every group has its parameters, whichever groups are skipped: the first packet never is."""
    if any(packet.has_parameters and not packet.is_start for packet in packets):
        return False
    return len({packet.has_parameters for packet in packets[1:] if packet.is_start}) <= 1
