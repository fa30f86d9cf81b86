"""Drawings as inline SVG.

Strips have no fixed width: their coordinates are percentages of the place they get, so that lines and dots keep their
size on a phone. Panels have a fixed shape and are small enough for a phone as they are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from markupsafe import Markup

from ravdess_mm.evaluation import Estimate
from ravdess_mm.report.formatting import count, percent, with_interval
from ravdess_mm.report.svg import Scale, drawing, element, polygon, polyline, ticks

STRIP_PX: Final = 22
"""Height of a strip."""
MARK_LABELS: Final[dict[str, str]] = {"both": "fused", "voice": "voice", "face": "face", "other": "model"}

_AXIS: Final = (0, 25, 50, 75, 100)
_PANEL: Final = (300.0, 200.0)
_LEFT, _RIGHT, _TOP, _BOTTOM = 40.0, 10.0, 12.0, 34.0


def strip_axis() -> Markup:
    """Return the axis that belongs over a column of strips: 0 to 100 %."""
    anchors = {0: "start", 100: "end"}
    labels = [
        element("text", _axis_text(at), x=f"{at}%", y=12, text_anchor=anchors.get(at, "middle"), class_="tick")
        for at in _AXIS[::2]  # labels at 25 and 75 would touch the others where the column is narrow
    ]
    return drawing(*labels, label="axis from 0 to 100 %", height=16)


def interval_strip(estimate: Estimate, *, branch: str, references: Mapping[str, float], label: str) -> Markup:
    """Return a mark on its interval, from 0 to 100 %, and dashed lines at references (0-1)."""
    middle = STRIP_PX / 2
    marks = [*_strip_grid(), *_references(references)]
    if estimate.low is not None and estimate.high is not None:
        ends = {"x": _at(estimate.low), "width": _at(estimate.high - estimate.low)}
        # taller than the mark, so that a short interval can still be seen behind it
        marks.append(element("rect", **ends, y=middle - 8, height=16, rx=2, class_=f"interval c-{branch}"))
    marks.append(mark(estimate.value, branch))
    return drawing(*marks, label=f"{label}: {with_interval(estimate)}", height=STRIP_PX)


def actor_strip(shares: Mapping[str, float], *, label: str) -> Markup:
    """Return one actor's accuracies: a bar for the first branch, marks for the others.

    Parameters
    ----------
    shares : mapping of str to float
        Branch (``both``, ``voice``, ``face``) to accuracy, 0-1.
    """
    (branch, value), *others = shares.items()
    bar = element("rect", x=0, y=3, width=_at(value), height=STRIP_PX - 6, rx=2, class_=f"bar c-{branch}")
    values = ", ".join(f"{MARK_LABELS[name]} {percent(share)}" for name, share in shares.items())
    marks = [mark(share, name) for name, share in others]
    return drawing(*_strip_grid(), bar, *marks, label=f"{label}: {values}", height=STRIP_PX)


def mark(value: float, branch: str) -> Markup:
    """Return the mark of a branch at a share (0-1) of a strip: each branch has a shape and a colour."""
    middle = STRIP_PX / 2
    shape = {
        "both": element("circle", r=5, cx=0, cy=0),
        "voice": element("circle", r=4, cx=0, cy=0, class_="hollow"),
        "face": element("path", d="M0-5.5 5.5 0 0 5.5-5.5 0Z"),
    }.get(branch, element("rect", x=-4, y=-4, width=8, height=8))
    # nested <svg>: its x may be a percentage, which a transform may not
    return element("svg", shape, x=_at(value), y=middle, overflow="visible", class_=f"mark c-{branch}")


def search_strip(scores: npt.NDArray[np.float64], *, best: int, branch: str, label: str) -> Markup:
    """Return one dot a draw [shape=(n,), 0-1] of a search, the best one large."""
    middle = STRIP_PX / 2
    dots = [
        element("circle", cx=_at(float(score)), cy=middle, r=2.6, class_="draw")
        for score in scores
        if np.isfinite(score)
    ]
    description = (
        f"{label}: {count(len(scores), 'draw')}, {percent(float(np.nanmin(scores)))} to {percent(float(scores[best]))}"
    )
    return drawing(*_strip_grid(), *dots, mark(float(scores[best]), branch), label=description, height=STRIP_PX)


def agreement_strip(share: float, fused_right: float, *, label: str) -> Markup:
    """Return how many takes a case has (share of all, 0-1), and how many of them (0-1) fusion has right."""
    height = STRIP_PX - 8
    return drawing(
        element("rect", x=0, y=4, width=_at(share), height=height, rx=2, class_="bar all"),
        element("rect", x=0, y=4, width=_at(share * fused_right), height=height, rx=2, class_="bar c-both"),
        label=label,
        height=STRIP_PX,
    )


def reliability_panel(bins: pd.DataFrame, *, branch: str, label: str, before: pd.DataFrame | None = None) -> Markup:
    """Return a reliability diagram: accuracy against confidence.

    Parameters
    ----------
    bins : pandas.DataFrame
        As :func:`ravdess_mm.evaluation.reliability` returns it; the area of a dot is the number of takes.
    before : pandas.DataFrame, optional
        The same before calibration: a dashed line.
    """
    x, y, frame = _square_panel()
    filled = bins[bins["n_takes"] > 0]
    largest = max(1, int(filled["n_takes"].max()) if len(filled) else 1)
    gaps = [
        element("line", x1=x(sure), x2=x(sure), y1=y(sure), y2=y(right), class_=f"gap c-{branch}")
        for sure, right in zip(filled["confidence"], filled["accuracy"], strict=True)
    ]
    dots = [
        element(
            "circle",
            element("title", f"{percent(sure)} sure, {percent(right)} right, {count(int(n), 'take')}"),
            cx=x(sure),
            cy=y(right),
            r=2.5 + 7.5 * float(np.sqrt(n / largest)),
            class_=f"dot c-{branch}",
        )
        for sure, right, n in zip(filled["confidence"], filled["accuracy"], filled["n_takes"], strict=True)
    ]
    diagonal = element("line", x1=x(0), y1=y(0), x2=x(1), y2=y(1), class_="reference")
    line = []
    if before is not None:
        earlier = before[before["n_takes"] > 0]
        points = [(x(sure), y(right)) for sure, right in zip(earlier["confidence"], earlier["accuracy"], strict=True)]
        line = [polyline(points, class_="curve train")]
    return drawing(*frame, diagonal, *line, *gaps, *dots, label=label, height=260, view_box="0 0 280 260")


def curve_panel(curves: Sequence[tuple[str, npt.NDArray[np.float64]]], *, label: str, as_percent: bool) -> Markup:
    """Return learning curves.

    Parameters
    ----------
    curves : sequence of (str, ndarray [shape=(n_epochs,)])
        ``train`` or ``validation``, and the value after each epoch; several folds may be in it.
    as_percent : bool
        Whether the values are shares (0-1, the axis is 0 to 100 %) or a loss.
    """
    width, height = _PANEL
    values = np.concatenate([curve[np.isfinite(curve)] for _, curve in curves])
    low, high = (0.0, 1.0) if as_percent else (min(0.0, float(values.min())), float(values.max()))
    x = Scale(1, max(2, *(len(curve) for _, curve in curves)), _LEFT, width - _RIGHT)
    y = Scale(low, high, height - _BOTTOM, _TOP)
    lines = [
        polyline([(x(epoch), y(v)) for epoch, v in enumerate(curve, 1) if np.isfinite(v)], class_=f"curve {side}")
        for side, curve in curves
    ]
    written = [(at, _axis_text(round(100 * at)) if as_percent else f"{at:g}") for at in ticks(low, high)]
    frame = [
        *_horizontal(written, y, width - _RIGHT),
        *(_tick(f"{at:g}", x(at), height - _BOTTOM + 15) for at in ticks(x.low, x.high) if at == int(at)),
        _tick("epoch", (_LEFT + width - _RIGHT) / 2, height - 4, "axis"),
    ]
    return drawing(*frame, *lines, label=label, height=height, view_box=f"0 0 {width:g} {height:g}")


def missing_panel(curves: Sequence[tuple[str, pd.DataFrame]]) -> Markup:
    """Return accuracy against the share of takes that lack a branch.

    Parameters
    ----------
    curves : sequence of (str, pandas.DataFrame)
        The missing branch, and its rows of :func:`ravdess_mm.fusion.fuse_missing_curve`.
    """
    width, height = _PANEL
    low = min(float(rows["low"].min()) for _, rows in curves)
    high = max(float(rows["high"].max()) for _, rows in curves)
    largest = max(float(rows["share"].max()) for _, rows in curves)
    x = Scale(0, largest or 1.0, _LEFT, width - 48)
    y = Scale(math.floor(20 * low) / 20, math.ceil(20 * high) / 20, height - _BOTTOM, _TOP)
    drawn = []
    ends = []
    for branch, rows in curves:
        at = [x(float(share)) for share in rows["share"]]
        values = [y(float(value)) for value in rows["accuracy"]]
        above = [y(float(value)) for value in rows["high"]]
        below = [y(float(value)) for value in rows["low"]]
        outline = [*zip(at, above, strict=True), *zip(at[::-1], below[::-1], strict=True)]
        drawn.append(polygon(outline, class_=f"band c-{branch}"))
        drawn.append(polyline(list(zip(at, values, strict=True)), class_=f"curve own c-{branch}"))
        ends.append((values[-1], branch, at[-1]))
    frame = [
        *_horizontal([(at, percent(at, digits=0)) for at in ticks(y.low, y.high)], y, width - 48),
        *(_tick(f"{100 * at:.0f}", x(at), height - _BOTTOM + 15) for at in ticks(x.low, x.high, wanted=5)),
        _tick("% of takes without it", (_LEFT + width - 48) / 2, height - 4, "axis"),
    ]
    description = "; ".join(
        f"{branch} missing from {percent(float(rows['share'].iloc[-1]), digits=0)}: "
        f"{percent(float(rows['accuracy'].iloc[-1]))}"
        for branch, rows in curves
    )
    return drawing(
        *frame,
        *drawn,
        *_end_labels(ends),
        label=f"Fused accuracy, {description}",
        height=height,
        view_box=f"0 0 {width:g} {height:g}",
    )


def _end_labels(ends: Sequence[tuple[float, str, float]]) -> list[Markup]:
    """Name each line at its end; names that would overlap move apart."""
    labels = []
    lowest = -np.inf
    for height, branch, x in sorted(ends):
        lowest = max(height, lowest + 13)
        labels.append(element("text", f"no {branch}", x=x + 6, y=lowest + 4, class_=f"name c-{branch}"))
    return labels


def noise_panel(lines: Sequence[tuple[str, pd.DataFrame]], *, label: str) -> Markup:
    """Return accuracy against the loudness of noise.

    Parameters
    ----------
    lines : sequence of (str, pandas.DataFrame)
        Kind of noise, and the rows of ``noise.parquet``: quiet first.
    """
    width, height = _PANEL
    right = width - _RIGHT
    ratios = max((line["snr_db"].tolist() for _, line in lines), key=len)
    x = Scale(0, max(1, len(ratios) - 1), _LEFT + 14, right - 14)
    y = Scale(0, 1, height - _BOTTOM, _TOP)
    bands, drawn = [], []
    for noise, line in lines:
        at = [x(index) for index in range(len(line))]
        has_intervals = line["accuracy_low"].notna().all() and line["accuracy_high"].notna().all()
        if has_intervals:
            above = [y(float(value)) for value in line["accuracy_high"]]
            below = [y(float(value)) for value in line["accuracy_low"]]
            outline = [*zip(at, above, strict=True), *zip(at[::-1], below[::-1], strict=True)]
            bands.append(polygon(outline, class_=f"band c-{noise}"))
        points = list(zip(at, (y(float(value)) for value in line["accuracy"]), strict=True))
        drawn.append(polyline(points, class_=f"curve own c-{noise}"))
    frame = [
        *_horizontal([(at / 100, _axis_text(at)) for at in _AXIS], y, right),
        *(
            _tick(f"{ratio:.0f}" if np.isfinite(ratio) else "none", x(index), height - _BOTTOM + 15)
            for index, ratio in enumerate(ratios)
        ),
        _tick("signal to noise, dB", (_LEFT + right) / 2, height - 4, "axis"),
    ]
    return drawing(*frame, *bands, *drawn, label=label, height=height, view_box=f"0 0 {width:g} {height:g}")


def drop_panel(bars: Sequence[tuple[str, Estimate]], *, label: str) -> Markup:
    """Return one bar a family of features: how much accuracy (0-1) is lost without it, with its interval."""
    width, step, left = _PANEL[0], 18.0, 78.0
    height = step * len(bars) + _TOP + _BOTTOM
    ends = [end for _, drop in bars for end in (drop.value, drop.low, drop.high) if end is not None]
    x = Scale(min(0.0, *ends), max(0.01, *ends), left, width - _RIGHT)
    bottom = height - _BOTTOM
    drawn = []
    for index, (family, drop) in enumerate(bars):
        middle = _TOP + step * (index + 0.5)
        start, end = sorted((x(0), x(drop.value)))
        drawn.append(
            element("rect", x=start, y=middle - 5, width=max(end - start, 0.5), height=10, class_="bar c-voice")
        )
        if drop.low is not None and drop.high is not None:
            drawn.append(element("line", x1=x(drop.low), x2=x(drop.high), y1=middle, y2=middle, class_="whisker"))
        drawn.append(element("text", family, x=left - 6, y=middle + 4, text_anchor="end", class_="tick"))
    at = ticks(x.low, x.high)
    guides = [element("line", x1=x(value), x2=x(value), y1=_TOP, y2=bottom, class_="guide") for value in at]
    texts = [_tick(f"{100 * value:g}", x(value), bottom + 15) for value in at]
    zero = element("line", x1=x(0), x2=x(0), y1=_TOP, y2=bottom, class_="reference")
    axis = _tick("points of accuracy lost", (left + width - _RIGHT) / 2, height - 4, "axis")
    return drawing(
        *guides, *drawn, zero, *texts, axis, label=label, height=height, view_box=f"0 0 {width:g} {height:g}"
    )


def map_panel(points: npt.NDArray[np.float64], classes: Sequence[str], titles: Sequence[str], *, label: str) -> Markup:
    """Return a scatter plot of takes [shape=(n, 2)]; colours follow the classes, which the page's style decides."""
    size, margin = 520.0, 14.0
    low, high = points.min(axis=0), points.max(axis=0)
    x = Scale(float(low[0]), float(high[0]), margin, size - margin)
    y = Scale(float(low[1]), float(high[1]), size * 0.72 - margin, margin)
    radius = 4.0 if len(points) < 400 else 2.6
    dots = [
        element("circle", element("title", title), cx=x(float(at[0])), cy=y(float(at[1])), r=radius, class_=class_)
        for at, class_, title in zip(points, classes, titles, strict=True)
    ]
    return drawing(*dots, label=label, height=size * 0.72, view_box=f"0 0 {size:g} {size * 0.72:g}")


