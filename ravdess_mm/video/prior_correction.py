"""Adaptation of a frozen face network to one person by correcting its class priors.

A face at rest may look sad or angry to a network, and then most of that person's clips do. Where it is known how much
of a person's unlabelled clips the network gives to each emotion, its answers are divided by these shares, as if that
person showed every emotion equally often: the adjustment to other class frequencies (Saerens M et al. (2002), Neural
Computation 14(1):21-41, eq. 4), with shares counted over one person's own clips. It looks at the test person's clips,
though never at their labels, so its figures stand apart from the plain ones; and where that person's clips show one
emotion only, it is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ravdess_mm.arrays import Floats
from ravdess_mm.config import FEWEST_CLIPS, PRIOR_CLIPS
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.errors import InputError


@dataclass(frozen=True)
class ClassShares:
    """Mean probability of each emotion over one person's clips.

    Attributes
    ----------
    n_clips : int
        How many clips were seen.
    shares : numpy.ndarray [shape=(8,)]
        Mean of the network's answers to them, in the order of `EMOTIONS`; they sum to 1.
    """

    n_clips: int
    shares: Floats

    @classmethod
    def of(cls, answers: npt.ArrayLike) -> ClassShares:
        """Count from the network's answers [shape=(n_clips, 8)].

        Raises
        ------
        InputError
            If there is no clip.
        """
        values = np.atleast_2d(np.asarray(answers, dtype=np.float64))
        if values.size == 0:
            raise InputError("a face cannot be known from no clips; two or more are needed")
        return cls(len(values), values.mean(axis=0))

    def even(self, answers: npt.ArrayLike) -> Floats:
        """Return answers [shape=(..., 8)] of this person, divided by what is expected of them and normalised.

        With ``n`` own clips, expected is ``(n shares + k / 8) / (n + k)``, ``k`` being the voice's `PRIOR_CLIPS`. With
        fewer than `FEWEST_CLIPS`, ``n`` is 0 and nothing changes.
        """
        n = float(self.n_clips) if self.n_clips >= FEWEST_CLIPS else 0.0
        expected = (n * self.shares + PRIOR_CLIPS / len(EMOTIONS)) / (n + PRIOR_CLIPS)
        divided = np.asarray(answers, dtype=np.float64) / expected
        return np.asarray(divided / divided.sum(axis=-1, keepdims=True))

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON knows; `from_dict` reads it back to the last bit."""
        return {"n_clips": self.n_clips, "shares": dict(zip(EMOTIONS, self.shares.tolist(), strict=True))}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> ClassShares:
        """Return what `to_dict` wrote.

        Raises
        ------
        InputError
            If it is something else.
        """
        try:
            shares = cls(int(content["n_clips"]), np.array([float(content["shares"][name]) for name in EMOTIONS]))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InputError("what is known of the face lacks the shares of the eight emotions") from error
        if shares.n_clips < 0 or not (shares.shares >= 0).all() or not np.isclose(shares.shares.sum(), 1, atol=1e-4):
            raise InputError("what is known of the face are no shares: they are below 0, or do not sum to 1")
        return shares


def correct_priors_by_actor(answers: npt.ArrayLike, people: npt.ArrayLike) -> Floats:
    """Even the answers of each person by that person's own.

    Parameters
    ----------
    answers : array-like [shape=(n, 8)]
        A face network's probabilities, in the order of `EMOTIONS`.
    people : array-like [shape=(n,)]
        Who is seen.

    Returns
    -------
    numpy.ndarray [shape=(n, 8)]
        Rows sum to 1.
    """
    values, who = np.asarray(answers, dtype=np.float64), np.asarray(people)
    out = np.empty_like(values)
    for person in np.unique(who):
        is_actor = who == person
        out[is_actor] = ClassShares.of(values[is_actor]).even(values[is_actor])
    return out
