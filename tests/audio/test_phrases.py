"""Long recordings are parted where nobody speaks, and each part is about a sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ravdess_mm.audio.analysis import SR
from ravdess_mm.audio.decode import decode_audio
from ravdess_mm.audio.phrases import LONGEST_S, MARGIN_S, SHORTEST_S, find_phrases, sentences, windows
from tests.audio.voices import harmonic_tone, noise, silence


def recording(*parts: tuple[float, float]) -> np.ndarray:
    """Return tones and silences in turn, from (seconds, gain) with gain 0 for silence."""
    pieces = [harmonic_tone(140, seconds=seconds) * gain if gain else silence(seconds) for seconds, gain in parts]
    whole = np.concatenate(pieces)
    return whole + noise(len(whole) / SR, scale=1e-4)[: len(whole)]


def test_sentences_are_found_where_they_are() -> None:
    y = recording((1, 0), (2, 1), (1, 0), (3, 1), (0.6, 0), (1.5, 1), (1, 0))
    expected = [(1, 3), (4, 7), (7.6, 9.1)]
    found = find_phrases(y, SR)
    assert len(found) == 3
    for (start, end), (true_start, true_end) in zip(found, expected, strict=True):
        assert start == pytest.approx(true_start - MARGIN_S, abs=0.1)
        assert end == pytest.approx(true_end + MARGIN_S, abs=0.1)
    np.testing.assert_allclose(find_phrases(np.repeat(y, 2), 2 * SR), found, atol=0.02)


def test_the_level_of_a_long_recording_is_measured_minute_by_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    y = recording(*[(1, 0), (2, 1)] * 4, (1, 0))
    at_once = find_phrases(y, SR)
    monkeypatch.setattr("ravdess_mm.audio.phrases.AT_A_TIME", 77)
    assert find_phrases(y, SR) == at_once
    assert find_phrases(y, 50) == []  # less than one sample a hop


def test_a_scream_does_not_hide_the_calm_sentence_after_it() -> None:
    loud, calm = (2, 1.5), (2, 0.005)  # 50 dB apart, where a sentence's own range is 35
    found = find_phrases(recording((1, 0), loud, (6, 0), calm, (2, 0), calm, (1, 0)), SR)
    assert [round(start + MARGIN_S) for start, _ in found] == [1, 9, 13]


def test_a_pause_within_a_sentence_does_not_part_it_and_a_short_word_goes_with_its_neighbour() -> None:
    assert len(find_phrases(recording((1, 0), (1, 1), (0.2, 0), (1, 1), (1, 0)), SR)) == 1
    ((start, end),) = find_phrases(recording((1, 0), (0.4, 1), (0.6, 0), (1.5, 1), (1, 0)), SR)
    assert (start, end) == pytest.approx((1 - MARGIN_S, 3.5 + MARGIN_S), abs=0.1)
    # but not where that would make it long
    ((start, end),) = find_phrases(recording((1, 0), (0.4, 1), (0.6, 0), (3.5, 1), (1, 0)), SR)
    assert (start, end) == pytest.approx((2 - MARGIN_S, 5.5 + MARGIN_S), abs=0.1)
    assert len(find_phrases(recording((1, 0), (2, 1), (0.6, 0), (2, 1), (1, 0)), SR)) == 2
    # a cough far from everything is no sentence
    assert len(find_phrases(recording((1, 0), (2, 1), (3, 0), (0.3, 1), (1, 0)), SR)) == 1


def test_a_long_speech_is_cut_where_it_is_quietest() -> None:
    y = recording((1, 0), (5, 1), (0.1, 0.02), (4, 1), (1, 0))
    (_, first_end), (second_start, _) = find_phrases(y, SR)
    assert first_end == second_start == pytest.approx(6.05, abs=0.1)


def test_silence_holds_no_sentence_and_is_answered_whole() -> None:
    assert find_phrases(np.zeros(30 * SR, np.float32), SR) == []
    assert find_phrases(np.zeros(10, np.float32), SR) == []
    assert find_phrases(np.zeros(0, np.float32), SR) == []
    (whole,) = sentences(np.zeros(30 * SR, np.float32), SR)
    assert len(whole) == 30 * SR


def test_a_sentence_is_one_piece_and_a_recording_is_several() -> None:
    short = recording((1, 0), (2, 1), (1, 0), (2, 1), (1, 0))
    (whole,) = sentences(short, SR)
    assert whole is short
    parts = sentences(recording(*[(2, 0), (2, 1)] * 6, (1, 0)), SR)
    assert [round(len(part) / SR, 1) for part in parts] == pytest.approx([2 + 2 * MARGIN_S] * 6, abs=0.11)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.05, 9), st.sampled_from([0, 0.01, 0.1, 1])), min_size=1, max_size=8),
    st.floats(0, 0.05),
)
def test_pieces_lie_in_order_apart_and_inside(parts: list[tuple[float, float]], hiss: float) -> None:
    y = recording(*parts)
    y = y + hiss * noise(len(y) / SR + 0.1)[: len(y)]
    found = find_phrases(y, SR)
    edges = [edge for span in found for edge in span]
    assert edges == sorted(edges)
    assert all(0 <= edge <= len(y) / SR + 0.01 for edge in edges)
    lengths = [end - start for start, end in found]
    assert all(SHORTEST_S - 0.011 <= length <= LONGEST_S + 2 * MARGIN_S + 0.011 for length in lengths)


def test_windows_cover_everything_in_equal_parts() -> None:
    np.testing.assert_allclose(windows(8.5), [(0, 8.5 / 3), (8.5 / 3, 17 / 3), (17 / 3, 8.5)])
    assert windows(0.5) == [(0, 0.5)]


@pytest.mark.real
def test_real_takes_in_a_row_are_parted_from_each_other(real_data: Path) -> None:
    for actor in (2, 15):
        paths = sorted((real_data / "ravdess" / "speech_audio" / f"Actor_{actor:02d}").glob("*.flac"))[::5]
        assert len(paths) == 12
        sounds = [decode_audio(path)[0] for path in paths]
        ends = np.cumsum([len(y) for y in sounds]) / 48_000
        found = find_phrases(np.concatenate(sounds), 48_000)
        middles = [(start + end) / 2 for start, end in found]
        assert np.searchsorted(ends, middles, side="right").tolist() == list(range(12))
