"""A clip of your own: which emotion voice and face express, moment by moment and all in all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy.typing as npt

from ravdess_mm.arrays import Floats
from ravdess_mm.audio.segmentation import WHOLE_S
from ravdess_mm.bundles.pretrained import PRETRAINED_DIR as PRETRAINED_DIR
from ravdess_mm.corpus.clips_of_your_own import find_clips
from ravdess_mm.corpus.probe import probe_media
from ravdess_mm.errors import InputError, MediaError
from ravdess_mm.fusion.recipe import FusionRecipe, read_recipe
from ravdess_mm.predict.audio import AudioModels, AudioSignal
from ravdess_mm.predict.enrolment import KnownSpeaker, load_or_enrol_speaker
from ravdess_mm.predict.prediction import FrameScores, Prediction, Segment, mean_answer, named
from ravdess_mm.predict.recordings import (
    People,
    concatenate_frame_scores,
    cut_recording,
    score_audio_segments,
    score_video_segments,
)
from ravdess_mm.predict.video import VideoModel, load_video_model
from ravdess_mm.predictions import ADAPTED
from ravdess_mm.run.folder import is_synthetic

if TYPE_CHECKING:
    from ravdess_mm.audio.decoding import Samples
    from ravdess_mm.audio.speech_activity import SpeechActivity


SPEAKERS: Final = "speakers"
"""Folder beside them that holds what tells voices apart."""
INVENTED: Final = "models of the synthetic sample, which have never met a person: the answer says nothing"
"""Said of every answer by a run on the embedded sample corpus."""
IN_MEMORY: Final = Path("array")
"""Stands for the path of sound that is no file."""


class Predictor:
    """The models of one run, ready for clips of anybody.

    Parameters
    ----------
    recipe : FusionRecipe
        Which models speak, and how their answers become one.
    voice : AudioModels
        What answers to sound.
    face : VideoModel
        What answers to pictures.
    speaker : KnownSpeaker, optional
        Who speaks in every clip, for speaker-adapted models.
    people : People, optional
        How many people speak in each recording that is answered in segments.
    notes : tuple of str
        What a reader must know about every answer.
    """

    def __init__(
        self,
        recipe: FusionRecipe,
        *,
        voice: AudioModels,
        face: VideoModel,
        speaker: KnownSpeaker | None = None,
        people: People | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.recipe = recipe
        self.voice = voice
        self.face = face
        self.speaker = speaker
        self.people = people
        self.notes = notes

    @classmethod
    def from_run(
        cls, run_dir: str | Path, *, speaker: str | Path | None = None, speakers: int | None = None
    ) -> Predictor:
        """Take the models that the fusion of a run chose; of a run with several folds, those of the first.

        Parameters
        ----------
        run_dir : str or Path
            Such as ``artifacts/mine``, or `PRETRAINED_DIR`.
        speaker : str or Path, optional
            Clips of the one person who speaks in every clip (a folder), or an enrolment (``.json``): the run's
            speaker-adapted models answer then. Of silent films the face is adapted and the voice is not. Where it
            holds a single clip nothing can be adapted, the plain models answer, and a note says so.
        speakers : int, optional
            How many people speak in each recording that is answered in segments: their voices are told apart. Who
            speaks changes no answer.

        Raises
        ------
        InputError
            If the folder is no run that was fused, has no speaker-adapted models where a speaker is given, no clip of
            the speaker can be used, `speakers` is below 1, or both are given.
        """
        if speakers is not None:
            if speaker is not None or speakers < 1:
                raise InputError(f"{speakers} speakers; allowed: 1 or more, and not beside one known speaker")
            from ravdess_mm.predict.diarization import SpeakerSpace

            predictor = cls.from_run(run_dir)
            predictor.people = People(speakers, SpeakerSpace.load(PRETRAINED_DIR / SPEAKERS))
            return predictor
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
        models_dir = recipe_path.parents[1]
        recipe, face = load_video_model(models_dir, read_recipe(recipe_path))
        notes = (INVENTED,) if is_synthetic(models_dir.parent) else ()
        return cls(recipe, voice=AudioModels(models_dir, recipe), face=face, notes=notes)

    @classmethod
    def _adapted(cls, run_dir: Path, source: Path) -> Predictor:
        found, plain = cls.adaptable(run_dir), cls.from_run(run_dir)
        know = partial(found.voice.enrol, plain=plain.voice)
        enrolment = load_or_enrol_speaker(source, features=found.voice.features, know=know)
        speaker = KnownSpeaker(enrolment if enrolment.is_enough else None, lambda: found.face.known_shares(source))
        if speaker.voice is not None:
            return cls(found.recipe, voice=found.voice, face=found.face, speaker=speaker, notes=found.notes)
        if speaker.face is not None:
            return cls(found.recipe, voice=plain.voice, face=found.face, speaker=speaker, notes=found.notes)
        if enrolment.n_clips == 0:
            raise InputError(f"{source}: no clip of the speaker can be used")
        note = f"not adapted to the speaker: {source} holds one usable clip, two or more are needed"
        return cls(plain.recipe, voice=plain.voice, face=plain.face, notes=(*plain.notes, note))

    def predict(self, path: str | Path, *, in_segments: bool | None = None) -> Prediction:
        """Answer for one clip: sound, film, or both.

        Parameters
        ----------
        path : str or Path
            The clip.
        in_segments : bool, optional
            Whether to answer segment by segment, parted where nobody speaks, or in equal parts where there is no
            sound; the
            answer for the whole is then the mean of theirs by length. By default where it is longer than
            `ravdess_mm.audio.segmentation.WHOLE_S`, since the models know sentences.

        Raises
        ------
        MediaError
            If no branch can answer; the message says why.
        """
        return self.answer(path, in_segments=in_segments)[0]

    def predict_many(
        self, paths: Iterable[str | Path], *, in_segments: bool | None = None
    ) -> Iterator[tuple[Path, Prediction | InputError | MediaError]]:
        """Answer for many clips, one after the other; one that cannot be used costs only itself.

        Parameters
        ----------
        paths : iterable of path
            Clips, and folders of them.
        in_segments : bool, optional
            As for `predict`.

        Yields
        ------
        Path
            The clip.
        Prediction, InputError or MediaError
            What is said about it; or why nothing can be, such as that there is no such file.
        """
        for given in paths:
            try:
                clips = list(find_clips([given]))
            except InputError as error:
                yield Path(given), error
                continue
            for path in clips:
                try:
                    answer: Prediction | MediaError = self.predict(path, in_segments=in_segments)
                except MediaError as error:
                    answer = error
                yield path, answer

    def answer(
        self, path: str | Path, *, in_segments: bool | None = None, keep_images: bool = False
    ) -> tuple[Prediction, FrameScores | None]:
        """Answer as `predict` does, and return what was looked at.

        Parameters
        ----------
        path, in_segments
            As for `predict`.
        keep_images : bool
            Whether a look at a recording in segments holds its pictures; a look at a sentence always does.

        Returns
        -------
        tuple of Prediction and FrameScores, or of Prediction and None
            None where no face model answered.
        """
        path = Path(path)
        streams = probe_media(path)
        heard = AudioSignal.of_file(path) if streams.has_audio and "audio" in self.recipe.models else AudioSignal()
        has_face = streams.has_video and "video" in self.recipe.models
        duration_s = heard.duration_s or streams.duration_s
        if _is_cut(duration_s, in_segments) and (heard.samples is not None or has_face):
            return self._answer_segments(path, heard, duration_s, has_face=has_face, keep_images=keep_images)
        held = " and ".join(name for name, there in vars(streams).items() if there is True) or "nothing usable"
        return self._answer_whole(path, heard, duration_s, has_face=has_face, held=held.replace("_", " "))

    def predict_samples(self, samples: npt.ArrayLike, sr: int, *, in_segments: bool | None = None) -> Prediction:
        """Answer for sound in memory.

        Parameters
        ----------
        samples : array-like [shape=(n,)]
            Mono samples, floats; full scale is -1 to 1.
        sr : int
            Sampling rate, in Hz.
        in_segments : bool, optional
            As for `predict`.

        Returns
        -------
        Prediction
            Its path is ``array``.

        Raises
        ------
        InputError
            If the samples have another shape or type, or `sr` is not positive.
        MediaError
            If the models do not hear, or the sound cannot be used; the message says why.
        """
        heard = AudioSignal.of_array(samples, sr)
        if "audio" not in self.recipe.models:
            raise MediaError(f"the models are for {' and '.join(self.recipe.models)}, not for sound")
        if _is_cut(heard.duration_s, in_segments):
            found = self._answer_segments(IN_MEMORY, heard, heard.duration_s, has_face=False, keep_images=False)
        else:
            found = self._answer_whole(IN_MEMORY, heard, heard.duration_s, has_face=False, held="has audio")
        return found[0]

    def _answer_whole(
        self, path: Path, heard: AudioSignal, duration_s: float, *, has_face: bool, held: str
    ) -> tuple[Prediction, FrameScores | None]:
        notes = [*self.notes, *heard.notes]
        if self.people is not None and heard.samples is not None:
            notes.append("speakers: not told apart, since this is one segment")
        answers: dict[str, Floats] = {}
        seen: FrameScores | None = None
        if heard.samples is not None:
            try:
                answers["audio"], own_notes = self._score_audio(heard.samples, heard.sr)
                notes += [f"voice: {note}" for note in own_notes]
            except MediaError as error:
                notes.append(f"voice: {error}")
        if has_face:
            try:
                seen = self.score_frames(path)
                answers["video"] = seen.answer
            except MediaError as error:
                notes.append(f"face: {error}")
        if not answers:
            known = " and ".join(self.recipe.models)
            raise MediaError("; ".join(notes[len(self.notes) :]) or f"the clip {held}; the models are for {known}")
        branches = {branch: named(values) for branch, values in answers.items()}
        return self._prediction(path, named(self.recipe.apply(answers)), branches, seen, notes, duration_s), seen

    def _answer_segments(
        self, path: Path, heard: AudioSignal, duration_s: float, *, has_face: bool, keep_images: bool
    ) -> tuple[Prediction, FrameScores | None]:
        notes = [*self.notes, *heard.notes]
        found, is_heard = cut_recording(heard.samples, heard.sr, duration_s)
        if self.people is not None and not is_heard:
            notes.append("speakers: not told apart, since nobody is heard")
        if heard.samples is not None and is_heard:
            if self.people is not None:
                notes.append(self.people.find(found, heard.samples, heard.sr, name=path.name))
            score_audio_segments(found, heard.samples, heard.sr, hear=self._score_audio, name=path.name)
        elif heard.samples is not None:
            notes.append("voice: nobody is heard to speak")
        looks: list[FrameScores] = []
        if has_face:
            looks, trouble = score_video_segments(
                found, path, face=self.face, adapt=self._adapt, duration_s=duration_s, keep_images=keep_images
            )
            notes += [f"face: {trouble}"] if trouble else []
        segments = tuple(segment.fused(self.recipe.apply) for segment in found if segment.answers)
        if not segments:
            reasons = [*notes[len(self.notes) :], *(note for segment in found for note in segment.notes)]
            raise MediaError("; ".join(dict.fromkeys(reasons)) or "no segment of it can be answered for")
        covered_s = sum(segment.end_s - segment.start_s for segment in segments)
        number = "1 segment" if len(segments) == 1 else f"{len(segments)} segments"
        notes.append(f"the mean of {number}, {covered_s:.0f} of {duration_s:.0f} s")
        if doubtful := sum(bool(segment.notes) for segment in segments):
            notes.append(f"see the notes on {doubtful} of the segments")
        by_branch = {
            branch: [segment for segment in segments if branch in segment.branches] for branch in self.recipe.models
        }
        branches = {branch: mean_answer(own, branch) for branch, own in by_branch.items() if own}
        seen = concatenate_frame_scores(looks)
        return self._prediction(path, mean_answer(segments), branches, seen, notes, duration_s, segments), seen

    def _prediction(
        self,
        path: Path,
        probabilities: dict[str, float],
        branches: dict[str, dict[str, float]],
        seen: FrameScores | None,
        notes: Sequence[str],
        duration_s: float,
        segments: tuple[Segment, ...] = (),
    ) -> Prediction:
        speaker = self.speaker or KnownSpeaker(None, lambda: None)
        if self.speaker is not None and speaker.voice is None and "audio" in branches:
            notes = [*notes, "voice: not adapted, the speaker's clips have too little sound that can be used"]
        told = (self.face.note,) if self.face.note and "video" in branches else ()
        return Prediction(
            path=path,
            probabilities=probabilities,
            branches=branches,
            moments=seen.moments if seen is not None else (),
            notes=(*notes, *told),
            speaker_clips=speaker.voice.n_clips if speaker.voice is not None and "audio" in branches else 0,
            face_clips=speaker.face.n_clips if "video" in branches and speaker.face is not None else 0,
            segments=segments,
            duration_s=duration_s,
        )

    def _score_audio(
        self, samples: Samples, sr: int, activity: SpeechActivity | None = None
    ) -> tuple[Floats, list[str]]:
        enrolment = self.speaker.voice if self.speaker is not None else None
        return self.voice.score(samples, sr, enrolment=enrolment, activity=activity)

    def score_frames(self, path: str | Path) -> FrameScores:
        """Return the frames of a clip with the network's answer to each, adapted where the speaker's face is known.

        Raises
        ------
        MediaError
            If the clip has no frames that can be used.
        """
        return self._adapt(self.face.score_frames(path))

    def _adapt(self, seen: FrameScores) -> FrameScores:
        shares = self.speaker.face if self.speaker is not None else None
        if shares is None:
            return seen
        return replace(seen, answer=shares.even(seen.answer), probabilities=shares.even(seen.probabilities))


def _is_cut(duration_s: float, in_segments: bool | None) -> bool:
    """Tell whether a recording is answered segment by segment; of unknown length (NaN) it never is."""
    return duration_s > (WHOLE_S if in_segments is None else 0) and in_segments is not False
