from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ravdess_mm.bundles.keras_backend import keras
from ravdess_mm.config import CnnSettings
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.corpus.splits import Fold
from ravdess_mm.errors import BundleError, InputError
from ravdess_mm.predictions import PROBABILITIES, check_predictions
from ravdess_mm.store import read_table
from ravdess_mm.video.frame_store.store import FrameStore
from ravdess_mm.video.inference import load_network, predict_frames
from ravdess_mm.video.training import fold_trainer as fold_training
from ravdess_mm.video.training.callbacks import EpochStart
from ravdess_mm.video.training.fold_trainer import HISTORY_SCHEMA
from ravdess_mm.video.training.folds import NetworkRun, run_network

pytestmark = pytest.mark.slow

HOLDOUT = Fold(-1, (1, 2, 3, 4), (5,))
SETTINGS = CnnSettings(epochs=5, steps_per_epoch=3, batch_size=9, validation_share=0.25, patience=3)


@pytest.fixture(scope="module")
def trained(tiny_store: FrameStore, tmp_path_factory: pytest.TempPathFactory) -> tuple[NetworkRun, Path]:
    folder = tmp_path_factory.mktemp("models")
    return run_network(tiny_store, [HOLDOUT], settings=SETTINGS, seed=7, folder=folder), folder / "holdout"


def test_predictions_cover_those_not_trained_on(trained: tuple[NetworkRun, Path], tiny_store: FrameStore) -> None:
    run, folder = trained
    table = check_predictions(run.predictions, source="test")
    card = load_network(folder).card
    assert set(table["fold"]) == {-1}
    assert set(table.loc[table["role"] == "test", "actor"]) == {5}
    assert set(table.loc[table["role"] == "oof", "actor"]) == set(card["validation_actors"])
    assert len(card["validation_actors"]) == 1
    assert sorted([*card["validation_actors"], *card["trained_on"]]) == [1, 2, 3, 4]
    assert len(table) == 12
    assert any("nobody trained on" in message for message in run.messages) is False


def test_a_take_is_the_mean_of_its_frames(trained: tuple[NetworkRun, Path]) -> None:
    run, _ = trained
    names = list(PROBABILITIES)
    means = run.frame_predictions.groupby(["role", "take"])[names].mean().sort_index()
    table = run.predictions.set_index(["role", "take"])[names].sort_index()
    np.testing.assert_allclose(means, table, atol=1e-12)
    first = run.frame_predictions.iloc[0]
    ranked = sorted(EMOTIONS, key=lambda emotion: -first[f"p_{emotion}"])
    assert [first["top1"], first["top2"]] == ranked[:2]
    assert run.frame_predictions["frame_number"].tolist()[:3] == [0, 1, 2]


def test_it_learns_what_is_plain_to_see(trained: tuple[NetworkRun, Path]) -> None:
    _, folder = trained
    history = read_table(folder / "history.parquet", schema=HISTORY_SCHEMA)
    assert history["epoch"].tolist() == list(range(len(history)))
    assert history["loss"].iloc[-1] < 0.7 * history["loss"].iloc[0]
    assert history[["val_loss", "val_accuracy", "learning_rate"]].notna().all(axis=None)


def test_saved_network_gives_the_same_answers(trained: tuple[NetworkRun, Path], tiny_store: FrameStore) -> None:
    run, folder = trained
    network = load_network(folder)
    rows = np.flatnonzero(tiny_store.index["actor"] == 5)
    expected = run.frame_predictions.loc[run.frame_predictions["role"] == "test", list(PROBABILITIES)]
    np.testing.assert_allclose(network.predict_frames(tiny_store.read(rows)), expected, atol=1e-5)
    assert network.card["frame_step"] == 1
    assert network.temperature != 1
    assert predict_frames(network.model, tiny_store.read([])).shape == (0, 8)
    with pytest.raises(InputError, match=r"frames are uint8 \(2, 64, 64\); expected uint8 \(n, 256, 256\)"):
        predict_frames(network.model, np.zeros((2, 64, 64), np.uint8))
    with pytest.raises(InputError, match="frames are float64"):
        predict_frames(network.model, np.zeros((2, 256, 256)))


