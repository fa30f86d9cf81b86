"""The folder of a whole run, made up on the spot from the files' own contracts."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import soundfile

from ravdess_mm.config import Rule, Settings
from ravdess_mm.corpus.identifier import EMOTIONS, Take
from ravdess_mm.evaluation import evaluate_many
from ravdess_mm.experiments.measured_models import model_fingerprint
from ravdess_mm.experiments.noise_robustness import CONDITIONS
from ravdess_mm.fusion import fuse
from ravdess_mm.predictions import PROBABILITIES, prediction_table, write_predictions
from ravdess_mm.report.build import write_report
from ravdess_mm.schemas import CROSS_CORPUS_SCHEMA, IMPORTANCE_SCHEMA, NOISE_SCHEMA
from ravdess_mm.store import write_json, write_table
from ravdess_mm.versions import library_versions

TEST_ACTORS = (4, 5, 6)
VALIDATION_ACTORS = (3,)
TRAIN_ACTORS = (1, 2)
SKILL = {
    "audio-random-forest": 1.3,
    "audio-svc": 1.7,
    "audio-network": 1.5,
    "video-cnn": 1.4,
}
"""How far the score of the true emotion stands out of the noise, by model."""

ENDS = {"": 0.0, "_low": -0.1, "_high": 0.1}
"""Ends of the names of a figure and its interval, and how far they are from the figure."""

RunMaker = Callable[..., Path]


def takes_of(actors: Sequence[int]) -> list[str]:
    """Return every emotion twice (both statements) for each actor."""
    return [
        f"01-{code:02d}-{1 if code == 1 else 1 + (actor + statement) % 2:02d}-{statement:02d}-01-{actor:02d}"
        for actor in actors
        for code in range(1, 9)
        for statement in (1, 2)
    ]


def made_up_answers(takes: Sequence[str], *, skill: float, seed: int) -> npt.NDArray[np.float64]:
    """Return probabilities [shape=(n, 8)] that are right more often the larger the skill."""
    scores = np.random.default_rng(seed).normal(size=(len(takes), len(EMOTIONS)))
    scores[np.arange(len(takes)), [Take.parse(take).emotion - 1 for take in takes]] += skill
    shares = np.exp(1.6 * scores)
    return shares / shares.sum(axis=1, keepdims=True)


def face(emotion: str, actor: int, time_s: float) -> npt.NDArray[np.uint8]:
    """Draw a gray face [shape=(64, 64)] whose mouth depends on the emotion."""
    image = np.full((64, 64), 60 + 8 * actor, dtype=np.uint8)
    cv2.ellipse(image, (32, 33), (20, 26), 0, 0, 360, 205, -1, cv2.LINE_AA)
    for x in (24, 40):
        cv2.circle(image, (x, 27), 3, 40, -1, cv2.LINE_AA)
    bend = {"happy": 6, "sad": -6, "calm": 2, "surprised": 9}.get(emotion, 0) + round(2 * np.sin(6 * time_s))
    cv2.ellipse(image, (32, 45), (9, max(1, abs(bend))), 0, 0 if bend > 0 else 180, 180 if bend > 0 else 360, 40, 2)
    return image


def write_clip(path: Path, images: Sequence[npt.NDArray[np.uint8]]) -> None:
    """Write gray pictures as a small video."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.height, stream.width = images[0].shape
        stream.pix_fmt = "yuv420p"
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="gray")))
        container.mux(stream.encode())


