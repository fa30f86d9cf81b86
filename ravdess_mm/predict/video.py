"""The face model of a run, ready for clips of anybody."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from ravdess_mm.audio.segmentation import WHOLE_S, Span, windows
from ravdess_mm.bundles.pretrained import PRETRAINED_DIR
from ravdess_mm.corpus.clips_of_your_own import find_clips
from ravdess_mm.corpus.probe import probe_media
from ravdess_mm.errors import MediaError
from ravdess_mm.fusion.recipe import FusionRecipe
from ravdess_mm.fusion.rules import Product
from ravdess_mm.predict.prediction import FrameScores
from ravdess_mm.predictions import ADAPTED

if TYPE_CHECKING:
    from ravdess_mm.video.prior_correction import ClassShares

logger = logging.getLogger(__name__)

FROM_TABLES: Final = ("video-action-units",)
"""Face models that do not look at frames."""
FROZEN: Final = "video-zero-shot"
"""The face model that is a frozen network's own answer."""
EVENED: Final = f"{FROZEN}{ADAPTED}"
"""The face model whose answers are evened by what it says of the speaker's other clips."""
BETWEEN_FRAMES: Final = 16
"""Frames between two segments that are answered at a time."""


class VideoModel:
    """What a run's fusion chose to speak for the face.

    Parameters
    ----------
    models_dir : Path
        Folder of the run's models.
    recipe : FusionRecipe
        Which of them speaks for ``video``, if any.
    note : str
        What a reader must know about its answers.

    Notes
    -----
    The model is loaded when the first clip needs it, so that a sound file never waits for it.
    """

    def __init__(self, models_dir: Path, recipe: FusionRecipe, *, note: str = "") -> None:
        self.models_dir = models_dir
        self.recipe = recipe
        self.note = note

    @property
    def is_evened(self) -> bool:
        """Whether it is a frozen network whose answers are evened by what it says of the speaker."""
        return self.recipe.models.get("video") == EVENED

    @property
    def network_sha256(self) -> str:
        """The SHA-256 of the card of the frozen face network."""
        return str(self._model.card["sha256"])

    def keras_model(self) -> Any:
        """Load the network that looks at frames as a ``keras.Model``, for Grad-CAM; answers do not need it."""
        return self._model.keras_model()

    def score_frames(self, path: str | Path) -> FrameScores:
        """Return the frames of a clip with the model's answer to each.

        Raises
        ------
        MediaError
            If the clip has no frames that can be used.
        """
        from ravdess_mm.video.frame_store.sampling import frames_with_picture

        frames = frames_with_picture(path, **self._sampling)
        return self._answer([(frame.time_s, image) for frame, image in frames])

    def score_spans(self, path: str | Path, spans: Sequence[Span]) -> Iterator[tuple[int | None, FrameScores]]:
        """FrameScores at a long recording segment by segment, holding the frames of one segment at a time.

        Parameters
        ----------
        path : str or Path
            A clip with a picture.
        spans : sequence of Span
            The segments, in the order of time and apart from each other.

        Yields
        ------
        int or None
            The number of the segment; None for frames between segments.
        FrameScores
            Those of its frames that can be used, of which there is one at least.

        Raises
        ------
        MediaError
            If the recording cannot be decoded, or has no frame that can be used.
        """
        from ravdess_mm.video.frame_store.sampling import no_face, sample_frames

        held: list[tuple[float, npt.NDArray[np.uint8]]] = []
        held_place: int | None = None
        place = n_frames = n_used = 0
        for frame in sample_frames(path, **self._sampling):
            n_frames += 1
            if frame.image is None:
                continue
            n_used += 1
            while place < len(spans) and frame.time_s >= spans[place][1]:
                place += 1
            inside = place < len(spans) and frame.time_s >= spans[place][0]
            own = place if inside else None
            if held and (own != held_place or (own is None and len(held) == BETWEEN_FRAMES)):
                yield held_place, self._answer(held)
                held = []
            held.append((frame.time_s, frame.image))
            held_place = own
        if not n_used:
            raise MediaError(no_face(n_frames))
        yield held_place, self._answer(held)

    def _answer(self, frames: Sequence[tuple[float, npt.NDArray[np.uint8]]]) -> FrameScores:
        images = np.stack([image for _, image in frames])
        answer, of_frames = self._model.answer(images)
        times_s = tuple(time_s for time_s, _ in frames)
        return FrameScores(times_s, self._model.shown(images), answer, of_frames, self._model.outputs)

    @property
    def _sampling(self) -> dict[str, Any]:
        from ravdess_mm.config import Crop, FaceDetector

        card = self._model.card
        return {
            "frame_step": int(card["frame_step"]),
            "crop": Crop(card["crop"]),
            "detector": FaceDetector(card.get("detector", FaceDetector.HAAR)),
        }

    def shares_of(self, paths: Iterable[str | Path]) -> tuple[ClassShares | None, tuple[Path, ...]]:
        """Return what the model says of a person on the whole.

        Parameters
        ----------
        paths : iterable of path
            Clips of the one person, and folders of such clips; those without a picture, or without a frame that can be
            used, are passed over. One longer than `WHOLE_S` counts as many clips as it has segments of 4 s.

        Returns
        -------
        shares : ClassShares or None
            None where nothing is evened, or clips are too few.
        seen : tuple of Path
            The clips that they rest on.
        """
        from ravdess_mm.config import FEWEST_CLIPS
        from ravdess_mm.parallel.progress import track
        from ravdess_mm.video.prior_correction import ClassShares

        if not self.is_evened:
            return None, ()
        answers, seen = [], []
        for path in track(list(find_clips(paths, quiet=True)), "faces of the speaker", unit="clip"):
            try:
                streams = probe_media(path)
                if not streams.has_video:
                    continue
                if streams.duration_s > WHOLE_S:
                    looks = self.score_spans(path, windows(streams.duration_s))
                    answers += [look.answer for place, look in looks if place is not None]
                else:
                    answers.append(self.score_frames(path).answer)
                seen.append(path)
            except MediaError as error:
                logger.warning("%s: not used to know the speaker's face (%s)", path, error)
        if len(answers) < FEWEST_CLIPS:
            return None, ()
        return ClassShares.of(answers), tuple(seen)

    def known_shares(self, source: Path) -> ClassShares | None:
        """Return the same of a folder of clips, a clip or an enrolment.

        Raises
        ------
        InputError
            If the enrolment was made with another face network, or is damaged.
        """
        from ravdess_mm.predict.enrolment import is_enrolment, read_face

        if not self.is_evened:
            return None
        if is_enrolment(source):
            return read_face(source, network=self.network_sha256)
        return self.shares_of([source])[0]

    @cached_property
    def _model(self) -> Any:
        """The model: ``answer(frames)`` gives the probabilities for the clip and for each frame."""
        name = self.recipe.models["video"]
        if (self.models_dir / name / "network.json").is_file():
            from ravdess_mm.predict.embedding_model import load_embedding_model

            return load_embedding_model(self.models_dir / name)
        from ravdess_mm.video.inference import load_network

        return load_network(self.models_dir / name / self.recipe.fold_name)


def load_video_model(models_dir: Path, recipe: FusionRecipe) -> tuple[FusionRecipe, VideoModel]:
    """Return what answers to pictures, and the recipe that it takes part in.

    A model of action units has nothing to read in a film. The frozen face network that ships stands in for it, and its
    answer is multiplied with the voice's, as where no run is named: what the run learned about fusing is about units.

    Parameters
    ----------
    models_dir : Path
        Folder of a run's models.
    recipe : FusionRecipe
        What the run's fusion chose.
    """
    own = recipe.models.get("video", "")
    if own.removesuffix(ADAPTED) not in FROM_TABLES:
        return recipe, VideoModel(models_dir, recipe)
    stand_in = replace(
        recipe,
        models={**recipe.models, "video": EVENED if own.endswith(ADAPTED) else FROZEN},
        temperatures={**recipe.temperatures, "video": 1.0},
        combiners={tuple(recipe.models): Product()},
        unchecked=tuple(branch for branch in recipe.unchecked if branch != "video"),
    )
    note = f"face: by the network that ships, since the run's own, {own}, reads tables of action units"
    return stand_in, VideoModel(PRETRAINED_DIR / "models", stand_in, note=note)
