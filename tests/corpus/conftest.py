"""Tiny clips made on the spot."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import av
import numpy as np
import pytest
import soundfile


class MakeSound(Protocol):
    """Write a sound file; another `seed` gives other bytes."""

    def __call__(self, path: Path, *, seed: int = 0, duration_s: float = 0.05, channels: int = 1) -> Path: ...


class MakeFilm(Protocol):
    """Write a film with the streams wanted."""

    def __call__(self, path: Path, *, audio: bool = True, video: bool = True, n_pictures: int = 10) -> Path: ...


@pytest.fixture(scope="session")
def make_sound() -> MakeSound:
    def make(path: Path, *, seed: int = 0, duration_s: float = 0.05, channels: int = 1) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        samples = np.random.default_rng(seed).normal(0, 0.1, (round(duration_s * 16000), channels))
        soundfile.write(path, samples, 16000, format=path.suffix[1:].upper())
        return path

    return make


@pytest.fixture(scope="session")
def make_film() -> MakeFilm:
    def make(path: Path, *, audio: bool = True, video: bool = True, n_pictures: int = 10) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(0)
        is_web = path.suffix.lower() == ".webm"
        # the picture index in front of the pictures, so that a cut film still opens
        options = {"movflags": "faststart"} if path.suffix.lower() in {".mp4", ".mov"} else {}
        with av.open(str(path), "w", options=options) as container:
            streams = []
            if video:
                stream = container.add_stream("libvpx" if is_web else "mpeg4", rate=Fraction(30000, 1001))
                stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
                streams.append((stream, list(_pictures(rng, n_pictures))))
            if audio:
                stream = container.add_stream("libopus" if is_web else "aac", rate=48000)
                streams.append((stream, [_samples(rng, n_pictures)]))
            for stream, frames in streams:
                for frame in [*frames, None]:
                    for packet in stream.encode(frame):
                        container.mux(packet)
        return path

    return make


def _pictures(rng: np.random.Generator, n_pictures: int) -> Iterator[av.VideoFrame]:
    for number in range(n_pictures):
        frame = av.VideoFrame.from_ndarray(rng.integers(0, 255, (32, 32, 3), dtype=np.uint8), format="rgb24")
        frame.pts = number
        yield frame


def _samples(rng: np.random.Generator, n_pictures: int) -> av.AudioFrame:
    samples = (rng.normal(size=(1, round(48000 * n_pictures * 1.001 / 30))) * 3000).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
    frame.rate, frame.pts = 48000, 0
    return frame
