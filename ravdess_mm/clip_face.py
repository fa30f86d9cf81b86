"""The face model of a run, ready for clips of anybody."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ravdess_mm.clip_prediction import Look
from ravdess_mm.corpus.own_clips import find_clips
from ravdess_mm.corpus.probe import probe_media
from ravdess_mm.errors import MediaError
from ravdess_mm.fusion.recipe import Recipe
from ravdess_mm.predictions import ADAPTED

if TYPE_CHECKING:
    from ravdess_mm.video.face_shares import FaceShares

logger = logging.getLogger(__name__)

FROM_TABLES: Final = ("video-action-units",)
"""Face models that do not look at frames."""
EVENED: Final = f"video-zero-shot{ADAPTED}"
"""The face model whose answers are evened by what it says of the speaker's other clips."""


class ClipFace:
    """What a run's fusion chose to speak for the face.

    Parameters
    ----------
    models_dir : Path
        Folder of the run's models.
    recipe : Recipe
        Which of them speaks for ``video``, if any.

    Notes
    -----
    The model is loaded when the first clip needs it, so that a sound file never waits for TensorFlow.
    """

    def __init__(self, models_dir: Path, recipe: Recipe) -> None:
        self.models_dir = models_dir
        self.recipe = recipe

    @property
    def is_evened(self) -> bool:
        """Whether it is a frozen network whose answers are evened by what it says of the speaker."""
        return self.recipe.models.get("video") == EVENED

    @property
    def network_sha256(self) -> str:
        """The SHA-256 of the card of the frozen face network."""
        return str(self._model.card["sha256"])

    def look(self, path: str | Path) -> Look:
        """Return the frames of a clip with the model's answer to each.

        Raises
        ------
        MediaError
            If the clip has no frames that can be used, or the model does not look at frames.
        """
        from ravdess_mm.config import Crop
        from ravdess_mm.video.sampling import frames_with_picture

        card = self._model.card
        frames = frames_with_picture(path, frame_step=int(card["frame_step"]), crop=Crop(card["crop"]))
        images = np.stack([image for _, image in frames])
        times_s = tuple(frame.time_s for frame, _ in frames)
        answer, of_frames = self._model.answer(images)
        return Look(self._model.model, times_s, self._model.shown(images), answer, of_frames, self._model.outputs)

    def shares_of(self, paths: Iterable[str | Path]) -> tuple[FaceShares | None, tuple[Path, ...]]:
        """Return what the model says of a person on the whole.

        Parameters
        ----------
        paths : iterable of path
            Clips of the one person, and folders of such clips; those without a picture, or without a frame that can be
            used, are passed over.

        Returns
        -------
        shares : FaceShares or None
            None where nothing is evened, or clips are too few.
        seen : tuple of Path
            The clips that they rest on.
        """
        from ravdess_mm.classifiers.adaptation import FEWEST_CLIPS
        from ravdess_mm.progress import track
        from ravdess_mm.video.face_shares import FaceShares

        if not self.is_evened:
            return None, ()
        answers = {}
        for path in track(list(find_clips(paths)), "faces of the speaker", unit="clip"):
            try:
                if probe_media(path).has_video:
                    answers[path] = self.look(path).answer
            except MediaError as error:
                logger.warning("%s: not used to know the speaker's face (%s)", path, error)
        if len(answers) < FEWEST_CLIPS:
            return None, ()
        return FaceShares.of(list(answers.values())), tuple(answers)

    def known_shares(self, source: Path) -> FaceShares | None:
        """Return the same of a folder of clips, a clip or an enrolment.

        Raises
        ------
        InputError
            If the enrolment was made with another face network, or is damaged.
        """
        from ravdess_mm.speaker import is_enrolment, read_face

        if not self.is_evened:
            return None
        if is_enrolment(source):
            return read_face(source, network=self.network_sha256)
        return self.shares_of([source])[0]

    @cached_property
    def _model(self) -> Any:
        """The model: ``answer(frames)`` gives the probabilities for the clip and for each frame."""
        name = self.recipe.models["video"]
        if name.removesuffix(ADAPTED) in FROM_TABLES:
            raise MediaError(f"the run's face model, {name}, reads action-unit tables, which a clip does not hold")
        if (self.models_dir / name / "network.json").is_file():
            from ravdess_mm.video.embedding_model import load_embedding_model

            return load_embedding_model(self.models_dir / name)
        from ravdess_mm.video.inference import load_network

        return load_network(self.models_dir / name / self.recipe.fold_name)
