"""Training of a network from ImageNet on still faces: first its new layers, then its last blocks as well."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pandas as pd

from ravdess_mm.bundles.keras_backend import keras, make_deterministic
from ravdess_mm.import_graph import source_fingerprint
from ravdess_mm.store import hash_file
from ravdess_mm.video.stills.batches import split_validation
from ravdess_mm.video.stills.datasets import Stills
from ravdess_mm.video.stills.settings import StillSettings, resolve_precision
from ravdess_mm.video.stills.training import TrainedFaceNetwork, fit_network, training_key
from ravdess_mm.video.stills.transfer_networks import build_imagenet_network, freeze_base, open_last_blocks
from ravdess_mm.video.training.callbacks import HISTORY_COLUMNS

OPEN_RATE: Final = 0.1
"""What the learning rate is multiplied by once blocks of the base are open: they shall change little."""


def train_imagenet_network(
    name: str, stills: Stills, settings: StillSettings, *, seed: int, working_dir: Path, weights: Path | None
) -> TrainedFaceNetwork:
    """Train for half of the epochs with the base frozen, and for the rest with its last blocks open.

    From random weights there is nothing worth freezing: all of the network is trained in all epochs.

    Parameters
    ----------
    name : str
        One of `transfer_networks.IMAGENET_NETWORKS`.
    weights : Path or None
        Of the base; see `transfer_networks.find_weights`.
    stills, settings, seed, working_dir
        As :func:`ravdess_mm.video.stills.training.train_face_network`; a killed training goes on in the same way.
    """
    keras.backend.clear_session()
    make_deterministic(seed)
    precision = resolve_precision(settings.precision)
    n_classes = len(stills.classes)
    model = build_imagenet_network(name, weights=weights, n_classes=n_classes, dtype=precision.value)
    train, validation = split_validation(stills, settings.validation_share, seed=seed)
    start = "random" if weights is None else hash_file(weights)
    key = training_key(f"{name} from {start}, {source_fingerprint(__name__)}", stills, settings, precision, seed)
    history: list[dict[str, float]] = []
    for number, epochs, rate in _phases(settings, from_random=weights is None):
        if weights is not None:
            (freeze_base, open_last_blocks)[number](model)
        phase_settings = settings.model_copy(update={"epochs": epochs, "learning_rate": rate})
        state_path, best_path = (
            working_dir / f"state-{key}-{number}.npz",
            working_dir / f"best-{key}-{number}.weights.h5",
        )
        state = fit_network(model, train, validation, phase_settings, seed + number, state_path, best_path)
        if best_path.is_file():
            model.load_weights(best_path)
        history += [{**row, "epoch": row["epoch"] + len(history)} for row in state.history]
    final = build_imagenet_network(name, weights=weights, n_classes=n_classes)
    final.set_weights(model.get_weights())
    table = pd.DataFrame(history, columns=list(HISTORY_COLUMNS)).astype({"epoch": "int64"})
    return TrainedFaceNetwork(final, table, precision)


def _phases(settings: StillSettings, *, from_random: bool) -> list[tuple[int, int, float]]:
    """Return number, epochs and learning rate of each phase that has an epoch."""
    if from_random:
        return [(0, settings.epochs, settings.learning_rate * OPEN_RATE)]
    frozen = (settings.epochs + 1) // 2
    phases = [(0, frozen, settings.learning_rate), (1, settings.epochs - frozen, settings.learning_rate * OPEN_RATE)]
    return [phase for phase in phases if phase[1] > 0]
