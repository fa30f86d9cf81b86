"""Voices of the synthetic sample, by source-filter synthesis.

A glottal pulse train and noise are shaped, frame by frame, by the formants of the sentence (Fant G (1960), *Acoustic
Theory of Speech Production*). Emotions move pitch, level, spectral tilt, breath and roughness as reviewed in Scherer
KR (2003), Speech Communication 40: 227-256; tempo comes with the script. These are caricatures, not people.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ravdess_mm.corpus.identifier import Emotion, Sex, actor_sex
from ravdess_mm.corpus.sample_script import SOUNDS, Script, Stream, actor_rng, sound_track, take_rng

SAMPLE_RATE: Final = 16_000
"""Sampling rate of all voices, in Hz."""

_HOP: Final = 128
_WINDOW: Final = 4 * _HOP
_BANDWIDTHS_HZ: Final = (80.0, 110.0, 160.0, 250.0, 300.0)

Floats = NDArray[np.float64]


class Prosody(NamedTuple):
    """How a voice departs from the actor's neutral one."""

    pitch_st: float  # mean pitch, in semitones
    range_st: float  # size of the accents, in semitones
    rise_st: float  # pitch at the end of the sentence, in semitones
    level_db: float
    tilt_db: float  # spectral tilt, in dB an octave: higher is brighter
    breath: float  # aspiration noise, relative to voicing
    rough_st: float  # irregularity of the pitch from pulse to pulse, in semitones
    tremor_st: float  # slow shaking of the pitch, in semitones
    formants: float  # relative shift of the formants: a smile raises them


PROSODY: Final[Mapping[Emotion, Prosody]] = {
    Emotion.NEUTRAL: Prosody(0.0, 1.6, -2.0, 0.0, 0.0, 0.05, 0.10, 0.0, 0.0),
    Emotion.CALM: Prosody(-1.6, 1.0, -1.5, -4.0, -2.0, 0.18, 0.08, 0.0, 0.03),
    Emotion.HAPPY: Prosody(4.8, 5.2, 1.0, 3.0, 1.2, 0.05, 0.10, 0.0, 0.12),
    Emotion.SAD: Prosody(0.6, 1.2, -4.0, -8.0, -4.2, 0.34, 0.36, 0.5, -0.05),
    Emotion.ANGRY: Prosody(3.2, 3.2, -4.0, 9.0, 3.6, 0.04, 0.70, 0.0, 0.02),
    Emotion.FEARFUL: Prosody(8.0, 1.5, 0.5, 0.5, 0.2, 0.36, 0.35, 1.1, 0.04),
    Emotion.DISGUST: Prosody(-2.8, 2.6, -3.5, 1.0, 1.6, 0.10, 0.70, 0.0, -0.12),
    Emotion.SURPRISED: Prosody(5.5, 7.0, 8.0, 4.0, -0.6, 0.10, 0.10, 0.0, -0.02),
}
"""What each emotion sounds like at full strength."""

_SPREAD: Final = Prosody(0.7, 0.5, 0.8, 0.9, 0.35, 0.02, 0.05, 0.08, 0.01)


class Speaker(NamedTuple):
    """What stays the same in all takes of an actor."""

    pitch_hz: float
    tract: float  # formants relative to an adult man
    tilt_db: float  # in dB an octave
    level_db: float
    breath: float
    open_quotient: float
    habits: tuple[float, ...]  # how far the person carries each part of `Prosody`
    room_db: float  # background noise, in dB full scale


@lru_cache(maxsize=32)
def speaker(actor: int) -> Speaker:
    """Draw the voice of an actor."""
    rng = actor_rng(actor, Stream.VOICE)
    man = actor_sex(actor) is Sex.MALE
    return Speaker(
        pitch_hz=(112.0 if man else 200.0) * rng.lognormal(0.0, 0.07),
        tract=(1.0 if man else 1.16) * rng.normal(1.0, 0.02),
        tilt_db=rng.normal(-1.0, 0.35),
        level_db=rng.normal(-27.0, 1.2),
        breath=abs(rng.normal(0.0, 0.03)),
        open_quotient=rng.uniform(0.55, 0.7),
        habits=tuple(float(habit) for habit in rng.normal(1.0, 0.12, len(Prosody._fields))),
        room_db=rng.uniform(-70.0, -64.0),
    )


