"""Colours are a promise: text can be read, and eight emotions can be told apart, in light and in dark."""

from __future__ import annotations

import itertools
import re
from importlib.resources import files

import numpy as np
import numpy.typing as npt
import pytest

from ravdess_mm.corpus.identifier import EMOTIONS

STYLE = (files("ravdess_mm.report") / "templates" / "style.css").read_text("utf-8")
THEMES = ("light", "dark")
# Machado GM, Oliveira MM, Fernandes LAF (2009), IEEE TVCG 15(6): 1291-1298, severity 1.0
VISION = {
    "normal": np.eye(3),
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritan": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = np.array([0.9505, 1.0, 1.089])


def colour(name: str, theme: str) -> str:
    pair = re.search(rf"--{name}: light-dark\((#\w{{6}}), (#\w{{6}})\)", STYLE)
    assert pair is not None, name
    return pair[1 + THEMES.index(theme)]


def shade(step: int, theme: str) -> tuple[str, str]:
    """Return the page and text colour of a step of a confusion matrix."""
    page = re.search(rf"\.q{step} {{ background: light-dark\((#\w{{6}}), (#\w{{6}})\)", STYLE)
    text = re.search(rf"\.q{step}[ ,][^{{}}]*{{ color: light-dark\((#\w{{6}}), (#\w{{6}})\)", STYLE)
    assert page is not None
    assert text is not None
    return page[1 + THEMES.index(theme)], text[1 + THEMES.index(theme)]


def linear(text: str) -> npt.NDArray[np.float64]:
    channels = np.array([int(text[start : start + 2], 16) for start in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    low, high = sorted(float(linear(text) @ TO_XYZ[1]) for text in (one, other))
    return (high + 0.05) / (low + 0.05)


def lab(rgb: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    ratio = TO_XYZ @ np.clip(rgb, 0, 1) / WHITE
    x, y, z = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(
    ("text", "page"),
    [
        ("text", "page"),
        ("muted", "page"),
        ("muted", "raised"),
        ("accent", "page"),
        ("accent", "tint"),
        ("on-accent", "accent"),
        ("note", "note-page"),
        ("text", "note-page"),
        ("voice", "page"),
        ("face", "page"),
    ],
)
def test_text_has_the_contrast_that_aa_asks_for(text: str, page: str, theme: str) -> None:
    assert contrast(colour(text, theme), colour(page, theme)) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("step", range(1, 11))
def test_numbers_in_a_confusion_matrix_can_be_read(step: int, theme: str) -> None:
    assert contrast(*shade(step, theme)) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", [*EMOTIONS, "voice", "face", "other"])
def test_marks_stand_out_from_the_page(name: str, theme: str) -> None:
    assert contrast(colour(name, theme), colour("page", theme)) >= 3


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("vision", VISION)
def test_emotions_can_be_told_apart(vision: str, theme: str) -> None:
    seen = [lab(VISION[vision] @ linear(colour(emotion, theme))) for emotion in EMOTIONS]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 26
