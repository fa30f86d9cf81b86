"""A copy of a film with what is seen and heard drawn in: faces, their emotions, the voice, and both together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from ravdess_mm.arrays import Floats
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.errors import InputError, MediaError
from ravdess_mm.predict.face_stream import AnsweredFrame, FaceAnswer, stream_faces
from ravdess_mm.predict.recordings import Recording
from ravdess_mm.predict.voice_over_time import VoiceOverTime, score_windows
from ravdess_mm.store import whole_file

if TYPE_CHECKING:
    from ravdess_mm.predict.prediction import Prediction
    from ravdess_mm.predict.predictor import Predictor
    from ravdess_mm.video.decoding.frames import GrayFrame

COPIED: Final = frozenset({"aac", "ac3", "alac", "eac3", "flac", "mp3", "opus"})
"""Codecs of sound that MP4 holds: their packets are copied; any other sound becomes AAC."""
COLOURS: Final = {
    "neutral": (150, 150, 150),
    "calm": (170, 190, 90),
    "happy": (20, 170, 245),
    "sad": (210, 120, 50),
    "angry": (60, 60, 225),
    "fearful": (190, 90, 160),
    "disgust": (70, 150, 90),
    "surprised": (200, 180, 20),
}
"""Of each emotion's marks: blue, green, red."""

_BACK: Final = (30, 30, 30)
_TEXT: Final = (245, 245, 245)


def annotate_film(predictor: Predictor, source: Path, path: Path) -> Path:
    """Write a copy of a film, H.264 in MP4, with its size, frame times and sound.

    Every face has a box with its identity and its two most probable emotions; below stand a bar of the voice, in
    windows of about a second, and what both say: the voice and the face that counts at that moment.

    Parameters
    ----------
    predictor : Predictor
        What answers.
    source : Path
        The film.
    path : Path
        ``.mp4``; whole or not there.

    Raises
    ------
    InputError
        If `path` has another ending or is the film itself.
    MediaError
        If it is no film, cannot be answered for, or is damaged.
    """
    import av

    from ravdess_mm.video.decoding.container import reason_of

    if path.suffix.lower() != ".mp4" or path.resolve() == source.resolve():
        raise InputError(f"{path}: the annotated film is another file than the film, with the ending .mp4")
    recording = Recording.open(source, branches=predictor.recipe.models)
    if recording.frames is None:
        raise MediaError(f"no picture to draw on; the clip has {recording.streams}")
    prediction = predictor.predict(source)
    voice = score_windows(predictor, recording.signal, name=source.name)
    try:
        with whole_file(path) as temporary, _Writer(source, temporary) as writer:
            for frame in stream_faces(predictor, _decoded(source)):
                writer.write(frame.item, lambda image, frame=frame: _draw(image, frame, predictor, voice, prediction))
    except av.error.FFmpegError as error:
        raise MediaError(f"the copy cannot be written: {reason_of(error)}") from error
    return path


def _decoded(path: Path) -> Iterator[tuple[Any, GrayFrame]]:
    """Yield every frame as it is decoded, and in gray."""
    import av

    from ravdess_mm.video.decoding.container import open_video, reason_of
    from ravdess_mm.video.decoding.frames import gray_frame

    with open_video(path) as (container, stream):
        first_pts: int | None = None
        number = -1
        try:
            for number, frame in enumerate(container.decode(stream)):
                first_pts = frame.pts if first_pts is None else first_pts
                yield frame, gray_frame(frame, number, first_pts, stream)
        except av.error.FFmpegError as error:
            raise MediaError(f"damaged after frame {number}: {reason_of(error)}") from error


