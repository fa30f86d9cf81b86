from __future__ import annotations

import json
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.errors import InputError
from ravdess_mm.evaluation import HUMAN_ACCURACY, evaluate, evaluate_many
from ravdess_mm.predictions import prediction_table

Simulate = Callable[..., pd.DataFrame]


def _certain(answers: dict[str, str], *, fold: int = -1, role: str = "test") -> pd.DataFrame:
    probabilities = [np.eye(8)[EMOTIONS.index(answer)] for answer in answers.values()]
    return prediction_table(list(answers), probabilities, fold=fold, role=role)


def test_figures_by_hand() -> None:
    table = _certain(
        {
            "01-01-01-01-01-01": "neutral",
            "01-01-01-02-01-01": "calm",
            "01-02-01-01-01-01": "calm",
            "01-02-01-01-01-02": "calm",
            "01-02-01-02-01-02": "calm",
        }
    )
    found = evaluate(table, seed=0)
    assert (found.n_takes, found.actors, found.n_actors, found.folds) == (5, (1, 2), 2, (-1,))
    assert found.accuracy.value == pytest.approx(4 / 5)
    assert found.uar.value == pytest.approx((1 / 2 + 1) / 2)
    assert found.macro_f1.value == pytest.approx((2 / 3 + 6 / 7) / 2)
    assert found.recall == {"neutral": 0.5, "calm": 1.0}
    assert found.confusion[0][:2] == (1, 1)
    assert found.confusion[1][:2] == (0, 3)
    assert sum(map(sum, found.confusion)) == 5
    assert found.actor_accuracy == pytest.approx({1: 2 / 3, 2: 1.0})
    assert found.brier == pytest.approx(2 / 5)
    assert found.ece == pytest.approx(1 / 5)
    # draws of two actors: (1, 1), (1, 2) twice as often, (2, 2)
    assert (found.accuracy.low, found.accuracy.high) == pytest.approx((2 / 3, 1.0))
    assert found.absent == EMOTIONS[2:]
    assert "no takes of happy, sad" in found.notes[0]
    assert "2 actors only" in found.notes[1]


def test_only_test_rows_count(simulate: Simulate) -> None:
    test, oof = simulate([1, 2, 3], seed=1), simulate([4, 5, 6, 7], seed=2, role="oof", skill=9)
    both = pd.concat([oof, test])
    assert evaluate(both, seed=0) == evaluate(test, seed=0)
    with pytest.raises(InputError, match="mine: has no rows of role 'test'"):
        evaluate(oof, seed=0, source="mine")


def test_folds_are_pooled_and_a_take_is_scored_once(simulate: Simulate) -> None:
    table = simulate(range(1, 7), seed=1, fold={actor: actor % 3 for actor in range(1, 7)})
    assert evaluate(table, seed=0).folds == (0, 1, 2)
    twice = pd.concat([table, table.iloc[[0]].assign(fold=9)])
    with pytest.raises(InputError, match=r"take \S+ has role 'test' in folds \d, 9; a take is scored once"):
        evaluate(twice, seed=0)


def test_unsound_table_is_refused_by_name(simulate: Simulate) -> None:
    with pytest.raises(InputError, match="weird: no column p_calm"):
        evaluate_many({"weird": simulate([1], seed=0).drop(columns="p_calm")}, seed=0)


def test_one_actor_has_figures_without_interval(simulate: Simulate) -> None:
    found = evaluate(simulate([5], seed=0), seed=0)
    assert (found.accuracy.low, found.accuracy.high, found.uar.low) == (None, None, None)
    assert found.notes == ("one actor: an interval over actors is undefined",)


@settings(max_examples=15, deadline=None)
@given(order=st.randoms(use_true_random=False), seed=st.integers(0, 2**32 - 1))
def test_order_of_rows_changes_nothing(simulate: Simulate, order: object, seed: int) -> None:
    table = simulate([2, 3, 9], seed=4, repetitions=(1,))
    places = list(range(len(table)))
    order.shuffle(places)  # type: ignore[attr-defined]
    assert evaluate(table.iloc[places], seed=seed, draws=50) == evaluate(table, seed=seed, draws=50)


@settings(max_examples=15, deadline=None)
@given(shift=st.integers(1, 7))
def test_renaming_the_emotions_moves_only_names(simulate: Simulate, shift: int) -> None:
    """Turning takes and columns alike by `shift` leaves UAR, accuracy and scores as they are."""
    table = simulate([1, 2, 3], seed=8, repetitions=(1,))
    columns = [f"p_{emotion}" for emotion in EMOTIONS]
    turned = [f"{take[:3]}{(int(take[3:5]) - 1 + shift) % 8 + 1:02d}{take[5:]}" for take in table["take"]]
    moved = prediction_table(turned, np.roll(table[columns].to_numpy(), shift, axis=1), fold=-1, role="test")
    before, after = evaluate(table, seed=0, draws=200), evaluate(moved, seed=0, draws=200)
    assert after.uar.to_dict() == pytest.approx(before.uar.to_dict())
    assert after.macro_f1.value == pytest.approx(before.macro_f1.value)
    assert after.log_loss == pytest.approx(before.log_loss)
    assert after.recall[EMOTIONS[shift]] == before.recall[EMOTIONS[0]]


def test_intervals_hold_their_figure_and_follow_the_seed(simulate: Simulate) -> None:
    table = simulate(range(1, 13), seed=2)
    first, again, other = (evaluate(table, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.accuracy != other.accuracy
    for estimate in (first.accuracy, first.uar, first.macro_f1):
        assert estimate.low < estimate.value < estimate.high  # type: ignore[operator]


def test_two_thousand_draws_are_quick(simulate: Simulate) -> None:
    table = simulate(range(1, 25), seed=2)
    started = time.perf_counter()
    evaluate(table, seed=1, draws=2000)
    assert time.perf_counter() - started < 2


def test_layout_of_metrics_json(simulate: Simulate) -> None:
    tables = {"video-cnn": simulate([1, 2], seed=0), "audio-svc": simulate([1, 2], seed=1)}
    found = json.loads(json.dumps(evaluate_many(tables, seed=3, draws=100)))
    assert set(found) == {"schema", "emotions", "level", "draws", "seed", "models", "human"}
    assert (found["schema"], found["seed"], found["draws"], found["level"]) == ("metrics/1", 3, 100, 0.95)
    assert found["emotions"] == list(EMOTIONS)
    assert list(found["models"]) == ["video-cnn", "audio-svc"]
    model = found["models"]["audio-svc"]
    assert set(model["accuracy"]) == {"value", "low", "high"}
    assert model["n_actors"] == 2
    assert set(model["actor_accuracy"]) == {"1", "2"}
    assert np.array(model["confusion"]).shape == (8, 8)
    assert found["human"]["accuracy"] == HUMAN_ACCURACY == {"audio": 0.62, "video": 0.75, "audio-video": 0.80}
