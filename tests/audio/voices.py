"""Signals with known answers, for the tests of the audio branch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ravdess_mm.audio.analysis import SR

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


def resonator(centre_hz: float, *, pitch_hz: float = 110.0, radius: float = 0.97, seconds: float = 1.0) -> Samples:
    """Return pulses through one resonance."""
    from scipy.signal import lfilter

    pulses = np.zeros(round(SR * seconds))
    pulses[:: round(SR / pitch_hz)] = 1
    angle = 2 * np.pi * centre_hz / SR
    return (0.1 * lfilter([1], [1, -2 * radius * np.cos(angle), radius**2], pulses)).astype(np.float32)