class _Writer:
    """The film that is written: frames are encoded as they come, sound follows them."""

    def __init__(self, source: Path, path: Path) -> None:
        self._source, self._path = source, path
        self._video: Any = None

    def __enter__(self) -> _Writer:
        import av

        from ravdess_mm.corpus.media import open_media

        self._given = open_media(self._source)
        self._film = av.open(str(self._path), "w", format="mp4", options={"movflags": "+faststart"})
        self._sound = self._given.streams.audio[0] if self._given.streams.audio else None
        if self._sound is not None and self._sound.codec_context is None:
            self._sound = None
        self._packets = self._given.demux(self._sound) if self._sound is not None else iter(())
        self._waiting: Any = None
        self._is_copied = self._sound is not None and self._sound.codec_context.name.split("_")[0] in COPIED
        return self

    def _open(self, frame: Any, image: npt.NDArray[np.uint8]) -> None:
        from ravdess_mm.video.decoding.container import open_video

        with open_video(self._source) as (_, given):
            rate, time_base, aspect = given.average_rate or 30, given.time_base, given.sample_aspect_ratio
        self._video = self._film.add_stream("libx264", rate=rate)
        self._video.height, self._video.width = image.shape[:2]
        is_even = not (image.shape[0] % 2 or image.shape[1] % 2)
        self._video.pix_fmt = "yuv420p" if is_even else "yuv444p"
        self._video.options = {"preset": "veryfast", "crf": "20"}
        self._video.time_base = self._video.codec_context.time_base = time_base
        if aspect:
            self._video.codec_context.sample_aspect_ratio = aspect if not frame.rotation % 180 else 1 / aspect
        self._track: Any = None
        if self._sound is None:
            return
        if self._is_copied:
            self._track = self._film.add_stream_from_template(self._sound)
        else:
            rate = self._sound.codec_context.sample_rate
            self._track = self._film.add_stream("aac", rate=rate if rate in (16_000, 44_100) else 48_000)

    def write(self, frame: Any, draw: Any) -> None:
        """Encode one frame with what `draw` puts on its picture."""
        import av

        turns = round(int(frame.rotation) / 90) % 4
        image = np.ascontiguousarray(np.rot90(frame.to_ndarray(format="bgr24"), turns))
        draw(image)
        if self._video is None:
            self._open(frame, image)
        drawn = av.VideoFrame.from_ndarray(image, format="bgr24")
        drawn.pts, drawn.time_base = frame.pts, frame.time_base
        self._film.mux(self._video.encode(drawn))
        if frame.pts is not None:
            self._copy_sound(float(frame.pts * frame.time_base))

    def _copy_sound(self, until_s: float | None) -> None:
        """Write the sound up to a time; all that is left for None."""
        if self._track is None:
            return
        while True:
            packet = self._waiting or next(self._packets, None)
            self._waiting = None
            if packet is None:
                return
            if packet.dts is None:
                continue
            if until_s is not None and float(packet.dts * packet.time_base) > until_s:
                self._waiting = packet
                return
            if self._is_copied:
                packet.stream = self._track
                self._film.mux(packet)
            else:
                for block in packet.decode():
                    self._film.mux(self._track.encode(block))

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None and self._video is not None:
                self._film.mux(self._video.encode())
                self._copy_sound(None)
                if self._track is not None and not self._is_copied:
                    self._film.mux(self._track.encode())
        finally:
            self._film.close()
            self._given.close()
        if kind is None and self._video is None:
            raise MediaError("no frame could be decoded")


