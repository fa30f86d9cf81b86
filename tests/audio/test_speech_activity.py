"""Somebody is heard where somebody speaks, at whatever level, and nowhere else."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from ravdess_mm.audio.decoding import decode_audio, resample
from ravdess_mm.audio.speech_activity import (
    FRAME_S,
    SpeechActivity,
    close_gaps,
    runs,
    speech_probability,
    speech_share,
    speech_span,
)
from tests.audio.sounds import SR, click, engine, plucked_strings, rain, sentence, silence, tone


def test_a_sentence_is_heard_at_any_level_and_rate() -> None:
    y = sentence()
    share = speech_share(y, SR)
    assert 0.4 < share < 0.9
    for gain_db in (-40, 20):
        assert speech_share(y * np.float32(10 ** (gain_db / 20)), SR) == pytest.approx(share, abs=0.1)
    for sr in (8000, 48_000):
        assert speech_share(resample(y, SR, sr), sr) == pytest.approx(share, abs=0.1)
    assert speech_share(y + 0.05, SR) == pytest.approx(share, abs=0.1)


def test_a_sentence_is_heard_in_noise() -> None:
    y = sentence()
    power = np.mean(np.square(y, dtype=np.float64))
    noisy = y + silence(len(y) / SR, level_db=10 * np.log10(power) - 10)
    assert speech_share(noisy, SR) > 0.3


@pytest.mark.parametrize("sound", [tone, plucked_strings, engine, rain, click])
def test_what_is_no_voice_is_no_speech(sound: object) -> None:
    y = sound()  # type: ignore[operator]
    assert speech_share(y, SR) < 0.01
    assert speech_share(silence(3, level_db=-30), SR) == 0


def test_frames_of_32_ms_cover_the_recording() -> None:
    y = sentence()
    activity = SpeechActivity.of(y, SR)
    assert activity.probability.dtype == np.float32
    assert len(activity.probability) == len(activity.level_db) == int(np.ceil(len(y) / SR / FRAME_S))
    assert activity.duration_s == len(y) / SR
    np.testing.assert_array_equal(speech_probability(y, SR), activity.probability)
    assert 0 <= activity.probability.min() <= activity.probability.max() <= 1
    for n in (0, 1, 513):
        assert len(speech_probability(np.zeros(n, np.float32), SR)) == int(np.ceil(n / 512))
        assert speech_share(np.zeros(n, np.float32), SR) == 0


def test_the_span_holds_the_sentence_and_no_click() -> None:
    y = sentence()
    bare = speech_span(y, SR, margin_s=0)
    assert bare is not None
    start_s, end_s = bare
    assert 0.2 < start_s < end_s < len(y) / SR - 0.2
    assert speech_span(y, SR) == pytest.approx((max(0, start_s - 0.2), end_s + 0.2))
    assert speech_span(np.concatenate([click(), y, click()]), SR, margin_s=0) == pytest.approx(
        (1 + start_s, 1 + end_s), abs=0.1
    )
    assert speech_span(click(), SR) is None
    assert speech_span(np.zeros(0, np.float32), SR) is None


def test_what_sounds_beside_speech_belongs_to_it() -> None:
    level_db = np.full(100, -80, np.float32)
    level_db[5] = -20  # a click
    level_db[30:60] = -30  # a cry, of which one frame is recognised
    level_db[45:49] = -80  # that takes breath
    probability = np.zeros(100, np.float32)
    probability[40] = 0.9
    activity = SpeechActivity(probability, level_db, 100 * FRAME_S)
    assert activity.speaking == [(30, 60)]
    assert activity.span(margin_s=0.1) == pytest.approx((30 * FRAME_S - 0.1, 60 * FRAME_S + 0.1))
    # in noise as loud as this, only what is recognised counts
    assert SpeechActivity(probability, np.full(100, -30, np.float32), 3.2).speaking == [(40, 41)]


def test_a_part_is_what_was_heard_there() -> None:
    activity = SpeechActivity.of(np.concatenate([sentence(), silence(2)]), SR)
    ends_s = len(sentence()) / SR
    first, second = activity.part(0, ends_s), activity.part(ends_s + 0.2, activity.duration_s)
    assert first.share == pytest.approx(speech_share(sentence(), SR), abs=0.1)
    assert second.share == 0
    assert second.duration_s == pytest.approx(1.8)


def test_runs_and_their_gaps() -> None:
    flags = np.array([1, 1, 0, 0, 1, 0, 1], dtype=bool)
    assert runs(flags) == [(0, 2), (4, 5), (6, 7)]
    assert close_gaps(runs(flags), 2) == [(0, 2), (4, 7)]
    assert runs(~flags & flags) == close_gaps([], 2) == []


def test_a_long_recording_is_held_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    speech_share(sentence(), SR)  # what is imported first is not counted
    y = np.tile(sentence(), 20)
    at_once = speech_probability(y, SR)
    monkeypatch.setattr("ravdess_mm.audio.preparation.BLOCK", 2**14)
    tracemalloc.start()
    np.testing.assert_allclose(speech_probability(y, SR), at_once, atol=1e-3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < y.nbytes


@pytest.mark.real
def test_real_sentences_are_heard(real_data: Path) -> None:
    paths = [
        *sorted((real_data / "ravdess" / "speech_audio").rglob("*.flac"))[::60],
        *sorted((real_data / "corpora").rglob("*.flac"))[::80],
    ]
    assert len(paths) >= 20
    assert min(speech_share(*decode_audio(path)) for path in paths) > 0.2
