"""From a script to the files of its clips: WAV voices and MP4 faces."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ravdess_mm.corpus.identifier import Identifier, Modality
from ravdess_mm.corpus.sample_face import FRAME_SIZE_PX, draw_faces
from ravdess_mm.corpus.sample_pose import face_poses
from ravdess_mm.corpus.sample_script import Script
from ravdess_mm.corpus.sample_voice import SAMPLE_RATE, synthesize_voice
from ravdess_mm.store import whole_file

FRAME_RATE: Final = Fraction(30_000, 1001)
"""Frames a second, as in RAVDESS: 29.97."""

_HELD_FRAMES: Final = 3  # drawn "on threes", as in animation: one drawing is held for three frames
_AAC_FRAME: Final = 1024
# one thread and no lookahead (which `superfast` leaves out): with either, the bits differ now and then
_X264_OPTIONS: Final = {"preset": "superfast", "crf": "27", "g": "30", "x264-params": "threads=1"}
_MPEG4_OPTIONS: Final = {"qscale": "5", "threads": "1"}
_BITEXACT: Final = {"flags": "+bitexact"}


def clip_path(script: Script, modality: Modality) -> Path:
    """Return where a clip is in the sample: in its actor's folder, under its RAVDESS name."""
    suffix = ".wav" if modality is Modality.AUDIO_ONLY else ".mp4"
    return Path(f"Actor_{script.take.actor:02d}", f"{Identifier(modality, script.take)}{suffix}")


def write_clips(script: Script, folder: Path, modalities: Iterable[Modality]) -> list[Path]:
    """Write some of the clips of a take, each whole or not at all.

    Parameters
    ----------
    script : Script
        The take.
    folder : Path
        The sample.
    modalities : iterable of Modality
        Which clips.

    Returns
    -------
    list of Path
        The files, relative to `folder`.
    """
    written = []
    voice = synthesize_voice(script)
    for modality in modalities:
        path = clip_path(script, modality)
        with whole_file(folder / path) as temporary:
            if modality is Modality.AUDIO_ONLY:
                _write_wav(temporary, voice)
            else:
                _write_mp4(temporary, script, voice if modality is Modality.FULL_AV else None)
        written.append(path)
    return written


def _write_wav(path: Path, voice: NDArray[np.float32]) -> None:
    import soundfile

    soundfile.write(path, _as_int16(voice), SAMPLE_RATE, subtype="PCM_16")


def _as_int16(voice: NDArray[np.float32]) -> NDArray[np.int16]:
    return np.round(voice * 32767).astype(np.int16)


def _write_mp4(path: Path, script: Script, voice: NDArray[np.float32] | None) -> None:
    import av

    # rounded down, so that the sound track is never shorter than the picture
    n_frames = int(script.duration_s * FRAME_RATE)
    times_s = np.arange(0, n_frames, _HELD_FRAMES) / float(FRAME_RATE)
    with av.open(path, "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        video = _add_video(container)
        audio = None if voice is None else _add_audio(container)
        drawings = draw_faces(script, face_poses(script, times_s))
        for number, picture in enumerate(drawings):
            for frame_number in range(number * _HELD_FRAMES, min((number + 1) * _HELD_FRAMES, n_frames)):
                # a frame of its own each time: the encoder keeps it for a while
                frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
                frame.pts = frame_number
                container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None and voice is not None:
            _encode_audio(container, audio, voice)


def _add_video(container: Any) -> Any:
    import av

    h264 = "libx264" in av.codecs_available
    codec, options = ("libx264", _X264_OPTIONS) if h264 else ("mpeg4", _MPEG4_OPTIONS)
    stream = container.add_stream(codec, rate=FRAME_RATE, options=options | _BITEXACT)
    stream.width = stream.height = FRAME_SIZE_PX
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = 1 / FRAME_RATE
    return stream


def _add_audio(container: Any) -> Any:
    stream = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono", options=dict(_BITEXACT))
    stream.bit_rate = 48_000
    return stream


def _encode_audio(container: Any, stream: Any, voice: NDArray[np.float32]) -> None:
    import av

    for start in range(0, len(voice), _AAC_FRAME):
        frame = av.AudioFrame.from_ndarray(voice[None, start : start + _AAC_FRAME], format="fltp", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        frame.pts = start
        frame.time_base = Fraction(1, SAMPLE_RATE)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
