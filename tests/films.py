"""Films for the tests of what is done with long recordings."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt


def join_films(paths: list[str], path: Path, *, sound: bool = True) -> Path:
    """Write films one after the other as one, decoded and encoded again."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=30)
        video.pix_fmt, video.options = "yuv420p", {"preset": "ultrafast", "crf": "12"}
        track = container.add_stream("aac", rate=48_000, layout="mono") if sound else None
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=48_000)
        n_pictures = n_samples = 0
        for source in paths:
            with av.open(source) as given:
                for picture in given.decode(video=0):
                    if n_pictures == 0:
                        video.width, video.height = picture.width, picture.height
                    picture.pts, picture.time_base = n_pictures, Fraction(1, 30)
                    n_pictures += 1
                    container.mux(video.encode(picture))
            if track is None:
                continue
            with av.open(source) as given:
                blocks = [block for frame in given.decode(audio=0) for block in resampler.resample(frame)]
            for block in blocks:
                block.pts, block.time_base = n_samples, Fraction(1, 48_000)
                n_samples += block.samples
                container.mux(track.encode(block))
        container.mux(video.encode())
        if track is not None:
            container.mux(track.encode())
    return path


def beside(left: str, right: str, path: Path, *, delay_s: float = 0.0, height: int = 360) -> Path:
    """Write two films side by side as one, with the sound of the left; the right one starts later and stands still."""
    with av.open(str(path), "w") as container, av.open(left) as one, av.open(right) as other:
        video = container.add_stream("libx264", rate=30)
        video.pix_fmt, video.options = "yuv420p", {"preset": "ultrafast", "crf": "12"}
        track = container.add_stream("aac", rate=48_000, layout="mono")
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=48_000)
        pictures = [_scaled(picture, height) for picture in other.decode(video=0)]
        first, last = pictures[0], pictures[-1]
        wait = round(30 * delay_s)
        for number, picture in enumerate(one.decode(video=0)):
            place = number - wait
            right_one = first if place < 0 else pictures[place] if place < len(pictures) else last
            both = av.VideoFrame.from_ndarray(np.hstack([_scaled(picture, height), right_one]), format="rgb24")
            if number == 0:
                video.width, video.height = both.width, both.height
            both.pts, both.time_base = number, Fraction(1, 30)
            container.mux(video.encode(both))
        container.mux(video.encode())
        with av.open(left) as given:
            blocks = [block for frame in given.decode(audio=0) for block in resampler.resample(frame)]
        n_samples = 0
        for block in blocks:
            block.pts, block.time_base = n_samples, Fraction(1, 48_000)
            n_samples += block.samples
            container.mux(track.encode(block))
        container.mux(track.encode())
    return path


def _scaled(picture: av.VideoFrame, height: int) -> npt.NDArray[np.uint8]:
    width = round(picture.width * height / picture.height / 2) * 2
    return np.asarray(picture.to_ndarray(format="rgb24", width=width, height=height), dtype=np.uint8)
