"""Recordings in which several people speak: whether their voices are told apart.

    python benchmarks/speakers.py FOLDER RUN [--draws 5]

FOLDER holds RAVDESS speech, RUN is a finished run. Takes of two, three and four test actors,
20 of each, drawn and mixed at random, become one recording. What tells speakers apart is learned here from the run's
training actors, so it never heard them. *moody* recordings have takes of two emotions for each actor, the others of
all eight.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from recordings import record
from scipy.optimize import linear_sum_assignment

from ravdess_mm.audio.embedding import unpack
from ravdess_mm.audio.voice_features import EmbeddingFeatures
from ravdess_mm.config import ChannelChoice
from ravdess_mm.corpus.catalog import build_catalog
from ravdess_mm.predict.diarization import People, SpeakerSpace
from ravdess_mm.predict.predictor import Predictor
from ravdess_mm.store import read_json, read_table

SEED = 1
TAKES = 20
N_EMOTIONS = 2


def space_of(run: Path, actors: list[int]) -> SpeakerSpace:
    """Learn what tells voices apart from a run's training actors."""
    table = unpack(read_table(run / "audio" / "embedding.parquet"), EmbeddingFeatures().names)[0]
    own = table[table["actor"].isin(actors)]
    values = own.drop(columns=["take", "actor", "emotion"]).to_numpy()
    return SpeakerSpace.learn(values, own["actor"].to_numpy())


def draw(clips: pd.DataFrame, actors: np.ndarray, random: np.random.Generator, *, moody: bool) -> pd.DataFrame:
    """Return takes of several actors in a random order."""
    parts = []
    for actor in actors:
        own = clips[clips["actor"] == actor]
        if moody:
            own = own[own["emotion"].isin(random.choice(sorted(set(own["emotion"])), N_EMOTIONS, replace=False))]
        parts.append(own.iloc[random.permutation(len(own))[:TAKES]])
    mixed = pd.concat(parts)
    return mixed.iloc[random.permutation(len(mixed))]


def agreement(found: np.ndarray, true: np.ndarray) -> float:
    """Return the share of segments whose speaker is right, numbers being matched with people as well as can be."""
    people = np.unique(true)
    numbers = range(1, len(people) + 1)
    together = np.array([[np.mean((found == number) & (true == who)) for who in people] for number in numbers])
    return float(together[linear_sum_assignment(together, maximize=True)].sum())


def main() -> None:
    """Print shares, by number of people."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--draws", type=int, default=5)
    given = parser.parse_args()
    fold = read_json(given.run / "run.json")["folds"][0]
    clips = build_catalog([given.folder], channel=ChannelChoice.SPEECH, jobs=-1).clips
    clips = clips[clips["has_audio"]].drop_duplicates("take")
    predictor = Predictor.from_run(given.run)
    space = space_of(given.run, [*fold["train"], *fold.get("validation", [])])
    random = np.random.default_rng(SEED)
    for moody in (False, True):
        for n_people in (2, 3, 4):
            shares = []
            for _ in range(given.draws):
                takes = draw(clips, random.choice(fold["test"], n_people, replace=False), random, moody=moody)
                with tempfile.TemporaryDirectory() as folder:
                    made = record(takes["path"].tolist(), takes["emotion"].tolist(), Path(folder) / "talk.flac")
                    predictor.people = People(n_people, space)
                    segments = predictor.predict(made.path).segments
                who = np.array([segment.speaker or 0 for segment in segments])
                shares.append(agreement(who, takes["actor"].to_numpy()[made.places(segments)]))
            what = f"{n_people} people{', moody' if moody else ''}"
            sys.stdout.write(f"{what}: speaker right in {100 * np.mean(shares):.1f} % of the segments\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
