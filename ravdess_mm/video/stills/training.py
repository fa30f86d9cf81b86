"""Training of a face network on still faces.

The network that comes out depends on the images, the settings and the seed; a training that was killed goes on after
its last whole epoch and ends the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ravdess_mm.bundles.keras_backend import jit_compile, keras, make_deterministic
from ravdess_mm.corpus.splits import check_disjoint
from ravdess_mm.errors import InputError
from ravdess_mm.import_graph import source_fingerprint
from ravdess_mm.store import fingerprint
from ravdess_mm.versions import library_versions
from ravdess_mm.video.crops import predict_ten_crops
from ravdess_mm.video.face_networks import FACE_SIZE_PX, LOGITS, build_face_network
from ravdess_mm.video.stills.batches import StillStream, one_hot, split_validation
from ravdess_mm.video.stills.datasets import Stills, subject_folds
from ravdess_mm.video.stills.settings import Loss, Precision, Schedule, StillSettings, resolve_precision
from ravdess_mm.video.training.callbacks import HISTORY_COLUMNS, Backup, EpochStart, TrainingState, watching_callbacks

WARM_UP_SHARE: Final = 0.25
"""Share of a one-cycle training in which the learning rate rises."""


@dataclass(frozen=True)
class TrainedFaceNetwork:
    """A trained face network and its history.

    Attributes
    ----------
    model : keras.Model
        float32; pixels to probabilities.
    history : pandas.DataFrame
        One row an epoch, the columns `HISTORY_COLUMNS`.
    precision : Precision
        What it was trained in.
    """

    model: Any
    history: pd.DataFrame
    precision: Precision


def train_face_network(
    name: str, stills: Stills, settings: StillSettings, *, seed: int, working_dir: Path
) -> TrainedFaceNetwork:
    """Train a face network from random weights.

    Parameters
    ----------
    name : str
        One of `face_networks.FACE_NETWORKS`.
    stills : Stills
        What to train on; a share of it is set apart if the settings say so.
    settings : StillSettings
        How.
    seed : int
        Seed of weights, order, augmentation and dropout.
    working_dir : Path
        Gets what a killed training needs to go on; remove it when the network has been put in its place.

    Raises
    ------
    InputError
        If the network is unknown, there are too few images, or a plateau has no validation images to watch.
    """
    if settings.schedule is Schedule.PLATEAU and settings.validation_share == 0:
        raise InputError("schedule plateau watches validation images; validation_share is 0")
    keras.backend.clear_session()
    make_deterministic(seed)
    precision = resolve_precision(settings.precision)
    n_classes = len(stills.classes)
    model = build_face_network(name, n_classes=n_classes, dtype=precision.value)
    train, validation = split_validation(stills, settings.validation_share, seed=seed)
    key = training_key(name, stills, settings, precision, seed)
    state_path, best_path = working_dir / f"state-{key}.npz", working_dir / f"best-{key}.weights.h5"
    state = fit_network(model, train, validation, settings, seed, state_path, best_path)
    if best_path.is_file():
        model.load_weights(best_path)
    final = build_face_network(name, n_classes=n_classes)
    final.set_weights(model.get_weights())
    history = pd.DataFrame(state.history, columns=list(HISTORY_COLUMNS)).astype({"epoch": "int64"})
    return TrainedFaceNetwork(final, history, precision)


def fit_network(
    model: Any,
    train: Stills,
    validation: Stills | None,
    settings: StillSettings,
    seed: int,
    state_path: Path,
    best_path: Path,
) -> TrainingState:
    """Train what is trainable of a network that has logits, from where `state_path` says it stopped.

    Parameters
    ----------
    model : keras.Model
        Changed in place.
    train, validation : Stills
        What is learned from, and what watches; None where nothing does.
    settings : StillSettings
        How.
    seed : int
        Seed of order and augmentation.
    state_path, best_path : Path
        Get the state after each epoch, and the weights with the least validation loss.
    """
    # the losses work on logits; the two models share their layers
    trainee = keras.Model(model.input, model.get_layer(LOGITS).output, name=model.name)
    stream = StillStream(train, settings, seed=seed)
    trainee.compile(
        optimizer=keras.optimizers.AdamW(learning_rate_of(settings, len(stream)), weight_decay=settings.weight_decay),
        loss=_loss(settings),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
        jit_compile=jit_compile(),
    )
    state_path.parent.mkdir(parents=True, exist_ok=True)
    state = TrainingState.read(state_path)
    epochs = state.epochs if state.is_over else settings.epochs
    watching = (
        watching_callbacks(best_path, patience=settings.patience) if settings.schedule is Schedule.PLATEAU else []
    )
    backup = Backup(state_path, state, watching)
    start = EpochStart(stream, description=f"face network {model.name}", epochs=epochs)
    trainee.fit(
        stream,
        epochs=epochs,
        initial_epoch=state.epochs,
        validation_data=None if validation is None else _centre_batch(validation),
        callbacks=[start, *watching, backup],
        verbose=0,
        shuffle=False,
    )
    return backup.state


def cross_validate(
    name: str,
    stills: Stills,
    settings: StillSettings,
    *,
    seed: int,
    working_dir: Path,
    n_folds: int = 10,
    train: Callable[..., TrainedFaceNetwork] = train_face_network,
) -> npt.NDArray[np.float64]:
    """Train on all subjects but a tenth and predict that tenth, ten times.

    Parameters
    ----------
    name, settings, seed, working_dir
        See `train_face_network`; every fold has a folder of its own.
    stills : Stills
        With the subject as group, such as CK+48.
    n_folds : int
        See `corpus.stills.subject_folds`.
    train : callable
        What trains; takes the arguments of `train_face_network`.

    Returns
    -------
    numpy.ndarray [shape=(n, n_classes)]
        Probabilities of each image, from the network that never saw its subject; the mean over ten crops.
    """
    folds = subject_folds(stills, n_folds=n_folds)
    probabilities = np.empty((len(stills), len(stills.classes)))
    for fold in range(n_folds):
        test = folds == fold
        check_disjoint(stills.groups[~test], stills.groups[test])
        trained = train(name, stills.select(~test), settings, seed=seed, working_dir=working_dir / f"fold-{fold}")
        probabilities[test] = predict_ten_crops(trained.model, stills.images[test])
    return probabilities


def learning_rate_of(settings: StillSettings, steps_per_epoch: int) -> Any:
    """Return the learning rate for an optimizer: a number, or a Keras schedule over all steps of a training."""
    if settings.schedule is Schedule.PLATEAU:
        return settings.learning_rate
    steps = settings.epochs * steps_per_epoch
    warm_up = max(1, round(WARM_UP_SHARE * steps))
    return keras.optimizers.schedules.CosineDecay(
        settings.learning_rate / 25,
        decay_steps=max(1, steps - warm_up),
        alpha=0.0,
        warmup_target=settings.learning_rate,
        warmup_steps=warm_up,
    )


def _loss(settings: StillSettings) -> Any:
    if settings.loss is Loss.HINGE:
        return keras.losses.CategoricalHinge()
    return keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=settings.label_smoothing)


def _centre_batch(stills: Stills) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    offset = (stills.images.shape[1] - FACE_SIZE_PX) // 2
    inside = slice(offset, offset + FACE_SIZE_PX)
    return stills.images[:, inside, inside, None], one_hot(stills.labels, len(stills.classes))


def training_key(name: str, stills: Stills, settings: StillSettings, precision: Precision, seed: int) -> str:
    """Return a name for a training, another one wherever anything that its result depends on is another."""
    content = hashlib.sha256(stills.images.tobytes() + stills.labels.tobytes()).hexdigest()
    versions = library_versions(("keras", "tensorflow", "numpy", "opencv-python-headless"))
    parts = (name, content, settings.model_dump(), precision, seed, versions, source_fingerprint(__name__))
    return fingerprint(*parts)[:16]
