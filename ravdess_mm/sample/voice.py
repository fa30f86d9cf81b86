"""Voices of the synthetic sample, by source-filter synthesis.

A glottal pulse train and noise are shaped, frame by frame, by the formants of the sentence (Fant G (1960), *Acoustic
Theory of Speech Production*). Emotions move pitch, level, spectral tilt, breath and roughness as reviewed in Scherer
KR (2003), Speech Communication 40: 227-256; tempo comes with the script. These are caricatures, not people.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np

from ravdess_mm.arrays import Floats, Singles
from ravdess_mm.corpus.identifier import Emotion, Sex, actor_sex
from ravdess_mm.sample.script import SOUNDS, Script, Stream, actor_rng, take_rng

SAMPLE_RATE: Final = 16_000
"""Sampling rate of all voices, in Hz."""

_HOP: Final = 128
_WINDOW: Final = 4 * _HOP
_HIGHER_FORMANTS_HZ: Final = (2500.0, 3500.0, 4500.0)
_BANDWIDTHS_HZ: Final = (80.0, 110.0, 160.0, 250.0, 300.0)
_OPEN, _CLOSING = 0.44, 0.18  # parts of a glottal cycle


class Prosody(NamedTuple):
    """How a voice departs from the actor's usual one."""

    pitch_st: float  # mean pitch, in semitones
    range_st: float  # size of the accents, in semitones
    rise_st: float  # pitch at the end of the sentence, in semitones
    level_db: float
    tilt_db: float  # spectral tilt, in dB an octave: higher is brighter
    breath: float  # aspiration noise, relative to voicing
    rough_st: float  # irregularity of the pitch from pulse to pulse, in semitones
    formants: float  # relative shift of the formants: a smile raises them


PROSODY: Final[Mapping[Emotion, Prosody]] = {
    Emotion.NEUTRAL: Prosody(0.0, 1.6, -2.0, 0.0, 0.0, 0.05, 0.10, 0.0),
    Emotion.CALM: Prosody(-1.6, 1.0, -1.5, -4.0, -2.0, 0.18, 0.08, 0.03),
    Emotion.HAPPY: Prosody(4.8, 5.2, 1.0, 3.0, 1.2, 0.05, 0.10, 0.12),
    Emotion.SAD: Prosody(0.6, 1.2, -4.0, -8.0, -4.2, 0.34, 0.36, -0.05),
    Emotion.ANGRY: Prosody(3.2, 3.2, -4.0, 9.0, 3.6, 0.04, 0.70, 0.02),
    Emotion.FEARFUL: Prosody(8.0, 1.5, 0.5, 0.5, 0.2, 0.36, 0.35, 0.04),
    Emotion.DISGUST: Prosody(-2.8, 2.6, -3.5, 1.0, 1.6, 0.10, 0.70, -0.12),
    Emotion.SURPRISED: Prosody(5.5, 7.0, 8.0, 4.0, -0.6, 0.10, 0.10, -0.02),
}
"""What each emotion sounds like at full strength."""

_SPREAD: Final = Prosody(0.7, 0.5, 0.8, 0.9, 0.35, 0.02, 0.05, 0.01)


class VoiceSettings(NamedTuple):
    """What stays the same in all takes of an actor."""

    pitch_hz: float
    tract: float  # formants relative to an adult man
    tilt_db: float  # in dB an octave
    level_db: float
    habits: tuple[float, ...]  # how far the person carries each part of `Prosody`


def voice_of(actor: int) -> VoiceSettings:
    """Draw the voice of an actor."""
    rng = actor_rng(actor, Stream.VOICE)
    pitch_hz, tract = (112.0, 1.0) if actor_sex(actor) is Sex.MALE else (200.0, 1.16)
    return VoiceSettings(
        pitch_hz=pitch_hz * rng.lognormal(0.0, 0.07),
        tract=tract * rng.normal(1.0, 0.02),
        tilt_db=rng.normal(-1.0, 0.35),
        level_db=rng.normal(-27.0, 1.2),
        habits=tuple(rng.normal(1.0, 0.12, len(Prosody._fields))),
    )


