"""What a run learned from a frozen face network, read back for clips of your own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ravdess_mm.arrays import Floats
from ravdess_mm.bundles.bundle import CARD_NAME
from ravdess_mm.bundles.pretrained import SOURCE_NAME, find_pretrained
from ravdess_mm.classifiers.trained import TrainedClassifier, load_classifier
from ravdess_mm.config import Crop, FaceDetector
from ravdess_mm.errors import BundleError
from ravdess_mm.fusion.recipe import FusionRecipe, read_recipe
from ravdess_mm.store import hash_file, read_json
from ravdess_mm.video.embeddings import Embedder, load_embedder, views_of
from ravdess_mm.video.face_bundle import load_face_network
from ravdess_mm.video.inference import LARGEST_STEP


@dataclass(frozen=True)
class EmbeddingModel:
    """A frozen face network and what was trained on it.

    Attributes
    ----------
    card : dict
        ``frame_step`` and ``crop`` of the frames it expects, and the network they were shown to.
    network_dir : Path
        Where that network is.
    embedder : Embedder
        What it says.
    classifiers : dict of str to TrainedClassifier
        Empty where the network's own answer is all there is.
    recipe : FusionRecipe or None
        How the classifiers' answers become one.
    """

    card: dict[str, Any]
    network_dir: Path
    embedder: Embedder
    classifiers: dict[str, TrainedClassifier]
    recipe: FusionRecipe | None

    def keras_model(self) -> Any:
        """Load the face network as a ``keras.Model``, for Grad-CAM."""
        return load_face_network(self.network_dir).model

    @property
    def outputs(self) -> tuple[str, ...]:
        """The emotion of each output of the face network."""
        return self.embedder.classes

    def shown(self, frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Return frames [shape=(n, side, side)] in the first of the views that the face network is shown."""
        return views_of(frames, self.embedder.size_px)[:, 0]

    def answer(self, frames: npt.NDArray[np.uint8]) -> tuple[Floats, Floats]:
        """Answer for the frames [shape=(n, 256, 256), dtype=uint8] of one clip, n at least 1.

        Returns
        -------
        tuple of ndarray [shape=(8,)] and ndarray [shape=(n, 8)]
            The probabilities for the clip, and the network's own for each frame; in the order of `EMOTIONS`.
        """
        described = self.embedder.describe(frames)
        own = self.embedder.zero_shot(described)
        if self.recipe is None:
            return own.mean(axis=0), own
        features = dict(zip(self.embedder.feature_names(), self.embedder.pool(described), strict=True))
        answers = {
            name: model.predict_proba(np.array([[features[feature] for feature in model.feature_names]]))[0]
            for name, model in self.classifiers.items()
        }
        return self.recipe.apply(answers), own


def load_embedding_model(folder: str | Path) -> EmbeddingModel:
    """Load ``models/video-embedding`` or ``models/video-zero-shot`` of a run; of several folds, the first.

    Raises
    ------
    BundleError
        If a part is missing or unsound, or the face network that the run used is not there any more, or another one.
    """
    folder = Path(folder)
    card = _read_source(folder / SOURCE_NAME)
    network = find_pretrained(card["network"])
    if network is None or hash_file(network / CARD_NAME) != card["sha256"]:
        raise BundleError(
            f"{folder}: rests on the face network {card['network']}, which is "
            f"{'not here' if network is None else 'another one by now'}; make the run again"
        )
    embedder = load_embedder(network)
    recipe_path = folder / "recipe.json"
    if not recipe_path.is_file():
        return EmbeddingModel(card, network, embedder, {}, None)
    recipe = read_recipe(recipe_path)
    models = {branch: load_classifier(folder / name / recipe.fold_name) for branch, name in recipe.models.items()}
    return EmbeddingModel(card, network, embedder, models, recipe)


def _read_source(path: Path) -> dict[str, Any]:
    """Read which face network a model rests on, and how its frames were sampled."""
    card = read_json(path)
    is_sound = (
        isinstance(card, dict)
        and all(isinstance(card.get(name), str) and "\0" not in card[name] for name in ("network", "sha256"))
        and isinstance(card.get("frame_step"), int)
        and 1 <= card["frame_step"] <= LARGEST_STEP
        and card.get("crop") in tuple(Crop)
        and card.get("detector", FaceDetector.HAAR) in tuple(FaceDetector)
    )
    if not is_sound:
        raise BundleError(f"{path}: does not say which face network, and which frames, the model rests on")
    return dict(card)
