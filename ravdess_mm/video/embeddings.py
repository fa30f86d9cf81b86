"""Embeddings and zero-shot answers of takes by a frozen face network.

The network was trained on still faces of seven classes. Its answers are averaged over the views of a frame; a take is
described by mean and deviation of its frames' log-probabilities and embeddings. Divided by how often each class occurs
in the network's training images, the probabilities alone are an answer without any training on RAVDESS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ravdess_mm.arrays import Floats
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.errors import BundleError
from ravdess_mm.parallel.progress import Bar
from ravdess_mm.video.face_bundle import FaceNetwork, open_face_network
from ravdess_mm.video.frame_store.store import FrameStore

VIEWS: Final = (0.85, 0.8, 0.75, 0.7)
"""Sides of the central squares that are shown to the network, as shares of the frame's side; each also mirrored.

The network standardises what it sees, so that the bright studio wall of RAVDESS flattens the face before it; and no
single margin is right for every face.
"""
AT_A_TIME: Final = 16
"""Frames that are shown at a time: the first maps of all their views take about 60 MB."""
FER2013_COUNTS: Final = {
    "angry": 3995,
    "disgust": 436,
    "fearful": 4097,
    "happy": 7215,
    "neutral": 4965,
    "sad": 4830,
    "surprised": 3171,
}
"""Images of each class in the training part of FER2013: what a network learned from whose card does not say."""
SHARED: Final = {"calm": "neutral"}
"""Emotions without a class among still faces, and the class that holds their faces: the two share its probability.

A network that gave *calm* nothing would veto it wherever its answer is multiplied with a voice's.
"""
SMALLEST: Final = 1e-6
"""Probabilities are raised to this before their logarithm is taken."""
ANSWERS: Final = ("log_", "spread_")
"""How the names of those features begin that rest on the network's probabilities."""


@dataclass(frozen=True)
class FrameAnswers:
    """Embeddings and probabilities of frames.

    Attributes
    ----------
    embeddings : numpy.ndarray [shape=(n, width)]
        Mean over the views.
    probabilities : numpy.ndarray [shape=(n, n_classes)]
        Mean over the views; rows sum to 1.
    """

    embeddings: Floats
    probabilities: Floats


class Embedder:
    """A frozen face network that describes frames.

    Parameters
    ----------
    network : FaceNetwork
        Gives embeddings and probabilities; see :func:`ravdess_mm.video.face_bundle.open_face_network`. Its classes must
        be emotions of RAVDESS.

    Raises
    ------
    BundleError
        If a class is no emotion, or it is not known how often it occurs among the training images.
    """

    def __init__(self, network: FaceNetwork) -> None:
        unknown = sorted(set(network.classes) - set(FER2013_COUNTS))
        if unknown:
            raise BundleError(f"face network of class {unknown[0]!r}; allowed: {', '.join(FER2013_COUNTS)}")
        self.classes = network.classes
        self.size_px = int(network.model.input_shape[1])
        self._model = network.model
        seen = {**FER2013_COUNTS, **network.card.get("class_counts", {})}
        counts = np.array([seen[name] for name in network.classes], dtype=np.float64)
        self._shares: Floats = counts / counts.sum()

    @property
    def missing(self) -> tuple[str, ...]:
        """The emotions that are not among the network's classes."""
        return tuple(emotion for emotion in EMOTIONS if emotion not in self.classes)

    def describe(self, frames: npt.NDArray[np.uint8]) -> FrameAnswers:
        """Show frames [shape=(n, height, width), dtype=uint8] to the network, n at least 1."""
        parts = [self._describe(frames[start : start + AT_A_TIME]) for start in range(0, len(frames), AT_A_TIME)]
        embeddings, probabilities = map(np.concatenate, zip(*parts, strict=True))
        return FrameAnswers(embeddings, probabilities)

    def _describe(self, frames: npt.NDArray[np.uint8]) -> list[Floats]:
        shown = views_of(frames, self.size_px)
        answers = self._model.predict_on_batch(shown.reshape(-1, *shown.shape[2:])[..., None])
        return [
            np.asarray(values, dtype=np.float64).reshape(len(frames), shown.shape[1], -1).mean(axis=1)
            for values in answers
        ]

    def zero_shot(self, answers: FrameAnswers) -> Floats:
        """Return the network's own answer to each frame [shape=(n, 8)], in the order of `EMOTIONS`.

        A probability is divided by its class's share of the training images (as if all classes were equally frequent;
        Saerens M et al. (2002), Neural Computation 14(1):21-41) and normalised. An emotion without a class gets half of
        that which holds its faces (`SHARED`).
        """
        even = answers.probabilities / self._shares
        probabilities = np.zeros((len(even), len(EMOTIONS)))
        probabilities[:, [EMOTIONS.index(name) for name in self.classes]] = even / even.sum(axis=1, keepdims=True)
        for emotion in self.missing:
            if emotion in SHARED:
                both = [EMOTIONS.index(name) for name in (emotion, SHARED[emotion])]
                probabilities[:, both] = probabilities[:, both].sum(axis=1, keepdims=True) / 2
        return probabilities

    def feature_names(self) -> tuple[str, ...]:
        """Return the names of what `pool` gives."""
        width = int(self._model.output_shape[0][-1])
        answers = [f"{start}{name}" for start in ANSWERS for name in self.classes]
        return (*answers, *(f"{what}_{index:03d}" for what in ("mean", "deviation") for index in range(width)))

    def pool(self, answers: FrameAnswers) -> Floats:
        """Return one vector for a take: mean and deviation of log-probabilities, then of embeddings."""
        logs = np.log(np.maximum(answers.probabilities, SMALLEST))
        return np.concatenate([part for values in (logs, answers.embeddings) for part in _mean_and_deviation(values)])


