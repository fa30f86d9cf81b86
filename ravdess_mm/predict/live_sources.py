"""Where live pictures and sound come from: a camera, a microphone, or a film that plays in real time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from threading import Condition, Event, Lock, Thread
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ravdess_mm.audio.decoding import Samples
from ravdess_mm.errors import InputError, one_line
from ravdess_mm.extras import need_extra

if TYPE_CHECKING:
    from ravdess_mm.video.decoding.frames import GrayFrame

HELD_S: Final = 4.0
"""Sound that is kept."""
GONE_S: Final = 2.0
"""A source that has given nothing for so long is gone."""


class LatestFrame:
    """The newest picture; one that nobody took before the next came is dropped and counted.

    Attributes
    ----------
    n_dropped : int
        Pictures that were not looked at.
    problem : str
        Why none comes; empty while they do.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._frame: tuple[float, GrayFrame] | None = None
        self._is_closed = False
        self.n_dropped = 0
        self.problem = ""
        self.last_s = time.monotonic()

    def put(self, frame: GrayFrame) -> None:
        """Offer a picture that was taken now."""
        with self._changed:
            self.n_dropped += self._frame is not None
            self.last_s = time.monotonic()
            self._frame = self.last_s, frame
            self._changed.notify()

    def close(self, problem: str = "") -> None:
        """Say that no other picture comes, and why."""
        with self._changed:
            self._is_closed, self.problem = True, problem or self.problem
            self._changed.notify()

    def __iter__(self) -> Iterator[tuple[float, GrayFrame]]:
        """Yield when each picture was taken (`time.monotonic`), and it, until `close`."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._frame is not None or self._is_closed)
                if self._frame is None:
                    return
                taken, self._frame = self._frame, None
            yield taken


class RecentSound:
    """The last seconds of a sound, and when its end was heard.

    Attributes
    ----------
    sr : int
        Sampling rate, in Hz; 0 until there is sound.
    problem : str
        Why none comes; empty while it does.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._samples: Samples = np.zeros(0, np.float32)
        self.sr = 0
        self.problem = ""
        self.last_s = time.monotonic()

    def put(self, samples: Samples, sr: int) -> None:
        """Add samples [shape=(n,)] whose last was heard now."""
        with self._lock:
            self.sr, self.last_s = sr, time.monotonic()
            self._samples = np.concatenate([self._samples, samples])[-round(HELD_S * sr) :]

    def last(self, duration_s: float) -> tuple[Samples, float]:
        """Return the last seconds, and when they ended (`time.monotonic`)."""
        with self._lock:
            return self._samples[-round(duration_s * self.sr) or None :].copy(), self.last_s


