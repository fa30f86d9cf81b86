"""SVG elements and scales; every text and attribute is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape


def element(tag: str, *children: Markup | str, **attributes: str | float | None) -> Markup:
    """Return one SVG or HTML element.

    Parameters
    ----------
    tag : str
        Name of the element.
    *children : Markup or str
        What is inside; plain text is escaped.
    **attributes : str, float or None
        ``class_`` stands for ``class`` and ``stroke_width`` for ``stroke-width``. Numbers are written with two
        decimals at most; None leaves the attribute out.
    """
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(_text(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    inside = Markup("").join(escape(child) for child in children)
    return Markup(f"<{tag}{written}>{inside}</{tag}>")


def drawing(*children: Markup | str, label: str, height: float, view_box: str | None = None) -> Markup:
    """Return an ``<svg>`` that screen readers announce as one picture with a name.

    Parameters
    ----------
    label : str
        What the picture says, in one sentence.
    height : float
        In pixels; it is as wide as its place.
    view_box : str, optional
        Coordinates of the content; without it they are pixels and percentages of the place it gets.
    """
    return element(
        "svg", *children, role="img", aria_label=label, width="100%", height=height, viewBox=view_box, class_="chart"
    )


@dataclass(frozen=True)
class Scale:
    """A linear map from data to pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the pixel of a value."""
        span = self.high - self.low
        share = (value - self.low) / span if span else 0.5
        return self.start + share * (self.end - self.start)


def polyline(points: Sequence[tuple[float, float]], **attributes: str | float | None) -> Markup:
    """Return a line through points [shape=(n, 2)], in pixels."""
    return element("polyline", points=_points(points), fill="none", **attributes)


def polygon(points: Sequence[tuple[float, float]], **attributes: str | float | None) -> Markup:
    """Return an area with these corners [shape=(n, 2)], in pixels."""
    return element("polygon", points=_points(points), **attributes)


def ticks(low: float, high: float, *, wanted: int = 4) -> list[float]:
    """Return round numbers between `low` and `high`, about as many as wanted, both ends possible."""
    import numpy as np

    span = high - low
    if span <= 0:
        return [low]
    magnitude = 10.0 ** np.floor(np.log10(span / wanted))
    step = next(factor * magnitude for factor in (1, 2, 2.5, 5, 10) if span / (factor * magnitude) <= wanted + 0.5)
    first = np.ceil(low / step - 1e-9) * step
    return [round(float(first + index * step), 10) for index in range(int((high - first) / step + 1e-9) + 1)]


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{_text(float(x))},{_text(float(y))}" for x, y in points)


def _text(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
