"""Sampling frames 0, 20, 40, ... of clips: this package beside the obvious loop, and that they are the same frames.

    python benchmarks/video.py FOLDER [--rounds 7] [--frame-step 20] [--json FILE]

The obvious loop reads every frame with ``cv2.VideoCapture``, and converts and resizes the ones it keeps. In each
round each way decodes each clip once, in turns, so that a busy machine slows all of them alike. Figures are CPU
seconds (user and system, all threads) a clip: the median over rounds of the mean over clips.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt

from ravdess_mm.video.decoding.frames import iter_frames
from ravdess_mm.video.decoding.gray import gray_of, resize_area
from ravdess_mm.video.frame_store.store import FRAME_SIZE_PX

Frames = list[npt.NDArray[np.uint8]]


def ours(path: Path, frame_step: int) -> Frames:
    return [resize_area(frame.image, FRAME_SIZE_PX) for frame in iter_frames(path, frame_step=frame_step)]


def pyav_every_frame(path: Path, frame_step: int) -> Frames:
    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        return [
            resize_area(gray_of(frame), FRAME_SIZE_PX)
            for number, frame in enumerate(container.decode(video=0))
            if number % frame_step == 0
        ]


def opencv_every_frame(path: Path, frame_step: int) -> Frames:
    capture = cv2.VideoCapture(str(path))
    frames: Frames = []
    number = 0
    while True:
        is_there, picture = capture.read()
        if not is_there:
            return frames
        if number % frame_step == 0:
            gray = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
            frames.append(cv2.resize(gray, (FRAME_SIZE_PX, FRAME_SIZE_PX), interpolation=cv2.INTER_AREA))
        number += 1


def opencv_grab(path: Path, frame_step: int) -> Frames:
    capture = cv2.VideoCapture(str(path))
    frames: Frames = []
    number = 0
    while capture.grab():
        if number % frame_step == 0:
            gray = cv2.cvtColor(capture.retrieve()[1], cv2.COLOR_BGR2GRAY)
            frames.append(cv2.resize(gray, (FRAME_SIZE_PX, FRAME_SIZE_PX), interpolation=cv2.INTER_AREA))
        number += 1
    return frames


WAYS: dict[str, Callable[[Path, int], Frames]] = {
    "cv2.VideoCapture.read, every frame": opencv_every_frame,
    "cv2.VideoCapture.grab, retrieve the kept": opencv_grab,
    "PyAV, every frame": pyav_every_frame,
    "ravdess-mm": ours,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of clips")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--frame-step", type=int, default=20)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    clips = sorted(path for suffix in ("mp4", "avi", "mkv", "mov") for path in options.folder.rglob(f"*.{suffix}"))
    if not clips:
        parser.error(f"{options.folder} holds no clips")
    same = True
    furthest = 0
    for clip in clips:
        found = ours(clip, options.frame_step)
        full = pyav_every_frame(clip, options.frame_step)
        same &= len(found) == len(full) and all(map(np.array_equal, found, full))
        pairs = zip(found, opencv_every_frame(clip, options.frame_step), strict=True)
        furthest = max(furthest, *(int(np.abs(a.astype(int) - b).max()) for a, b in pairs))
    rounds: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(options.rounds):
        spent = dict.fromkeys(WAYS, 0.0)
        for clip in clips:
            for name, way in WAYS.items():
                start = time.process_time()
                way(clip, options.frame_step)
                spent[name] += time.process_time() - start
        for name, seconds in spent.items():
            rounds[name].append(seconds / len(clips))
    medians = {name: statistics.median(seconds) for name, seconds in rounds.items()}
    base = medians["cv2.VideoCapture.read, every frame"]
    print(f"{len(clips)} clips, frame step {options.frame_step}, {options.rounds} rounds, CPU seconds a clip")
    for name, median in medians.items():
        print(f"{name:42} {median:.4f}  ({min(rounds[name]):.4f}-{max(rounds[name]):.4f})  {median / base:.2f}x")
    print(f"same frames as full decoding, bit for bit: {'yes' if same else 'NO'}")
    print(f"largest difference from OpenCV's gray: {furthest} of 255")
    if options.json:
        figures = {"clips": len(clips), "frame_step": options.frame_step, "bit_exact": same, "cpu_s": rounds}
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
