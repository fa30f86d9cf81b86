"""The face model of a run, ready for clips of anybody."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import tee
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from ravdess_mm.arrays import Floats
from ravdess_mm.audio.segmentation import WHOLE_S, Span, windows
from ravdess_mm.bundles.pretrained import PRETRAINED_DIR
from ravdess_mm.corpus.media_files import find_clips
from ravdess_mm.errors import MediaError
from ravdess_mm.fusion.recipe import FusionRecipe
from ravdess_mm.fusion.rules import Product
from ravdess_mm.predict.faces import FrameSource, Part, look_through
from ravdess_mm.predict.prediction import FrameScores
from ravdess_mm.predict.recordings import WHOLE, Recording
from ravdess_mm.predictions import ADAPTED

if TYPE_CHECKING:
    from ravdess_mm.video.decoding.frames import GrayFrame
    from ravdess_mm.video.prior_correction import ClassShares
    from ravdess_mm.video.tracking import TrackedFace

logger = logging.getLogger(__name__)

FROM_TABLES: Final = ("video-action-units",)
"""Face models that do not look at frames."""
FROZEN: Final = "video-zero-shot"
"""The face model that is a frozen network's own answer."""
EVENED: Final = f"{FROZEN}{ADAPTED}"
"""The face model whose answers are evened by what it says of the speaker's other clips."""
BETWEEN_FRAMES: Final = 16
"""Frames between two segments that are answered at a time."""


GrayImages: TypeAlias = npt.NDArray[np.uint8]
"""[shape=(height, width)] or [shape=(n, height, width)], 0-255."""


ShownFrame: TypeAlias = "tuple[float, list[tuple[TrackedFace | None, GrayImages]]]"
"""Time in seconds, and each face with its picture; a frame that is taken whole has one of no face."""


