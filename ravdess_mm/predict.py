"""A clip of your own: which emotion voice and face express, moment by moment and all in all."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from ravdess_mm.clip_prediction import Look, Moment, Prediction
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.corpus.own_clips import find_clips
from ravdess_mm.corpus.probe import MEDIA_SUFFIXES, probe_media
from ravdess_mm.errors import InputError, MediaError
from ravdess_mm.fusion.recipe import Recipe, read_recipe
from ravdess_mm.predictions import ADAPTED

if TYPE_CHECKING:
    from ravdess_mm.classifiers.adaptation import Enrolment
    from ravdess_mm.config import FeatureSet
    from ravdess_mm.video.face_shares import FaceShares

logger = logging.getLogger(__name__)

Floats = npt.NDArray[np.float64]

PRETRAINED_DIR: Final = Path(str(files("ravdess_mm"))) / "pretrained"
"""A run in miniature: the models that ship with the package, with their model cards."""
FROM_TABLES: Final = ("video-action-units",)
"""Face models that do not look at frames."""
EVENED: Final = f"video-zero-shot{ADAPTED}"
"""The face model whose answers are evened by what it says of the speaker's other clips."""


class Predictor:
    """The models of one run, ready for clips of anybody.

    Parameters
    ----------
    models_dir : Path
        Folder of the run's models.
    recipe : Recipe
        Which of them speak, and how their answers become one.
    speaker : Enrolment, optional
        Who speaks in every clip, for speaker-adapted voice models.
    notes : tuple of str
        What a reader must know about every answer.

    Notes
    -----
    A model is loaded when the first clip needs it, so that a sound file never waits for TensorFlow.
    """

    def __init__(
        self, models_dir: Path, recipe: Recipe, *, speaker: Enrolment | None = None, notes: tuple[str, ...] = ()
    ) -> None:
        self.models_dir = models_dir
        self.recipe = recipe
        self.speaker = speaker
        self.speaker_source: Path | None = None
        self.plain_voice: Predictor | None = None
        self.notes = notes

    @classmethod
    def from_run(cls, run_dir: str | Path, *, speaker: str | Path | None = None) -> Predictor:
        """Take the models that the fusion of a run chose; of a run with several folds, those of the first.

        Parameters
        ----------
        run_dir : str or Path
            Such as ``artifacts/mine``, or `PRETRAINED_DIR`.
        speaker : str or Path, optional
            Clips of the one person who speaks in every clip (a folder), or an enrolment (``.json``): the run's
            speaker-adapted models answer then. Of silent films the face is adapted and the voice is not. Where it
            holds a single clip nothing can be adapted, the plain models answer, and a note says so.

        Raises
        ------
        InputError
            If the folder is no run that was fused, has no speaker-adapted models where a speaker is given, or no clip
            of the speaker can be used.
        """
        if speaker is not None:
            return cls._adapted(run_dir, speaker)
        models_dir = Path(run_dir) / "models"
        recipe_path = models_dir / "fused" / "recipe.json"
        if not recipe_path.is_file():
            raise InputError(f"{run_dir}: not the folder of a finished run; `make fuse` makes artifacts/<run>")
        return cls(models_dir, read_recipe(recipe_path))

    @classmethod
    def adaptable(cls, run_dir: str | Path) -> Predictor:
        """Return the speaker-adapted models of a run, before they know a speaker.

        Raises
        ------
        InputError
            If it has none.
        """
        plain = cls.from_run(run_dir)
        recipe_path = plain.models_dir / f"fused{ADAPTED}" / "recipe.json"
        predictor = cls(plain.models_dir, read_recipe(recipe_path)) if recipe_path.is_file() else plain
        if not predictor.recipe.models.get("audio", "").endswith(ADAPTED):
            raise InputError(
                f"{run_dir}: has no speaker-adapted voice models; `make ADAPT=speaker` with the run's other variables "
                "trains them"
            )
        return predictor

    @classmethod
    def _adapted(cls, run_dir: str | Path, source: str | Path) -> Predictor:
        from ravdess_mm.speaker import know_speaker

        predictor = cls.adaptable(run_dir)
        predictor.speaker_source = Path(source)
        enrolment = know_speaker(source, feature_set=predictor.feature_set)
        if enrolment.is_enough:
            predictor.speaker = enrolment
            return predictor
        plain = cls.from_run(run_dir)
        if predictor._speaker_face is not None:
            predictor.plain_voice = plain
            return predictor
        if enrolment.n_clips == 0:
            raise InputError(f"{source}: no clip of the speaker can be used")
        plain.notes = (f"not adapted to the speaker: {source} holds one usable clip, two or more are needed",)
        return plain

    def predict(self, path: str | Path) -> Prediction:
        """Answer for one clip: sound, film, or both.

        Raises
        ------
        MediaError
            If no branch can answer; the message says why.
        """
        path = Path(path)
        # FFmpeg would draw a text file as a film of letters
        if path.suffix.lower() not in MEDIA_SUFFIXES:
            raise MediaError(f"extension {path.suffix or '(none)'}; clips are {' '.join(MEDIA_SUFFIXES)}")
        streams = probe_media(path)
        answers: dict[str, Floats] = {}
        notes = list(self.notes)
        moments: tuple[Moment, ...] = ()
        if streams.has_audio and "audio" in self.recipe.models:
            try:
                answers["audio"], doubts = self._hear(path)
                notes += [f"voice: {doubt}" for doubt in doubts]
                if self.plain_voice is not None:
                    notes.append("voice: not adapted, the speaker's clips have too little sound that can be used")
            except MediaError as error:
                notes.append(f"voice: {error}")
        if streams.has_video and "video" in self.recipe.models:
            try:
                answers["video"], moments = self._see(path)
            except MediaError as error:
                notes.append(f"face: {error}")
        if not answers:
            held = " and ".join(name for name, there in vars(streams).items() if there is True) or "nothing usable"
            known = " and ".join(self.recipe.models)
            raise MediaError(
                "; ".join(notes[len(self.notes) :]) or f"the clip {held.replace('_', ' ')}; the models are for {known}"
            )
        return Prediction(
            path=path,
            probabilities=_named(self.recipe.apply(answers)),
            branches={branch: _named(values) for branch, values in answers.items()},
            moments=moments,
            notes=tuple(notes),
            speaker_clips=self.speaker.n_clips if self.speaker is not None and "audio" in answers else 0,
            face_clips=self._speaker_face.n_clips if "video" in answers and self._speaker_face is not None else 0,
        )

    @property
    def feature_set(self) -> FeatureSet:
        """What the voice models listen to."""
        from ravdess_mm.config import FeatureSet

        voices, _ = self._voices
        return FeatureSet(next(iter(voices.values())).feature_set)

    def _bundle(self, model: str) -> Path:
        fold = "holdout" if self.recipe.fold < 0 else f"fold-{self.recipe.fold}"
        return self.models_dir / model / fold

    @cached_property
    def _voices(self) -> tuple[dict[str, Any], Recipe | None]:
        """The voice models by name, and how their answers become one where there are several."""
        from ravdess_mm.classifiers.trained import load_classifier

        name = self.recipe.models["audio"]
        ensemble_path = self.models_dir / name / "recipe.json"
        if not ensemble_path.is_file():
            return {name: load_classifier(self._bundle(name))}, None
        ensemble = read_recipe(ensemble_path)
        return {member: load_classifier(self._bundle(member)) for member in ensemble.models}, ensemble

    @cached_property
    def _face(self) -> Any:
        """The face model: ``answer(frames)`` gives the probabilities for the clip and for each frame."""
        name = self.recipe.models["video"]
        if name.removesuffix(ADAPTED) in FROM_TABLES:
            raise MediaError(f"the run's face model, {name}, reads action-unit tables, which a clip does not hold")
        if (self.models_dir / name / "network.json").is_file():
            from ravdess_mm.video.embedding_model import load_embedding_model

            return load_embedding_model(self.models_dir / name)
        from ravdess_mm.video.inference import load_network

        return load_network(self._bundle(name))

    def _hear(self, path: Path) -> tuple[Floats, list[str]]:
        """Return what the voice models answer, and what speaks against the clip being speech."""
        from ravdess_mm.audio.decode import decode_audio
        from ravdess_mm.audio.doubts import find_doubts
        from ravdess_mm.audio.features import extract_features
        from ravdess_mm.config import FeatureSet

        if self.plain_voice is not None:
            return self.plain_voice._hear(path)
        voices, ensemble = self._voices
        samples, sr = decode_audio(path)
        answers = {}
        for name, voice in voices.items():
            vector = extract_features(samples, sr, feature_set=FeatureSet(voice.feature_set))
            answers[name] = np.asarray(voice.predict_proba(vector[np.newaxis], enrolment=self.speaker)[0])
        answer = ensemble.apply(answers) if ensemble is not None else answers.popitem()[1]
        return answer, find_doubts(samples, sr)

    @property
    def evens_faces(self) -> bool:
        """Whether the face model is a frozen network whose answers are evened by what it says of the speaker."""
        return self.recipe.models.get("video") == EVENED

    def face_shares(self, paths: Iterable[str | Path]) -> tuple[FaceShares | None, tuple[Path, ...]]:
        """Return what the face model says of a person on the whole.

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

        if not self.evens_faces:
            return None, ()
        answers = {}
        for path in track(list(find_clips(paths)), "faces of the speaker", unit="clip"):
            try:
                if probe_media(path).has_video:
                    answers[path] = self._look(path).answer
            except MediaError as error:
                logger.warning("%s: not used to know the speaker's face (%s)", path, error)
        if len(answers) < FEWEST_CLIPS:
            return None, ()
        return FaceShares.of(list(answers.values())), tuple(answers)

    @cached_property
    def _speaker_face(self) -> FaceShares | None:
        from ravdess_mm.speaker import is_enrolment, read_face

        source = self.speaker_source
        if source is None or not self.evens_faces:
            return None
        if is_enrolment(source):
            return read_face(source, network=self.face_network_sha256)
        shares, _ = self.face_shares([source])
        return shares

    @property
    def face_network_sha256(self) -> str:
        """The SHA-256 of the card of the frozen face network."""
        return str(self._face.card["sha256"])

    def look(self, path: str | Path) -> Look:
        """Return the frames of a clip with the network's answer to each, adapted where the speaker's face is known.

        Raises
        ------
        MediaError
            If the clip has no frames that can be used.
        """
        seen, shares = self._look(path), self._speaker_face
        if shares is None:
            return seen
        return replace(seen, answer=shares.even(seen.answer), probabilities=shares.even(seen.probabilities))

    def _look(self, path: str | Path) -> Look:
        from ravdess_mm.config import Crop
        from ravdess_mm.video.sampling import frames_with_picture

        face = self._face
        card = face.card
        frames = frames_with_picture(path, frame_step=int(card["frame_step"]), crop=Crop(card["crop"]))
        images = np.stack([image for _, image in frames])
        times_s = tuple(frame.time_s for frame, _ in frames)
        answer, of_frames = face.answer(images)
        return Look(face.model, times_s, face.shown(images), answer, of_frames, face.outputs)

    def _see(self, path: Path) -> tuple[Floats, tuple[Moment, ...]]:
        seen = self.look(path)
        moments = tuple(
            Moment(time_s, _top_two(row)) for time_s, row in zip(seen.times_s, seen.probabilities, strict=True)
        )
        return seen.answer, moments


def _named(probabilities: Floats) -> dict[str, float]:
    return {emotion: float(value) for emotion, value in zip(EMOTIONS, probabilities, strict=True)}


def _top_two(probabilities: Floats) -> tuple[tuple[str, float], tuple[str, float]]:
    first, second = np.argsort(-probabilities, kind="stable")[:2]
    return (EMOTIONS[first], float(probabilities[first])), (EMOTIONS[second], float(probabilities[second]))
