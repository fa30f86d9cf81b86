"""Voice and face as they are now, twice a second, from `ravdess_mm.predict.live_sources`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ravdess_mm.arrays import Floats
from ravdess_mm.audio.speech_activity import SpeechActivity
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.errors import MediaError
from ravdess_mm.predict.face_stream import stream_faces
from ravdess_mm.predict.live_sources import GONE_S, LiveSources
from ravdess_mm.predict.prediction import named
from ravdess_mm.video.decoding.gray import BLACK_MAX

if TYPE_CHECKING:
    from ravdess_mm.predict.predictor import Predictor
    from ravdess_mm.video.decoding.frames import GrayFrame

EVERY_S: Final = 0.5
"""From one answer to the next."""
WINDOW_S: Final = 2.0
"""Of the voice."""
LEAST_SPEECH: Final = 0.15
"""Share of the window in which somebody must speak."""
FADE_S: Final = 2.0
"""Half of what the voice said is left after so much silence."""
FORGOTTEN_S: Final = 10.0
"""After so much silence nothing is."""
FACE_S: Final = 1.0
"""A face that was seen longer ago is gone."""
QUIET: Final = 1e-4
"""Peak level of a microphone that is muted."""


@dataclass(frozen=True)
class LiveAnswer:
    """What is expressed now.

    Attributes
    ----------
    time_s : float
        Since the start.
    voice, face, both : dict of str to float, or None
        Emotion to probability; None where nothing is heard or seen.
    is_speaking : bool
        Whether somebody speaks now, so that the voice does not fade.
    latency_s : float
        Since the newest picture or sound that it rests on; NaN without any.
    n_faces : int
        Faces that were answered for since the answer before.
    n_dropped : int
        Pictures that came too fast to be looked at, since the start.
    notes : tuple of str
        What is wrong with camera or microphone.
    """

    time_s: float
    voice: dict[str, float] | None
    face: dict[str, float] | None
    both: dict[str, float] | None
    is_speaking: bool
    latency_s: float
    n_faces: int
    n_dropped: int
    notes: tuple[str, ...]

    def row(self) -> dict[str, Any]:
        """Return a row of ``--record``."""
        answers = {"both": self.both, "voice": self.voice, "face": self.face}
        label = max(self.both, key=lambda emotion: (self.both or {})[emotion]) if self.both else ""
        return {
            "time_s": round(self.time_s, 3),
            "label": label,
            **{
                f"{name}_{emotion}": "" if answer is None else round(answer[emotion], 6)
                for name, answer in answers.items()
                for emotion in EMOTIONS
            },
            "is_speaking": self.is_speaking,
            "latency_s": "" if np.isnan(self.latency_s) else round(self.latency_s, 3),
            "faces": self.n_faces,
            "dropped": self.n_dropped,
            "notes": "; ".join(self.notes),
        }


class LiveSession:
    """Answers for live sources until they end or `close`.

    Parameters
    ----------
    predictor : Predictor
        The models, and who speaks.
    sources : LiveSources
        What is looked at and listened to; closed with the session.
    """

    def __init__(self, predictor: Predictor, sources: LiveSources) -> None:
        self._predictor, self._sources = predictor, sources
        self._is_closed = Event()
        self._lock = Lock()
        self._faces: list[tuple[float, Floats]] = []
        self._voice: tuple[float, Floats] | None = None
        self._is_speaking = False
        self._is_black = False
        self._problems: dict[str, str] = {}
        self._threads = [Thread(target=work, daemon=True) for work in (self._look, self._listen)]

    def __enter__(self) -> LiveSession:
        self._started_s = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_closed.set()
        self._sources.close()
        for thread in self._threads:
            thread.join()

    def answers(self) -> Iterator[LiveAnswer]:
        """Yield an answer every `EVERY_S`, until a film is over or its reader leaves."""
        due_s = self._started_s
        while not self._sources.ended.is_set():
            due_s = max(due_s + EVERY_S, time.monotonic())
            self._sources.ended.wait(due_s - time.monotonic())
            yield self._answer()

    def _answer(self) -> LiveAnswer:
        now_s = time.monotonic()
        with self._lock:
            seen = [(taken_s, answer) for taken_s, answer in self._faces if now_s - taken_s < FACE_S]
            n_faces, self._faces = len(self._faces), seen[-1:]
            voice = self._voice
        answers: dict[str, Floats] = {}
        newest = [taken_s for taken_s, _ in seen]
        if voice is not None and now_s - voice[0] < FORGOTTEN_S:
            weight = 1.0 if self._is_speaking else 0.5 ** ((now_s - voice[0]) / FADE_S)
            answers["audio"] = weight * voice[1] + (1 - weight) / len(EMOTIONS)
            newest += [voice[0]] if self._is_speaking else []
        if seen:
            answers["video"] = np.mean([answer for _, answer in seen], axis=0)
        both = self._predictor.recipe.apply(answers) if answers else None
        return LiveAnswer(
            now_s - self._started_s,
            named(answers["audio"]) if "audio" in answers else None,
            named(answers["video"]) if "video" in answers else None,
            None if both is None else named(both),
            self._is_speaking,
            now_s - max(newest) if newest else float("nan"),
            n_faces,
            self._sources.frames.n_dropped,
            tuple(self._notes(now_s)),
        )

    def _notes(self, now_s: float) -> Iterator[str]:
        frames, sound = self._sources.frames, self._sources.sound
        if frames.problem:
            yield frames.problem
        elif now_s - frames.last_s > GONE_S:
            yield "the camera gives no picture"
        elif self._is_black:
            yield "the picture is black"
        if sound.problem:
            yield sound.problem
        elif now_s - sound.last_s > GONE_S:
            yield "the microphone gives no sound"
        elif sound.sr and np.abs(sound.last(WINDOW_S)[0]).max(initial=0.0) < QUIET:
            yield "the microphone is silent; is it muted?"
        yield from self._problems.values()

    def _look(self) -> None:
        """Answer for each picture that is the newest when the one before is done."""
        if "video" not in self._predictor.recipe.models:
            self._problems["face"] = "the models do not look"
            return
        for frame in stream_faces(self._predictor, self._watched(), at_a_time=1, ahead=0):
            largest = max(frame.faces, key=lambda face: face.box.area if face.box is not None else 0.0, default=None)
            if largest is not None:
                with self._lock:
                    self._faces.append((frame.item, largest.probabilities))

    def _watched(self) -> Iterator[tuple[float, GrayFrame]]:
        for taken_s, frame in self._sources.frames:
            self._is_black = int(frame.image.max()) <= BLACK_MAX
            yield taken_s, frame

    def _listen(self) -> None:
        """Answer for the last seconds of sound in which somebody speaks, again and again."""
        if "audio" not in self._predictor.recipe.models:
            self._problems["voice"] = "the models do not listen"
            return
        sound = self._sources.sound
        while not self._is_closed.wait(EVERY_S / 2):
            samples, heard_s = sound.last(WINDOW_S)
            if not sound.sr or len(samples) < 0.5 * sound.sr or time.monotonic() - heard_s > GONE_S:
                self._is_speaking = False
                continue
            try:
                activity = SpeechActivity.of(samples, sound.sr)
                is_speaking = activity.share >= LEAST_SPEECH
                answer = self._predictor.score_audio(samples, sound.sr, activity)[0] if is_speaking else None
            except MediaError:  # silent or too short: nobody is heard
                is_speaking, answer = False, None
            with self._lock:
                self._is_speaking = is_speaking
                if answer is not None:
                    self._voice = heard_s, answer