def synthesize_voice(script: Script) -> NDArray[np.float32]:
    """Speak one take.

    Parameters
    ----------
    script : Script
        What is said and expressed.

    Returns
    -------
    NDArray [shape=(round(duration_s * SAMPLE_RATE),)]
        Mono samples at `SAMPLE_RATE`, within -1 and 1. The same script gives the same samples.
    """
    rng = take_rng(script.take, Stream.VOICE)
    who = speaker(script.take.actor)
    how = _prosody(script, who, rng)
    n_samples = round(script.duration_s * SAMPLE_RATE)
    n_frames = n_samples // _HOP + 1
    times_s = np.arange(n_frames) * _HOP / SAMPLE_RATE
    table = np.array([SOUNDS[sound] for sound in script.sounds])
    track = _smooth(sound_track(script, table, times_s), width=5)
    f1_hz, f2_hz, f3_hz, _, voicing, hiss, hiss_hz, *_ = track.T

    pitch_hz = _pitch(script, who, how, times_s, rng)
    pulses = _pulses(pitch_hz, n_samples, who, how, rng)
    scale = who.tract * (1.0 + how.formants)
    formants_hz = np.stack([f1_hz, f2_hz, f3_hz, np.full(n_frames, 3500.0), np.full(n_frames, 4500.0)]) * scale
    accent = 1.0 + 0.25 * _smooth(rng.normal(size=n_frames), width=25) * 4
    voiced = _filtered(pulses, _tract_gain(formants_hz, who.tilt_db + how.tilt_db) * (voicing * accent)[:, None])
    hissed = _filtered(rng.normal(size=n_samples), _hiss_gain(hiss_hz) * (hiss * accent)[:, None])
    loudness = np.sqrt(np.mean(voiced**2)) + 1e-9
    speech = voiced / loudness + 0.9 * hissed
    speech *= 10 ** ((who.level_db + how.level_db) / 20)
    speech += rng.normal(size=n_samples) * 10 ** ((who.room_db + rng.normal(0.0, 2.0)) / 20)
    return np.asarray(np.tanh(speech), dtype=np.float32)


def _prosody(script: Script, who: Speaker, rng: np.random.Generator) -> Prosody:
    """Carry the actor's neutral voice towards the shown emotion, and let chance have its part."""
    neutral = np.array(PROSODY[Emotion.NEUTRAL])
    shown = np.array(PROSODY[script.voice.shown])
    moved = neutral + (shown - neutral) * script.voice.strength * np.array(who.habits)
    how = Prosody(*(float(part) for part in moved + np.array(_SPREAD) * rng.normal(size=len(moved))))
    return how._replace(
        range_st=max(how.range_st, 0.3),
        breath=max(how.breath + who.breath, 0.0),
        rough_st=max(how.rough_st, 0.05),
        tremor_st=max(how.tremor_st, 0.0),
    )


def _pitch(script: Script, who: Speaker, how: Prosody, times_s: Floats, rng: np.random.Generator) -> Floats:
    """Return the pitch at each frame, in Hz: declination, one accent a stressed vowel, the end, tremor, drift."""
    begin_s, end_s = script.starts_s[1], script.starts_s[-2]
    place = np.clip((times_s - begin_s) / (end_s - begin_s), 0.0, 1.0)
    semitones = how.pitch_st + 1.0 - 2.0 * place + how.rise_st * np.clip((place - 0.75) / 0.25, 0.0, 1.0) ** 2
    for sound, start_s, stop_s in zip(script.sounds, script.starts_s[:-1], script.starts_s[1:], strict=True):
        if SOUNDS[sound].jaw >= 0.8:
            size = how.range_st * rng.lognormal(0.0, 0.3)
            semitones += size * np.exp(-0.5 * ((times_s - (start_s + stop_s) / 2) / 0.08) ** 2)
    semitones += how.tremor_st * np.sin(2 * np.pi * rng.uniform(5.0, 7.0) * times_s + rng.uniform(0, 2 * np.pi))
    semitones += 1.2 * _smooth(rng.normal(size=len(times_s)), width=41) * 2
    return np.asarray(who.pitch_hz * 2.0 ** (np.clip(semitones, -9.0, 20.0) / 12.0))