@dataclass(frozen=True)
class FaceEmbeddings:
    """Embeddings and zero-shot probabilities of the takes of a store.

    Attributes
    ----------
    features : pandas.DataFrame
        Columns take, actor, emotion and `Embedder.feature_names`; one row a take.
    zero_shot : pandas.DataFrame
        Columns take and the eight emotions: mean over the frames of the network's own answers.
    """

    features: pd.DataFrame
    zero_shot: pd.DataFrame


def build_face_embeddings(store: FrameStore, embedder: Embedder) -> FaceEmbeddings:
    """Describe every take of a store that has frames."""
    vectors, answers = [], []
    index = store.index
    groups = index.groupby("take", sort=True).indices
    with Bar("face embeddings", total=len(groups), unit="take") as shown:
        for rows in groups.values():
            described = embedder.describe(store.read(rows))
            vectors.append(embedder.pool(described))
            answers.append(embedder.zero_shot(described).mean(axis=0))
            shown.update(1)
    labels = index.drop_duplicates("take").sort_values("take")[["take", "actor", "emotion"]].reset_index(drop=True)
    values = pd.DataFrame(np.array(vectors), columns=list(embedder.feature_names()))
    zero_shot = pd.DataFrame(np.array(answers), columns=list(EMOTIONS))
    return FaceEmbeddings(pd.concat([labels, values], axis=1), pd.concat([labels[["take"]], zero_shot], axis=1))


def answers_only(features: pd.DataFrame) -> pd.DataFrame:
    """Return the table with the features that rest on the network's probabilities, without its embeddings."""
    names = [name for name in features.columns if name.startswith(ANSWERS)]
    return features[["take", "actor", "emotion", *names]]


def views_of(frames: npt.NDArray[np.uint8], size_px: int) -> npt.NDArray[np.uint8]:
    """Cut the central squares `VIEWS` out of frames [shape=(n, side, side)], shrink and mirror them.

    Returns
    -------
    numpy.ndarray [shape=(n, 2 * len(VIEWS), size_px, size_px), dtype=uint8]
    """
    import cv2

    side = frames.shape[1]
    cut = []
    for share in VIEWS:
        inner = max(1, round(share * side))
        first = (side - inner) // 2
        inside = slice(first, first + inner)
        cut.append(
            [cv2.resize(frame[inside, inside], (size_px, size_px), interpolation=cv2.INTER_AREA) for frame in frames]
        )
    squares: npt.NDArray[np.uint8] = np.array(cut, dtype=np.uint8).swapaxes(0, 1)
    return np.concatenate([squares, squares[..., ::-1]], axis=1)


def load_embedder(folder: Any) -> Embedder:
    """Open the face network in a folder; see :func:`ravdess_mm.video.face_bundle.open_face_network`."""
    return Embedder(open_face_network(folder))


def _mean_and_deviation(values: Floats) -> tuple[Floats, Floats]:
    return values.mean(axis=0), values.std(axis=0)