class LiveSources:
    """What is looked at and listened to; each in a thread of its own until `close`.

    Attributes
    ----------
    frames : LatestFrame
        The picture.
    sound : RecentSound
        The sound.
    ended : Event
        Set when a film is over.
    """

    def __init__(self) -> None:
        self.frames, self.sound = LatestFrame(), RecentSound()
        self.ended = Event()
        self._is_closed = Event()
        self._threads: list[Thread] = []
        self._stream: Any = None

    @classmethod
    def of_film(cls, path: Path) -> LiveSources:
        """Play a film, or a sound, in real time.

        Raises
        ------
        MediaError
            If it is neither.
        """
        from ravdess_mm.corpus.probe import probe_media
        from ravdess_mm.predict.audio import AudioSignal

        streams = probe_media(path)
        sources = cls()
        signal = AudioSignal.of_file(path) if streams.has_audio else AudioSignal(notes=("no sound in the film",))
        started_s = time.monotonic()
        if streams.has_video:
            sources._start(sources._play_frames, path, started_s)
        else:
            sources.frames.close("no picture in the film")
        if signal.samples is None:
            sources.sound.problem = "; ".join(signal.notes)
        else:
            sources._start(sources._play_sound, signal.samples, signal.sr, started_s)
        return sources

    @classmethod
    def of_devices(cls, camera: int, microphone: str | None) -> LiveSources:
        """Open a camera and a microphone; where one cannot be, its problem says why, and the other goes on.

        Parameters
        ----------
        camera : int
            Its number; below 0 for none.
        microphone : str, optional
            Part of its name; None for the system's own, ``none`` for none.

        Raises
        ------
        InputError
            If neither can be opened.
        """
        sources = cls()
        if camera < 0:
            sources.frames.close("no camera wanted")
        else:
            sources._open_camera(camera)
        if microphone == "none":
            sources.sound.problem = "no microphone wanted"
        else:
            sources.sound.problem = sources._open_microphone(microphone)
        if sources.frames.problem and sources.sound.problem:
            raise InputError(f"neither seen nor heard: {sources.frames.problem}; {sources.sound.problem}")
        return sources

    def close(self) -> None:
        """Stop all of it."""
        self._is_closed.set()
        self.frames.close()
        if self._stream is not None:
            self._stream.close()
        for thread in self._threads:
            thread.join()

    def _start(self, work: Any, *given: Any) -> None:
        thread = Thread(target=work, args=given, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _play_frames(self, path: Path, started_s: float) -> None:
        from ravdess_mm.errors import MediaError
        from ravdess_mm.video.decoding.frames import iter_frames

        problem = ""
        try:
            for frame in iter_frames(path, frame_step=1, skip_black=False):
                if self._is_closed.wait(max(0.0, started_s + frame.time_s - time.monotonic())):
                    return
                self.frames.put(frame)
        except MediaError as error:
            problem = str(error)
        self.frames.close(problem)
        self._end()

    def _play_sound(self, samples: Samples, sr: int, started_s: float, block_s: float = 0.1) -> None:
        size = round(block_s * sr)
        for start in range(0, len(samples), size):
            if self._is_closed.wait(max(0.0, started_s + (start + size) / sr - time.monotonic())):
                return
            self.sound.put(samples[start : start + size], sr)
        self._end()

    def _end(self) -> None:
        """Note that one of the film's streams is over; the film is when no other is left."""
        if sum(thread.is_alive() for thread in self._threads) <= 1:
            self.ended.set()

    def _open_camera(self, number: int) -> None:
        camera = open_camera(number)
        if not camera.isOpened():
            self.frames.close(f"camera {number} cannot be opened")
            return
        self._start(self._watch, camera, number)

    def _watch(self, camera: Any, number: int) -> None:
        import cv2

        from ravdess_mm.video.decoding.frames import GrayFrame

        started_s = time.monotonic()
        n_frames = n_failed = 0
        while not self._is_closed.is_set() and n_failed < 30:
            is_read, image = camera.read()
            if not is_read:
                n_failed += 1
                self._is_closed.wait(0.05)
                continue
            n_failed = 0
            gray = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
            self.frames.put(GrayFrame(n_frames, time.monotonic() - started_s, gray))
            n_frames += 1
        camera.release()
        if not self._is_closed.is_set():
            self.frames.close(f"camera {number} gives no picture any more")

    def _open_microphone(self, name: str | None) -> str:
        """Listen, and return why that is not possible; empty where it is."""
        try:
            sounddevice = load_sounddevice()
            found = sounddevice.query_devices(name, "input")
            sr = int(found["default_samplerate"])

            def hear(block: Any, *_: Any) -> None:
                self.sound.put(np.ascontiguousarray(block.mean(axis=1), dtype=np.float32), sr)

            self._stream = sounddevice.InputStream(device=name, samplerate=sr, callback=hear, blocksize=sr // 20)
            self._stream.start()
        except InputError as error:
            return str(error)
        except Exception as error:  # PortAudio raises several kinds; each means that nothing can be heard
            return f"microphone {name or '(default)'} cannot be opened: {one_line(error)}"
        return ""


def open_camera(number: int) -> Any:
    """Return a camera that is asked for 720p, open or not."""
    import cv2

    cv2.utils.logging.setLogLevel(0)  # that there is no camera is said by us, once
    camera = cv2.VideoCapture(number)
    camera.set(cv2.CAP_PROP_FRAME_WIDTH, 1280)
    camera.set(cv2.CAP_PROP_FRAME_HEIGHT, 720)
    return camera


def load_sounddevice() -> Any:
    """Return the library that listens to microphones.

    Raises
    ------
    InputError
        If it, or PortAudio below it, is not installed.
    """
    need_extra("sounddevice")
    try:
        import sounddevice
    except OSError as error:
        raise InputError(f"the microphone needs PortAudio: {one_line(error)}") from error
    return sounddevice


def list_devices(n_cameras: int = 6) -> tuple[list[int], list[str], str]:
    """Return the numbers of cameras that open, the names of microphones, and why none can be listed, if so."""
    cameras = []
    for number in range(n_cameras):
        camera = open_camera(number)
        if camera.isOpened():
            cameras.append(number)
        camera.release()
    try:
        devices = load_sounddevice().query_devices()
    except Exception as error:  # as above
        return cameras, [], one_line(error)
    return cameras, [str(device["name"]) for device in devices if device["max_input_channels"]], ""
