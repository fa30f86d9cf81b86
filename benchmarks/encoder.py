"""The speech encoder against CTranslate2, as faster-whisper runs it (padded to 30 s) and on the same unpadded input.

    pip install ctranslate2
    python benchmarks/encoder.py FOLDER      # with model.bin, config.json and vocabulary of Whisper tiny.en

One thread each, CPU seconds of one process, medians of several runs taken in turn.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ravdess_mm.audio.encoder import Encoder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--runs", type=int, default=9)
    words = parser.parse_args()
    import ctranslate2

    model = ctranslate2.models.Whisper(str(words.folder), device="cpu", compute_type="float32", intra_threads=1)
    encoder = Encoder.load()
    random = np.random.default_rng(0)
    y = random.standard_normal(int(16_000 * words.seconds)).astype(np.float32) * 0.1

    def of_length(frames: int) -> object:
        return ctranslate2.StorageView.from_array(random.standard_normal((1, 80, frames)).astype(np.float32))

    padded, unpadded = of_length(3000), of_length(int(100 * words.seconds))
    ways: dict[str, Callable[[], object]] = {
        "ours, waveform to states of every layer": lambda: encoder.states(y),
        "CTranslate2, 30 s, mel to last states": lambda: model.encode(padded, to_cpu=True),
        "CTranslate2, unpadded, mel to last states": lambda: model.encode(unpadded, to_cpu=True),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(words.runs + 1):
        for name, way in ways.items():
            start = time.process_time()
            way()
            if turn:
                seconds[name].append(time.process_time() - start)
    medians = {name: float(np.median(values)) for name, values in seconds.items()}
    ours = next(iter(medians.values()))
    for name, median in medians.items():
        print(f"{median:8.4f} s  {ours / median:5.2f}x  {name}")


if __name__ == "__main__":
    main()
