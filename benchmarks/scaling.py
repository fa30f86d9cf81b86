"""Sound features of a corpus by one process and by several, on this machine and through Dask.

    python benchmarks/scaling.py FOLDER [--rounds 3] [--json FILE]

``make features`` (catalog and features) on a quarter, half and all of the actor folders in FOLDER, in a new
folder each time, so that nothing is known beforehand. Figures are wall seconds, starting processes included: medians
over rounds, in turns.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CORES = os.cpu_count() or 1
WAYS = {
    "JOBS=1": ["JOBS=1"],
    f"JOBS={CORES}": [f"JOBS={CORES}"],
    f"JOBS={CORES} BACKEND=dask": [f"JOBS={CORES}", "BACKEND=dask"],
}


def seconds(folders: list[Path], words: list[str]) -> tuple[float, int]:
    """Return how long the stage takes, and how many takes it made features of."""
    from ravdess_mm.store import read_table

    with tempfile.TemporaryDirectory() as folder:
        asked = [f"DATA={' '.join(str(path.resolve()) for path in folders)}", "RUN=timed", "PROTOCOL=loso"]
        stage = [sys.executable, "-m", "pipelines.features"]
        started = time.perf_counter()
        subprocess.run([*stage, *asked, *words], cwd=folder, check=True, capture_output=True)
        took = time.perf_counter() - started
        return took, len(read_table(Path(folder) / "artifacts" / "timed" / "audio" / "features.parquet"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    actors = sorted(folder for folder in asked.folder.iterdir() if folder.is_dir())
    rows = []
    for share in (4, 2, 1):
        folders = actors[: max(2, len(actors) // share)]
        found: dict[str, list[float]] = {way: [] for way in WAYS}
        for _ in range(asked.rounds):
            for way, words in WAYS.items():
                took, n_takes = seconds(folders, words)
                found[way].append(took)
        rows.append({"takes": n_takes, **{way: statistics.median(values) for way, values in found.items()}})
        print(
            "  ".join(
                f"{name}: {value:.1f}" if name != "takes" else f"{value} takes" for name, value in rows[-1].items()
            )
        )
    if asked.json is not None:
        asked.json.write_text(json.dumps(rows, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
