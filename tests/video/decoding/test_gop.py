from __future__ import annotations

from ravdess_mm.video.decoding.gop import GroupOfPictures, Packet, plan_groups


def group_of(first_pts: int, order: str) -> list[Packet]:
    """Return a group in decoding order: I, P and b (which nothing refers to), each with its place in presentation."""
    kinds = [(part[0], int(part[1:])) for part in order.split()]
    return [Packet(first_pts + place, is_start=kind == "I", is_reference=kind != "b") for kind, place in kinds]


# presentation 0-5 and 6-11
CLIP = [*group_of(0, "I0 P3 b1 b2 P5 b4"), *group_of(6, "I0 P3 b1 b2 P5 b4")]


def test_only_what_wanted_frames_need_is_decoded() -> None:
    assert plan_groups(CLIP, 4) == (
        GroupOfPictures((0, 1, 4, 5), {0: 0, 4: 4}),  # frame 4 is the b after P5; b1 and b2 are left out
        GroupOfPictures((6, 7, 8 + 1), {8: 8}),
    )


def test_a_group_without_a_wanted_frame_is_left_out() -> None:
    assert plan_groups(CLIP, 20) == (GroupOfPictures((0,), {0: 0}),)
    assert plan_groups(CLIP, 6) == (GroupOfPictures((0,), {0: 0}), GroupOfPictures((6,), {6: 6}))


def test_every_frame_when_every_frame_is_wanted() -> None:
    groups = plan_groups(CLIP, 1)
    assert groups is not None
    assert [group.positions for group in groups] == [tuple(range(6)), tuple(range(6, 12))]
    assert {pts: number for group in groups for pts, number in group.wanted.items()} == {n: n for n in range(12)}


def test_numbers_count_frames_whatever_their_times() -> None:
    clip = [Packet(100 * place, is_start=True) for place in (0, 1, 5, 6, 20)]
    groups = plan_groups(clip, 2)
    assert groups == (GroupOfPictures((0,), {0: 0}), GroupOfPictures((2,), {500: 2}), GroupOfPictures((4,), {2000: 4}))


def test_pictures_that_are_not_shown_are_not_counted_but_referred_to() -> None:
    hidden = [Packet(0, is_start=True, is_shown=False), Packet(1, False), Packet(2, False), Packet(3, False)]
    assert plan_groups(hidden, 2) == (GroupOfPictures((0, 1, 2, 3), {1: 0, 3: 2}),)


def test_no_plan_where_it_might_not_be_exact() -> None:
    second = CLIP[6:]
    uncertain = {
        "nothing": [],
        "no start": [Packet(0, False)],
        "does not begin with a start": [Packet(-1, False), *CLIP],
        "a time is missing": [*CLIP, Packet(None, False)],
        "a time is doubled": [*CLIP, Packet(11, False)],
        "leading pictures": [*CLIP[:6], second[0], Packet(5, False), *second[1:]],
        "groups overlap": [*CLIP[:5], Packet(40, False), *second],
        "parameters inside a group": [*CLIP[:3], Packet(30, False, has_parameters=True)],
        "parameters in some groups only": [
            Packet(0, True, has_parameters=True),
            Packet(1, True, has_parameters=True),
            Packet(2, True),
        ],
    }
    for why, packets in uncertain.items():
        assert plan_groups(packets, 2) is None, why
    assert plan_groups([Packet(0, True, has_parameters=True), Packet(1, True), Packet(2, True)], 2) is not None
