from __future__ import annotations

import numpy as np
import pytest

from ravdess_mm.errors import InputError
from ravdess_mm.evaluation.intervals import (
    actor_draws,
    check_draws,
    few_actors_note,
    mean_estimate,
    percentile_estimate,
)


def test_every_draw_has_as_many_actors() -> None:
    drawn = actor_draws(7, draws=50, seed=1)
    assert drawn.shape == (50, 7)
    assert (drawn.sum(axis=1) == 7).all()
    np.testing.assert_array_equal(drawn, actor_draws(7, draws=50, seed=1))
    assert (drawn != actor_draws(7, draws=50, seed=2)).any()


def test_interval_is_the_one_of_a_plain_loop_over_resampled_actors() -> None:
    sums, counts = np.array([3.0, 9.0, 5.0]), np.array([10, 10, 20])
    found = mean_estimate(sums, counts, draws=4000, seed=0, level=0.9)
    generator = np.random.default_rng(5)
    loop = []
    for _ in range(4000):
        chosen = generator.integers(3, size=3)
        loop.append(sums[chosen].sum() / counts[chosen].sum())
    assert found.value == pytest.approx(17 / 40)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(loop, [0.05, 0.95])), abs=0.02)


def test_one_actor_has_no_interval() -> None:
    found = mean_estimate(np.array([3.0]), np.array([4]), draws=10, seed=0, level=0.95)
    assert found.to_dict() == {"value": 0.75, "low": None, "high": None}


def test_level_sets_the_tails() -> None:
    found = percentile_estimate(0.5, np.linspace(0, 1, 1001), level=0.8)
    assert (found.low, found.high) == pytest.approx((0.1, 0.9))


def _coverage(n_actors: int, *, trials: int = 300) -> float:
    """How often the 95 % interval holds the true accuracy, 0.6, of actors who differ from one another."""
    generator = np.random.default_rng(n_actors)
    held = 0
    for trial in range(trials):
        skill = generator.beta(6, 4, size=n_actors)
        right = generator.binomial(60, skill).astype(float)
        found = mean_estimate(right, np.full(n_actors, 60), draws=500, seed=trial, level=0.95)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 0.6 <= found.high
    return held / trials


def test_interval_holds_the_truth_as_often_as_it_says_with_24_actors() -> None:
    assert 0.90 <= _coverage(24) <= 0.98


def test_interval_from_four_actors_is_too_narrow_and_says_so() -> None:
    assert 0.70 <= _coverage(4) <= 0.90
    assert few_actors_note(4) == "intervals rest on 4 actors only and are likely too narrow"
    assert few_actors_note(24) is None


def test_an_interval_over_takes_would_be_far_too_narrow() -> None:
    # the reason for resampling actors: the same takes, each taken for an actor of its own
    generator = np.random.default_rng(0)
    right = (generator.random((24, 60)) < generator.beta(6, 4, size=(24, 1))).astype(float)
    by_actor = mean_estimate(right.sum(axis=1), np.full(24, 60), draws=500, seed=0, level=0.95)
    by_take = mean_estimate(right.ravel(), np.ones(24 * 60, dtype=np.int64), draws=500, seed=0, level=0.95)
    assert (by_actor.high - by_actor.low) > 2 * (by_take.high - by_take.low)  # type: ignore[operator]


def test_fewer_than_one_draw_is_refused() -> None:
    with pytest.raises(InputError, match="draws is 0"):
        check_draws(0)
