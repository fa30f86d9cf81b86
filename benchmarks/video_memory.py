"""Memory of sampling frames and training the network, on a corpus and on one ten times as large.

    python benchmarks/video_memory.py [--takes 131] [--epochs 3] [--folder DIR]

Makes small Motion JPEG clips under RAVDESS names (noise, 24 actors), then, in a process of its own for each size,
trains ``seed`` while the clips are decoded, or with ``--first`` after that; prints the peak resident memory of each and
their ratio.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from itertools import islice, product
from pathlib import Path

import av
import numpy as np

FRAMES_A_CLIP = 5


def takes() -> list[str]:
    """Return speech takes of all actors, so that any first part of the list has every actor."""
    fields = product(("01", "02"), ("01", "02"), range(2, 9), ("01", "02"), range(1, 25))
    return [f"01-{e:02d}-{i}-{s}-{r}-{a:02d}" for r, s, e, i, a in fields]


def write_clip(path: Path, rng: np.random.Generator) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=30)
        stream.width, stream.height, stream.pix_fmt = 256, 256, "yuvj420p"
        for _ in range(FRAMES_A_CLIP):
            picture = rng.integers(0, 256, (256, 256), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="gray")))
        container.mux(stream.encode(None))


def child(folder: Path, epochs: int) -> None:
    from ravdess_mm.config import ChannelChoice, CnnSettings
    from ravdess_mm.corpus.catalog import build_catalog
    from ravdess_mm.corpus.splits import make_folds
    from ravdess_mm.video.frame_store.store import FrameStore, build_frame_store
    from ravdess_mm.video.training.folds import run_network

    clips = build_catalog([folder / "clips"], channel=ChannelChoice.SPEECH, jobs=1).clips
    settings = CnnSettings(epochs=epochs)
    folds = make_folds("holdout", clips["actor"])

    where = folder / "frames"
    build_frame_store(clips, where, frame_step=1, jobs=1)
    store = FrameStore.open(where)
    run_network(store, folds, settings=settings, seed=1, folder=folder / "models")
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    facts = {"takes": len(store.takes), "frames": store.n_frames, "peak_mib": round(peak_mib, 1)}
    print(json.dumps(facts | {"store_mib": round(store.frames_path.stat().st_size / 2**20, 1)}))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--takes", type=int, default=131, help="takes of the smaller corpus, at most 134")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where to work; default: a temporary folder")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.epochs)
        return 0
    peaks = []
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for factor in (1, 10):
            work = Path(folder) / f"x{factor}"
            (work / "clips").mkdir(parents=True)
            rng = np.random.default_rng(factor)
            for take in islice(takes(), factor * options.takes):
                write_clip(work / "clips" / f"01-{take}.avi", rng)
            command = [sys.executable, __file__, "--child", str(work), "--epochs", str(options.epochs)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            facts = json.loads(done.stdout.splitlines()[-1])
            peaks.append(facts["peak_mib"])
            print(f"{factor:2}x: {facts}")
    print(f"ten times the corpus takes {peaks[1] / peaks[0]:.3f}x the memory")
    return 0


if __name__ == "__main__":
    sys.exit(main())
