"""What the way to the microphone costs a voice that never heard these actors: right, sure, the same answer as clean.

python -m pipelines.pretrain DATA=<RAVDESS> CORPORA="emodb=<folder> nemo=<folder>" TEST_ACTORS=17-20 OUT=held-out
python benchmarks/world.py <RAVDESS> held-out --actors 17-20
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

from ravdess_mm.audio.decoding import decode_audio, resample
from ravdess_mm.audio.perturbation import Perturbation, apply
from ravdess_mm.config import parse_actors
from ravdess_mm.corpus.catalog import build_catalog
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.predict.run_models import RunModels

SR = 48_000
CONDITIONS: dict[str, tuple[Perturbation, float | None] | None] = {
    "clean": None,
    "16 kHz": (Perturbation.RATE, 16_000),
    "MP3, 32 kbit/s": (Perturbation.MP3, 32),
    "1 % DC": (Perturbation.DC_OFFSET, 1),
    "click": (Perturbation.CLICK, None),
    "telephone": (Perturbation.TELEPHONE, None),
    "white noise, 10 dB": (Perturbation.WHITE, 10),
    "Opus, 8 kbit/s": (Perturbation.OPUS, 8),
    "room": (Perturbation.ROOM, None),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of RAVDESS")
    parser.add_argument("run", type=Path, help="folder of models that never heard the actors")
    parser.add_argument("--actors", default="21-24")
    words = parser.parse_args()
    clips = build_catalog([words.data]).clips
    clips = clips[clips["voice"] & clips["actor"].isin(parse_actors(words.actors))].sort_values("take")
    plain, adapted = RunModels.load(words.run).audio, RunModels.load_adapted(words.run).audio
    truth, actors = clips["emotion"].map(EMOTIONS.index).to_numpy(), clips["actor"].to_numpy()
    clean, rows = None, []
    for name, condition in CONDITIONS.items():
        vectors = np.stack([vector_of(path, condition, plain) for path in clips["path"]])
        answers = plain.answer(vectors)
        of_speakers = np.empty_like(answers)
        for actor in np.unique(actors):
            own = actors == actor
            known = adapted.enrol(vectors[own], plain=plain)
            of_speakers[own] = adapted.answer(vectors[own], enrolment=known)
        labels = answers.argmax(axis=1)
        clean = labels if clean is None else clean
        figures = [right(answers, truth), answers.max(axis=1).mean(), (labels == clean).mean()]
        rows.append((name, *figures, right(of_speakers, truth), of_speakers.max(axis=1).mean()))
    columns = ["condition", "right", "sure", "same as clean", "adapted: right", "adapted: sure"]
    print(f"{len(clips)} takes of actors {words.actors}, per cent")
    print((pd.DataFrame(rows, columns=columns).set_index("condition") * 100).round(1).to_string())


def right(answers: np.ndarray, truth: np.ndarray) -> float:
    return float((answers.argmax(axis=1) == truth).mean())


def vector_of(path: str, condition: tuple[Perturbation, float | None] | None, voice: object) -> np.ndarray:
    y, sr = decode_audio(path)
    if condition is not None:
        seed = int(hashlib.sha256(Path(path).name.encode()).hexdigest()[:8], 16)
        y, sr = apply(resample(y, sr, SR), SR, condition[0], seed, amount=condition[1]), SR
    return voice.features.extract(y, sr)  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
