"""Settings check what they are given."""

from __future__ import annotations

import ast
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ravdess_mm import config
from ravdess_mm.config import LAST_ACTOR, parse_actors
from ravdess_mm.corpus.identifier import ACTORS


@given(st.sets(st.integers(1, 24), min_size=1))
def test_any_list_of_actors_is_read_back(actors: set[int]) -> None:
    assert parse_actors(",".join(str(actor) for actor in actors)) == tuple(sorted(actors))


@given(st.integers(1, 24), st.integers(1, 24))
def test_ranges_are_inclusive(first: int, last: int) -> None:
    first, last = sorted((first, last))
    assert parse_actors(f"{first}-{last}") == tuple(range(first, last + 1))


def test_settings_stand_alone() -> None:
    assert max(ACTORS) == LAST_ACTOR  # said twice, since config.py imports nothing of the package
    tree = ast.walk(ast.parse(Path(config.__file__).read_text()))
    modules = [node.module for node in tree if isinstance(node, ast.ImportFrom)]
    assert not [module for module in modules if module.startswith("ravdess_mm")]
