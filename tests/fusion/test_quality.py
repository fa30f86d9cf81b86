from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from ravdess_mm.errors import InputError
from ravdess_mm.fusion.quality import quality_experiment
from ravdess_mm.predictions import PROBABILITIES, probabilities_of

Simulate = Callable[..., pd.DataFrame]


def mixed(simulate: Simulate) -> tuple[pd.DataFrame, dict[str, float]]:
    """Every other take is noisy: its answers are as sure as the others', and much worse."""
    clean = simulate(range(1, 11), seed=1, skill=3.0, role="oof", repetitions=(1,))
    noisy = simulate(range(1, 11), seed=2, skill=0.0, sharpness=2.0, role="oof", repetitions=(1,))
    worse = np.arange(len(clean)) % 2 == 1
    values = np.where(worse[:, None], probabilities_of(noisy), probabilities_of(clean))
    table = clean.copy()
    table[list(PROBABILITIES)] = values
    return table, {take: 5.0 if bad else 40.0 for take, bad in zip(table["take"], worse, strict=True)}


def test_quality_that_matters_wins(simulate: Simulate) -> None:
    table, quality = mixed(simulate)
    found = quality_experiment(table, quality, seed=0, draws=200)
    assert found.wins
    assert found.slope < -0.2
    assert found.gain.value == pytest.approx(found.loss_constant - found.loss_dependent)
    assert (found.n_takes, found.n_actors) == (160, 10)


def test_quality_that_says_nothing_does_not_win(simulate: Simulate) -> None:
    table, quality = mixed(simulate)
    shuffled = dict(zip(quality, np.random.default_rng(3).permutation(list(quality.values())), strict=True))
    found = quality_experiment(table, shuffled, seed=0, draws=200)
    assert not found.wins
    assert abs(found.slope) < 0.2


def test_test_rows_teach_nothing(simulate: Simulate) -> None:
    table, quality = mixed(simulate)
    tested = simulate([11, 12], seed=5, repetitions=(1,))
    more = {**quality, **dict.fromkeys(tested["take"], 100.0)}
    both = quality_experiment(pd.concat([table, tested]), more, seed=0, draws=200)
    assert both == quality_experiment(table, quality, seed=0, draws=200)


def test_nothing_to_learn_from_is_refused(simulate: Simulate) -> None:
    table, quality = mixed(simulate)
    with pytest.raises(InputError, match="two actors or more"):
        quality_experiment(table[table["actor"] == 1], quality, seed=0)
    with pytest.raises(InputError, match="quality of all clips is 7"):
        quality_experiment(table, dict.fromkeys(quality, 7.0), seed=0)
