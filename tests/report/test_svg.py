from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from ravdess_mm.report.svg import Scale, drawing, element, polyline, ticks

PRINTABLE = st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn", "Co")))


@given(PRINTABLE, PRINTABLE)
def test_text_and_attributes_are_escaped(text: str, value: str) -> None:
    found = ElementTree.fromstring(element("text", text, title=value))
    assert (found.text or "") == text
    assert found.get("title") == value


def test_markup_is_kept_and_attribute_names_are_translated() -> None:
    inside = element("circle", r=2.5)
    assert element("g", inside, class_="a", stroke_width=1.0) == Markup(
        '<g class="a" stroke-width="1"><circle r="2.5"></circle></g>'
    )
    assert element("g", id=None) == Markup("<g></g>")


def test_drawing_is_one_named_picture() -> None:
    found = ElementTree.fromstring(drawing(label="a < b", height=10))
    assert found.get("role") == "img"
    assert found.get("aria-label") == "a < b"


def test_scale_maps_ends_to_ends() -> None:
    scale = Scale(0, 2, 100, 0)
    assert [scale(value) for value in (0, 1, 2)] == [100, 50, 0]
    assert Scale(1, 1, 0, 10)(1) == 5


def test_polyline_keeps_the_order_of_points() -> None:
    assert 'points="0,1 2.5,3"' in polyline([(0, 1), (2.5, 3)])


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1, [0, 0.25, 0.5, 0.75, 1]), (1, 30, [10, 20, 30]), (0, 3.3, [0, 1, 2, 3]), (2, 2, [2])],
)
def test_ticks_are_round_and_inside(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == expected
