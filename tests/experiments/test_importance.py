"""Permutation importance by family: the informative family is found, by models that have not seen the actors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ravdess_mm.classifiers.trained import load_classifier
from ravdess_mm.classifiers.training import run_classifier
from ravdess_mm.config import Adaptation, DenseSettings, SearchSettings
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.corpus.splits import Fold
from ravdess_mm.errors import InputError, LeakageError
from ravdess_mm.experiments.importance import _exchange, column_families, family_drops, importance_table

FOLDS = (Fold(0, (3, 4, 5, 6), (1, 2)), Fold(1, (1, 2, 5, 6), (3, 4)))


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Only the family `told` knows the emotion; each actor has an offset of their own in both."""
    random = np.random.default_rng(3)
    centres = 2 * random.normal(size=(len(EMOTIONS), 4))
    rows = []
    for actor in range(1, 7):
        for place, emotion in enumerate(EMOTIONS):
            for repetition in (1, 2):
                take = f"01-{place + 1:02d}-01-01-{repetition:02d}-{actor:02d}"
                told = centres[place] + 0.5 * random.normal(size=4) + actor
                rows.append((take, actor, emotion, *told, *(random.normal(size=4) + actor)))
    names = [f"{family}_{number}" for family in ("told", "idle") for number in range(4)]
    return pd.DataFrame(rows, columns=["take", "actor", "emotion", *names])


@pytest.fixture(scope="module", params=[Adaptation.NONE, Adaptation.SPEAKER])
def folder(request: pytest.FixtureRequest, table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    run_classifier(
        "logistic",
        table,
        FOLDS,
        search=SearchSettings(draws=2, refine=False),
        dense=DenseSettings(),
        seed=0,
        jobs=1,
        folder=folder,
        adapt=request.param,
    )
    return folder


def test_families_are_what_stands_before_the_first_underscore() -> None:
    names = ("mfcc_01_mean", "mfcc_02_max", "delta2_01_mean", "rms_mean")
    assert column_families(names) == {"mfcc": names[:2], "delta2": names[2:3], "rms": names[3:]}


def test_the_one_informative_family_is_found(folder: Path, table: pd.DataFrame) -> None:
    found = importance_table("audio-logistic", folder, table, FOLDS, seed=1, draws=200, jobs=1)
    assert found["family"].tolist() == ["told", "idle"]
    told, idle = found.to_dict("records")
    assert told["accuracy"] > 0.8
    assert told["drop"] > 0.5
    assert told["drop_low"] > 0.4
    assert abs(idle["drop"]) < 0.1
    assert (told["n_columns"], told["n_takes"], told["n_actors"]) == (4, 64, 4)
    again = importance_table("audio-logistic", folder, table.iloc[::-1], FOLDS[::-1], seed=1, draws=200, jobs=2)
    pd.testing.assert_frame_equal(found, again)


def test_without_exchange_nothing_is_lost(folder: Path, table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """An adapted model meets each speaker as in the run: same clips, same number of them, however many exchanges."""
    monkeypatch.setattr("ravdess_mm.experiments.importance._exchange", lambda actors, **_: np.arange(len(actors)))
    tested = table[table["actor"].isin(FOLDS[0].test)]
    drops = family_drops(load_classifier(folder / "fold-0"), tested, seed=1, repeats=3)
    for share in drops.exchanged.values():
        np.testing.assert_array_equal(share, drops.right)


def test_takes_are_exchanged_within_an_actor_and_alike_for_every_model() -> None:
    actors = np.repeat([4, 9], 30)
    order = _exchange(actors, seed=1, family="pitch", repeat=0)
    np.testing.assert_array_equal(actors[order], actors)
    assert sorted(order) == list(range(60))
    assert (order != np.arange(60)).mean() > 0.8
    np.testing.assert_array_equal(order, _exchange(actors, seed=1, family="pitch", repeat=0))
    assert (order != _exchange(actors, seed=1, family="pitch", repeat=1)).any()
    assert (order != _exchange(actors, seed=1, family="level", repeat=0)).any()


def test_actors_that_were_trained_on_are_refused(folder: Path, table: pd.DataFrame) -> None:
    with pytest.raises(LeakageError):
        family_drops(load_classifier(folder / "fold-0"), table[table["actor"] == 3], seed=1)
    with pytest.raises(InputError, match="no test take has features"):
        importance_table("audio-svc", folder, table[table["actor"] > 4], FOLDS, seed=1, draws=200)
