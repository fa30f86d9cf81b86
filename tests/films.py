"""Films for the tests of what is done with long recordings."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av


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
