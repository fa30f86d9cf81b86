"""Tiny videos and stores, made on the spot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from ravdess_mm.corpus.identifier import Take
from ravdess_mm.store import hash_file
from ravdess_mm.video.frame_store.store import FrameStore, build_frame_store

VideoMaker = Callable[..., Path]


def moving_pictures(n_frames: int, *, height: int = 48, width: int = 64, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Return smooth gray pictures that move, so that every codec has something to predict from."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    phase, speed = rng.uniform(0, 6, 2), rng.uniform(0.1, 0.4, 2)
    waves = [
        np.sin(rows / 7 + phase[0] + speed[0] * t) + np.cos(columns / 9 + phase[1] + speed[1] * t)
        for t in range(n_frames)
    ]
    noise = rng.normal(0, 3, (n_frames, height, width))
    return np.clip(128 + 45 * np.array(waves) + noise, 0, 255).astype(np.uint8)


def write_video(
    path: Path,
    images: npt.NDArray[np.uint8],
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    times: Sequence[int] | None = None,
    rate: int = 30,
    gop: int = 12,
    rotation_deg: int = 0,
    aspect: int = 1,
) -> Path:
    """Write gray pictures as a video; `times` are presentation times in thirtieths of a second."""
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.height, stream.width = images.shape[1:]
        stream.pix_fmt = pix_fmt
        stream.gop_size = gop
        stream.codec_context.thread_count = 1
        stream.time_base = Fraction(1, rate)
        stream.codec_context.sample_aspect_ratio = Fraction(aspect, 1)
        if rotation_deg:
            stream.set_display_rotation(rotation_deg)
        for number, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="gray").reformat(format=pix_fmt)
            frame.pts = number if times is None else times[number]
            frame.time_base = Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def video_tools() -> SimpleNamespace:
    """Return the functions behind `make_video`."""
    return SimpleNamespace(
        moving_pictures=moving_pictures, write_video=write_video, write_store=write_store, takes_of=takes_of
    )


@pytest.fixture
def make_video(tmp_path: Path) -> VideoMaker:
    """Return a function (name, n_frames, **options) that writes a tiny video and returns its path."""

    def make(name: str, n_frames: int = 50, *, height: int = 48, width: int = 64, seed: int = 0, **options) -> Path:
        pictures = moving_pictures(n_frames, height=height, width=width, seed=seed)
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        return write_video(tmp_path / name, pictures, **options)

    return make


def write_store(folder: Path, takes: Sequence[str], *, n_frames: int = 3) -> FrameStore:
    """Build a store from clips whose frames show the emotion as the place of a bright bar."""
    rng = np.random.default_rng(0)
    rows = []
    for take in takes:
        pictures = rng.integers(0, 80, (n_frames, 64, 64)).astype(np.uint8)
        place = 8 * (Take.parse(take).emotion - 1)
        pictures[:, place : place + 8] += 150
        path = folder / "clips" / f"01-{take}.avi"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(path, pictures, codec="mjpeg", pix_fmt="yuvj420p")
        rows.append({"path": str(path), "take": take, "sha256": hash_file(path), "modality": "full-av"})
    clips = pd.DataFrame(rows).assign(has_video=True, face=True)
    build_frame_store(clips, folder / "frames", frame_step=1, jobs=1)
    return FrameStore.open(folder / "frames")


def takes_of(actors: Sequence[int], emotions: Sequence[int] = (1, 3, 5)) -> list[str]:
    """Return two takes of each emotion and actor."""
    return [f"01-{e:02d}-01-0{s}-01-{a:02d}" for a in actors for e in emotions for s in (1, 2)]


@pytest.fixture(scope="session")
def tiny_store(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    """Return a store of five actors, three emotions, two takes each and three frames a take."""
    folder = tmp_path_factory.mktemp("store")
    return write_store(folder, takes_of((1, 2, 3, 4, 5)))