def test_finished_fold_is_read_and_a_changed_setting_trains_again(
    trained: tuple[NetworkRun, Path], tiny_store: FrameStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, folder = trained
    shutil.copytree(folder, tmp_path / "holdout")

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("trained")

    monkeypatch.setattr(keras.Model, "fit", refuse)
    again = run_network(tiny_store, [HOLDOUT], settings=SETTINGS, seed=7, folder=tmp_path)
    pd.testing.assert_frame_equal(again.predictions, run.predictions)
    pd.testing.assert_frame_equal(again.frame_predictions, run.frame_predictions)
    with pytest.raises(AssertionError, match="trained"):
        run_network(tiny_store, [HOLDOUT], settings=SETTINGS, seed=8, folder=tmp_path)
    (tmp_path / "holdout" / "frames.parquet").write_bytes(b"PAR1")
    with pytest.raises(AssertionError, match="trained"):
        run_network(tiny_store, [HOLDOUT], settings=SETTINGS, seed=7, folder=tmp_path)


def test_killed_training_goes_on_as_if_nothing_had_happened(
    trained: tuple[NetworkRun, Path], tiny_store: FrameStore, tmp_path: Path
) -> None:
    run, folder = trained
    script = f"""
import os, signal
from ravdess_mm.config import CnnSettings
from ravdess_mm.corpus.splits import Fold
from ravdess_mm.video.training import callbacks; from ravdess_mm.video.training import folds as training
from ravdess_mm.video.training import folds as training
from ravdess_mm.video.training.callbacks import EpochStart
from ravdess_mm.video.frame_store.store import FrameStore

def kill_in_third_epoch(self, batch, logs=None):
    if self._bar.n == 2 and batch == 1:
        os.kill(os.getpid(), signal.SIGKILL)

callbacks.EpochStart.on_train_batch_end = kill_in_third_epoch
training.run_network(
    FrameStore.open({str(tiny_store.frames_path.parent)!r}),
    [Fold(-1, {HOLDOUT.train}, {HOLDOUT.test})],
    settings=CnnSettings(**{SETTINGS.model_dump()}),
    seed=7,
    folder={str(tmp_path)!r},
)
"""
    done = subprocess.run([sys.executable, "-c", script], stderr=subprocess.DEVNULL, check=False)
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "holdout" / "bundle.json").exists()
    assert len(list((tmp_path / "holdout" / "training").glob("state-*.npz"))) == 1
    begun: list[int] = []
    fit = keras.Model.fit

    def watched_fit(self: object, *args: object, **options: int) -> object:
        begun.append(options["initial_epoch"])
        return fit(self, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.Model, "fit", watched_fit)
        again = run_network(tiny_store, [HOLDOUT], settings=SETTINGS, seed=7, folder=tmp_path)
    assert begun == [2]
    pd.testing.assert_frame_equal(again.predictions, run.predictions, check_exact=True)
    names = sorted(path.name for path in folder.iterdir())
    assert names == sorted(path.name for path in (tmp_path / "holdout").iterdir())
    for name in names:
        assert (folder / name).read_bytes() == (tmp_path / "holdout" / name).read_bytes(), name


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def refuse_epoch(self: EpochStart, epoch: int, logs: object = None) -> None:
    raise AssertionError(f"epoch {epoch} is trained again")


def test_one_training_actor_trains_unwatched_and_says_so(tiny_store: FrameStore, tmp_path: Path) -> None:
    options = {"settings": SETTINGS.model_copy(update={"epochs": 2}), "seed": 7, "folder": tmp_path}
    with pytest.MonkeyPatch.context() as patch:  # stopped after the last epoch: what was learnt is not lost
        patch.setattr(fold_training, "predict_rows", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run_network(tiny_store, [Fold(3, (1,), (5, 9))], **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EpochStart, "on_epoch_begin", refuse_epoch)
        run = run_network(tiny_store, [Fold(3, (1,), (5, 9))], **options)
    assert any("one training actor (1), so there is no validation actor" in message for message in run.messages)
    assert set(run.predictions["role"]) == {"test"}
    assert set(run.predictions["fold"]) == {3}
    network = load_network(tmp_path / "fold-3")
    assert network.temperature == 1
    history = read_table(tmp_path / "fold-3" / "history.parquet")
    assert len(history) == 2
    assert history["val_loss"].isna().all()


def test_no_frames_and_no_bundle_are_refused(tiny_store: FrameStore, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nobody to test on"):
        run_network(tiny_store, [Fold(-1, (1,), (9,))], settings=SETTINGS, seed=7, folder=tmp_path)
    with pytest.raises(BundleError, match="not a model bundle"):
        load_network(tmp_path)
