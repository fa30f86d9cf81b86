"""From trained voice models to what noise, telephones, codecs, offsets and clicks cost them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator

import pandas as pd

from ravdess_mm.audio.embedding import EMBEDDING_SCHEMA, unpack
from ravdess_mm.audio.feature_table import FEATURES_SCHEMA
from ravdess_mm.audio.perturbed_features import VoiceClip, voice_clips
from ravdess_mm.audio.voice_features import ClassicFeatures, EmbeddingFeatures, VoiceFeatures
from ravdess_mm.config import Settings
from ravdess_mm.corpus.catalog import CATALOG_SCHEMA
from ravdess_mm.corpus.splits import Fold, restrict_folds
from ravdess_mm.errors import InputError
from ravdess_mm.experiments.measured_models import model_fingerprint
from ravdess_mm.parallel.progress import track
from ravdess_mm.run.entry import stage_main
from ravdess_mm.run.folder import RunFolder
from ravdess_mm.schemas import NOISE_SCHEMA
from ravdess_mm.store import read_table, write_table

from .audio_embedding import NAME as EMBEDDING
from .audio_embedding import embedding_path
from .tabular import folds_of

logger = logging.getLogger("ravdess_mm.pipelines.noise")


def set_of(name: str) -> str:
    """Return the feature set that a voice model hears."""
    return EmbeddingFeatures.feature_set if name.startswith(EMBEDDING) else ClassicFeatures.feature_set


def clean_tables(
    run: RunFolder, features: pd.DataFrame, names: list[str]
) -> Iterator[tuple[VoiceFeatures, pd.DataFrame]]:
    """Yield each feature set that the models hear, with its table of the clips as they are."""
    needed = {set_of(name) for name in names}
    if ClassicFeatures.feature_set in needed:
        yield ClassicFeatures(), features
    if EmbeddingFeatures.feature_set in needed:
        embedding = EmbeddingFeatures(run.settings.encoder)
        yield embedding, unpack(read_table(embedding_path(run), schema=EMBEDDING_SCHEMA), embedding.names)[0]


def measure(run: RunFolder, names: list[str], features: pd.DataFrame, folds: tuple[Fold, ...]) -> None:
    """Perturb test takes, let every voice model answer, and score the answers."""
    import ravdess_mm.experiments.noise_robustness as robustness

    settings = run.settings
    table_path, answers_path = run.root / "noise.parquet", run.root / "noise" / "predictions.parquet"
    trained = {name: model_fingerprint(run.models_dir, name) for name in names}

    def work() -> None:
        catalog = read_table(run.catalog_path, schema=CATALOG_SCHEMA)
        voices: tuple[VoiceClip, ...] = voice_clips(catalog, features["take"])
        conditions = {}
        for feature_set, table in clean_tables(run, features, names):
            tables = robustness.perturbed_features(
                voices,
                folds,
                features=feature_set,
                most_per_actor=settings.noise_takes,
                cache_dir=run.root / "cache" / "noise",
                seed=settings.seed,
                jobs=settings.jobs,
                backend=settings.backend,
            )
            heard = next(iter(tables.values()))["take"]
            if heard.empty:
                raise InputError("no test take could be perturbed; the reasons are above")
            clean = table[table["take"].isin(heard)].sort_values("take").reset_index(drop=True)
            conditions[feature_set.feature_set] = {robustness.CONDITIONS[0]: clean, **tables}
        answers = pd.concat(
            [
                robustness.answer_perturbed(run.models_dir, name, folds, conditions[set_of(name)])
                for name in track(names, "models, perturbed takes", unit="model")
            ],
            ignore_index=True,
        )
        scores = robustness.score_perturbed(answers, trained, seed=settings.seed, draws=settings.bootstrap_draws)
        write_table(answers_path, answers, schema=robustness.ANSWERS_SCHEMA)
        write_table(table_path, scores, schema=NOISE_SCHEMA)

    run.refresh(
        "noise",
        work=work,
        inputs={
            "models": trained,
            "folds": [(fold.number, fold.train, fold.test) for fold in folds],
            "takes": settings.noise_takes,
            "seed": settings.seed,
            "draws": settings.bootstrap_draws,
        },
        files=[run.features_path, run.catalog_path],
        outputs=[table_path, answers_path],
        libraries=["scikit-learn", "xgboost", "keras", "tensorflow", "onnxruntime"],
    )


def noise(settings: Settings) -> None:
    """Measure what ways through the world cost the voice models of a run; needs the run's audio models."""
    run = RunFolder(settings)
    folds = folds_of(run)
    names = [path.stem for path in sorted(run.predictions_dir.glob("audio-*.parquet"))]
    if not names or not run.features_path.is_file():
        run.skip("noise", "the run has no voice models", run.root / "noise.parquet")
        return
    features = read_table(run.features_path, schema=FEATURES_SCHEMA)
    try:
        own_folds = restrict_folds(folds, features["actor"])
    except InputError as reason:
        run.skip("noise", str(reason), run.root / "noise.parquet")
        return
    measure(run, names, features, own_folds)
    run.update_record()
    logger.info("noise: %s; `make report` shows it", run.root / "noise.parquet")


if __name__ == "__main__":
    sys.exit(stage_main(noise))
