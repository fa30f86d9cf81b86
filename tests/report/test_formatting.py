from __future__ import annotations

import math

import pytest

from ravdess_mm.corpus.identifier import Take
from ravdess_mm.evaluation import Estimate
from ravdess_mm.report import formatting as words

NO_BREAK = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(("share", "said"), [(0.8125, "81.2"), (0.0, "0.0"), (1.0, "100.0")])
def test_percent_has_one_decimal_and_does_not_break(share: float, said: str) -> None:
    assert words.percent(share) == f"{said}{NO_BREAK}%"


@pytest.mark.parametrize("nothing", [None, math.nan])
def test_percent_of_nothing_is_a_dash(nothing: float | None) -> None:
    assert words.percent(nothing) == "–"


def test_interval_is_empty_where_it_is_undefined() -> None:
    assert words.interval(Estimate(0.5, 0.25, 0.755)) == "[25.0, 75.5]"
    assert words.with_interval(Estimate(0.5, None, None)) == f"50.0{NO_BREAK}%"


@pytest.mark.parametrize(
    ("value", "said"), [(0.00004, "< 0.001"), (0.0312, "0.031"), (1.0, "1"), (None, "–"), (math.nan, "–")]
)
def test_p_value(value: float | None, said: str) -> None:
    assert words.p_value(value) == said


def test_count_knows_one_and_many() -> None:
    assert words.count(1, "take") == "1 take"
    assert words.count(1440, "take") == "1,440 takes"
    assert words.count(2, "file was", "files were") == "2 files were"


def test_listing() -> None:
    assert words.listing([]) == ""
    assert words.listing(["a"]) == "a"
    assert words.listing(["a", "b", "c"]) == "a, b and c"


@pytest.mark.parametrize(
    ("duration_s", "said"), [(3.24, "3.2 s"), (75.0, "1 min 15 s"), (119.6, "2 min 00 s"), (7875.0, "2 h 11 min")]
)
def test_seconds(duration_s: float, said: str) -> None:
    assert words.seconds(duration_s) == said


@pytest.mark.parametrize(
    ("model", "branch", "label"),
    [
        ("fused", "both", "Fused"),
        ("audio-random-forest", "voice", "Voice · random forest"),
        ("audio-svc", "voice", "Voice · SVC"),
        ("audio-ridge-adapted", "voice", "Voice · ridge regression (adapted)"),
        ("video-zero-shot-adapted", "face", "Face · zero shot (adapted)"),
        ("video-action-units", "face", "Face · action units"),
        ("wav2vec-large", "other", "wav2vec large"),
    ],
)
def test_models_have_names_for_people(model: str, branch: str, label: str) -> None:
    assert words.branch_of(model) == branch
    assert words.model_label(model) == label


def test_take_in_words() -> None:
    said = words.take_in_words(Take.parse("02-03-02-02-02-11"))
    assert said == "Actor 11, happy, strong, sung, “Dogs are sitting by the door”, second time"


def test_sentence_does_not_double_the_stop() -> None:
    assert words.sentence("one actor only") == "One actor only."
    assert words.sentence("Done.") == "Done."
