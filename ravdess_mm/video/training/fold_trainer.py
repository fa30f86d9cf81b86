"""Training, resuming and prediction of the network of one fold; see `folds` for the split."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from ravdess_mm.bundles.bundle import CARD_NAME, network_part, read_bundle, write_bundle
from ravdess_mm.bundles.keras_backend import jit_compile, keras, make_deterministic
from ravdess_mm.calibration import SMALLEST, fit_temperature, mean_by_take, soften
from ravdess_mm.config import CnnSettings, Net
from ravdess_mm.corpus.splits import Fold
from ravdess_mm.errors import BundleError
from ravdess_mm.import_graph import source_fingerprint
from ravdess_mm.predictions import SCHEMA, prediction_table
from ravdess_mm.store import fingerprint, hash_file, write_table
from ravdess_mm.versions import library_versions
from ravdess_mm.video.frame_store.store import FrameStore
from ravdess_mm.video.inference import FRAME_PREDICTIONS_SCHEMA, KIND, NETWORK_PART, frame_table, predict_rows
from ravdess_mm.video.networks import build_network
from ravdess_mm.video.training.batches import Batch, TrainingStream
from ravdess_mm.video.training.callbacks import HISTORY_COLUMNS, Backup, EpochStart, TrainingState, watching_callbacks
from ravdess_mm.video.training.fine_tuning import fine_tuned_network
from ravdess_mm.video.training.fold_split import FoldSide, FoldSplit

HISTORY_SCHEMA: Final = "history/1"
EPOCHS_UNWATCHED: Final = 20
"""Most epochs of a training that no validation actor watches."""
WATCHED_FRAMES: Final = 400
"""Most frames of the validation actors, evenly spread, that are scored after each epoch."""
WATCHED_BATCH: Final = 64
LOWEST_RATE: Final = 1e-5
"""Where plateaus lower the learning rate no further."""


@dataclass
class FoldTrainer:
    """The training of one fold, and its files.

    Attributes
    ----------
    store : FrameStore
        The frames.
    fold : Fold
        Whose network it is.
    sides : FoldSplit
        Train, validation and test actors and their frames.
    net, settings, seed, start_from
        As for :func:`ravdess_mm.video.training.folds.run_network`.
    folder : Path
        Gets the files.
    """

    store: FrameStore
    fold: Fold
    sides: FoldSplit
    net: Net
    settings: CnnSettings
    seed: int
    folder: Path
    start_from: Path | None

    def __post_init__(self) -> None:
        self._working_dir = self.folder / "training"
        self._history_path = self.folder / "history.parquet"
        self.predictions_path = self.folder / "predictions.parquet"
        self.frames_path = self.folder / "frames.parquet"
        self._fingerprint = fingerprint(
            self.store.fingerprint,
            (self.fold.number, self.fold.train, self.fold.test),
            self.net,
            self.settings.model_dump(),
            self.seed,
            None if self.start_from is None else hash_file(self.start_from / CARD_NAME),
            library_versions(("keras", "tensorflow", "numpy", "opencv-python-headless")),
            source_fingerprint(__name__),
        )

    def is_finished(self) -> bool:
        """Return whether an earlier run of the very same job left all of its results."""
        try:
            card = read_bundle(self.folder).card
        except BundleError:
            return False
        return card.get("fingerprint") == self._fingerprint and card.get("tables") == self._hashes_of_tables()

    def _hashes_of_tables(self) -> dict[str, str]:
        tables = (self._history_path, self.predictions_path, self.frames_path)
        return {path.name: hash_file(path) for path in tables if path.is_file()}

    def run(self) -> None:
        """Train, predict and write; the bundle last, since it says that all is done."""
        keras.backend.clear_session()
        make_deterministic(self.seed)
        state_path = self._working_dir / f"state-{self._fingerprint[:16]}.npz"
        best_path = self._working_dir / f"best-{self._fingerprint[:16]}.weights.h5"
        model = build_network(self.net) if self.start_from is None else fine_tuned_network(self.start_from)
        state = self._fit(model, state_path, best_path)
        if best_path.is_file():
            model.load_weights(best_path)
        temperature = self._predict(model)
        history = pd.DataFrame(state.history, columns=list(HISTORY_COLUMNS)).astype({"epoch": "int64"})
        write_table(self._history_path, history, schema=HISTORY_SCHEMA)
        card = {
            "net": model.name,
            "trained_on": self.sides.train.actors,
            "validation_actors": self.sides.validation.actors,
            "test_actors": self.sides.test.actors,
            "fold": self.fold.number,
            "epochs": state.epochs,
            "temperature": temperature,
            "frame_step": self.store.frame_step,
            "frame_shape": model.input_shape[1:],
            "crop": self.store.crop,
            "detector": self.store.detector,
            "seed": self.seed,
            "settings": self.settings.model_dump(),
            "fingerprint": self._fingerprint,
            "tables": self._hashes_of_tables(),
        }
        write_bundle(self.folder, kind=KIND, card=card, files={NETWORK_PART: network_part(model)})
        shutil.rmtree(self._working_dir)

    def _fit(self, model: Any, state_path: Path, best_path: Path) -> TrainingState:
        settings, train, validation = self.settings, self.sides.train, self.sides.validation
        state_path.parent.mkdir(parents=True, exist_ok=True)
        state = TrainingState.read(state_path)
        watched = len(validation.rows) > 0
        epochs = settings.epochs if watched else min(settings.epochs, EPOCHS_UNWATCHED)
        if state.is_over:  # killed between the last epoch and the predictions
            epochs = state.epochs
        model.compile(
            optimizer=keras.optimizers.Adam(settings.learning_rate),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
            jit_compile=jit_compile(),
        )
        stream = TrainingStream(
            self.store,
            train.rows,
            train.labels,
            batch_size=settings.batch_size,
            steps_per_epoch=settings.steps_per_epoch,
            seed=self.seed,
            augmented=settings.augment,
        )
        watching = watching_callbacks(best_path, patience=settings.patience, min_rate=LOWEST_RATE) if watched else []
        backup = Backup(state_path, state, watching)
        start = EpochStart(stream, description=f"video network, {self.fold.name}", epochs=epochs)
        model.fit(
            stream,
            epochs=epochs,
            initial_epoch=state.epochs,
            validation_data=self._watched_frames() if watched else None,
            validation_batch_size=WATCHED_BATCH,
            callbacks=[start, *watching, backup],
            verbose=0,
            shuffle=False,
        )
        return backup.state

    def _watched_frames(self) -> Batch:
        validation = self.sides.validation
        count = min(WATCHED_FRAMES, len(validation.rows))
        indices = np.linspace(0, len(validation.rows) - 1, count).round().astype(np.int64)
        return self.store.read(validation.rows[indices])[..., None], validation.labels[indices]

    def _predict(self, model: Any) -> float:
        """Write the predictions of everybody who was not trained on; return the temperature."""
        index = self.store.index
        validation, test = self.sides.validation, self.sides.test
        raw = {
            role: predict_rows(model, self.store, part.rows, ten_crop=self.settings.ten_crop)
            for role, part in _roles(validation, test)
        }
        temperature = 1.0
        if len(validation.rows):
            takes = index["take"].iloc[validation.rows].to_numpy(dtype=np.str_)
            logits = np.log(np.maximum(raw["oof"], SMALLEST))
            temperature = fit_temperature(logits, validation.labels, takes=takes)
        frames, takes_of = [], []
        for role, part in _roles(validation, test):
            probabilities = soften(raw[role], temperature)
            rows = index.iloc[part.rows]
            frames.append(frame_table(rows, probabilities, fold=self.fold.number, role=role))
            names, means = mean_by_take(probabilities, rows["take"].to_numpy(dtype=np.str_))
            takes_of.append(prediction_table(names.tolist(), means, fold=self.fold.number, role=role))
        write_table(self.frames_path, pd.concat(frames, ignore_index=True), schema=FRAME_PREDICTIONS_SCHEMA)
        write_table(self.predictions_path, pd.concat(takes_of, ignore_index=True), schema=SCHEMA)
        return temperature


def _roles(validation: FoldSide, test: FoldSide) -> list[tuple[str, FoldSide]]:
    return [("test", test), *([("oof", validation)] if len(validation.rows) else [])]
