from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ravdess_mm.bundles.bundle import CARD_NAME
from ravdess_mm.classifiers import training as run_module
from ravdess_mm.classifiers.adaptation import SpeakerScaler
from ravdess_mm.classifiers.boosting import BoostedTrees
from ravdess_mm.classifiers.estimators import Logistic, RandomForest
from ravdess_mm.classifiers.family import Kind
from ravdess_mm.classifiers.rows import check_features
from ravdess_mm.classifiers.trained import load_classifier
from ravdess_mm.classifiers.training import ClassifierRun, run_classifier
from ravdess_mm.config import Adaptation, DenseSettings, SearchSettings
from ravdess_mm.corpus.identifier import Identifier
from ravdess_mm.corpus.splits import Fold
from ravdess_mm.errors import InputError, LeakageError
from ravdess_mm.predictions import check_predictions, labels_of, probabilities_of, rows_for_test, rows_out_of_fold
from ravdess_mm.store import hash_file

SEARCHED = [kind for kind in Kind if kind is not Kind.NETWORK]
HOLDOUT = Fold(-1, (1, 2, 3, 4), (5, 6))
FOLDS = (Fold(0, (3, 4, 5, 6), (1, 2)), Fold(1, (1, 2, 5, 6), (3, 4)), Fold(3, (1, 2, 3, 4), (5, 6)))


def run(
    table: pd.DataFrame,
    folder: Path,
    folds: tuple[Fold, ...] = (HOLDOUT,),
    *,
    kind: Kind = Kind.LOGISTIC,
    draws: int = 2,
    seed: int = 0,
    jobs: int = 1,
) -> ClassifierRun:
    return run_classifier(
        kind,
        table,
        folds,
        search=SearchSettings(draws=draws),
        dense=DenseSettings(epochs=3, patience=2),
        seed=seed,
        jobs=jobs,
        folder=folder,
        feature_set="twelve",
    )


def files_of(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): hash_file(path) for path in sorted(folder.rglob("*.*"))}


@pytest.fixture(autouse=True)
def _few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RandomForest, "TREES", 30)
    monkeypatch.setattr(RandomForest, "SEARCH_TREES", 10)
    monkeypatch.setattr(BoostedTrees, "MAX_ROUNDS", 20)


@pytest.fixture(scope="module")
def table(make_features) -> pd.DataFrame:
    return make_features()


@pytest.mark.parametrize("kind", SEARCHED)
def test_holdout_predicts_test_actors_and_training_actors_out_of_fold(
    tmp_path: Path, table: pd.DataFrame, kind: Kind
) -> None:
    done = run(table, tmp_path, kind=kind, draws=4)
    check_predictions(done.predictions, source="run")
    test, oof = rows_for_test(done.predictions), rows_out_of_fold(done.predictions)
    assert sorted(test["take"]) == sorted(table["take"][table["actor"].isin(HOLDOUT.test)])
    assert sorted(oof["take"]) == sorted(table["take"][table["actor"].isin(HOLDOUT.train)])
    assert set(done.predictions["fold"]) == {-1}
    right = (probabilities_of(test).argmax(axis=1) == labels_of(test)).mean()
    assert right > 0.4  # chance is 0.125
    assert {"random", "grid"} <= set(done.search["stage"])

    loaded = load_classifier(tmp_path / "holdout")
    tested = table[table["actor"].isin(HOLDOUT.test)].sort_values("take")
    np.testing.assert_allclose(loaded.predict_proba(tested), probabilities_of(test), atol=1e-12)
    assert loaded.feature_set == "twelve"
    assert loaded.card["fold"] == {"number": -1, "train_actors": [1, 2, 3, 4], "test_actors": [5, 6]}


@pytest.mark.slow
def test_network_is_run_like_the_others(tmp_path: Path, table: pd.DataFrame) -> None:
    done = run(table, tmp_path, kind=Kind.NETWORK)
    assert done.search["stage"].tolist() == ["fixed"]
    assert len(done.predictions) == len(table)
    tested = table[table["actor"].isin(HOLDOUT.test)].sort_values("take")
    loaded = load_classifier(tmp_path / "holdout")
    np.testing.assert_allclose(
        loaded.predict_proba(tested), probabilities_of(rows_for_test(done.predictions)), atol=1e-6
    )


