"""Settings check what they are given."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ravdess_mm.config import parse_actors


@given(st.sets(st.integers(1, 24), min_size=1))
def test_any_list_of_actors_is_read_back(actors: set[int]) -> None:
    assert parse_actors(",".join(str(actor) for actor in actors)) == tuple(sorted(actors))


@given(st.integers(1, 24), st.integers(1, 24))
def test_ranges_are_inclusive(first: int, last: int) -> None:
    first, last = sorted((first, last))
    assert parse_actors(f"{first}-{last}") == tuple(range(first, last + 1))
