"""A spoken sentence passes without a note, and its answer counts in full; music, engines and hours do not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ravdess_mm.audio.decoding import Samples, decode_audio
from ravdess_mm.audio.speech_activity import SpeechActivity
from ravdess_mm.audio.speech_checks import check_speech, speech_weight
from tests.audio.sounds import SR, engine, plucked_strings, rain, sentence, tone


def with_share(share: float, duration_s: float = 3.2) -> SpeechActivity:
    probability = np.where(np.arange(100) < 100 * share, 0.9, 0.1).astype(np.float32)
    return SpeechActivity(probability, np.full(100, -30, np.float32), duration_s)


def test_a_sentence_is_passed_and_counts_in_full() -> None:
    activity = SpeechActivity.of(sentence(), SR)
    assert check_speech(activity) == []
    assert speech_weight(activity) == 1


@pytest.mark.parametrize("sound", [tone, plucked_strings, engine, rain])
def test_what_is_no_voice_is_noted_and_hardly_counts(sound: Callable[[], Samples]) -> None:
    activity = SpeechActivity.of(sound(), SR)
    (note,) = check_speech(activity)
    assert note.startswith("nobody is heard to speak")
    assert speech_weight(activity) < 0.2


def test_the_weight_falls_with_the_share_of_speech() -> None:
    weights = [speech_weight(with_share(share)) for share in (0, 0.02, 0.05, 0.1, 0.5)]
    assert weights == pytest.approx([0, 0.2, 0.5, 1, 1])
    assert check_speech(with_share(0.04)) == ["nobody is heard to speak (4 % of the sound is like speech)"]
    assert check_speech(with_share(0.05)) == []


def test_a_long_clip_gets_one_answer_and_a_word_about_it() -> None:
    assert check_speech(with_share(0.5, 25)) == ["one answer for 25 s; the models know single sentences of 3 to 5 s"]
    assert check_speech(with_share(0.5, 20)) == []


@pytest.mark.real
def test_real_sentences_are_passed(real_data: Path) -> None:
    paths = [
        *sorted((real_data / "ravdess" / "speech_audio").rglob("*.flac"))[::40],
        *sorted((real_data / "corpora").rglob("*.flac"))[::80],
    ]
    assert len(paths) >= 20
    assert not [path for path in paths if check_speech(SpeechActivity.of(*decode_audio(path)))]
