"""Every frame of a film: faces followed and asked in batches, beside the obvious loop; and what else runs in real time.

    python benchmarks/live.py FILM [--frames 90] [--json FILE]

The *obvious loop* searches every full frame with OpenCV's cascade and shows each face to the same network by itself, in
as many views, as `fer` users write it. Wall time depends on what else the machine does; CPU seconds hardly do, so the
most that two idle cores can do is given from them. *annotate* is ``predict --annotate`` less what it does before the
first frame.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import cv2
import cv2.data
import numpy as np

from ravdess_mm.bundles.pretrained import SHIPPED, need_pretrained
from ravdess_mm.predict.annotation import annotate_film
from ravdess_mm.predict.face_stream import stream_faces
from ravdess_mm.predict.predictor import PRETRAINED_DIR, Predictor
from ravdess_mm.predict.recordings import Recording
from ravdess_mm.predict.voice_over_time import score_windows
from ravdess_mm.video.decoding.frames import iter_frames
from ravdess_mm.video.embeddings import load_embedder
from ravdess_mm.video.faces import Box
from ravdess_mm.video.frame_store.sampling import cut_face


def measured(work: Callable[[], int]) -> dict[str, float]:
    """Return frames, seconds and CPU seconds of some work."""
    started_s, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    n = work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    wall_s = time.perf_counter() - started_s
    return {"frames": n, "wall_s": wall_s, "cpu_s": cpu_s, "wall_fps": n / wall_s if n else 0.0}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("film", type=Path)
    parser.add_argument("--frames", type=int, default=90)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    predictor = Predictor.from_run(PRETRAINED_DIR)
    predictor.warm_up()
    cascade = cv2.CascadeClassifier(str(Path(cv2.data.haarcascades) / "haarcascade_frontalface_alt2.xml"))
    embedder = load_embedder(need_pretrained(SHIPPED))

    def obvious() -> int:
        n = 0
        for frame in islice(iter_frames(asked.film, frame_step=1, skip_black=False), asked.frames):
            n += 1
            for x, y, width, height in np.asarray(cascade.detectMultiScale(frame.image, 1.1, 5)).reshape(-1, 4):
                face = cut_face(frame.image, Box(float(x), float(y), float(width), float(height)))
                embedder.zero_shot(embedder.describe(face[np.newaxis]))
        return n

    def streamed() -> int:
        frames = islice(iter_frames(asked.film, frame_step=1, skip_black=False), asked.frames)
        return sum(1 for _ in stream_faces(predictor, ((None, frame) for frame in frames)))

    def prepared() -> int:
        predictor.predict(asked.film)
        recording = Recording.open(asked.film, branches=predictor.recipe.models)
        score_windows(predictor, recording.signal)
        return 0

    def annotated() -> int:
        with tempfile.TemporaryDirectory() as folder:
            path = annotate_film(predictor, asked.film, Path(folder) / "seen.mp4")
            return sum(1 for _ in iter_frames(path, frame_step=1, skip_black=False))

    def decoded() -> int:
        return sum(1 for _ in iter_frames(asked.film, frame_step=1, skip_black=False))

    found = {
        "obvious loop": measured(obvious),
        "followed and batched": measured(streamed),
        "before annotating": measured(prepared),
        "decoding": measured(decoded),
        "annotate, with both": measured(annotated),
    }
    for name, one in found.items():
        each = f"{1000 * one['cpu_s'] / one['frames']:7.1f} CPU ms a frame" if one["frames"] else " " * 22
        print(f"{name:22s} {one['wall_s']:7.2f} s  {one['cpu_s']:7.2f} CPU s  {each}  {one['wall_fps']:6.1f}")
    followed, loop = found["followed and batched"], found["obvious loop"]
    print(f"obvious loop / followed and batched: {loop['cpu_s'] / followed['cpu_s']:.1f} in CPU seconds")
    print(f"two idle cores: {2 * followed['frames'] / followed['cpu_s']:.0f} frames/s at most")
    own = found["annotate, with both"]["cpu_s"] - found["before annotating"]["cpu_s"] - found["decoding"]["cpu_s"]
    print(f"annotate: {1000 * own / found['decoding']['frames']:.1f} CPU ms a frame, ", end="")
    print(f"{2 * found['decoding']['frames'] / own:.0f} frames/s at most on two idle cores")
    if asked.json is not None:
        asked.json.write_text(json.dumps(found, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
