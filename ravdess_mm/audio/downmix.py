"""Downmix to mono: the mean of the channels, or one of them where they would cancel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ravdess_mm.arrays import Floats, Singles

CANCELLED_DB: Final = 7.0
"""So far below the loudest channel, the mean of the channels has lost what they hold.

A channel beside a silent one loses 6.02 dB in their mean, two of equal power that have nothing in common 3.01 dB.
"""

SILENT_DB: Final = 50.0
"""So far below the loudest channel, a centre channel holds nothing."""

TIE: Final = 1.01
"""Powers that differ by a smaller factor are equal, so that rounding decides nothing."""

CENTRE: Final = "FC"
"""What FFmpeg calls the centre channel, where films have their dialogue."""

SURROUND: Final[dict[int, tuple[str, ...]]] = {
    6: ("FL", "FR", "FC", "LFE", "BL", "BR"),
    8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}
"""The order of 5.1 and 7.1 in WAV and FLAC, for files that do not name their channels."""

VORBIS: Final = ("FL", CENTRE, "FR")
"""How Vorbis and Opus begin with three channels or with five and more; libsndfile keeps their order."""


@dataclass(frozen=True)
class UsedChannel:
    """The channel that is used of several.

    Attributes
    ----------
    channel : int or None
        Its number from 0; None for the mean of all.
    note : str
        Why it is not the mean; empty where it is.
    """

    channel: int | None = None
    note: str = ""


class ChannelStatistics:
    """Level of every channel and of their mean, gathered block by block.

    A constant offset counts for nothing.
    """

    def __init__(self) -> None:
        self._n = 0
        self._sums: Floats | None = None
        self._squares: Floats | None = None

    def watch(self, blocks: Iterator[Singles]) -> Iterator[Singles]:
        """Yield the mean [shape=(n,)] of each of the blocks [shape=(n_channels, n)], having measured them."""
        for block in blocks:
            if len(block) == 1:
                yield block[0]
                continue
            mean = block.mean(axis=0)
            self._add(block, mean)
            yield mean

    def _add(self, block: Singles, mean: Singles) -> None:
        if self._sums is None or self._squares is None:
            self._sums, self._squares = np.zeros(len(block) + 1), np.zeros(len(block) + 1)
        self._n += block.shape[1]
        with np.errstate(over="ignore", invalid="ignore"):  # samples that are not finite are refused by the caller
            for row, samples in enumerate((*block, mean)):
                self._sums[row] += samples.sum(dtype=np.float64)
                self._squares[row] += np.square(samples, dtype=np.float64).sum()

    def choose(self, names: Sequence[str] = ()) -> UsedChannel:
        """Choose what to listen to: the centre channel of a film; else the mean, unless the channels cancel.

        Parameters
        ----------
        names : sequence of str
            FFmpeg's names of the channels, such as ``FL FR FC LFE BL BR``; without ``FC`` where they are not known.

        Returns
        -------
        UsedChannel
            The centre, where there are more than two channels and it is not silent; the loudest, where the mean is
            more than `CANCELLED_DB` below it, as with one channel inverted; the mean else.
        """
        if self._sums is None or self._squares is None or self._n == 0:
            return UsedChannel()
        with np.errstate(invalid="ignore"):
            *channels, mean = (self._squares / self._n - np.square(self._sums / self._n)).clip(min=0)
        n = len(channels)
        names = names if CENTRE in names else SURROUND.get(n, names)
        loudest = int(np.argmax(np.asarray(channels) > max(channels) / TIE))  # the first of those as loud
        if n > 2 and CENTRE in names:
            centre = names.index(CENTRE)
            if channels[centre] > channels[loudest] / 10 ** (SILENT_DB / 10):
                return UsedChannel(centre, f"the centre channel of {n} was used")
        if mean < channels[loudest] / 10 ** (CANCELLED_DB / 10):
            used = ("left", "right")[loudest] if n == 2 else f"loudest of {n}"
            return UsedChannel(loudest, f"the channels cancel each other; only the {used} was used")
        return UsedChannel()
