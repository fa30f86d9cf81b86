from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from ravdess_mm.corpus.identifier import Emotion
from ravdess_mm.sample.script import Acting, Script, sample_scripts
from ravdess_mm.sample.voice import SAMPLE_RATE, synthesize_voice, voice_of


@pytest.fixture(scope="module")
def script() -> Script:
    return sample_scripts([3])[0]


def acted(script: Script, emotion: Emotion) -> NDArray[np.float32]:
    return synthesize_voice(replace(script, voice=Acting(emotion, 1.0)))


def spoken_part(script: Script, voice: NDArray[np.float32]) -> NDArray[np.float32]:
    begin, end = (round(time_s * SAMPLE_RATE) for time_s in (script.starts_s[1], script.starts_s[-2]))
    return voice[begin:end]


def level_db(samples: NDArray[np.float32]) -> float:
    return float(10 * np.log10(np.mean(samples.astype(float) ** 2)))


def centroid_hz(samples: NDArray[np.float32]) -> float:
    power = np.abs(np.fft.rfft(samples)) ** 2
    return float(np.average(np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE), weights=power))


def pitch_hz(script: Script, voice: NDArray[np.float32]) -> float:
    """Pitch of the vowel of "are", from the autocorrelation."""
    place = script.sounds.index("aa")
    begin, end = (round(time_s * SAMPLE_RATE) for time_s in script.starts_s[place : place + 2])
    part = voice[begin:end].astype(float)
    correlation = np.correlate(part, part, "full")[len(part) - 1 :]
    low, high = SAMPLE_RATE // 500, SAMPLE_RATE // 70
    return SAMPLE_RATE / (low + int(np.argmax(correlation[low:high])))


def test_same_script_same_samples(script: Script) -> None:
    np.testing.assert_array_equal(synthesize_voice(script), synthesize_voice(script))


def test_length_and_range(script: Script) -> None:
    voice = synthesize_voice(script)
    assert voice.shape == (round(script.duration_s * SAMPLE_RATE),)
    assert voice.dtype == np.float32
    assert np.isfinite(voice).all()
    assert np.abs(voice).max() <= 1


def test_speech_stands_out_of_the_silence_at_both_ends(script: Script) -> None:
    voice = synthesize_voice(script)
    silence = voice[: round(0.8 * script.starts_s[1] * SAMPLE_RATE)]
    assert level_db(spoken_part(script, voice)) > level_db(silence) + 20


def test_energy_follows_the_emotion(script: Script) -> None:
    levels = {emotion: level_db(acted(script, emotion)) for emotion in Emotion}
    assert levels[Emotion.ANGRY] > levels[Emotion.NEUTRAL] + 5 > levels[Emotion.SAD] + 10


def test_spectral_tilt_follows_the_emotion(script: Script) -> None:
    angry, sad = (centroid_hz(acted(script, emotion)) for emotion in (Emotion.ANGRY, Emotion.SAD))
    assert angry > 1.3 * sad


def test_pitch_follows_the_emotion(script: Script) -> None:
    pitches = [pitch_hz(script, acted(script, e)) for e in (Emotion.CALM, Emotion.NEUTRAL, Emotion.FEARFUL)]
    assert pitches[0] < pitches[1] < pitches[2] / 1.3


def test_strength_scales_the_expression(script: Script) -> None:
    weak, strong = (
        level_db(synthesize_voice(replace(script, voice=Acting(Emotion.ANGRY, strength)))) for strength in (0.3, 1.2)
    )
    assert strong > weak + 4


def test_women_speak_higher_than_men() -> None:
    men = [voice_of(actor).pitch_hz for actor in range(1, 25, 2)]
    women = [voice_of(actor).pitch_hz for actor in range(2, 25, 2)]
    assert max(men) < min(women)
    assert np.mean([voice_of(actor).tract for actor in range(2, 25, 2)]) > 1.1


def test_actors_differ() -> None:
    assert len({voice_of(actor) for actor in range(1, 25)}) == 24


def test_takes_of_one_actor_and_emotion_differ() -> None:
    happy = [s for s in sample_scripts([3]) if s.take.emotion is Emotion.HAPPY]
    one, two = (acted(s, Emotion.HAPPY) for s in happy)
    assert abs(level_db(one) - level_db(two)) > 0.1
