"""``make kill-test``: stages of the sample, killed and run again, leave what an undisturbed run leaves, to the byte."""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from ravdess_mm.sample.files import ensure_sample
from ravdess_mm.store import hash_file

STAGES: Final = ("features", "audio-models", "audio-embedding", "video-cnn", "video-embedding", "fuse", "report")
TIMED: Final = frozenset({".sample.json", "run.json"})
"""Files that hold how long something took, or when files were written."""
KILLER: Final = """
import os, runpy, signal, sys
place, count, wanted = os.replace, 0, int(os.environ["KILL_AT"])
def replace(*names, **options):
    global count
    count += 1
    if count == wanted: os.kill(0, signal.SIGKILL)
    place(*names, **options)
    with open(os.environ["RENAMES"], "a") as file: file.write("x")
os.replace = os.rename = replace
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def run_stage(stage: str, folder: Path, *, kill_after_s: float | None = None, kill_at: int = 0) -> float:
    """Run a stage of the sample in a folder; return how long it took, in seconds."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")))),
        "KILL_AT": str(kill_at),
        "RENAMES": str(folder.parent / "renames"),
    }
    words = [sys.executable, "-c", KILLER, f"pipelines.{stage.replace('-', '_')}", "JOBS=1"]
    began = time.perf_counter()
    child = subprocess.Popen(
        words, cwd=folder, env=environment, start_new_session=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    try:
        child.wait(kill_after_s)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    if kill_after_s is None and not kill_at and child.returncode:
        raise RuntimeError(f"stage {stage} ends with {child.returncode}")
    return time.perf_counter() - began


def left_in(folder: Path) -> dict[str, str]:
    """Return what a run left: the hash of every file by its name, apart from records, locks and caches."""
    apart = {"stages", "cache"}
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix not in (".lock", ".html"))
    named = {path.relative_to(folder): path for path in files}
    return {
        name.as_posix(): hash_file(path)
        for name, path in named.items()
        if not apart & set(name.parts) and name.name not in TIMED
    }


def kill_test(stages: tuple[str, ...], n: int, *, renames: int | None = None, seed: int = 20) -> list[str]:
    """Kill each stage at `n` random moments and at its renames; return what was different afterwards."""
    rng = random.Random(seed)
    wrong: list[str] = []
    with tempfile.TemporaryDirectory(prefix="kill-") as name:
        before, whole = Path(name) / "before", Path(name) / "whole"
        ensure_sample(before / "artifacts" / "sample-corpus", jobs=1)
        for stage in stages:
            shutil.copytree(before, whole)
            (Path(name) / "renames").unlink(missing_ok=True)
            seconds = run_stage(stage, whole)
            expected = left_in(whole)
            counted = Path(name) / "renames"
            n_renames = len(counted.read_text()) if counted.is_file() else 0
            places = range(1, n_renames + 1)
            chosen = places if renames is None else rng.sample(places, min(renames, n_renames))
            moments = [("moment", rng.uniform(0, seconds)) for _ in range(n)]
            for kind, value in [*moments, *(("rename", place) for place in chosen)]:
                tried = Path(name) / "tried"
                shutil.copytree(before, tried)
                if kind == "moment":
                    run_stage(stage, tried, kill_after_s=value)
                else:
                    run_stage(stage, tried, kill_at=int(value))
                run_stage(stage, tried)
                found = left_in(tried)
                different = {file for file in expected.keys() | found.keys() if expected.get(file) != found.get(file)}
                wrong += [f"{stage} killed at {kind} {value:g}: {file}" for file in sorted(different)]
                shutil.rmtree(tried)
            print(f"{stage}: killed at {n} moments and {len(chosen)} of {n_renames} renames", flush=True)
            shutil.rmtree(before)
            whole.rename(before)
    return wrong


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("n", type=int, nargs="?", default=30, help="random moments a stage")
    parser.add_argument("--stages", nargs="+", default=STAGES, choices=STAGES)
    parser.add_argument("--renames", type=int, help="how many renames a stage; by default all")
    given = parser.parse_args()
    wrong = kill_test(tuple(given.stages), given.n, renames=given.renames)
    print("\n".join(wrong) or "all as if undisturbed, to the byte")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