class FaceModel(Protocol):
    """What answers to frames: `ravdess_mm.predict.embedding_model.EmbeddingModel`, or a run's own network."""

    @property
    def card(self) -> Mapping[str, Any]:
        """``frame_step``, ``crop`` and ``detector`` of the frames it expects."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """The emotion of each output of the network."""

    def answer(self, frames: GrayImages) -> tuple[Floats, Floats]:
        """Return the probabilities for the frames [shape=(n, 256, 256)] of a clip [shape=(8,)], and [shape=(n, 8)]."""

    def shown(self, frames: GrayImages) -> GrayImages:
        """Return frames as the network sees them."""

    def keras_model(self) -> Any:
        """Load the network as a ``keras.Model``, for Grad-CAM."""


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

    def score_spans(self, frames: FrameSource, spans: Sequence[Span]) -> Iterator[Part]:
        """Score a recording segment by segment, holding the frames of one segment at a time.

        Parameters
        ----------
        frames : callable
            Returns every n-th frame from the start, n being its argument.
        spans : sequence of Span
            The segments, in the order of time and apart from each other.

        Yields
        ------
        int or None
            The number of the segment; None for frames between segments.
        dict of int to FrameScores
            By face, those frames that show it; of one face at least.

        Raises
        ------
        MediaError
            If the recording cannot be decoded, or has no frame that can be used.
        """
        from ravdess_mm.video.frame_store.sampling import no_face

        held: list[ShownFrame] = []
        held_number: int | None = None
        number = n_frames = n_used = 0
        for time_s, shown in self.show(frames(int(self._model.card["frame_step"]))):
            n_frames += 1
            if not shown:
                continue
            n_used += 1
            while number < len(spans) and time_s >= spans[number][1]:
                number += 1
            is_inside = number < len(spans) and time_s >= spans[number][0]
            segment = number if is_inside else None
            if held and (segment != held_number or (segment is None and len(held) == BETWEEN_FRAMES)):
                yield held_number, self._score(held)
                held = []
            held.append((time_s, shown))
            held_number = segment
        if not n_used:
            raise MediaError(f"{no_face(n_frames)}; those under a tenth of a picture's short side are not looked for")
        yield held_number, self._score(held)

    def show(self, frames: Iterable[GrayFrame], *, every: int | None = None) -> Iterator[ShownFrame]:
        """Yield the time of each frame, and its faces as the model takes them; the whole frame where it takes that.

        Parameters
        ----------
        frames : iterable of GrayFrame
            In the order of time.
        every : int, optional
            Faces are searched in every so many frames that follow each other closely, and followed in between; by
            default each frame is searched.
        """
        from ravdess_mm.config import Crop, FaceDetector
        from ravdess_mm.video.decoding.gray import resize_area
        from ravdess_mm.video.frame_store.sampling import FRAME_SIZE_PX, cut_face
        from ravdess_mm.video.tracking import find_all_faces, follow_faces

        card = self._model.card
        if Crop(card["crop"]) is Crop.NONE:
            for frame in frames:
                yield frame.time_s, [(None, resize_area(frame.image, FRAME_SIZE_PX))]
            return
        detector = FaceDetector(card.get("detector", FaceDetector.HAAR))
        shown, searched = tee(frames)  # both move on together: one frame in memory
        images = (frame.image for frame in searched)
        tracked = (
            find_all_faces(images, detector=detector)
            if every is None
            else follow_faces(images, detector=detector, every=every)
        )
        for frame, faces in zip(shown, tracked, strict=True):
            yield frame.time_s, [(face, cut_face(frame.image, face.box)) for face in faces]

    def score_images(self, images: GrayImages) -> Floats:
        """Return the probabilities of faces or frames [shape=(n, 256, 256)], each by itself [shape=(n, 8)]."""
        return self._model.answer(images)[1]

    def _score(self, frames: Sequence[ShownFrame]) -> dict[int, FrameScores]:
        rows: dict[int, list[tuple[float, TrackedFace | None, GrayImages]]] = {}
        for time_s, shown in frames:
            for face, image in shown:
                rows.setdefault(face.face if face else 0, []).append((time_s, face, image))
        return {number: self._score_face(own) for number, own in rows.items()}

    def _score_face(self, rows: Sequence[tuple[float, TrackedFace | None, GrayImages]]) -> FrameScores:
        times_s, faces, images = zip(*rows, strict=True)
        stacked = np.stack(images)
        answer, of_frames = self._model.answer(stacked)
        found = [face for face in faces if face is not None]
        return FrameScores(
            times_s,
            self._model.shown(stacked),
            answer,
            of_frames,
            self._model.outputs,
            boxes=tuple(face.box for face in found),
            faces=tuple(face.face for face in found),
            n_found=sum(face.is_found for face in found) if found else len(rows),
        )

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
        used : tuple of Path
            The clips that they rest on.
        """
        from ravdess_mm.config import FEWEST_CLIPS
        from ravdess_mm.parallel.progress import track
        from ravdess_mm.video.prior_correction import ClassShares

        if not self.is_evened:
            return None, ()
        answers, used = [], []
        for path in track(list(find_clips(paths, quiet=True)), "faces of the speaker", unit="clip"):
            try:
                clip = Recording.open(path, branches=["video"])
                if clip.frames is None:
                    continue
                spans = windows(clip.duration_s) if clip.duration_s > WHOLE_S else [WHOLE]
                seen = look_through(self.score_spans(clip.frames, spans), name=path.name)
                if seen.trouble:
                    raise MediaError(seen.trouble)
                fused = seen.fused([None] * len(spans))
                parts = zip(seen.parts, fused, strict=True)
                answers += [part[face].answer for (_, part), (number, face) in parts if number is not None]
                used.append(path)
            except MediaError as error:
                logger.warning("%s: not used to know the speaker's face (%s)", path, error)
        if len(answers) < FEWEST_CLIPS:
            return None, ()
        return ClassShares.of(answers), tuple(used)

    @cached_property
    def _model(self) -> FaceModel:
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
