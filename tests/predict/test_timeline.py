"""A clip over time: windows of the voice, frames of the face, both, on a page and as an image."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.errors import InputError
from ravdess_mm.predict.prediction import Prediction, Segment
from ravdess_mm.predict.predictor import PRETRAINED_DIR, Predictor
from ravdess_mm.predict.timeline import Timeline, TimelineRow, make_timeline, render_timeline, write_timeline
from ravdess_mm.predict.voice_over_time import HOP_S, VoiceOverTime

EVEN = dict.fromkeys(EMOTIONS, 1 / 8)


def timeline(n: int) -> Timeline:
    starts = np.arange(n) * 0.5
    row = TimelineRow("voice", starts, starts + 0.5, np.full((n, 8), 1 / 8))
    segments = (Segment(0, 2, EVEN, {"audio": EVEN}, speaker=1), Segment(3, 5, EVEN, {"audio": EVEN}, speaker=2))
    prediction = Prediction(
        Path("<b>$a.wav"), EVEN, {"audio": EVEN}, notes=("a note",), segments=segments, duration_s=6
    )
    return Timeline(prediction, (row,), 6.0)


def test_the_page_has_a_bar_a_window_and_marks_segments_and_speakers() -> None:
    page = render_timeline(timeline(10))
    assert page.count("<rect") == 10 * 8 + 2
    assert "A note" in page
    assert "&lt;b&gt;$a.wav" in page
    assert "<b>" not in page
    assert ", speaker 2</title>" in page
    assert "http" not in page.replace("http-equiv", "")
    assert "@media print" in page


def test_of_an_hour_bars_are_means() -> None:
    row = TimelineRow("face", np.arange(1000.0), np.arange(1000.0) + 1, np.eye(8)[np.arange(1000) % 8])
    short = row.at_most(100)
    assert len(short.starts_s) == 100
    np.testing.assert_allclose(short.probabilities.sum(axis=1), 1)
    assert (short.starts_s[0], short.ends_s[-1]) == (0, 1000)
    assert render_timeline(timeline(500)).count("<rect") == 240 * 8 + 2


def test_an_image_is_written_whole_and_other_endings_are_refused(tmp_path: Path) -> None:
    image = cv2.imread(str(write_timeline(timeline(10), tmp_path / "a.png")))
    assert image.shape[1] == 1600
    assert image.std() > 10
    with pytest.raises(InputError, match="allowed are the endings"):
        write_timeline(timeline(10), tmp_path / "a.svg")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_the_voice_is_that_of_the_nearest_window() -> None:
    voice = VoiceOverTime(np.array([1.0, 1.5, 4.0]), np.eye(8)[:3], HOP_S)
    rows = [voice.at(time_s) for time_s in (0.7, 0.8, 1.4, 2.0, 4.2)]
    assert [None if row is None else int(row.argmax()) for row in rows] == [None, 0, 1, None, 2]
    assert VoiceOverTime(np.empty(0), np.empty((0, 8)), HOP_S).at(1) is None


@pytest.mark.real
@pytest.mark.slow
def test_a_real_film_over_time(real_data: Path) -> None:
    path = real_data / "ravdess" / "speech_video" / "Actor_05" / "01-01-06-02-01-01-05.mp4"
    predictor = Predictor.from_run(PRETRAINED_DIR)
    found = make_timeline(predictor, path)
    voice, face, both = found.rows
    assert [row.name for row in found.rows] == ["voice", "face", "both"]
    assert len(voice.starts_s) >= 2
    assert 0.3 < voice.starts_s[0] < voice.ends_s[-1] < 3  # somebody speaks from 1.0 to 2.3 s
    assert len(face.starts_s) == len(found.prediction.moments)
    near = np.abs(face.starts_s - (both.starts_s[0] + HOP_S / 2)) <= HOP_S
    expected = predictor.recipe.apply({"audio": voice.probabilities[0], "video": face.probabilities[near].mean(axis=0)})
    np.testing.assert_allclose(both.probabilities[0], expected)
