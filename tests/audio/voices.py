"""Signals with known answers, for the tests of the audio branch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ravdess_mm.audio.mfcc_delta_rms import ANALYSIS_SR as SR

Samples = np.ndarray


def harmonic_tone(
    hz: float | np.ndarray, *, amplitudes: Sequence[float] = (0.3, 0.2, 0.1, 0.05, 0.03, 0.02), seconds: float = 1.0
) -> Samples:
    """Return a sum of harmonics of `hz`, a number or one value a sample."""
    track = np.broadcast_to(hz, round(SR * seconds))
    phase = 2 * np.pi * np.cumsum(track) / SR
    tone = sum(amplitude * np.sin(number * phase) for number, amplitude in enumerate(amplitudes, start=1))
    return np.asarray(tone, dtype=np.float32)


def noise(seconds: float = 1.0, *, scale: float = 0.1, seed: int = 20) -> Samples:
    """Return white noise."""
    return np.random.default_rng(seed).normal(0, scale, round(SR * seconds)).astype(np.float32)


def silence(seconds: float) -> Samples:
    """Return a room's silence: noise at -80 dB."""
    return noise(seconds, scale=1e-4, seed=1)


def speech_like(sr: int = 16000, *, seconds: float = 2.0) -> Samples:
    """Return syllables of a gliding voice with four formants and breath, in half a second of silence at both ends."""
    from scipy.signal import lfilter

    n = round(seconds * sr)
    time_s = np.arange(n) / sr
    phase = np.cumsum(120 + 40 * np.sin(2 * np.pi * 0.7 * time_s)) / sr
    pulses = np.diff(np.floor(phase), prepend=0.0) + np.random.default_rng(5).normal(0, 0.01, n)
    voice = np.zeros(n)
    for hertz, level in ((550, 1.0), (1500, 0.5), (2500, 0.3), (3600, 0.15)):
        angle, radius = 2 * np.pi * hertz / sr, np.exp(-np.pi * 90 / sr)
        voice += level * lfilter([1 - radius], [1, -2 * radius * np.cos(angle), radius**2], pulses)
    voice *= np.abs(np.sin(np.pi * 2 * time_s)) ** 0.5
    pause = np.random.default_rng(6).normal(0, 1e-4, sr // 2)
    return np.concatenate([pause, 0.3 * voice / np.abs(voice).max(), pause]).astype(np.float32)
