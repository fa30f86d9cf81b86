"""Answering for clips with the models that ship: this package beside the same through the libraries that trained them.

    python benchmarks/predict.py CLIP... [--rounds 5] [--json FILE]

Each way answers for all clips in a process of its own, started from nothing, as ``ravdess-mm predict`` is; in turns,
so that a busy machine slows all alike. *TensorFlow* asks the network of the bundle through Keras, the way taken for
layers that the package does not know; *scikit-learn* loads what reads and runs a pipeline, as classifiers that are no
kernel machines need. Figures are medians over rounds; the first, in which files are read from the disk, does not count.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

KERAS = """
import ravdess_mm.bundles.onnx_graph as graph
from ravdess_mm.bundles.keras_file import UnsupportedError

def refuse(*_, **__):
    raise UnsupportedError("everything")

graph.onnx_graph = refuse
"""
SKLEARN = """
import skops.io
import sklearn.pipeline
"""
ANSWER = """
import json, sys
from ravdess_mm.predict.predictor import PRETRAINED_DIR, Predictor

predictor = Predictor.from_run(PRETRAINED_DIR)
print(json.dumps([predictor.predict(path).probabilities for path in sys.argv[1:]]))
"""
SLOWEST = "TensorFlow, scikit-learn"
WAYS = {SLOWEST: KERAS + SKLEARN + ANSWER, "scikit-learn": SKLEARN + ANSWER, "ravdess-mm": ANSWER}


def ask(code: str, clips: list[str]) -> tuple[dict[str, float], list[dict[str, float]]]:
    """Return seconds, CPU seconds and the largest resident memory in MiB of a process, and its answers."""
    started = time.perf_counter()
    with subprocess.Popen([sys.executable, "-c", code, *clips], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        answers = json.loads(process.stdout.read())
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    figures = {
        "wall_s": time.perf_counter() - started,
        "cpu_s": used.ru_utime + used.ru_stime,
        "memory_mib": used.ru_maxrss / (1024 if sys.platform != "darwin" else 2**20),
    }
    return figures, answers


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    clips = [str(clip) for clip in asked.clips]
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    answers = {}
    for number in range(asked.rounds + 1):
        for way, code in WAYS.items():
            figures, answers[way] = ask(code, clips)
            if number:
                found[way].append(figures)
    values = [np.array([list(answer.values()) for answer in own]) for own in answers.values()]
    apart = max(float(np.abs(values[0] - own).max()) for own in values)
    medians = {
        way: {name: statistics.median(row[name] for row in rows) for name in rows[0]} for way, rows in found.items()
    }
    print(f"{len(clips)} clips, {asked.rounds} rounds; answers differ by {apart:.1e} at most")
    for way, own in medians.items():
        ratio = own["cpu_s"] / medians[SLOWEST]["cpu_s"]
        print(
            f"{way:24s} {own['wall_s']:6.2f} s  {own['cpu_s']:6.2f} CPU s ({ratio:.2f})  {own['memory_mib']:6.0f} MiB"
        )
    if asked.json is not None:
        asked.json.write_text(json.dumps({"medians": medians, "rounds": found, "apart": apart}, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
