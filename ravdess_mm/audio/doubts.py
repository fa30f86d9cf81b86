"""What speaks against taking a clip for speech of the kind that the voice models learned from."""

from __future__ import annotations

from typing import Final

from ravdess_mm.audio.analysis import SR, Analysis
from ravdess_mm.audio.decode import Samples, resample
from ravdess_mm.audio.phrases import WHOLE_S

FEWEST_VOICED: Final = 0.1
"""Share of the frames between first and last sound that are voiced, at least.

Of 250 spoken takes of RAVDESS drawn at random the least voiced has 0.37 and half have more than 0.73; noise has 0. None
of 1200 takes is below the limit.
"""


def find_doubts(y: Samples, sr: int) -> list[str]:
    """Say in words what is unlike speech; a model answers all the same, since it knows nothing else.

    Parameters
    ----------
    y : numpy.ndarray [shape=(n,)]
        Mono samples, 46 ms of them or more; full scale is -1 to 1.
    sr : int
        Sampling rate, in Hz.

    Returns
    -------
    list of str
        Empty for a spoken sentence. Hardly any frame voiced: whisper, noise, or no voice at all. Far longer than a
        sentence: one answer is given for what may be many moods.
    """
    found = []
    voiced = Analysis.of(resample(y, sr, SR)).pitch.voiced.mean()
    if voiced < FEWEST_VOICED:
        found.append(f"{100 * voiced:.0f} % of the sound is voiced, of speech about 70 %: whisper, noise or no voice")
    seconds = len(y) / sr
    if seconds > WHOLE_S:
        found.append(f"one answer for {seconds:.0f} s; the models know single sentences of 3 to 5 s")
    return found
