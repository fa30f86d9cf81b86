"""Principal components of face pixels and a dense network: a baseline, and the figure that a tutorial claims.

Turk M, Pentland A (1991), Eigenfaces for recognition, J. Cognitive Neuroscience 3(1): 71-86.

The tutorial reports 85.4 %. That is *binary* accuracy: each of the seven outputs is counted as a yes/no answer of its
own, six of which are rightly "no" for every face. Whoever always says "no" to everything has 6 of 7 right, 85.7 %, and
has named no emotion at all. `measure` gives that figure beside the share of faces whose emotion was named.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from ravdess_mm.arrays import Floats, Integers, Singles
from ravdess_mm.bundles.keras_backend import jit_compile, keras, make_deterministic
from ravdess_mm.corpus.splits import check_disjoint
from ravdess_mm.errors import InputError
from ravdess_mm.extras import need_extra
from ravdess_mm.store import whole_file
from ravdess_mm.video.stills.batches import one_hot
from ravdess_mm.video.stills.datasets import SIZE_PX, Stills, subject_folds
from ravdess_mm.video.stills.settings import StillSettings
from ravdess_mm.video.stills.training import learning_rate_of

if TYPE_CHECKING:
    from sklearn.decomposition import PCA

NAME: Final = "pca-dense"
COMPONENTS: Final = (50, 150)
"""How many components are tried; both are reported."""
SHOWN: Final = 23
"""Eigenfaces on the picture, after the mean face."""


@dataclass(frozen=True)
class PcaDense:
    """A fitted projection and the network behind it.

    Attributes
    ----------
    pca : sklearn.decomposition.PCA
        From pixels, 0-1 [shape=(n, 2304)], to whitened components.
    network : keras.Model
        From components to probabilities.
    """

    pca: PCA
    network: Any

    def predict_proba(self, images: npt.NDArray[np.uint8]) -> Floats:
        """Return probabilities [shape=(n, n_classes)] of faces [shape=(n, 48, 48)]."""
        components = self.pca.transform(_pixels(images)).astype(np.float32)
        return np.asarray(keras.ops.convert_to_numpy(self.network(components, training=False)), dtype=np.float64)


def fit_pca_dense(stills: Stills, settings: StillSettings, *, n_components: int, seed: int) -> PcaDense:
    """Fit components and network on the same training faces.

    Parameters
    ----------
    stills : Stills
        Training faces only.
    settings : StillSettings
        Epochs, batch size, learning rate, weight decay and label smoothing; there is no augmentation.
    n_components : int
        At most the number of faces and of pixels.
    seed : int
        Seed of the solver, the weights and the order.

    Raises
    ------
    InputError
        If there are fewer faces than components.
    """
    from sklearn.decomposition import PCA

    if len(stills) < n_components:
        raise InputError(f"{n_components} components of {len(stills)} faces; allowed: at most one a face")
    keras.backend.clear_session()
    make_deterministic(seed)
    pca = PCA(n_components, whiten=True, svd_solver="randomized", random_state=seed)
    components = pca.fit_transform(_pixels(stills.images)).astype(np.float32)
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((n_components,), name="components"),
            layers.Dense(256, activation="relu", name="dense_1"),
            layers.Dropout(0.4, name="dropout_1"),
            layers.Dense(128, activation="relu", name="dense_2"),
            layers.Dropout(0.4, name="dropout_2"),
            layers.Dense(len(stills.classes), activation="softmax", name="probabilities"),
        ],
        name="pca_dense",
    )
    steps = -(-len(stills) // settings.batch_size)
    network.compile(
        optimizer=keras.optimizers.AdamW(learning_rate_of(settings, steps), weight_decay=settings.weight_decay),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=settings.label_smoothing),
        jit_compile=jit_compile(),
    )
    targets = one_hot(stills.labels, len(stills.classes))
    network.fit(components, targets, epochs=settings.epochs, batch_size=settings.batch_size, verbose=0)
    return PcaDense(pca, network)


def cross_validate_pca_dense(
    stills: Stills, settings: StillSettings, *, n_components: int, seed: int, n_folds: int = 10
) -> Floats:
    """Return probabilities [shape=(n, n_classes)] of each face from components and a network without its subject."""
    folds = subject_folds(stills, n_folds=n_folds)
    probabilities = np.empty((len(stills), len(stills.classes)))
    for fold in range(n_folds):
        test = folds == fold
        check_disjoint(stills.groups[~test], stills.groups[test])
        fitted = fit_pca_dense(stills.select(~test), settings, n_components=n_components, seed=seed)
        probabilities[test] = fitted.predict_proba(stills.images[test])
    return probabilities


def measure(probabilities: Floats, labels: Integers) -> dict[str, float]:
    """Score the same answers in both ways.

    Parameters
    ----------
    probabilities : numpy.ndarray [shape=(n, n_classes)]
        Rows sum to 1.
    labels : numpy.ndarray [shape=(n,), dtype=int64]
        The true classes.

    Returns
    -------
    dict
        ``accuracy``: share of faces whose class was named. ``binary_accuracy``: share of all n * n_classes yes/no
        answers (yes above one half) that are right. ``binary_accuracy_always_no``: the same for saying "no" to every
        class of every face, which is 1 - 1 / n_classes. ``uar``: mean of the recalls. ``majority``: share of the
        most frequent class. All 0-1.
    """
    n_classes = probabilities.shape[1]
    true = one_hot(labels, n_classes).astype(bool)
    right = probabilities.argmax(axis=1) == labels
    return {
        "accuracy": float(right.mean()),
        "uar": float(np.mean([right[labels == label].mean() for label in np.unique(labels)])),
        "majority": float(np.bincount(labels).max() / len(labels)),
        "binary_accuracy": float(((probabilities > 0.5) == true).mean()),
        "binary_accuracy_always_no": float((~true).mean()),
    }


def draw_pictures(pca: PCA, folder: Path) -> list[Path]:
    """Write ``scree.png`` (how much each component explains) and ``eigenfaces.png``; return their paths."""
    need_extra("matplotlib")
    from matplotlib.figure import Figure

    scree = Figure(figsize=(7, 3.6), layout="constrained")
    axes = scree.subplots()
    shares = 100 * pca.explained_variance_ratio_
    numbers = np.arange(1, len(shares) + 1)
    axes.plot(numbers, shares, marker=".", label="each component")
    axes.plot(numbers, shares.cumsum(), linestyle="--", label="all so far")
    axes.set(xlabel="component", ylabel="variance explained, %", yscale="log", title="Scree plot of the training faces")
    axes.grid(alpha=0.3)
    axes.legend()

    faces = Figure(figsize=(8, 3.4), layout="constrained")
    n_shown = min(SHOWN, len(shares))
    pictures = [("mean", pca.mean_), *((str(n + 1), pca.components_[n]) for n in range(n_shown))]
    for (title, picture), panel in zip(pictures, np.ravel(faces.subplots(3, 8)), strict=False):
        panel.imshow(picture.reshape(SIZE_PX, SIZE_PX), cmap="gray")
        panel.set_title(title, fontsize=8)
    for panel in faces.axes:
        panel.set_axis_off()
    paths = [folder / "scree.png", folder / "eigenfaces.png"]
    for path, figure in zip(paths, (scree, faces), strict=True):
        with whole_file(path) as temporary:
            figure.savefig(temporary, format="png", dpi=110, metadata={"Software": None})
    return paths


def _pixels(images: npt.NDArray[np.uint8]) -> Singles:
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)
