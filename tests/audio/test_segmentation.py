"""Long recordings are parted where nobody speaks, and each segment is about a sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ravdess_mm.audio.decoding import decode_audio
from ravdess_mm.audio.segmentation import LONGEST_S, MARGIN_S, SHORTEST_S, find_segments, sentences, windows
from ravdess_mm.audio.speech_activity import FRAME_S, SpeechActivity
from tests.audio.sounds import SR, plucked_strings, sentence, silence


def heard(*parts: tuple[float, float, float]) -> SpeechActivity:
    """Return what a detector would say: parts of (seconds, probability, level in dB)."""
    frames = [(probability, level_db) for s, probability, level_db in parts for _ in range(round(s / FRAME_S))]
    probability, level_db = np.array(frames, dtype=np.float32).reshape(-1, 2).T
    return SpeechActivity(probability, level_db, len(frames) * FRAME_S)


def speech(seconds: float, level_db: float = -30) -> tuple[float, float, float]:
    return seconds, 0.9, level_db


def pause(seconds: float, level_db: float = -80) -> tuple[float, float, float]:
    return seconds, 0.1, level_db


def spans(*parts: tuple[float, float, float]) -> list[tuple[float, float]]:
    """Return the segments without their margins, where there is room for these."""
    return [(start + MARGIN_S, end - MARGIN_S) for start, end in find_segments(heard(*parts))]


def assert_spans(found: list[tuple[float, float]], expected: list[tuple[float, float]]) -> None:
    assert len(found) == len(expected)
    np.testing.assert_allclose(found, expected, atol=0.07)


def test_segments_are_where_somebody_speaks() -> None:
    found = spans(pause(1), speech(2), pause(1), speech(3), pause(0.6), speech(1.5), pause(1))
    assert_spans(found, [(1, 3), (4, 7), (7.6, 9.1)])


def test_a_scream_does_not_hide_the_calm_sentence_after_it() -> None:
    found = spans(pause(1), speech(2, -10), pause(0.6), speech(2, -55), pause(1))
    assert_spans(found, [(1, 3), (3.6, 5.6)])


def test_a_dip_that_the_detector_hears_as_speech_is_a_pause() -> None:
    held = (0.25, 0.9, -75.0)
    (_, first_end), (second_start, _) = find_segments(heard(pause(1), speech(2), held, speech(2), pause(1)))
    assert first_end == second_start == pytest.approx(3.12, abs=0.05)
    shallow = (0.25, 0.9, -50.0)
    assert_spans(spans(pause(1), speech(2), shallow, speech(2), pause(1)), [(1, 5.25)])
    # a sentence beside a louder one is no dip
    assert_spans(spans(pause(1), speech(2, -20), speech(2, -55), pause(1)), [(1, 5)])


def test_short_pauses_and_short_words_part_nothing() -> None:
    assert_spans(spans(pause(1), speech(2), pause(0.1), speech(2), pause(1)), [(1, 5.1)])
    assert_spans(spans(pause(1), speech(0.4), pause(0.4), speech(1.5), pause(1)), [(1, 3.3)])
    # but not where that would make it long
    assert_spans(spans(pause(1), speech(0.4), pause(0.4), speech(3.5), pause(1)), [(1, 1.4), (1.8, 5.3)])
    # a cough far from everything is no sentence
    assert_spans(spans(pause(1), speech(2), pause(3), speech(0.2), pause(1)), [(1, 3)])


def test_a_long_speech_is_cut_where_it_is_quietest() -> None:
    (_, first_end), (second_start, _) = find_segments(
        heard(pause(1), speech(5), speech(0.13, -40), speech(4), pause(1))
    )
    assert first_end == second_start == pytest.approx(6.05, abs=0.1)


def test_silence_holds_no_sentence_and_is_answered_whole() -> None:
    assert find_segments(heard(pause(30))) == []
    assert find_segments(heard()) == []
    (whole,) = sentences(np.zeros(30 * SR, np.float32), SR)
    assert len(whole) == 30 * SR


def test_a_sentence_is_one_segment_and_a_recording_is_several() -> None:
    y = np.concatenate([sentence(0), sentence(5), sentence(9), silence(2)])
    ends_s = np.cumsum([len(sentence(number)) / SR for number in (0, 5, 9)])
    found = find_segments(SpeechActivity.of(y, SR))
    middles_s = [(start + end) / 2 for start, end in found]
    assert np.searchsorted(ends_s, middles_s).tolist() == [0, 1, 2]
    assert [len(part) for part in sentences(y, SR)] == [len(y)]
    longer = np.concatenate([y, plucked_strings(10)])
    parts = sentences(longer, SR)
    assert len(longer) > 20 * SR
    np.testing.assert_allclose([len(part) / SR for part in parts], [end - start for start, end in found], atol=0.1)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0.05, 9), st.sampled_from([0.1, 0.9]), st.sampled_from([-120, -60, -40, -20])), max_size=12
    )
)
def test_segments_lie_in_order_apart_and_inside(parts: list[tuple[float, float, float]]) -> None:
    activity = heard(*parts)
    found = find_segments(activity)
    edges = [edge for span in found for edge in span]
    assert edges == sorted(edges)
    assert all(0 <= edge <= activity.duration_s + 1e-6 for edge in edges)
    lengths = [end - start for start, end in found]
    assert all(SHORTEST_S <= length <= LONGEST_S + 2 * MARGIN_S + 1e-6 for length in lengths)


def test_windows_cover_everything_in_equal_parts() -> None:
    np.testing.assert_allclose(windows(8.5), [(0, 8.5 / 3), (8.5 / 3, 17 / 3), (17 / 3, 8.5)])
    assert windows(0.5) == [(0, 0.5)]


@pytest.mark.real
def test_real_takes_in_a_row_are_parted_from_each_other(real_data: Path) -> None:
    for actor in (2, 15):
        paths = sorted((real_data / "ravdess" / "speech_audio" / f"Actor_{actor:02d}").glob("*.flac"))[::5]
        assert len(paths) == 12
        takes = [decode_audio(path)[0] for path in paths]
        ends_s = np.cumsum([len(y) for y in takes]) / 48_000
        found = find_segments(SpeechActivity.of(np.concatenate(takes), 48_000))
        middles_s = [(start + end) / 2 for start, end in found]
        assert np.searchsorted(ends_s, middles_s, side="right").tolist() == list(range(12))