@dataclass(frozen=True)
class _Pen:
    """Draws text and bars in a size that fits the picture."""

    image: npt.NDArray[np.uint8]

    @property
    def size_px(self) -> int:
        return max(9, round(int(min(self.image.shape[:2])) / 26))

    def text(self, words: str, left: int, top: int, *, back: tuple[int, int, int] = _BACK) -> int:
        """Write words on a ground of their own and return where they end."""
        import cv2

        scale = self.size_px / 24
        (width, height), below = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
        pad = max(2, self.size_px // 5)
        right, bottom = left + width + 2 * pad, top + height + below + 2 * pad
        cv2.rectangle(self.image, (left, top), (right, bottom), back, -1)
        thickness = 1 if self.size_px < 20 else 2
        place = (left + pad, top + pad + height)
        cv2.putText(self.image, words, place, cv2.FONT_HERSHEY_SIMPLEX, scale, _TEXT, thickness, cv2.LINE_AA)
        return int(bottom)

    def width_px(self, words: str) -> int:
        """Return how wide some words are with the space around them, in pixels."""
        import cv2

        (width, _), _ = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, self.size_px / 24, 1)
        return int(width + 2 * max(2, self.size_px // 5))

    def line_px(self) -> int:
        """Return the height of a line of text."""
        import cv2

        (_, height), below = cv2.getTextSize("Ag", cv2.FONT_HERSHEY_SIMPLEX, self.size_px / 24, 1)
        return int(height + below + 2 * max(2, self.size_px // 5))


def _draw(
    image: npt.NDArray[np.uint8],
    frame: AnsweredFrame[Any],
    predictor: Predictor,
    voice: VoiceOverTime,
    prediction: Prediction,
) -> None:
    import cv2

    pen = _Pen(image)
    height, width = image.shape[:2]
    across, down = width / frame.shape[1], height / frame.shape[0]
    heard = voice.at(frame.time_s)
    counts = _face_that_counts(frame.faces, frame.time_s, prediction)
    for face in frame.faces:
        label, second = np.argsort(-face.probabilities)[:2]
        if face.box is None:
            continue
        box = face.box
        left, top = max(0, round(box.x * across)), max(0, round(box.y * down))
        right, bottom = round((box.x + box.width) * across), round((box.y + box.height) * down)
        colour = COLOURS[EMOTIONS[label]]
        cv2.rectangle(image, (left, top), (right, bottom), colour, max(2, pen.size_px // (4 if face is counts else 12)))
        words = [f"face {face.face}", *(_share(face.probabilities, place) for place in (label, second))]
        needed = len(words) * pen.line_px()
        below = bottom if bottom + needed < height - 2 * pen.line_px() else max(0, top - needed)
        for word in words:
            below = pen.text(word, left, below, back=colour if word == words[1] else _BACK)
    answers = {} if heard is None else {"audio": heard}
    if counts is not None:
        answers["video"] = counts.probabilities
    _draw_bars(pen, heard, predictor.recipe.apply(answers) if answers else None, list(answers))


def _draw_bars(pen: _Pen, heard: Floats | None, both: Floats | None, branches: Sequence[str]) -> None:
    """Draw a bar of the voice at the foot of the picture, and what voice and face say together."""
    import cv2

    height, width = pen.image.shape[:2]
    line = pen.line_px()
    foot = pen.image[height - 2 * line :]
    foot[:] = (foot * 0.35).astype(np.uint8)
    name = {"audio": "voice", "video": "face"}
    rows = [("voice", heard), ("both" if len(branches) != 1 else f"{name[branches[0]]} alone", both)]
    start = max(width // 3, pen.width_px("both: surprised 100 %"))
    for number, (title, answer) in enumerate(rows):
        top = height - (2 - number) * line
        pen.text(f"{title}: {'-' if answer is None else _share(answer, int(answer.argmax()))}", 0, top)
        if answer is None:
            continue
        left = float(start)
        for emotion, share in zip(EMOTIONS, answer, strict=True):
            right = left + share * (width - start - line // 2)
            cv2.rectangle(
                pen.image, (round(left), top + line // 5), (round(right), top + line - line // 5), COLOURS[emotion], -1
            )
            left = right


def _share(answer: Floats, place: int) -> str:
    return f"{EMOTIONS[place]} {100 * answer[place]:.0f} %"


def _face_that_counts(faces: Sequence[FaceAnswer], time_s: float, prediction: Prediction) -> FaceAnswer | None:
    """Return the face that is fused at a moment: the nearest to where the clip's answer saw it, else the largest."""
    if len(faces) < 2:
        return faces[0] if faces else None
    largest = max(faces, key=lambda face: face.box.area if face.box is not None else 0.0)
    moment = min(prediction.moments, key=lambda moment: abs(moment.time_s - time_s), default=None)
    track = next((track for track in prediction.faces if moment is not None and track.face == moment.face), None)
    if track is None:
        return largest
    nearest = int(np.abs(np.array(track.times_s) - time_s).argmin())
    box = track.boxes[nearest]
    return next((face for face in faces if face.box is not None and face.box.holds_centre_of(box)), largest)
