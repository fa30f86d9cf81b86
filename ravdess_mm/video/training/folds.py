"""One network a fold: trained, or loaded where it is finished, and its out-of-sample predictions.

Within the training side of a fold, some actors are set apart as *validation actors*. They are never trained on; they
say when to stop, which epoch was best, when to lower the learning rate, and the temperature of the answers. Their
takes are the ``oof`` rows of the predictions. Test actors are seen by a finished network only.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ravdess_mm.config import CnnSettings, Net
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.corpus.splits import Fold, format_actors, restrict_folds
from ravdess_mm.errors import InputError
from ravdess_mm.predictions import SCHEMA, sort_predictions
from ravdess_mm.store import read_table
from ravdess_mm.video.frame_store.store import FrameStore
from ravdess_mm.video.inference import FRAME_PREDICTIONS_SCHEMA
from ravdess_mm.video.training.fold_split import FoldSplit, split_fold
from ravdess_mm.video.training.fold_trainer import EPOCHS_UNWATCHED, FoldTrainer

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class NetworkRun:
    """Predictions of the networks of all folds.

    Attributes
    ----------
    predictions : pandas.DataFrame
        The prediction table: ``test`` rows for test actors, ``oof`` rows for validation actors.
    frame_predictions : pandas.DataFrame
        The same by frame, with the two most probable labels; schema `FRAME_PREDICTIONS_SCHEMA`.
    messages : list of str
        What a reader of the results should know.
    """

    predictions: pd.DataFrame
    frame_predictions: pd.DataFrame
    messages: list[str]


def run_network(
    store: FrameStore,
    folds: Iterable[Fold],
    *,
    net: Net = Net.SEED,
    settings: CnnSettings,
    seed: int,
    folder: str | Path,
    start_from: Path | None = None,
) -> NetworkRun:
    """Train a network on every fold and predict the takes it was not trained on.

    Folds that are finished are read, a fold that was interrupted goes on after its last whole epoch; either way the
    result is the one of an uninterrupted run on this machine.

    Parameters
    ----------
    store : FrameStore
        The frames.
    folds : iterable of Fold
        How actors are split; actors without frames are dropped.
    net : Net
        Which network.
    settings : CnnSettings
        How it is trained.
    seed : int
        Seed of weights, order, augmentation, dropout and the choice of validation actors.
    folder : str or Path
        Gets a folder a fold (``holdout``, ``fold-0``, ...): a bundle, ``history.parquet`` (the learning curves),
        ``predictions.parquet`` and ``frames.parquet``.
    start_from : Path, optional
        Bundle of a trained face network to start from, instead of `net` with random weights; see `fine_tuning`.

    Raises
    ------
    InputError
        If the store is empty, or has nobody to train on or to test.
    LeakageError
        If an actor is on two sides.
    """
    folder = Path(folder)
    if store.n_frames == 0:
        raise InputError("the frame store holds no frames; nothing to train the video network on")
    takes, frames, messages = [], [], []
    for fold in restrict_folds(folds, store.index["actor"]):
        sides = split_fold(store.index, fold, share=settings.validation_share, seed=seed)
        messages += _remarks(fold, sides, settings)
        job = FoldTrainer(store, fold, sides, net, settings, seed, folder / fold.name, start_from)
        if not job.is_finished():
            job.run()
        takes.append(read_table(job.predictions_path, schema=SCHEMA))
        frames.append(read_table(job.frames_path, schema=FRAME_PREDICTIONS_SCHEMA))
    for message in messages:
        logger.warning("%s", message)
    return NetworkRun(
        sort_predictions(pd.concat(takes, ignore_index=True)), pd.concat(frames, ignore_index=True), messages
    )


def _remarks(fold: Fold, sides: FoldSplit, settings: CnnSettings) -> list[str]:
    remarks = []
    if not sides.validation.actors:
        remarks.append(
            f"{fold.name}: video shows one training actor ({format_actors(sides.train.actors)}), so there is no "
            f"validation actor: {min(settings.epochs, EPOCHS_UNWATCHED)} epochs without early stopping, answers not "
            "calibrated"
        )
    unseen = [EMOTIONS[label] for label in sorted(set(sides.test.labels) - set(sides.train.labels))]
    if unseen:
        remarks.append(f"{fold.name}: nobody trained on shows {', '.join(unseen)} on video; such takes are missed")
    return remarks
