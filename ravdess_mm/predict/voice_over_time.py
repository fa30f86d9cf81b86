"""The voice moment by moment: answers for windows of about a second, each half over the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ravdess_mm.arrays import Floats
from ravdess_mm.audio.speech_activity import SpeechActivity
from ravdess_mm.errors import MediaError
from ravdess_mm.parallel.progress import track

if TYPE_CHECKING:
    from ravdess_mm.predict.audio import AudioSignal
    from ravdess_mm.predict.predictor import Predictor

WINDOW_S: Final = 1.0
HOP_S: Final = 0.5
MOST_WINDOWS: Final = 1200
"""Windows of a long recording are further apart, so that there are no more."""
LEAST_SPEECH: Final = 0.3
"""Share of a window in which somebody must speak."""


@dataclass(frozen=True)
class VoiceOverTime:
    """What the voice says over time.

    Attributes
    ----------
    times_s : numpy.ndarray [shape=(n,)]
        Middles of the windows in which somebody speaks, rising.
    probabilities : numpy.ndarray [shape=(n, 8)]
        In the order of `EMOTIONS`; rows sum to 1.
    hop_s : float
        From one window to the next.
    """

    times_s: Floats
    probabilities: Floats
    hop_s: float

    def at(self, time_s: float) -> Floats | None:
        """Return the answer of the nearest window [shape=(8,)]; None where nobody speaks."""
        if not len(self.times_s):
            return None
        nearest = int(np.abs(self.times_s - time_s).argmin())
        if abs(self.times_s[nearest] - time_s) > self.hop_s / 2 + 1e-6:
            return None
        return np.asarray(self.probabilities[nearest])


def score_windows(predictor: Predictor, signal: AudioSignal, *, name: str = "") -> VoiceOverTime:
    """Answer for the voice in overlapping windows; without sound there is none.

    Parameters
    ----------
    predictor : Predictor
        The models, and who speaks.
    signal : AudioSignal
        The sound.
    name : str
        Of the recording, for a progress bar.
    """
    samples, sr = signal.samples, signal.sr
    hop_s = max(HOP_S, signal.duration_s / MOST_WINDOWS)
    times_s: list[float] = []
    rows: list[Floats] = []
    if samples is not None:
        activity = SpeechActivity.of(samples, sr)
        starts = np.arange(0.0, max(signal.duration_s - WINDOW_S, 0.0) + 1e-9, hop_s).tolist()
        for start_s in track(starts, f"voice of {name}", unit="window") if len(starts) > 60 else starts:
            end_s = min(start_s + WINDOW_S, signal.duration_s)
            part = activity.part(start_s, end_s)
            if part.share < LEAST_SPEECH:
                continue
            try:
                answer, _ = predictor.score_audio(samples[int(start_s * sr) : int(end_s * sr)], sr, part)
            except MediaError:  # a window that is silent or too short says nothing
                continue
            times_s.append((start_s + end_s) / 2)
            rows.append(answer)
    return VoiceOverTime(np.array(times_s), np.array(rows).reshape(-1, 8), hop_s)