def test_every_fold_has_its_own_rows(tmp_path: Path, table: pd.DataFrame) -> None:
    done = run(table, tmp_path, FOLDS)
    test, oof = rows_for_test(done.predictions), rows_out_of_fold(done.predictions)
    for fold in FOLDS:
        assert set(test["actor"][test["fold"] == fold.number]) == set(fold.test)
        assert set(oof["actor"][oof["fold"] == fold.number]) == set(fold.train)
        assert (tmp_path / f"fold-{fold.number}" / CARD_NAME).is_file()
    assert set(done.search["fold"]) == {0, 1, 3}


def test_test_actors_change_nothing_but_their_own_rows(tmp_path: Path, table: pd.DataFrame) -> None:
    """What is learned must not depend on test actors: neither search, nor temperature, nor standardisation."""
    plain = run(table, tmp_path / "plain", kind=Kind.SVC)
    features = [name for name in table.columns if name.startswith("f")]
    spoiled = table.copy()
    spoiled.loc[spoiled["actor"].isin(HOLDOUT.test), features] = 100.0
    other = run(spoiled, tmp_path / "spoiled", kind=Kind.SVC)
    assert rows_out_of_fold(other.predictions).equals(rows_out_of_fold(plain.predictions))
    assert other.search.equals(plain.search)
    # the machine's arrays hold its standardisation too
    part = "holdout/machine.npz"
    assert hash_file(tmp_path / "spoiled" / part) == hash_file(tmp_path / "plain" / part)


@pytest.mark.parametrize("kind", SEARCHED)
def test_same_bytes_for_any_jobs_and_order_of_rows(tmp_path: Path, table: pd.DataFrame, kind: Kind) -> None:
    run(table, tmp_path / "one", kind=kind, jobs=1)
    run(table.sample(frac=1, random_state=3), tmp_path / "two", kind=kind, jobs=2)
    assert files_of(tmp_path / "two") == files_of(tmp_path / "one")