def _pulses(pitch_hz: Floats, n_samples: int, who: Speaker, how: Prosody, rng: np.random.Generator) -> Floats:
    """Return the source: the derivative of glottal flow pulses with jitter, shimmer and aspiration.

    The pulse is the trigonometric one of Rosenberg AE (1971), JASA 49(2B): 583-590.
    """
    pitch = np.interp(np.arange(n_samples), np.arange(len(pitch_hz)) * _HOP, pitch_hz)
    cycle = np.cumsum(pitch) / SAMPLE_RATE
    # one factor a pulse: roughness
    n_pulses = int(cycle[-1]) + 2
    jitter = 2.0 ** (how.rough_st * rng.normal(size=n_pulses) / 12.0)
    cycle = np.cumsum(pitch * jitter[cycle.astype(np.int64)]) / SAMPLE_RATE
    number = cycle.astype(np.int64)
    shimmer = rng.lognormal(0.0, 0.04 + 0.25 * how.rough_st, int(number[-1]) + 1)[number]
    phase = cycle - number
    opening, closing = who.open_quotient * 0.7, who.open_quotient * 0.3
    rising = 0.5 * (1 - np.cos(np.pi * phase / opening))
    falling = np.cos(0.5 * np.pi * (phase - opening) / closing)
    flow = np.where(phase < opening, rising, np.where(phase < opening + closing, falling, 0.0)) * shimmer
    source = np.diff(flow, prepend=0.0) * SAMPLE_RATE / pitch
    return np.asarray(source + 2.5 * how.breath * (0.3 + flow) * rng.normal(size=n_samples))


def _tract_gain(formants_hz: Floats, tilt_db: float) -> Floats:
    """Return the gain of the vocal tract at each frame and frequency: resonances in cascade, and the tilt."""
    frequency_hz = np.fft.rfftfreq(_WINDOW, 1 / SAMPLE_RATE)
    gain = np.ones((formants_hz.shape[1], len(frequency_hz)))
    for centre_hz, bandwidth_hz in zip(formants_hz, _BANDWIDTHS_HZ, strict=True):
        square = centre_hz[:, None] ** 2
        gain *= square / np.hypot(square - frequency_hz**2, bandwidth_hz * frequency_hz)
    return np.asarray(gain * (np.maximum(frequency_hz, 200.0) / 500.0) ** (tilt_db / 6.02))


def _hiss_gain(centre_hz: Floats) -> Floats:
    """Return the gain of friction noise at each frame and frequency: a bump one octave wide."""
    frequency_hz = np.maximum(np.fft.rfftfreq(_WINDOW, 1 / SAMPLE_RATE), 1.0)
    return np.asarray(np.exp(-0.5 * (np.log2(frequency_hz / centre_hz[:, None]) / 0.5) ** 2))


def _filtered(signal: Floats, gain: Floats) -> Floats:
    """Multiply the short-time spectrum of a signal by a gain [shape=(n_frames, _WINDOW // 2 + 1)]; overlap and add."""
    n_frames = len(gain)
    padded = np.zeros((n_frames + 3) * _HOP)
    padded[2 * _HOP : 2 * _HOP + len(signal)] = signal
    window = np.sqrt(0.5) * np.sin(np.pi * (np.arange(_WINDOW) + 0.5) / _WINDOW)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
    shaped = np.fft.irfft(np.fft.rfft(frames * window) * gain, n=_WINDOW) * window
    added = np.zeros((n_frames + 3, _HOP))
    for part in range(4):
        added[part : part + n_frames] += shaped[:, part * _HOP : (part + 1) * _HOP]
    return np.asarray(added.reshape(-1)[2 * _HOP : 2 * _HOP + len(signal)])


def _smooth(track: Floats, *, width: int) -> Floats:
    """Average over time with a Hann window of `width` frames."""
    weights = np.hanning(width + 2)
    padded = np.pad(track, [(width // 2 + 1, width // 2 + 1), *[(0, 0)] * (track.ndim - 1)], mode="edge")
    views = np.lib.stride_tricks.sliding_window_view(padded, len(weights), axis=0)
    return np.asarray(views @ (weights / weights.sum()))