def _axis_text(at: int) -> str:
    """Return the word at a place of a percent axis: the sign stands at its end only."""
    return percent(at / 100, digits=0) if at == _AXIS[-1] else str(at)


def _at(share: float) -> str:
    return f"{100 * share:.2f}%"


def _strip_grid() -> list[Markup]:
    return [element("line", x1=f"{at}%", x2=f"{at}%", y1=0, y2=STRIP_PX, class_="guide") for at in _AXIS]


def _references(references: Mapping[str, float]) -> list[Markup]:
    return [
        element("line", x1=_at(at), x2=_at(at), y1=0, y2=STRIP_PX, class_=f"reference {name.split(',')[0]}")
        for name, at in references.items()
    ]


def _square_panel() -> tuple[Scale, Scale, list[Markup]]:
    x = Scale(0, 1, 42, 262)
    y = Scale(0, 1, 222, 12)
    written = [(at / 100, _axis_text(at)) for at in _AXIS]
    frame = [
        *_horizontal(written, y, 262, left=42),
        *(_tick(text, x(at), 238) for at, text in written),
        _tick("confidence", 152, 255, "axis"),
    ]
    return x, y, frame


def _horizontal(at: Sequence[tuple[float, str]], y: Scale, right: float, *, left: float = _LEFT) -> list[Markup]:
    lines = [element("line", x1=left, x2=right, y1=y(value), y2=y(value), class_="guide") for value, _ in at]
    texts = [element("text", text, x=left - 6, y=y(value) + 4, text_anchor="end", class_="tick") for value, text in at]
    return [*lines, *texts]


def _tick(text: str, x: float, y: float, class_: str = "tick") -> Markup:
    return element("text", text, x=x, y=y, text_anchor="middle", class_=class_)
