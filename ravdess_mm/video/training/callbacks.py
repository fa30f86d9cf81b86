"""Callbacks: progress bar, and a backup after each epoch."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ravdess_mm.bundles.keras_backend import keras
from ravdess_mm.parallel.progress import Bar
from ravdess_mm.store import whole_file
from ravdess_mm.video.training.batches import TrainingStream

logger = logging.getLogger(__name__)

HISTORY_COLUMNS: Final = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")
_COUNTERS: Final = ("best", "best_epoch", "wait", "stopped_epoch", "cooldown_counter")


class EpochStart(keras.callbacks.Callback):  # type: ignore[misc]
    """Tells the stream which epoch begins, and shows a bar that moves by epochs."""

    def __init__(self, stream: TrainingStream, *, description: str, epochs: int) -> None:
        super().__init__()
        self._stream = stream
        self._description = description
        self._epochs = epochs

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Open the bar."""
        self._bar = Bar(self._description, total=self._epochs, unit="epoch")

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Draw the epoch's order before its first batch is asked for."""
        self._stream.start_epoch(epoch)
        if self._bar.n < epoch:  # a training that goes on
            self._bar.update(epoch - self._bar.n)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Move the bar and show the losses."""
        shown = {name: value for name, value in (logs or {}).items() if name in HISTORY_COLUMNS[1:5]}
        self._bar.note = ", ".join(f"{name}={value:.3f}" for name, value in shown.items())
        self._bar.update(1)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Close the bar."""
        self._bar.close()


@dataclass
class TrainingState:
    """What a training needs to go on as if it had never stopped.

    Attributes
    ----------
    epochs : int
        Epochs done.
    is_over : bool
        Whether training stopped early after them.
    history : list of dict
        One entry an epoch, with the keys `HISTORY_COLUMNS`.
    counters : list of dict
        What the other callbacks remember, in their order.
    variables : list of ndarray
        Weights, statistics, random generators and the optimizer's variables.
    """

    epochs: int = 0
    is_over: bool = False
    history: list[dict[str, float]] = field(default_factory=list)
    counters: list[dict[str, float | None]] = field(default_factory=list)
    variables: list[npt.NDArray[Any]] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """Write the state, whole or not at all."""
        facts = {name: getattr(self, name) for name in ("epochs", "is_over", "history", "counters")}
        arrays: dict[str, Any] = {f"variable_{index:04d}": value for index, value in enumerate(self.variables)}
        with whole_file(path) as temporary:
            np.savez(temporary, facts=np.array(json.dumps(facts)), **arrays)

    @classmethod
    def read(cls, path: Path) -> TrainingState:
        """Read a state; the beginning of a training where there is none."""
        if not path.is_file():
            return cls()
        with np.load(path, allow_pickle=False) as archive:
            facts = json.loads(str(archive["facts"]))
            names = sorted(name for name in archive.files if name != "facts")
            return cls(**facts, variables=[archive[name] for name in names])


class Backup(keras.callbacks.Callback):  # type: ignore[misc]
    """Saves the whole state of a training after each epoch, and restores it when training begins.

    Keras' ``BackupAndRestore`` keeps neither the generators behind dropout nor what other callbacks have counted,
    and writes two files one after the other: a training that goes on would not be the one that was killed. Put this
    callback last, so that what the others did in the epoch is in the backup.

    Parameters
    ----------
    path : Path
        The file, ``.npz``.
    state : TrainingState
        Where to go on from.
    others : sequence of keras.callbacks.Callback
        The callbacks whose counters belong to the state.
    """

    def __init__(self, path: Path, state: TrainingState, others: Sequence[Any]) -> None:
        super().__init__()
        self._path = path
        self.state = state
        self._others = tuple(others)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Restore the variables, and what the other callbacks (which begin before this one) have counted."""
        if self.state.epochs == 0:
            return
        for variable, saved in zip(self._variables(), self.state.variables, strict=True):
            variable.assign(saved)
        for callback, counters in zip(self._others, self.state.counters, strict=True):
            for name, counted in counters.items():
                setattr(callback, name, counted)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Add the epoch to the history and save."""
        seen = {**(logs or {}), "epoch": epoch, "learning_rate": self.model.optimizer.learning_rate}
        self.state = TrainingState(
            epochs=epoch + 1,
            is_over=bool(self.model.stop_training),
            history=[*self.state.history, {name: float(seen.get(name, "nan")) for name in HISTORY_COLUMNS}],
            counters=[
                {name: _plain(getattr(callback, name)) for name in _COUNTERS if hasattr(callback, name)}
                for callback in self._others
            ],
            variables=[np.asarray(keras.ops.convert_to_numpy(variable.value)) for variable in self._variables()],
        )
        self.state.write(self._path)

    def _variables(self) -> list[Any]:
        if not self.model.optimizer.built:
            self.model.optimizer.build(self.model.trainable_variables)
        return [*self.model.variables, *self.model.optimizer.variables]


def _plain(value: Any) -> float | None:
    return None if value is None else float(value)


def watching_callbacks(best_path: Path, *, patience: int, min_rate: float = 0.0) -> list[Any]:
    """Keep the best epoch, lower the learning rate on a plateau, stop: all by the loss of what is not trained on.

    Parameters
    ----------
    best_path : Path
        Gets the weights of the epoch with the least loss.
    patience : int
        Epochs without a lower loss before the training stops; after a third of them the learning rate is halved.
    min_rate : float
        The learning rate is lowered no further.
    """
    callbacks = keras.callbacks
    return [
        callbacks.ModelCheckpoint(str(best_path), monitor="val_loss", save_best_only=True, save_weights_only=True),
        callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.5, patience=max(1, patience // 3), min_lr=min_rate),
        callbacks.EarlyStopping(monitor="val_loss", patience=patience),
    ]
