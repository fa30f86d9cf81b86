"""Speech raises no doubt; noise, whisper and hours do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ravdess_mm.audio.analysis import SR
from ravdess_mm.audio.decode import decode_audio
from ravdess_mm.audio.doubts import find_doubts
from tests.audio.voices import harmonic_tone, noise, silence


def spoken(seconds: float) -> np.ndarray:
    hz = 140 + 30 * np.sin(np.arange(round(SR * seconds)) / SR * 5)
    return np.concatenate([silence(0.5), harmonic_tone(hz, seconds=seconds), silence(0.5)])


def test_a_spoken_sentence_raises_no_doubt() -> None:
    assert find_doubts(spoken(2), SR) == []
    assert find_doubts(spoken(2) + noise(3, scale=0.01), SR) == []


def test_noise_is_not_taken_for_speech_in_silence() -> None:
    assert find_doubts(noise(3), SR) == ["0 % of the sound is voiced, of speech about 70 %: whisper, noise or no voice"]
    assert len(find_doubts(noise(3), 48_000)) == 1


def test_a_long_clip_gets_one_answer_and_a_word_about_it() -> None:
    assert find_doubts(spoken(24), SR) == ["one answer for 25 s; the models know single sentences of 3 to 5 s"]
    assert find_doubts(spoken(24), 2 * SR) == []


@pytest.mark.real
def test_real_takes_raise_no_doubt(real_data: Path) -> None:
    paths = sorted((real_data / "ravdess" / "speech_audio").rglob("*.flac"))[::40]
    assert len(paths) >= 20
    assert not [path for path in paths if find_doubts(*decode_audio(path))]
