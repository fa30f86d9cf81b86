"""Training of a face network on still faces.

The network that comes out depends on the images, the settings and the seed; a training that was killed goes on after
its last whole epoch and ends the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ravdess_mm.corpus.splits import check_disjoint
from ravdess_mm.corpus.stills import Stills, subject_folds
from ravdess_mm.errors import InputError
from ravdess_mm.progress import Bar
from ravdess_mm.quiet_keras import jit_compile, keras, make_deterministic
from ravdess_mm.runs import library_versions
from ravdess_mm.store import fingerprint, source_fingerprint
from ravdess_mm.video.callbacks import HISTORY_COLUMNS, Backup, EpochStart, TrainingState, watching_callbacks
from ravdess_mm.video.crops import predict_ten_crops
from ravdess_mm.video.face_bundle import FaceNetwork
from ravdess_mm.video.face_networks import FACE_SIZE_PX, LOGITS, build_face_network, pair_weights
from ravdess_mm.video.still_settings import Loss, Precision, Schedule, StillSettings, resolve_precision
from ravdess_mm.video.still_stream import StillStream, one_hot, split_validation

WARM_UP_SHARE: Final = 0.25
"""Share of a one-cycle training in which the learning rate rises."""
TAUGHT_AT_A_TIME: Final = 510
"""Images that a teacher answers to between two moves of the bar."""
_SOURCE: Final = tuple(
    f"video/{name}.py"
    for name in (
        "augmentation",
        "callbacks",
        "crops",
        "face_networks",
        "still_settings",
        "still_stream",
        "still_training",
    )
)


@dataclass(frozen=True)
class TrainedFaceNetwork:
    """A face network fresh from training.

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
    name: str,
    stills: Stills,
    settings: StillSettings,
    *,
    seed: int,
    working_dir: Path,
    start: Sequence[FaceNetwork] = (),
    teachers: Sequence[FaceNetwork] = (),
) -> TrainedFaceNetwork:
    """Train a face network, from random weights or from where an earlier training ended.

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
    start : sequence of FaceNetwork
        Where this training begins, of the same classes: a network of the same kind, or for a `pair` also two `medium`,
        which it then answers as together. With 0 epochs it is what comes out.
    teachers : sequence of FaceNetwork
        Of the same classes: the mean of what they answer to an image (ten crops) counts for `teacher_share` of the
        target, and the label for the rest. Many labels of FER2013 are doubtful, and a network's answer says which.

        Hinton G, Vinyals O, Dean J (2015), arXiv:1503.02531.

    Raises
    ------
    InputError
        If the network is unknown, `start` is another kind of network, `start` or a teacher has other classes, there
        are too few images, or no epochs and no `start`, a plateau has no validation images to watch, or the hinge loss
        has a teacher.
    """
    if settings.schedule is Schedule.PLATEAU and settings.validation_share == 0:
        raise InputError("schedule plateau watches validation images; validation_share is 0")
    if settings.epochs == 0 and not start:
        raise InputError("0 epochs and no network to start from; allowed: 1 epoch or more, or START")
    keras.backend.clear_session()
    make_deterministic(seed)
    precision = resolve_precision(settings.precision)
    n_classes = len(stills.classes)
    model = build_face_network(name, n_classes=n_classes, dtype=precision.value)
    begin = "random"
    if start:
        _take_weights(model, stills, start)
        begin = ", ".join(_weights_key(network) for network in start)
    if teachers:
        begin += f", taught by {', '.join(_weights_key(teacher) for teacher in teachers)}"
    train, validation = split_validation(stills, settings.validation_share, seed=seed)
    key = training_key(f"{name} from {begin}", stills, settings, precision, seed)
    state_path, best_path = working_dir / f"state-{key}.npz", working_dir / f"best-{key}.weights.h5"
    state = TrainingState()
    if settings.epochs:
        targets = taught_targets(train, teachers, settings) if teachers else None
        state = fit_network(model, train, validation, settings, seed, state_path, best_path, targets=targets)
    if best_path.is_file():
        model.load_weights(best_path)
    final = build_face_network(name, n_classes=n_classes)
    final.set_weights(model.get_weights())
    history = pd.DataFrame(state.history, columns=list(HISTORY_COLUMNS)).astype({"epoch": "int64"})
    return TrainedFaceNetwork(final, history, precision)


def _weights_key(network: FaceNetwork) -> str:
    return fingerprint([hashlib.sha256(values.tobytes()).hexdigest() for values in network.model.get_weights()])


def _check_classes(stills: Stills, network: FaceNetwork) -> None:
    if network.classes != stills.classes:
        raise InputError(
            f"a network of classes {', '.join(network.classes)}; the images have {', '.join(stills.classes)}"
        )


def taught_targets(stills: Stills, teachers: Sequence[FaceNetwork], settings: StillSettings) -> npt.NDArray[np.float32]:
    """Return what is to be answered to each image [shape=(n, n_classes)]: its label, mixed with the teachers' answer.

    Several teachers count alike: the mean of their probabilities.

    Raises
    ------
    InputError
        If a teacher has other classes, or the loss is the hinge, which knows one right answer only.
    """
    for teacher in teachers:
        _check_classes(stills, teacher)
    if settings.loss is Loss.HINGE:
        raise InputError("loss hinge with a teacher; allowed: cross-entropy, which takes shares of several classes")
    labels = one_hot(stills.labels, len(stills.classes))
    answers = np.zeros_like(labels)
    with Bar("answers of the teachers", total=len(stills) * len(teachers), unit="image") as shown:
        for teacher in teachers:
            for start in range(0, len(stills), TAUGHT_AT_A_TIME):
                part = slice(start, start + TAUGHT_AT_A_TIME)
                answers[part] += predict_ten_crops(teacher.model, stills.images[part]) / len(teachers)
                shown.update(len(answers[part]))
    return (1 - settings.teacher_share) * labels + settings.teacher_share * answers


def _take_weights(model: Any, stills: Stills, start: Sequence[FaceNetwork]) -> None:
    for network in start:
        _check_classes(stills, network)
    kinds = [network.model.name for network in start]
    if kinds == [model.name]:
        model.set_weights(start[0].model.get_weights())
    elif (model.name, kinds) == ("pair", ["medium"] * 2):
        model.set_weights(pair_weights(model, [network.model for network in start]))
    else:
        raise InputError(
            f"network {' and '.join(map(repr, kinds))} to start from, but {model.name!r} is to be trained; "
            "allowed: one of the same kind, or two 'medium' for a 'pair'"
        )


def fit_network(
    model: Any,
    train: Stills,
    validation: Stills | None,
    settings: StillSettings,
    seed: int,
    state_path: Path,
    best_path: Path,
    targets: npt.NDArray[np.float32] | None = None,
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
    targets : numpy.ndarray [shape=(len(train), n_classes)], optional
        What is to be answered to each training image; its label where nothing is given.
    """
    # the losses work on logits; the two models share their layers
    trainee = keras.Model(model.input, model.get_layer(LOGITS).output, name=model.name)
    stream = StillStream(train, settings, seed=seed, targets=targets)
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
    parts = (name, content, settings.model_dump(), precision, seed, versions, source_fingerprint(*_SOURCE))
    return fingerprint(*parts)[:16]
