from __future__ import annotations

import json
from collections.abc import Callable
from itertools import product

import numpy as np
import pandas as pd
import pytest

from ravdess_mm.errors import InputError
from ravdess_mm.evaluation.comparison import ALL_FLIPS, compare, sign_flip_p
from ravdess_mm.evaluation.run_comparison import compare_runs

Simulate = Callable[..., pd.DataFrame]


@pytest.fixture(scope="module")
def runs(simulate: Simulate) -> dict[str, dict[str, pd.DataFrame]]:
    return {
        "plain": {
            "fused": simulate(range(1, 13), seed=1, skill=1.0),
            "audio-svc": simulate(range(1, 13), seed=2, skill=1.5),
            "audio-old": simulate([1], seed=3),
        },
        "better": {
            "fused": simulate(range(3, 15), seed=4, skill=3.0),
            "audio-svc": simulate(range(1, 13), seed=5, skill=1.5),
            "audio-new": simulate([1], seed=6),
        },
    }


def test_models_of_one_name_are_compared_on_common_takes(runs: dict[str, dict[str, pd.DataFrame]]) -> None:
    found = compare_runs(runs, seed=0, draws=500)
    assert [(pair.run, pair.model) for pair in found.pairs] == [("better", "fused"), ("better", "audio-svc")]
    fused, svc = found.pairs
    assert (fused.n_takes_run, fused.n_takes_first, fused.comparison.n_takes) == (384, 384, 320)
    assert fused.comparison.n_actors == 10
    assert fused.comparison.difference.value > 0.2
    expected = compare(runs["better"]["fused"], runs["plain"]["fused"], seed=0, draws=500, names=("better", "plain"))
    assert fused.comparison.wilcoxon_p == expected.wilcoxon_p
    assert fused.comparison.holm_p == pytest.approx(2 * expected.wilcoxon_p)
    assert fused.comparison.permutation_p < 0.01 < 0.1 < svc.comparison.permutation_p
    assert found.alone == {"plain": ("audio-old",), "better": ("audio-new",)}
    assert found.chance["better"].accuracy > found.chance["plain"].accuracy
    assert json.loads(json.dumps(found.to_dict()))["pairs"][0]["model"] == "fused"


def test_what_cannot_be_compared_is_refused(runs: dict[str, dict[str, pd.DataFrame]], simulate: Simulate) -> None:
    with pytest.raises(InputError, match="two runs or more; got plain"):
        compare_runs({"plain": runs["plain"]}, seed=0)
    apart = {"a": {"fused": simulate([1, 2], seed=1)}, "b": {"fused": simulate([3, 4], seed=1)}}
    with pytest.raises(InputError, match="b and a have no test take in common"):
        compare_runs(apart, seed=0)
    other = {"a": {"fused": simulate([1], seed=1)}, "b": {"audio-svc": simulate([1], seed=1)}}
    with pytest.raises(InputError, match=r"b and a have no model in common \(audio-svc; fused\)"):
        compare_runs(other, seed=0)


def test_all_flips_of_few_actors_are_taken() -> None:
    differences = np.array([3.0, 1.0, -1.0, 4.0, 2.0, 2.0])
    sums = np.array([np.dot(signs, differences) for signs in product([-1, 1], repeat=6)])
    assert sign_flip_p(differences, draws=64, seed=0) == pytest.approx((np.abs(sums) >= differences.sum()).mean())
    assert sign_flip_p(np.ones(1), draws=64, seed=0) == 1


def test_flips_of_many_actors_are_drawn() -> None:
    differences = np.array([2.0, -1.0, 1.5, 0.5, -0.5, 1.0, 3.0, -2.0] * 2)
    exact = sign_flip_p(differences, draws=2**16, seed=0)
    assert 0.01 < exact < 0.5
    drawn = sign_flip_p(differences, draws=20_000, seed=1)
    assert drawn == pytest.approx(exact, abs=0.01)
    assert drawn == sign_flip_p(differences, draws=20_000, seed=1)
    assert sign_flip_p(np.ones(40), draws=99, seed=0) == pytest.approx(2 / (1 + ALL_FLIPS))
    assert sign_flip_p(np.zeros(5), draws=99, seed=0) == 1
