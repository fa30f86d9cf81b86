"""``make fuzz N=5000``: mutants in children that are watched; prints what became of them.

Goal: none crashed, hung (`CPU_S`), or over memory (`ABOVE_MB` above the models).
"""

from __future__ import annotations

import argparse
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from ravdess_mm.bundles.bundle import sklearn_part, write_bundle
from ravdess_mm.bundles.pretrained import PRETRAINED_DIR, SHIPPED
from ravdess_mm.classifiers.adaptation import SpeakerStatistics
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.predict.predictor import Predictor

CPU_S: Final = 20.0
ABOVE_MB: Final = 500.0
BAD: Final = ("crashed", "hung", "over memory")


def fuzz(n: int, *, seed: int, first: int = 0, shown: bool = True) -> list[dict[str, Any]]:
    """Meet `n` mutants; return a record of each: number, verb, outcome, why, mb, cpu_s."""
    records: list[dict[str, Any]] = []
    with prepared() as environment, tempfile.TemporaryDirectory() as here:
        child = None
        for number in range(first, first + n):
            child = child or _start(seed, environment, here)
            record = _meet(child, number)
            if record["outcome"] in ("died", "hung", "over memory"):
                record["outcome"] = "crashed" if record["outcome"] == "died" else record["outcome"]
                child.kill()
                child.wait()
                child = None
            elif record["mb"] > ABOVE_MB:
                record["outcome"] = "over memory"
            records.append(record)
            if shown and record["outcome"] in BAD:
                print(json.dumps(record), flush=True)
        if child is not None:
            child.kill()
            child.wait()
    return records


@contextmanager
def prepared() -> Iterator[dict[str, str]]:
    """Make the models and the enrolment that mutants are made of."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name)
        rng = np.random.default_rng(0)
        X, y = rng.normal(size=(64, 6)), np.arange(64) % 8
        forest = make_pipeline(StandardScaler(), RandomForestClassifier(5, random_state=0)).fit(X, y)
        forest.steps = [("scale", forest.steps[0][1]), ("model", forest.steps[1][1])]
        card = {"feature_names": list("abcdef"), "feature_set": None, "classes": EMOTIONS, "temperature": 1.0}
        write_bundle(folder / "forest", kind="random-forest", card=card, files={"pipeline.skops": sklearn_part(forest)})
        features = Predictor.from_run(PRETRAINED_DIR).voice.features
        vectors = rng.normal(size=(3, len(features.names)))
        SpeakerStatistics.of(vectors).save(folder / "her.json", features=features.identity)
        voice = PRETRAINED_DIR / "models" / "audio-embedding" / "holdout"
        yield {
            **os.environ,
            "FUZZ_ENROLMENT": str(folder / "her.json"),
            "FUZZ_BUNDLES": os.pathsep.join(map(str, (folder / "forest", voice, PRETRAINED_DIR / SHIPPED))),
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")))),
        }


def _start(seed: int, environment: dict[str, str], here: str) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-m", "tests.fuzz.child", str(seed)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    child = subprocess.Popen(arguments, text=True, env=environment, cwd=here, **pipes)  # type: ignore[call-overload]
    assert child.stdout.readline() == "ready\n", "the child does not start"
    return child


def _meet(child: subprocess.Popen[str], number: int) -> dict[str, Any]:
    assert child.stdin is not None
    assert child.stdout is not None
    lost = {"number": number, "verb": "?", "why": "", "mb": 0, "cpu_s": 0.0}
    base_mb, base_s = _usage(child.pid)
    child.stdin.write(f"{number}\n")
    child.stdin.flush()
    while not select.select([child.stdout], [], [], 0.1)[0]:
        mb, cpu_s = _usage(child.pid)
        if cpu_s - base_s > CPU_S:
            return {**lost, "outcome": "hung", "cpu_s": cpu_s - base_s}
        if mb - base_mb > 2 * ABOVE_MB:
            return {**lost, "outcome": "over memory", "mb": mb - base_mb}
    line = child.stdout.readline()
    return json.loads(line) if line else {**lost, "outcome": "died", "why": f"exit status {child.wait()}"}


def _usage(process: int) -> tuple[float, float]:
    """Return memory in MB and processor time in seconds."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0, 0.0
    return int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 2**20, sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("n", type=int, nargs="?", default=500, help="how many mutants")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="number of the first, to meet one again")
    given = parser.parse_args()
    began = time.perf_counter()
    records = fuzz(given.n, seed=given.seed, first=given.first)
    for verb in sorted({record["verb"] for record in records}):
        counts = Counter(record["outcome"] for record in records if record["verb"] == verb)
        print(f"{verb:<10}", ", ".join(f"{counts[name]} {name}" for name in ("used", "refused", *BAD)))
    counts = Counter(record["outcome"] for record in records)
    print(f"{len(records)} mutants of seed {given.seed} in {time.perf_counter() - began:.0f} s:", end=" ")
    print(", ".join(f"{counts[name]} {name}" for name in ("used", "refused", *BAD)))
    return 1 if any(counts[name] for name in BAD) else 0


if __name__ == "__main__":
    sys.exit(main())
