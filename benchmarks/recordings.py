"""Long recordings against single takes: whether sentences are found in them, and answered as well as clips are.

``python benchmarks/recordings.py FOLDER RUN`` takes a folder of RAVDESS speech and a finished run with
``ADAPT=speaker``. All takes of one test actor, in an order drawn at random, become one recording; the run's voice
models, which never heard that actor, answer it segment by segment, plain and with the recording itself as the speaker.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from ravdess_mm.audio.decoding import decode_audio
from ravdess_mm.config import ChannelChoice
from ravdess_mm.corpus.catalog import build_catalog
from ravdess_mm.predict.prediction import Segment
from ravdess_mm.predict.predictor import Predictor
from ravdess_mm.store import read_json

SEED = 1


@dataclass(frozen=True)
class Recording:
    """Takes in a row: where each ends, in seconds, and its emotion."""

    path: Path
    ends_s: np.ndarray
    emotions: np.ndarray

    def places(self, segments: tuple[Segment, ...]) -> np.ndarray:
        """Return the take in which the middle of each segment lies."""
        middles = np.array([(segment.start_s + segment.end_s) / 2 for segment in segments])
        return np.minimum(np.searchsorted(self.ends_s, middles, side="right"), len(self.ends_s) - 1)


def record(paths: list[str], emotions: list[str], path: Path) -> Recording:
    """Write takes in a row as one file, at their own rate."""
    sounds = [decode_audio(take) for take in paths]
    rates = {sr for _, sr in sounds}
    if len(rates) > 1:
        raise SystemExit(f"takes of several sampling rates: {', '.join(map(str, sorted(rates)))}")
    soundfile.write(path, np.concatenate([y for y, _ in sounds]), rates.pop())
    ends = np.cumsum([len(y) / sr for y, sr in sounds])
    return Recording(path, ends, np.array(emotions))


def main() -> None:
    """Print takes found and accuracy, actor by actor and all in all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="RAVDESS speech")
    parser.add_argument("run", type=Path, help="a finished run with ADAPT=speaker, such as artifacts/mine")
    given = parser.parse_args()
    clips = build_catalog([given.folder], channel=ChannelChoice.SPEECH, jobs=-1).clips
    clips = clips[clips["has_audio"]].drop_duplicates("take")
    random = np.random.default_rng(SEED)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for actor in read_json(given.run / "run.json")["folds"][0]["test"]:
            own = clips[clips["actor"] == actor]
            own = own.iloc[random.permutation(len(own))]
            made = record(own["path"].tolist(), own["emotion"].tolist(), Path(folder) / f"{actor}.flac")
            plain = Predictor.from_run(given.run)
            takes = sum(
                plain.predict(path).label == emotion for path, emotion in zip(own["path"], made.emotions, strict=True)
            )
            counts = []
            for predictor in (plain, Predictor.from_run(given.run, speaker=made.path)):
                segments = predictor.predict(made.path).segments
                places = made.places(segments)
                right = sum(
                    segment.label == made.emotions[place] for segment, place in zip(segments, places, strict=True)
                )
                counts.append((right, len(segments), len(np.unique(places))))
            rows.append((len(own), takes, *counts[0], *counts[1]))
            show(f"actor {actor}", rows[-1])
    show("all", tuple(np.sum(rows, axis=0)))


def show(name: str, row: tuple[int, ...]) -> None:
    """Print one line of counts and shares."""
    n, takes, right, segments, found, adapted, adapted_segments, _ = row
    sys.stdout.write(
        f"{name}: {found} of {n} takes found in {segments} segments: {100 * right / segments:.1f} % of the segments, "
        f"{100 * takes / n:.1f} % of the takes one by one; where the recording is the speaker, "
        f"{100 * adapted / adapted_segments:.1f} % of the segments\n"
    )


if __name__ == "__main__":
    main()
