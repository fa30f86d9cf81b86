"""From voices to what a frozen speech encoder says of them, and to a classifier on that."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from ravdess_mm.audio.embedding import EMBEDDING_SCHEMA, FEATURE_SET, encoder_digest, pack, unpack
from ravdess_mm.audio.voice_features import EmbeddingFeatures
from ravdess_mm.config import Adaptation, Settings
from ravdess_mm.corpus.catalog import CATALOG_SCHEMA, data_fingerprint
from ravdess_mm.corpus.splits import Fold, restrict_folds
from ravdess_mm.errors import InputError
from ravdess_mm.predictions import ADAPTED, write_predictions
from ravdess_mm.run.entry import stage_main
from ravdess_mm.run.folder import REJECTED_SCHEMA, RunFolder
from ravdess_mm.store import read_table, write_json, write_table

from .features import gather_rejected
from .tabular import answers_of, fold_words, folds_of, plain_and_adapted

NAME = "audio-embedding"
KIND = "kernel-ridge"
COMPONENTS = 512
"""Principal components of the 3072 numbers that the classifier sees."""
MOST_DRAWS = 8
"""Strength and width of the kernel are all there is to find."""


def embedding_path(run: RunFolder) -> Path:
    """Return the table of embeddings of a run."""
    return run.root / "audio" / "embedding.parquet"


def make_embeddings(run: RunFolder, clips: pd.DataFrame) -> Path:
    """Let the encoder listen to every take, and to copies at other speeds; returns the table."""
    settings = run.settings
    path = embedding_path(run)
    rejected_path = path.with_name("embedding-rejected.parquet")

    def work() -> None:
        from ravdess_mm.audio.embedding import build_embedding_table

        built = build_embedding_table(
            clips,
            cache_dir=run.root / "cache" / "audio",
            encoder_dir=settings.encoder,
            jobs=settings.jobs,
            backend=settings.backend,
        )
        write_table(path, pack([built.features, *built.copies]), schema=EMBEDDING_SCHEMA)
        write_table(rejected_path, built.rejected, schema=REJECTED_SCHEMA)

    run.refresh(
        "audio-embeddings",
        work=work,
        inputs={"clips": data_fingerprint(clips), "encoder": encoder_digest(settings.encoder)},
        outputs=[path, rejected_path],
        libraries=["soundfile", "av", "numpy", "onnxruntime"],
    )
    return path


def train(run: RunFolder, table_path: Path, folds: tuple[Fold, ...]) -> None:
    """Train the classifier on every fold, with the copies of its training takes."""
    settings = run.settings
    search = settings.search.model_copy(update={"draws": min(settings.search.draws, MOST_DRAWS), "refine": False})

    def train_one(name: str, adapt: Adaptation) -> None:
        def work() -> None:
            features, *copies = unpack(
                read_table(table_path, schema=EMBEDDING_SCHEMA), EmbeddingFeatures(settings.encoder).names
            )
            answers = answers_of(
                run,
                KIND,
                features,
                folds,
                name=name,
                search=search,
                feature_set=FEATURE_SET,
                adapt=adapt,
                components=COMPONENTS,
                copies={fold.number: [copy[copy["actor"].isin(fold.train)] for copy in copies] for fold in folds},
            )
            write_predictions(run.predictions_path(name), answers)
            encoder = {"encoder": settings.encoder, "sha256": encoder_digest(settings.encoder)}
            write_json(run.models_dir / name / "encoder.json", encoder)

        run.refresh(
            name,
            work=work,
            inputs={
                "folds": fold_words(folds),
                "search": search.model_dump(exclude={"models", "ensemble"}),
                "seed": settings.seed,
                "components": COMPONENTS,
            },
            files=[table_path],
            outputs=[run.predictions_path(name), run.models_dir / name],
            libraries=["scikit-learn", "scipy"],
        )

    plain_and_adapted(run, NAME, train_one)


def audio_embedding(settings: Settings) -> None:
    """Embed the voices of a run and train on that, plain and, where asked for, adapted; needs the run's catalog."""
    run = RunFolder(settings)
    run.need(run.catalog_path, stage="features")
    clips = read_table(run.catalog_path, schema=CATALOG_SCHEMA)
    names = [NAME, NAME + ADAPTED]
    try:
        if not clips["voice"].any():
            raise InputError("there is no voice in the data")
        table_path = make_embeddings(run, clips)
        actors = read_table(table_path, schema=EMBEDDING_SCHEMA)["actor"]
        own_folds = restrict_folds(folds_of(run), actors)
    except InputError as reason:
        for name in names:
            run.skip(name, str(reason), run.predictions_path(name))
        return
    train(run, table_path, own_folds)
    gather_rejected(run)
    run.update_record()


if __name__ == "__main__":
    sys.exit(stage_main(audio_embedding))