def test_finished_fold_is_not_redone(
    tmp_path: Path, table: pd.DataFrame, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run(table, tmp_path)
    monkeypatch.setattr(run_module, "_fit", None)  # a second training would fail
    with caplog.at_level(logging.INFO):
        again = run(table, tmp_path)
    assert "logistic, holdout: already trained" in caplog.text
    assert again.predictions.equals(first.predictions)
    assert again.search.equals(first.search)


@pytest.mark.parametrize("what", ["seed", "draws", "values", "predictions", "part"])
def test_fold_is_redone_when_something_it_depends_on_changed(tmp_path: Path, table: pd.DataFrame, what: str) -> None:
    run(table, tmp_path)
    before = (tmp_path / "holdout" / CARD_NAME).stat().st_mtime_ns
    if what == "values":
        table = table.assign(f00=table["f00"] * 1.01)
    if what == "predictions":
        (tmp_path / "holdout" / "predictions.parquet").write_bytes(b"")
    if what == "part":
        (tmp_path / "holdout" / "pipeline.skops").unlink()
    run(table, tmp_path, seed=1 if what == "seed" else 0, draws=3 if what == "draws" else 2)
    assert (tmp_path / "holdout" / CARD_NAME).stat().st_mtime_ns > before


def test_interrupted_run_goes_on_where_it_was(
    tmp_path: Path, table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(table, tmp_path / "whole", FOLDS)
    fit = run_module._fit
    trained = []

    def interrupted(recipe, train, fold, *, jobs):
        if fold.number == 1 and not trained.count(1):
            trained.append(1)
            raise KeyboardInterrupt
        trained.append(fold.number)
        return fit(recipe, train, fold, jobs=jobs)

    monkeypatch.setattr(run_module, "_fit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(table, tmp_path / "resumed", FOLDS)
    resumed = run(table, tmp_path / "resumed", FOLDS)
    assert trained == [0, 1, 1, 3]
    assert resumed.predictions.equals(whole.predictions)
    assert files_of(tmp_path / "resumed") == files_of(tmp_path / "whole")


@pytest.mark.slow
def test_killed_run_goes_on_where_it_was(tmp_path: Path, table: pd.DataFrame) -> None:
    table.to_parquet(tmp_path / "table.parquet")
    program = (
        "import sys, pathlib; sys.path.insert(0, sys.argv[1]); import test_training as t\n"
        "from ravdess_mm.store import read_table\n"
        "folder = pathlib.Path(sys.argv[2])\n"
        "t.run(read_table(folder.parent / 'table.parquet'), folder, t.FOLDS)\n"
    )
    killed = tmp_path / "killed"
    process = subprocess.Popen([sys.executable, "-c", program, str(Path(__file__).parent), str(killed)])
    deadline = time.monotonic() + 120
    while not (killed / "fold-0" / CARD_NAME).is_file():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (killed / "fold-3" / CARD_NAME).is_file()
    kept = (killed / "fold-0" / CARD_NAME).stat().st_mtime_ns
    resumed = run(table, killed, FOLDS)
    whole = run(table, tmp_path / "whole", FOLDS)
    assert (killed / "fold-0" / CARD_NAME).stat().st_mtime_ns == kept
    assert resumed.predictions.equals(whole.predictions)


def test_actor_on_both_sides_is_a_leak(tmp_path: Path, table: pd.DataFrame) -> None:
    leaky = Fold(-1, (1, 2, 3), (4, 5))
    object.__setattr__(leaky, "train", (1, 2, 3, 4))  # Fold itself refuses to be made like this
    with pytest.raises(LeakageError, match="actor 4"):
        run(table, tmp_path, (leaky,))
    assert not any(tmp_path.iterdir())


def test_one_emotion_is_refused(tmp_path: Path, make_features) -> None:
    with pytest.raises(InputError, match="logistic, holdout: the training actors show sad only"):
        run(make_features(emotions=("sad",)), tmp_path)


@pytest.mark.parametrize(("fold", "side"), [(Fold(-1, (1, 2), (9,)), "test"), (Fold(-1, (9,), (1,)), "train")])
def test_side_without_takes_is_refused(tmp_path: Path, table: pd.DataFrame, fold: Fold, side: str) -> None:
    with pytest.raises(InputError, match=f"no take of the actors to {side} on"):
        run(table, tmp_path, (fold,))


def test_no_folds_are_refused(tmp_path: Path, table: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="no fold to train on"):
        run(table, tmp_path, ())


@pytest.mark.parametrize("kind", SEARCHED)
def test_one_training_actor_trains_without_search(
    tmp_path: Path, table: pd.DataFrame, kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    done = run(table, tmp_path, (Fold(-1, (2,), (5, 6)),), kind=kind)
    assert set(done.predictions["role"]) == {"test"}
    assert done.search.empty
    assert "only one training actor (2)" in caplog.text
    assert load_classifier(tmp_path / "holdout").temperature == 1.0


def test_emotions_that_one_side_lacks(tmp_path: Path, table: pd.DataFrame) -> None:
    kept = table[~(table["actor"].isin(HOLDOUT.train) & table["emotion"].isin(["calm", "disgust"]))]
    done = run(kept, tmp_path)
    assert probabilities_of(done.predictions)[:, [1, 6]].max() < 1e-5
    assert len(rows_for_test(done.predictions)) == 2 * 8 * 2


@pytest.mark.real
def test_real_faces_are_told_apart(tmp_path: Path, real_data: Path) -> None:
    units = pd.read_csv(real_data / "ravdess" / "action_units.csv")
    takes = [Identifier.parse(clip).take for clip in units["clip_id"]]
    labels = {
        "take": [str(take) for take in takes],
        "actor": [take.actor for take in takes],
        "emotion": [take.emotion.label for take in takes],
    }
    numbers = units[[name for name in units.columns if name.startswith("AU")]]
    fold = Fold(-1, tuple(range(2, 17)), (1, 17, 18, 19, 20))
    done = run(pd.concat([pd.DataFrame(labels), numbers], axis=1), tmp_path, (fold,), draws=4, jobs=2)
    test = rows_for_test(done.predictions)
    assert len(test) == 300
    assert (probabilities_of(test).argmax(axis=1) == labels_of(test)).mean() > 0.5


def noisy_copies(table: pd.DataFrame, *, shift: float = 0.0) -> pd.DataFrame:
    features = [name for name in table.columns if name.startswith("f")]
    noise = np.random.default_rng(9).normal(scale=0.5, size=(len(table), len(features)))
    copies = table.copy()
    copies[features] += noise + shift
    return copies


def run_with_copies(
    table: pd.DataFrame, copies: list[pd.DataFrame], folder: Path, *, kind: Kind = Kind.LOGISTIC, adapt: str = "none"
) -> ClassifierRun:
    return run_classifier(
        kind,
        table,
        [HOLDOUT],
        search=SearchSettings(draws=2, refine=False),
        dense=DenseSettings(),
        seed=0,
        jobs=1,
        folder=folder,
        adapt=Adaptation(adapt),
        copies={-1: copies},
    )


def test_copies_are_learned_from_but_never_scored(
    tmp_path: Path, table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned, scored = [], []
    fit, log_scores = run_module.fit_pipeline, Logistic.log_scores
    monkeypatch.setattr(
        Logistic, "log_scores", lambda self, model, X: scored.append(len(X)) or log_scores(self, model, X)
    )
    monkeypatch.setattr(
        run_module,
        "fit_pipeline",
        lambda family, params, sample, **words: (
            learned.append(len(sample.learned())) or fit(family, params, sample, **words)
        ),
    )
    train = table[table["actor"].isin(HOLDOUT.train)]
    done = run_with_copies(table, [noisy_copies(train), noisy_copies(train, shift=1.0)], tmp_path)
    plain = run(table, tmp_path / "plain")
    assert learned == [3 * len(train), len(train)]
    assert done.predictions["take"].tolist() == plain.predictions["take"].tolist()
    assert not np.allclose(probabilities_of(done.predictions), probabilities_of(plain.predictions))
    # inner folds hold 16 to 32 of the 64 training takes; with copies they would hold three times as many
    assert max(scored) <= len(train) / 2
    assert load_classifier(tmp_path / "holdout").card["n_train_copies"] == 2 * len(train)


def test_a_copy_of_a_test_take_is_refused(tmp_path: Path, table: pd.DataFrame) -> None:
    with pytest.raises(LeakageError, match=r"05 has a changed copy, but it is not among the takes to train on"):
        run_with_copies(table, [noisy_copies(table[table["actor"].isin((1, 5))])], tmp_path)
    other = noisy_copies(table[table["actor"] == 1]).drop(columns="f00")
    with pytest.raises(InputError, match="changed copies have 11 features"):
        run_with_copies(table, [other], tmp_path)


def test_a_fold_with_other_copies_is_trained_anew(tmp_path: Path, table: pd.DataFrame) -> None:
    train = table[table["actor"].isin(HOLDOUT.train)]
    first = run_with_copies(table, [noisy_copies(train)], tmp_path)
    card = load_classifier(tmp_path / "holdout").card
    run_with_copies(table, [noisy_copies(train)], tmp_path)
    assert load_classifier(tmp_path / "holdout").card["key"] == card["key"]
    second = run_with_copies(table, [noisy_copies(train, shift=1.0)], tmp_path)
    assert load_classifier(tmp_path / "holdout").card["key"] != card["key"]
    assert not np.allclose(probabilities_of(first.predictions), probabilities_of(second.predictions))


def test_copies_of_one_kind_are_adapted_among_themselves(table: pd.DataFrame) -> None:
    rows = check_features(table)
    far = table.copy()
    far[list(rows.names)] += 50.0
    sample = rows.with_copies([table, far]).sample
    adapted = run_module.adapt_sample(sample, SpeakerScaler().fit(sample.X, sample.groups))
    assert adapted.copies is not None
    # copies that are the rows themselves come out as the rows, however far away the other kind is
    np.testing.assert_allclose(adapted.copies.X[adapted.copies.kinds == 0], adapted.X)
    assert not np.allclose(adapted.copies.X[adapted.copies.kinds == 1], adapted.X)