def synthesize_voice(script: Script) -> Singles:
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
    speaker = voice_of(script.take.actor)
    prosody = _prosody(script, speaker, rng)
    n_samples = round(script.duration_s * SAMPLE_RATE)
    times_s = np.arange(n_samples // _HOP + 2) * _HOP / SAMPLE_RATE
    f1_hz, f2_hz, _, voicing, hiss, hiss_hz, _ = _smooth(script.sounds_at(times_s), width=5).T
    formants_hz = np.stack([f1_hz, f2_hz, *(np.full(len(times_s), value) for value in _HIGHER_FORMANTS_HZ)])
    tract = _tract_gain(formants_hz * speaker.tract * (1.0 + prosody.formants), speaker.tilt_db + prosody.tilt_db)
    voiced = _filtered(
        _pulses(_pitch(script, speaker, prosody, times_s, rng), n_samples, prosody, rng), tract * voicing
    )
    hissed = _filtered(rng.normal(size=n_samples), _hiss_gain(hiss_hz) * hiss)
    speech = voiced / (np.sqrt(np.mean(voiced**2)) + 1e-9) + 0.9 * hissed
    speech *= 10 ** ((speaker.level_db + prosody.level_db) / 20)
    room = rng.normal(size=n_samples) * 10 ** (rng.uniform(-70.0, -64.0) / 20)
    return np.asarray(np.tanh(speech + room), dtype=np.float32)


def _prosody(script: Script, speaker: VoiceSettings, rng: np.random.Generator) -> Prosody:
    """Carry the actor's neutral voice towards the shown emotion, and let chance have its part."""
    neutral, shown = np.array(PROSODY[Emotion.NEUTRAL]), np.array(PROSODY[script.voice.shown])
    moved = neutral + (shown - neutral) * script.voice.strength * np.array(speaker.habits)
    prosody = Prosody(*(moved + np.array(_SPREAD) * rng.normal(size=len(moved))).tolist())
    return prosody._replace(
        range_st=max(prosody.range_st, 0.3), breath=max(prosody.breath, 0.0), rough_st=max(prosody.rough_st, 0.05)
    )


def _pitch(
    script: Script, speaker: VoiceSettings, prosody: Prosody, times_s: Floats, rng: np.random.Generator
) -> Floats:
    """Return the pitch at each frame, in Hz: declination, one accent a stressed vowel, the end, drift."""
    begin_s, end_s = script.starts_s[1], script.starts_s[-2]
    progress = np.clip((times_s - begin_s) / (end_s - begin_s), 0.0, 1.0)
    semitones = (
        prosody.pitch_st + 1.0 - 2.0 * progress + prosody.rise_st * np.clip((progress - 0.75) / 0.25, 0.0, 1.0) ** 2
    )
    for sound, start_s, stop_s in zip(script.sounds, script.starts_s[:-1], script.starts_s[1:], strict=True):
        if SOUNDS[sound].jaw >= 0.8:
            size_st = prosody.range_st * rng.lognormal(0.0, 0.3)
            semitones += size_st * np.exp(-0.5 * ((times_s - (start_s + stop_s) / 2) / 0.08) ** 2)
    semitones += 2.4 * _smooth(rng.normal(size=(len(times_s), 1)), width=41)[:, 0]
    return np.asarray(speaker.pitch_hz * 2.0 ** (np.clip(semitones, -9.0, 20.0) / 12.0))


def _pulses(pitch_hz: Floats, n_samples: int, prosody: Prosody, rng: np.random.Generator) -> Floats:
    """Return the source: the derivative of glottal flow pulses with jitter, shimmer and aspiration.

    The pulse is the trigonometric one of Rosenberg AE (1971), JASA 49(2B): 583-590.
    """
    pitch = np.interp(np.arange(n_samples), np.arange(len(pitch_hz)) * _HOP, pitch_hz)
    plain = (np.cumsum(pitch) / SAMPLE_RATE).astype(np.int64)
    jitter = 2.0 ** (prosody.rough_st * rng.normal(size=plain[-1] + 1) / 12.0)  # one factor a pulse
    cycle = np.cumsum(pitch * jitter[plain]) / SAMPLE_RATE
    number = cycle.astype(np.int64)
    shimmer = rng.lognormal(0.0, 0.04 + 0.25 * prosody.rough_st, int(number[-1]) + 1)[number]
    phase = cycle - number
    rising = 0.5 * (1 - np.cos(np.pi * phase / _OPEN))
    falling = np.cos(0.5 * np.pi * np.clip((phase - _OPEN) / _CLOSING, 0.0, 1.0))
    flow = np.where(phase < _OPEN, rising, falling) * shimmer
    source = np.diff(flow, prepend=0.0) * SAMPLE_RATE / pitch
    return np.asarray(source + 2.5 * prosody.breath * (0.3 + flow) * rng.normal(size=n_samples))


def _tract_gain(formants_hz: Floats, tilt_db: float) -> Floats:
    """Return the gain of the vocal tract [shape=(frequencies, frames)]: resonances in cascade, and the tilt."""
    frequency_hz = np.fft.rfftfreq(_WINDOW, 1 / SAMPLE_RATE)[:, None]
    gain = (np.maximum(frequency_hz, 200.0) / 500.0) ** (tilt_db / 6.02)
    for centre_hz, bandwidth_hz in zip(formants_hz, _BANDWIDTHS_HZ, strict=True):
        gain = gain * centre_hz**2 / np.hypot(centre_hz**2 - frequency_hz**2, bandwidth_hz * frequency_hz)
    return np.asarray(gain)


def _hiss_gain(centre_hz: Floats) -> Floats:
    """Return the gain of friction noise [shape=(frequencies, frames)]: a bump one octave wide."""
    frequency_hz = np.maximum(np.fft.rfftfreq(_WINDOW, 1 / SAMPLE_RATE), 1.0)[:, None]
    return np.asarray(np.exp(-0.5 * (np.log2(frequency_hz / centre_hz) / 0.5) ** 2))


def _filtered(signal: Floats, gain: Floats) -> Floats:
    """Multiply the short-time spectrum of a signal by a gain [shape=(frequencies, frames)], frame by frame."""
    from scipy.signal import istft, stft

    spectrum = stft(signal, nperseg=_WINDOW, noverlap=_WINDOW - _HOP)[2]
    shaped = istft(spectrum * gain[:, : spectrum.shape[1]], nperseg=_WINDOW, noverlap=_WINDOW - _HOP)[1]
    return np.asarray(shaped[: len(signal)])


def _smooth(track: Floats, *, width: int) -> Floats:
    """Average over time [shape=(frames, n)] with a Hann window of `width` frames."""
    from scipy.ndimage import convolve1d

    weights = np.hanning(width + 2)
    return np.asarray(convolve1d(track, weights / weights.sum(), axis=0, mode="nearest"))
