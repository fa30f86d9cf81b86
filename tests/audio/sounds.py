"""Speech, and what is no speech, at 16 kHz, for the tests of what listens for it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.signal import butter, lfilter, sosfilt

from ravdess_mm.audio.decoding import Samples, resample
from ravdess_mm.sample.script import sample_scripts
from ravdess_mm.sample.voice import SAMPLE_RATE, synthesize_voice

SR = 16_000


@lru_cache
def sentence(number: int = 0) -> Samples:
    """Return a sentence of the embedded sample, of about 3 s with silence at both ends."""
    return resample(synthesize_voice(sample_scripts([1])[number]), SAMPLE_RATE, SR)


def silence(seconds: float, *, level_db: float = -80.0, seed: int = 1) -> Samples:
    """Return a room's silence: white noise."""
    noise = np.random.default_rng(seed).normal(0, 10 ** (level_db / 20), round(SR * seconds))
    return noise.astype(np.float32)


def tone(seconds: float = 4.0) -> Samples:
    """Return a sine of 440 Hz."""
    return (0.3 * np.sin(2 * np.pi * 440 * np.arange(round(SR * seconds)) / SR)).astype(np.float32)


def plucked_strings(seconds: float = 8.0, *, seed: int = 0) -> Samples:
    """Return a melody on strings, after Karplus K, Strong A (1983), Computer Music Journal 7(2): 43-55."""
    random = np.random.default_rng(seed)
    melody = np.zeros(round(SR * seconds))
    start = 0
    while start < len(melody) - SR // 4:
        period = round(SR / (110 * 2 ** (random.choice([0, 2, 4, 5, 7, 9, 11, 12, 14, 16, 19, 24]) / 12)))
        pluck = np.zeros(min(2 * SR, len(melody) - start))
        pluck[:period] = random.uniform(-1, 1, period)[: len(pluck)]
        string = np.zeros(period + 2)
        string[0], string[-2:] = 1, -0.498
        melody[start : start + len(pluck)] += lfilter([1], string, pluck)
        start += int(random.choice([0.2, 0.25, 0.5]) * SR)
    return (0.5 * melody / np.abs(melody).max()).astype(np.float32)


def engine(seconds: float = 6.0, *, hz: float = 40.0) -> Samples:
    """Return the harmonics of something that turns unevenly, and noise."""
    random = np.random.default_rng(3)
    time_s = np.arange(round(SR * seconds)) / SR
    phase = 2 * np.pi * hz * time_s + 0.3 * np.cumsum(random.normal(0, 0.01, len(time_s)))
    harmonics = sum(np.sin(number * phase + number) / number for number in range(1, 20))
    loudness = 0.1 + 0.02 * np.sin(2 * np.pi * 0.7 * time_s)
    return (loudness * (harmonics + 0.3 * random.normal(size=len(time_s)))).astype(np.float32)


def rain(seconds: float = 6.0) -> Samples:
    """Return hiss and drops, above 800 Hz."""
    random = np.random.default_rng(4)
    hiss = random.normal(size=round(SR * seconds))
    drops = (random.random(len(hiss)) < 0.002) * random.exponential(8, len(hiss))
    high_pass = butter(2, 800, "highpass", fs=SR, output="sos")
    return (0.02 * sosfilt(high_pass, hiss + lfilter([1], [1, -0.9], drops))).astype(np.float32)


def click() -> Samples:
    """Return a mouse click in a quiet second."""
    y = silence(1.0)
    y[SR // 2 : SR // 2 + 40] += 0.5 * np.random.default_rng(5).normal(size=40).astype(np.float32)
    return y