def write_sound(path: Path, *, level: float) -> None:
    """Write a fifth of a second of a tone that is silent in its first half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tone = level * np.sin(2 * np.pi * 220 * np.arange(1600) / 8000)
    tone[:800] = 0
    soundfile.write(path, tone, 8000)


def make_catalog(takes: Sequence[str], clips_dir: Path) -> pd.DataFrame:
    """Return a catalog with an audio-only and a video-only clip of every take."""
    rows = []
    for name in takes:
        take = Take.parse(name)
        for modality, code, suffix in (("audio-only", "03", "wav"), ("video-only", "02", "avi")):
            rows.append(
                {
                    "path": (clips_dir / f"Actor_{take.actor:02d}" / f"{code}-{name}.{suffix}").as_posix(),
                    "clip": f"{code}-{name}",
                    "take": name,
                    "modality": modality,
                    "channel": take.channel.label,
                    "emotion": take.emotion.label,
                    "intensity": take.intensity.label,
                    "statement": int(take.statement),
                    "repetition": int(take.repetition),
                    "actor": take.actor,
                    "sex": take.sex.value,
                    "size_bytes": 1000,
                    "sha256": f"{abs(hash(name)):064d}",
                    "has_audio": modality == "audio-only",
                    "has_video": modality == "video-only",
                    "duration_s": 3.5,
                    "voice": modality == "audio-only",
                    "face": modality == "video-only",
                }
            )
    return pd.DataFrame(rows).sort_values(["take", "modality"], ignore_index=True)


def write_frames(run_dir: Path, catalog: pd.DataFrame) -> pd.DataFrame:
    """Make clips, sample them into the frame store, and return made-up answers for frames nobody trained on."""
    from ravdess_mm.video.frame_store.store import FrameStore, build_frame_store

    clips = catalog[catalog["has_video"]]
    for path, emotion, actor in zip(clips["path"], clips["emotion"], clips["actor"], strict=True):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_clip(Path(path), [face(emotion, actor, number / 10) for number in range(4)])
    build_frame_store(clips, run_dir / "video" / "frames", frame_step=2, jobs=1)
    index = FrameStore.open(run_dir / "video" / "frames").index
    tested = index[index["actor"].isin((*VALIDATION_ACTORS, *TEST_ACTORS))].reset_index(drop=True)
    shares = made_up_answers(tested["take"].tolist(), skill=1.4, seed=9)
    order = np.argsort(-shares, axis=1)
    return tested.assign(
        fold=-1,
        role=np.where(tested["actor"].isin(TEST_ACTORS), "test", "oof"),
        **{name: shares[:, column] for column, name in enumerate(PROBABILITIES)},
        top1=[EMOTIONS[place] for place in order[:, 0]],
        top2=[EMOTIONS[place] for place in order[:, 1]],
    )


def write_models(run_dir: Path) -> None:
    """Write made-up searches and learning curves."""
    generator = np.random.default_rng(3)
    for model in ("audio-random-forest", "audio-svc"):
        uar = np.sort(generator.uniform(0.2, 0.6, 12))
        table = pd.DataFrame(
            {
                "stage": ["random"] * 8 + ["grid"] * 4,
                "draw": range(12),
                "rank": range(12, 0, -1),
                "uar_mean": uar,
                "uar_std": 0.05,
                "accuracy_mean": uar,
                "accuracy_std": 0.05,
                "log_loss_mean": 1.5,
                "parameters": [json.dumps({"C": 0.1 * draw, "kernel": "rbf"}) for draw in range(12)],
            }
        )
        write_table(run_dir / "models" / model / "holdout" / "search.parquet", table, schema="search/1")
    epochs = np.arange(12.0)
    history = pd.DataFrame(
        {
            "epoch": epochs,
            "loss": 2.0 * np.exp(-epochs / 5),
            "accuracy": 1 - np.exp(-epochs / 6),
            "val_loss": 2.1 * np.exp(-epochs / 9),
            "val_accuracy": 0.8 - 0.7 * np.exp(-epochs / 5),
            "learning_rate": 1e-3,
        }
    )
    write_table(run_dir / "models" / "video-cnn" / "holdout" / "history.parquet", history, schema="history/1")


def noise_table(models_dir: Path) -> pd.DataFrame:
    """Return made-up figures of a plain and an adapted model in noise."""
    rows = []
    for name, best in (("audio-network", 0.6), ("audio-network-adapted", 0.7)):
        for condition in CONDITIONS:
            ratio = min(condition.snr_db, 30.0)
            value = 0.15 + (best - 0.15) * ratio / 30
            figures = {f"{measure}{end}": value + add for measure in ("accuracy", "uar") for end, add in ENDS.items()}
            facts = {"condition": condition.name, "snr_db": condition.snr_db, "n_takes": 48, "n_actors": 3}
            rows.append({"model": name, **facts, **figures, "trained": model_fingerprint(models_dir, name)})
    return pd.DataFrame(rows)


def write_cross_corpus(run_dir: Path, *, schema: str = CROSS_CORPUS_SCHEMA) -> None:
    results = [
        {
            "corpus": corpus,
            "variant": variant,
            "n_clips": 454,
            "n_speakers": 10,
            "emotions": ["neutral", "happy", "sad", "angry"],
            "accuracy": {"value": value + 0.01, "low": value - 0.1, "high": value + 0.1},
            "uar": {"value": value, "low": value - 0.1, "high": value + 0.1},
            "confidence": 0.523,
            "log_loss": 1.234,
        }
        for corpus in ("emodb", "ravdess")
        for variant, value in (("adapted", 0.612), ("plain", 0.433))
    ]
    corpora = {
        "emodb": {"title": "EMO-DB", "language": "German", "left_out": "81 boredom"}
        | {"terms": "free <b>", "reference": "Burkhardt et al. (2005)"},
        "ravdess": {"title": "RAVDESS", "language": "English"},
    }
    content = {"schema": schema, "corpora": corpora, "results": results}
    write_json(run_dir / "cross-corpus" / "metrics.json", content)


def importance_table(models_dir: Path) -> pd.DataFrame:
    """Return made-up losses of two models without each family of features."""
    rows = [
        {
            "model": name,
            "family": family,
            "n_columns": 52,
            "accuracy": 0.5,
            "drop": drop,
            "drop_low": drop - 0.02,
            "drop_high": drop + 0.02,
            "repeats": 10,
            "n_takes": 48,
            "n_actors": 3,
            "trained": model_fingerprint(models_dir, name),
        }
        for name in ("audio-svc", "audio-svc-adapted")
        for family, drop in (("mfcc", 0.2), ("delta", 0.05), ("rms<b>", -0.01))
    ]
    return pd.DataFrame(rows)


def run_record(*, synthetic: bool) -> dict[str, Any]:
    """Return the content of ``run.json``."""
    return {
        "run": "made-up",
        "command": "make report DATA='clips & more' TEST_ACTORS=4-6",
        "settings": Settings(data=() if synthetic else (Path("clips & more"),), test_actors=TEST_ACTORS).model_dump(),
        "versions": library_versions(),
        "seed": 20,
        "synthetic": synthetic,
        "data_fingerprint": "0123456789abcdef" * 4,
        "stages": {"catalog": 1.5, "audio-features": 12.25, "video-cnn": 75.0},
        "messages": ["holdout: something a reader should <know>"],
        "folds": [{"number": -1, "train": TRAIN_ACTORS, "validation": VALIDATION_ACTORS, "test": TEST_ACTORS}],
    }


def made_up_tables(everyone: Sequence[int]) -> dict[str, pd.DataFrame]:
    """Return a prediction table a model: test rows for the test actors, out-of-fold rows for the others."""
    inner = [actor for actor in everyone if actor not in TEST_ACTORS]
    return {
        model: pd.concat(
            [
                prediction_table(own, made_up_answers(own, skill=skill, seed=100 + 7 * place), fold=-1, role=role)
                for role, own in (("test", takes_of(TEST_ACTORS)), ("oof", takes_of(inner)))
            ],
            ignore_index=True,
        )
        for place, (model, skill) in enumerate(SKILL.items())
    }


def branches_of(tables: Mapping[str, pd.DataFrame]) -> dict[str, dict[str, pd.DataFrame]]:
    """Return tables by branch and model, as fusion wants them."""
    return {
        branch: {name: table for name, table in tables.items() if name.startswith(branch)}
        for branch in ("audio", "video")
    }


def build_run(folder: Path, *, synthetic: bool) -> Path:
    """Write every file of a run with six actors, three of them tested."""
    run_dir = folder / "made-up"
    everyone = (*TRAIN_ACTORS, *VALIDATION_ACTORS, *TEST_ACTORS)
    catalog = make_catalog(takes_of(everyone), folder / "clips")
    for path, actor in catalog.loc[catalog["voice"], ["path", "actor"]].itertuples(index=False):
        write_sound(Path(path), level=0.1 * actor)
    write_table(run_dir / "catalog.parquet", catalog, schema="catalog/1")
    rejected = pd.DataFrame(
        [
            {"path": "/data/clips/Actor_04/notes<b>.txt", "reason": "not a RAVDESS name", "stage": "catalog"},
            {"path": "/data/clips/Actor_05/03-01-01-01-01-01-05.wav", "reason": "silent", "stage": "audio"},
        ]
    )
    write_table(run_dir / "rejected.parquet", rejected, schema="rejected/1")
    takes = takes_of(everyone)
    generator = np.random.default_rng(5)
    parsed = [Take.parse(take) for take in takes]
    numbers = generator.normal(size=(len(takes), 6)) + [
        [3.0 * (take.actor % 3), 0.6 * take.emotion] * 3 for take in parsed
    ]
    features = pd.DataFrame(numbers, columns=[f"mfcc_{place:02d}_mean" for place in range(6)])
    features.insert(0, "take", takes)
    features.insert(1, "actor", [take.actor for take in parsed])
    features.insert(2, "emotion", [take.emotion.label for take in parsed])
    write_table(run_dir / "audio" / "features.parquet", features, schema="features/1")
    tables = made_up_tables(everyone)
    fused = fuse(branches_of(tables), rule=Rule.WEIGHTED, seed=20)
    recipe = {**fused.to_dict(), "models": sorted({name for one in fused.recipes for name in one.models.values()})}
    write_json(run_dir / "models" / "fused" / "recipe.json", recipe)
    tables["fused"] = fused.table
    for model, table in tables.items():
        write_predictions(run_dir / "predictions" / f"{model}.parquet", table)
    write_json(run_dir / "metrics.json", evaluate_many(tables, seed=20, draws=200))
    write_models(run_dir)
    write_table(run_dir / "noise.parquet", noise_table(run_dir / "models"), schema=NOISE_SCHEMA)
    write_cross_corpus(run_dir)
    table = importance_table(run_dir / "models")
    write_table(run_dir / "importance.parquet", table, schema=IMPORTANCE_SCHEMA)
    answers_by_frame = write_frames(run_dir, catalog)
    write_table(run_dir / "models" / "video-cnn" / "frames.parquet", answers_by_frame, schema="frame-predictions/1")
    record = run_record(synthetic=synthetic)
    record["settings"]["bootstrap_draws"] = 200
    write_json(run_dir / "run.json", record)
    return run_dir


@pytest.fixture(scope="session")
def synthetic_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a whole run that says it is synthetic; read only."""
    return build_run(tmp_path_factory.mktemp("synthetic"), synthetic=True)


@pytest.fixture(scope="session")
def lean_run(synthetic_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the synthetic run with one model a branch, whose report takes half the time; read only."""
    run_dir = Path(shutil.copytree(synthetic_run, tmp_path_factory.mktemp("lean") / synthetic_run.name))
    for name in ("audio-random-forest", "audio-svc"):
        (run_dir / "predictions" / f"{name}.parquet").unlink()
    return run_dir


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[Path], Path]:
    """Return a function that copies a run, so that a test may break it."""

    def copy(run_dir: Path) -> Path:
        return Path(shutil.copytree(run_dir, tmp_path / run_dir.name))

    return copy


@pytest.fixture(scope="session")
def synthetic_report(synthetic_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the report of the synthetic run; read only."""
    return write_report(synthetic_run, tmp_path_factory.mktemp("report") / "index.html")
