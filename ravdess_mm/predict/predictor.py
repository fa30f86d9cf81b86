"""A clip of your own: which emotion voice and face express, moment by moment and all in all."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from ravdess_mm.arrays import Floats
from ravdess_mm.audio.segmentation import WHOLE_S
from ravdess_mm.bundles.pretrained import PRETRAINED_DIR as PRETRAINED_DIR
from ravdess_mm.corpus.media_files import find_clips
from ravdess_mm.errors import InputError, MediaError
from ravdess_mm.predict.audio import AudioSignal
from ravdess_mm.predict.enrolment import Enrolment, load_or_enrol_face, load_or_enrol_voice
from ravdess_mm.predict.faces import concatenate, find_speaking_faces, look_through, note_on_faces
from ravdess_mm.predict.prediction import FaceTrack, FrameScores, Prediction, Segment, mean_answer
from ravdess_mm.predict.recordings import (
    Recording,
    SegmentScores,
    score_audio_segments,
)
from ravdess_mm.predict.run_models import RunModels

if TYPE_CHECKING:
    from ravdess_mm.audio.decoding import Samples
    from ravdess_mm.audio.speech_activity import SpeechActivity
    from ravdess_mm.predict.diarization import People
    from ravdess_mm.predict.faces import FrameSource

SPEAKERS: Final = "speakers"
"""Folder beside the models that ship that holds what tells voices apart."""


class Predictor:
    """The models of one run, ready for clips of anybody.

    Parameters
    ----------
    models : RunModels
        What answers.
    enrolment : Enrolment
        Who speaks in every clip, for speaker-adapted models.
    people : People, optional
        How many people speak in each recording that is answered in segments.
    notes : tuple of str
        What a reader must know about every answer, beside the models' own notes.
    """

    def __init__(
        self,
        models: RunModels,
        *,
        enrolment: Enrolment | None = None,
        people: People | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.recipe, self.voice, self.face = models.recipe, models.audio, models.video
        self.enrolment = enrolment or Enrolment()
        self.people = people
        self.notes = (*models.notes, *notes)

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
        if speakers is not None and (speaker is not None or speakers < 1):
            raise InputError(f"{speakers} speakers; allowed: 1 or more, and not beside one known speaker")
        if speaker is not None:
            return cls._adapted(Path(run_dir), Path(speaker))
        people = None
        if speakers is not None:
            from ravdess_mm.predict.diarization import People, SpeakerSpace

            people = People(speakers, SpeakerSpace.load(PRETRAINED_DIR / SPEAKERS))
        return cls(RunModels.load(run_dir), people=people)

    @classmethod
    def _adapted(cls, run_dir: Path, source: Path) -> Predictor:
        plain, adapted = RunModels.load(run_dir), RunModels.load_adapted(run_dir)
        know = partial(adapted.audio.enrol, plain=plain.audio)
        voice = load_or_enrol_voice(source, features=adapted.audio.features, know=know)
        enrolment = Enrolment.of(voice, partial(load_or_enrol_face, source, video=adapted.video))
        if enrolment.voice is not None:
            return cls(adapted, enrolment=enrolment)
        if enrolment.face is not None:
            return cls(replace(adapted, audio=plain.audio), enrolment=enrolment)
        if voice.n_clips == 0:
            raise InputError(f"{source}: no clip of the speaker can be used")
        return cls(
            plain, notes=(f"not adapted to the speaker: {source} holds one usable clip, two or more are needed",)
        )

    def predict(self, path: str | Path, *, in_segments: bool | None = None) -> Prediction:
        """Answer for one clip: sound, film, or both.

        Parameters
        ----------
        path : str or Path
            The clip.
        in_segments : bool, optional
            Whether to answer segment by segment, parted where nobody speaks, or in equal parts where there is no
            sound; the answer for the whole is then the mean of theirs by length. By default where it is longer than
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
        return self._in_memory(samples=samples, sr=sr, in_segments=in_segments)

    def predict_frames(
        self,
        frames: Sequence[npt.ArrayLike] | npt.ArrayLike,
        fps: float,
        *,
        samples: npt.ArrayLike | None = None,
        sr: int = 0,
        in_segments: bool | None = None,
    ) -> Prediction:
        """Answer for pictures in memory, with or without their sound.

        Parameters
        ----------
        frames : array-like [shape=(n, height, width, 3) or (n, height, width), dtype=uint8]
            Pixels in the order blue, green, red, as OpenCV reads them, or gray; in the order of time.
        fps : float
            Frames a second, above 0.
        samples, sr, in_segments
            As for `predict_samples`; sound starts with the first frame.

        Raises
        ------
        InputError
            If frames, samples or a rate are of another shape, type or range.
        MediaError
            If neither can be used; the message says why.
        """
        return self._in_memory(frames=frames, fps=fps, samples=samples, sr=sr, in_segments=in_segments)

    def _in_memory(
        self,
        *,
        frames: Sequence[npt.ArrayLike] | npt.ArrayLike | None = None,
        fps: float = 0.0,
        samples: npt.ArrayLike | None = None,
        sr: int = 0,
        in_segments: bool | None,
    ) -> Prediction:
        recording = Recording.in_memory(frames=frames, fps=fps, samples=samples, sr=sr, branches=self.recipe.models)
        return self._answer(recording, in_segments=in_segments, keep_images=False)[0]

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
        recording = Recording.open(Path(path), branches=self.recipe.models)
        return self._answer(recording, in_segments=in_segments, keep_images=keep_images)

    def _answer(
        self, recording: Recording, *, in_segments: bool | None, keep_images: bool
    ) -> tuple[Prediction, FrameScores | None]:
        signal, name = recording.signal, recording.path.name
        if signal.samples is None and recording.frames is None:
            known = " and ".join(self.recipe.models)
            raise MediaError("; ".join(signal.notes) or f"the clip has {recording.streams}; the models are for {known}")
        # of unknown length (NaN) it is never cut
        is_cut = recording.duration_s > (WHOLE_S if in_segments is None else 0) and in_segments is not False
        segments = recording.cut(is_cut=is_cut)
        notes = [*signal.notes, *self._name_speakers(segments, signal, name, is_cut=is_cut)]
        if signal.samples is not None and segments[0].is_heard:
            score_audio_segments(segments, signal.samples, signal.sr, score=self.score_audio, name=name)
        elif signal.samples is not None:
            notes.append("voice: nobody is heard to speak")
        if not is_cut:
            notes += segments[0].notes
        seen: FrameScores | None = None
        tracks: tuple[FaceTrack, ...] = ()
        if recording.frames is not None:
            seen, tracks, notes_on_faces = self._score_video(
                segments, recording, recording.frames, keep_images=keep_images or not is_cut
            )
            notes += notes_on_faces
        answered = tuple(segment.fused(self.recipe.apply) for segment in segments if segment.answers)
        if not answered:
            reasons = [*notes, *(note for segment in segments for note in segment.notes)]
            raise MediaError("; ".join(dict.fromkeys(reasons)) or "no segment of it can be answered for")
        if is_cut:
            notes += _notes_on_segments(answered, recording.duration_s)
        prediction = self._prediction(recording, answered, seen, notes, is_cut=is_cut)
        return replace(prediction, faces=tracks), seen

    def _score_video(
        self, segments: Sequence[SegmentScores], recording: Recording, frames: FrameSource, *, keep_images: bool
    ) -> tuple[FrameScores | None, tuple[FaceTrack, ...], list[str]]:
        """Add the face's answer to each segment that shows one; return all that counts, every face, and notes."""
        spans = [segment.span for segment in segments]
        seen = look_through(
            self.face.score_spans(frames, spans),
            adapt=self._adapt,
            name=recording.path.name,
            duration_s=recording.duration_s,
            keep_images=keep_images,
        )
        notes = [f"face: {seen.trouble}"] if seen.trouble else []
        if not seen.parts:
            return None, (), notes
        is_heard = segments[0].is_heard
        told = find_speaking_faces(seen, frames, recording.signal if is_heard else AudioSignal(), spans)
        if len(seen.faces) > 1:
            notes.append(note_on_faces(len(seen.faces), told, is_heard=is_heard))
        fused = []
        for (number, part), (_, face) in zip(seen.parts, seen.fused(told), strict=True):
            fused.append(part[face])
            if number is not None:
                segments[number].answers["video"] = part[face].answer
                segments[number].face = face or None
        return concatenate(fused), seen.tracks(told), notes

    def _name_speakers(
        self, segments: Sequence[SegmentScores], signal: AudioSignal, name: str, *, is_cut: bool
    ) -> list[str]:
        """Say of each segment who speaks, where that is asked, and return notes on it."""
        if self.people is None:
            return []
        if not is_cut:
            return ["speakers: not told apart, since this is one segment"] if signal.samples is not None else []
        if signal.samples is None or not segments[0].is_heard:
            return ["speakers: not told apart, since nobody is heard"]
        parts = [segment.cut(signal.samples, signal.sr) for segment in segments]
        speakers, note = self.people.name_speakers(parts, signal.sr, name=name)
        for segment, speaker in zip(segments, speakers, strict=True):
            segment.speaker = speaker
        return [note]

    def _prediction(
        self,
        recording: Recording,
        answered: tuple[Segment, ...],
        seen: FrameScores | None,
        notes: list[str],
        *,
        is_cut: bool,
    ) -> Prediction:
        branches = {
            branch: mean_answer(those, branch)
            for branch in self.recipe.models
            if (those := [segment for segment in answered if branch in segment.branches])
        }
        voice = self.enrolment.voice if "audio" in branches else None
        face = self.enrolment.face if "video" in branches else None
        if "audio" in branches and self.enrolment.voice is None and self.enrolment.face is not None:
            notes = [*notes, "voice: not adapted, the speaker's clips have too little sound that can be used"]
        if self.face.note and "video" in branches:
            notes = [*notes, self.face.note]
        return Prediction(
            path=recording.path,
            probabilities=mean_answer(answered),
            branches=branches,
            moments=seen.moments if seen is not None else (),
            notes=(*self.notes, *notes),
            speaker_clips=voice.n_clips if voice is not None else 0,
            face_clips=face.n_clips if face is not None else 0,
            segments=answered if is_cut else (),
            duration_s=recording.duration_s,
        )

    def warm_up(self) -> None:
        """Load the models now, not when the first clip needs them."""
        if "audio" in self.recipe.models:
            with suppress(MediaError):  # noise is no voice; what it says does not matter
                self.score_audio(np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32), 16_000, None)
        if "video" in self.recipe.models:
            from ravdess_mm.video.frame_store.sampling import FRAME_SIZE_PX

            self.score_images(np.full((1, FRAME_SIZE_PX, FRAME_SIZE_PX), 128, np.uint8))

    def score_audio(self, samples: Samples, sr: int, activity: SpeechActivity | None) -> tuple[Floats, list[str]]:
        """Return what the voice says in some samples [shape=(8,)], and what speaks against it; see `AudioModels`."""
        return self.voice.score(samples, sr, enrolment=self.enrolment.voice, activity=activity)

    def score_images(self, images: npt.NDArray[np.uint8]) -> Floats:
        """Return what each face or frame [shape=(n, 256, 256)] says by itself [shape=(n, 8)], adapted if it can be."""
        scores = self.face.score_images(images)
        face = self.enrolment.face
        return scores if face is None else face.even(scores)

    def _adapt(self, scores: FrameScores) -> FrameScores:
        face = self.enrolment.face
        if face is None:
            return scores
        return replace(scores, answer=face.even(scores.answer), probabilities=face.even(scores.probabilities))


def _notes_on_segments(segments: Sequence[Segment], duration_s: float) -> list[str]:
    covered_s = math.fsum(segment.end_s - segment.start_s for segment in segments)
    number = "1 segment" if len(segments) == 1 else f"{len(segments)} segments"
    notes = [f"the mean of {number}, {covered_s:.0f} of {duration_s:.0f} s"]
    if doubtful := sum(bool(segment.notes) for segment in segments):
        notes.append(f"see the notes on {doubtful} of the segments")
    return notes
