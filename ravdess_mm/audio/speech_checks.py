"""What speaks against taking a clip for a spoken sentence, as the voice models know it."""

from __future__ import annotations

from typing import Final

from ravdess_mm.audio.segmentation import WHOLE_S
from ravdess_mm.audio.speech_activity import SpeechActivity

FEWEST_SPEECH: Final = 0.05
"""Where the share of speech is smaller, nobody is heard to speak.

One of 2025 takes of RAVDESS, EMO-DB and nEMO is below, a scream; of 189 sounds of plucked strings, engines, rain, noise
and sines none is above 0.032.
"""
FULL_SPEECH: Final = 0.1
"""From this share on, an answer counts in full."""


def check_speech(activity: SpeechActivity) -> list[str]:
    """Say in words what is unlike a spoken sentence.

    Parameters
    ----------
    activity : SpeechActivity
        Of the clip.

    Returns
    -------
    list of str
        Empty for a spoken sentence. Nobody speaks; or the clip is far longer than a sentence, and one answer is given
        for what may be many emotions.
    """
    notes = []
    if activity.share < FEWEST_SPEECH:
        notes.append(f"nobody is heard to speak ({100 * activity.share:.0f} % of the sound is like speech)")
    if activity.duration_s > WHOLE_S:
        notes.append(f"one answer for {activity.duration_s:.0f} s; the models know single sentences of 3 to 5 s")
    return notes


def speech_weight(activity: SpeechActivity) -> float:
    """Return how much a voice model's answer counts, 0 to 1: nothing where nobody speaks, in full from 10 % on.

    The answer is then ``weight * p + (1 - weight) / n_classes``.
    """
    return min(1.0, activity.share / FULL_SPEECH)
