"""A speaker known by clips in few moods: what adapting to that voice is worth, with and without minding the moods.

    python benchmarks/moods.py RUN [--draws 20]

RUN is a finished run with ``ADAPT=speaker`` whose voice is ``audio-embedding``; its first fold is asked. Of each test
actor, clips in some of the eight emotions are drawn, and the speaker is known by them alone, without labels. The voice
then answers for these clips and for that actor's others: plain; adapted by mean and deviation of the clips (*simply*);
and by `SpeakerStatistics.of_emotion_shares`, as ``predict --speaker`` does. Nothing here heard the test actors before.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from ravdess_mm.audio.embedding import unpack
from ravdess_mm.classifiers.adaptation import SpeakerStatistics
from ravdess_mm.classifiers.rows import check_features
from ravdess_mm.predict.run_models import RunModels
from ravdess_mm.store import read_json, read_table

SEED = 1
CLIPS = (4, 12, 20)
MOODS = (1, 2, 3, 4, 8)


def main() -> None:
    """Print accuracy by number of clips and moods."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--draws", type=int, default=20)
    given = parser.parse_args()
    test = read_json(given.run / "run.json")["folds"][0]["test"]
    plain, adapted = RunModels.load(given.run).audio, RunModels.load_adapted(given.run).audio
    table = unpack(read_table(given.run / "audio" / "embedding.parquet"), plain.features.names)[0]
    rows = check_features(table).of_actors(test).sample
    random = np.random.default_rng(SEED)
    unadapted = plain.answer(rows.X).argmax(axis=1) == rows.y
    for n_clips in CLIPS:
        for n_moods in MOODS:
            found = []
            for actor in test:
                own = np.flatnonzero(rows.groups == actor)
                for _ in range(given.draws):
                    moods = random.choice(np.unique(rows.y[own]), n_moods, replace=False)
                    known = random.permutation(own[np.isin(rows.y[own], moods)])[:n_clips]
                    if len(known) < n_clips:
                        continue
                    others = np.setdiff1d(own, known)
                    right = [unadapted]
                    for speaker in (SpeakerStatistics.of(rows.X[known]), adapted.enrol(rows.X[known], plain=plain)):
                        hit = np.zeros(len(rows.y), dtype=bool)
                        hit[own] = adapted.answer(rows.X[own], enrolment=speaker).argmax(axis=1) == rows.y[own]
                        right.append(hit)
                    found.append([[hit[part].mean() for hit in right] for part in (known, others)])
            if found:
                (one, two, three), (four, five, six) = 100 * np.mean(found, axis=0)
                sys.stdout.write(
                    f"{n_clips} clips in {n_moods} moods: these: plain {one:.1f}, simply {two:.1f}, "
                    f"by moods {three:.1f}; others: plain {four:.1f}, simply {five:.1f}, by moods {six:.1f}\n"
                )
                sys.stdout.flush()


if __name__ == "__main__":
    main()
