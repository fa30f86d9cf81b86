"""A clip of your own: which emotion voice and face express, moment by moment and all in all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from ravdess_mm.clip_face import ClipFace
from ravdess_mm.clip_prediction import Look, Moment, Prediction
from ravdess_mm.clip_voice import ClipVoice
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.corpus.probe import MEDIA_SUFFIXES, probe_media
from ravdess_mm.errors import InputError, MediaError
from ravdess_mm.fusion.recipe import Recipe, read_recipe
from ravdess_mm.predictions import ADAPTED

if TYPE_CHECKING:
    from ravdess_mm.classifiers.adaptation import Enrolment
    from ravdess_mm.video.face_shares import FaceShares

Floats = npt.NDArray[np.float64]

PRETRAINED_DIR: Final = Path(str(files("ravdess_mm"))) / "pretrained"
"""A run in miniature: the models that ship with the package, with their model cards."""


@dataclass(frozen=True)
class Speaker:
    """Who speaks in every clip, as far as that is known.

    Attributes
    ----------
    voice : Enrolment or None
        None where too few clips have sound that can be used.
    find_face : callable
        Returns what the face model says of the speaker on the whole, or None; called when the first face is seen.
    """

    voice: Enrolment | None
    find_face: Callable[[], FaceShares | None]

    @cached_property
    def face(self) -> FaceShares | None:
        """What the face model says of the speaker on the whole, or None."""
        return self.find_face()


class Predictor:
    """The models of one run, ready for clips of anybody.

    Parameters
    ----------
    recipe : Recipe
        Which models speak, and how their answers become one.
    voice : ClipVoice
        What answers to sound.
    face : ClipFace
        What answers to pictures.
    speaker : Speaker, optional
        Who speaks in every clip, for speaker-adapted models.
    notes : tuple of str
        What a reader must know about every answer.
    """

    def __init__(
        self,
        recipe: Recipe,
        *,
        voice: ClipVoice,
        face: ClipFace,
        speaker: Speaker | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.recipe = recipe
        self.voice = voice
        self.face = face
        self.speaker = speaker
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
            return cls._adapted(Path(run_dir), Path(speaker))
        recipe_path = Path(run_dir) / "models" / "fused" / "recipe.json"
        if not recipe_path.is_file():
            raise InputError(f"{run_dir}: not the folder of a finished run; `make fuse` makes artifacts/<run>")
        return cls._of_recipe(recipe_path)

    @classmethod
    def adaptable(cls, run_dir: str | Path) -> Predictor:
        """Return the speaker-adapted models of a run, before they know a speaker.

        Raises
        ------
        InputError
            If it has none.
        """
        predictor = cls.from_run(run_dir)
        recipe_path = Path(run_dir) / "models" / f"fused{ADAPTED}" / "recipe.json"
        if recipe_path.is_file():
            predictor = cls._of_recipe(recipe_path)
        if not predictor.recipe.models.get("audio", "").endswith(ADAPTED):
            raise InputError(
                f"{run_dir}: has no speaker-adapted voice models; `make ADAPT=speaker` with the run's other variables "
                "trains them"
            )
        return predictor

    @classmethod
    def _of_recipe(cls, recipe_path: Path) -> Predictor:
        recipe, models_dir = read_recipe(recipe_path), recipe_path.parents[1]
        return cls(recipe, voice=ClipVoice(models_dir, recipe), face=ClipFace(models_dir, recipe))

    @classmethod
    def _adapted(cls, run_dir: Path, source: Path) -> Predictor:
        from ravdess_mm.speaker import know_speaker

        found, plain = cls.adaptable(run_dir), cls.from_run(run_dir)
        enrolment = know_speaker(source, feature_set=found.voice.feature_set)
        speaker = Speaker(enrolment if enrolment.is_enough else None, lambda: found.face.known_shares(source))
        if speaker.voice is not None:
            return cls(found.recipe, voice=found.voice, face=found.face, speaker=speaker)
        if speaker.face is not None:
            return cls(found.recipe, voice=plain.voice, face=found.face, speaker=speaker)
        if enrolment.n_clips == 0:
            raise InputError(f"{source}: no clip of the speaker can be used")
        note = f"not adapted to the speaker: {source} holds one usable clip, two or more are needed"
        return cls(plain.recipe, voice=plain.voice, face=plain.face, notes=(note,))

    def predict(self, path: str | Path) -> Prediction:
        """Answer for one clip: sound, film, or both.

        Raises
        ------
        MediaError
            If no branch can answer; the message says why.
        """
        return self.answer(path)[0]

    def answer(self, path: str | Path) -> tuple[Prediction, Look | None]:
        """Answer as `predict` does, and return what was looked at; None where no face model answered."""
        path = Path(path)
        # FFmpeg would draw a text file as a film of letters
        if path.suffix.lower() not in MEDIA_SUFFIXES:
            raise MediaError(f"extension {path.suffix or '(none)'}; clips are {' '.join(MEDIA_SUFFIXES)}")
        streams = probe_media(path)
        speaker = self.speaker or Speaker(None, lambda: None)
        answers: dict[str, Floats] = {}
        notes = list(self.notes)
        seen: Look | None = None
        if streams.has_audio and "audio" in self.recipe.models:
            try:
                answers["audio"], doubts = self.voice.hear(path, enrolment=speaker.voice)
                notes += [f"voice: {doubt}" for doubt in doubts]
                if self.speaker is not None and speaker.voice is None:
                    notes.append("voice: not adapted, the speaker's clips have too little sound that can be used")
            except MediaError as error:
                notes.append(f"voice: {error}")
        if streams.has_video and "video" in self.recipe.models:
            try:
                seen = self.look(path)
                answers["video"] = seen.answer
            except MediaError as error:
                notes.append(f"face: {error}")
        if not answers:
            held = " and ".join(name for name, there in vars(streams).items() if there is True) or "nothing usable"
            known = " and ".join(self.recipe.models)
            raise MediaError(
                "; ".join(notes[len(self.notes) :]) or f"the clip {held.replace('_', ' ')}; the models are for {known}"
            )
        prediction = Prediction(
            path=path,
            probabilities=_named(self.recipe.apply(answers)),
            branches={branch: _named(values) for branch, values in answers.items()},
            moments=_moments(seen) if seen is not None else (),
            notes=tuple(notes),
            speaker_clips=speaker.voice.n_clips if speaker.voice is not None and "audio" in answers else 0,
            face_clips=speaker.face.n_clips if seen is not None and speaker.face is not None else 0,
        )
        return prediction, seen

    def look(self, path: str | Path) -> Look:
        """Return the frames of a clip with the network's answer to each, adapted where the speaker's face is known.

        Raises
        ------
        MediaError
            If the clip has no frames that can be used.
        """
        seen = self.face.look(path)
        shares = self.speaker.face if self.speaker is not None else None
        if shares is None:
            return seen
        return replace(seen, answer=shares.even(seen.answer), probabilities=shares.even(seen.probabilities))


def _moments(seen: Look) -> tuple[Moment, ...]:
    rows = zip(seen.times_s, seen.probabilities, strict=True)
    return tuple(Moment(time_s, _top_two(row)) for time_s, row in rows)


def _named(probabilities: Floats) -> dict[str, float]:
    return {emotion: float(value) for emotion, value in zip(EMOTIONS, probabilities, strict=True)}


def _top_two(probabilities: Floats) -> tuple[tuple[str, float], tuple[str, float]]:
    first, second = np.argsort(-probabilities, kind="stable")[:2]
    return (EMOTIONS[first], float(probabilities[first])), (EMOTIONS[second], float(probabilities[second]))
