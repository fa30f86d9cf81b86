"""From the frame store and a trained face network to its own answers and to classifiers on what it sees."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pandas as pd

from ravdess_mm.bundles.bundle import CARD_NAME
from ravdess_mm.bundles.pretrained import SHIPPED, SOURCE_NAME, find_pretrained, need_pretrained
from ravdess_mm.config import Adaptation, Crop, Settings
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.corpus.splits import Fold
from ravdess_mm.predictions import ADAPTED, prediction_table, write_predictions
from ravdess_mm.run.entry import stage_main
from ravdess_mm.run.folder import RunFolder
from ravdess_mm.store import hash_file, read_table, write_json, write_table
from ravdess_mm.video.frame_store.store import FrameStore

from .frames import frames_and_folds
from .tabular import answers_of, fold_words, folds_of, plain_and_adapted, write_combined

logger = logging.getLogger("ravdess_mm.pipelines.video_embedding")

NAME = "video-embedding"
ZERO_SHOT = "video-zero-shot"
FEATURES_SCHEMA = "embedding/1"
ANSWERS_SCHEMA = "zero-shot/1"
KINDS = ("logistic", "svc")
MIN_ACTORS = 3
"""Fewest training actors whose embeddings are learned from; of fewer, the network's seven probabilities alone are:
hundreds of numbers tell one face by heart."""


def make_features(run: RunFolder, network: Path) -> tuple[Path, Path]:
    """Show every frame to the network; returns the tables of features and of its own answers."""
    features_path, answers_path = (run.root / "video" / f"{name}.parquet" for name in ("embedding", "zero_shot"))

    def work() -> None:
        from ravdess_mm.video.embeddings import build_face_embeddings, load_embedder

        store = FrameStore.open(run.frames_dir)
        embedder = load_embedder(network)
        if store.crop is Crop.NONE and not run.settings.is_sample:
            logger.warning("%s: whole frames (CROP=none); the network expects a face that fills the frame", NAME)
        built = build_face_embeddings(store, embedder)
        lost = built.features["emotion"].isin(embedder.missing).sum()
        if lost:
            logger.warning(
                "%s: the network has no class %s; the %d takes of it are missed, or taken for neutral",
                ZERO_SHOT,
                ", ".join(embedder.missing),
                lost,
            )
        write_table(features_path, built.features, schema=FEATURES_SCHEMA)
        write_table(answers_path, built.zero_shot, schema=ANSWERS_SCHEMA)

    run.refresh(
        "embedding",
        work=work,
        inputs={"network": hash_file(network / CARD_NAME)},
        files=[run.frames_card_path],
        outputs=[features_path, answers_path],
        libraries=["keras", "tensorflow", "onnx", "onnxruntime", "opencv-python-headless"],
    )
    return features_path, answers_path


def answer_untrained(run: RunFolder, answers_path: Path, network: Path, folds: tuple[Fold, ...]) -> None:
    """Write the network's own answers as prediction tables; training actors' takes are out of fold as well.

    Of the adapted table, the answers of each actor, trained on or tested, are evened by that actor's own.
    """

    def answer(name: str, adapt: Adaptation) -> None:
        def work() -> None:
            from ravdess_mm.video.prior_correction import correct_priors_by_actor

            answers = read_table(answers_path, schema=ANSWERS_SCHEMA).set_index("take")
            actors = answers.index.str[-2:].astype(int)
            if adapt is Adaptation.SPEAKER:
                answers[list(EMOTIONS)] = correct_priors_by_actor(answers[list(EMOTIONS)], actors)
            tables = []
            for fold in folds:
                for role, side in (("test", fold.test), ("oof", fold.train)):
                    own = answers[actors.isin(side)]
                    values = own[list(EMOTIONS)].to_numpy()
                    tables.append(prediction_table(own.index.tolist(), values, fold=fold.number, role=role))
            write_predictions(run.predictions_path(name), pd.concat(tables, ignore_index=True))
            write_json(run.models_dir / name / SOURCE_NAME, _source_of(run, network))

        run.refresh(
            name,
            work=work,
            inputs={"folds": fold_words(folds), "network": _source_of(run, network)},
            files=[answers_path],
            outputs=[run.predictions_path(name), run.models_dir / name],
        )

    plain_and_adapted(run, ZERO_SHOT, answer)


def train(run: RunFolder, features_path: Path, network: Path, folds: tuple[Fold, ...]) -> None:
    """Train classifiers on every fold and combine them by what their out-of-fold answers teach."""
    from ravdess_mm.video.embeddings import answers_only

    settings = run.settings

    def train_one(name: str, adapt: Adaptation) -> None:
        def work() -> None:
            table = read_table(features_path, schema=FEATURES_SCHEMA)
            fewest = min(len(set(table["actor"]) & set(fold.train)) for fold in folds)
            sets = {"answers": answers_only(table)}
            if fewest >= MIN_ACTORS:
                sets["embedding"] = table
            else:
                logger.warning(
                    "%s: %d training actor(s); only the network's probabilities are learned from, not its embeddings",
                    name,
                    fewest,
                )
            answers = {
                f"{what}-{kind}": answers_of(
                    run, kind, features, folds, name=f"{name}/{what}-{kind}", feature_set=f"face-{what}", adapt=adapt
                )
                for what, features in sets.items()
                for kind in (KINDS if fewest > 1 else KINDS[:1])
            }
            write_combined(run, name, answers)
            write_json(run.models_dir / name / SOURCE_NAME, _source_of(run, network))

        run.refresh(
            name,
            work=work,
            inputs={
                "folds": fold_words(folds),
                "search": settings.search.model_dump(exclude={"models"}),
                "seed": settings.seed,
                "network": _source_of(run, network),
            },
            files=[features_path],
            outputs=[run.predictions_path(name), run.models_dir / name],
            libraries=["scikit-learn"],
        )

    plain_and_adapted(run, NAME, train_one)


def _source_of(run: RunFolder, network: Path) -> dict[str, object]:
    """Return what a prediction needs to know besides the models: the network and how frames were sampled."""
    return {
        "network": SHIPPED if run.settings.fine_tune == "none" else run.settings.fine_tune,
        "sha256": hash_file(network / CARD_NAME),
        "frame_step": run.settings.frame_step,
        "crop": run.settings.crop,
        "detector": run.settings.detector,
    }


def video_embedding(settings: Settings) -> None:
    """Answer from a trained face network, and train classifiers on what it sees; needs the run's frames."""
    run = RunFolder(settings)
    run.need(run.catalog_path, stage="features")
    names = [name + ending for name in (ZERO_SHOT, NAME) for ending in ("", ADAPTED)]
    chosen = SHIPPED if settings.fine_tune == "none" else settings.fine_tune
    network = need_pretrained(chosen) if settings.fine_tune != "none" else find_pretrained(chosen)
    if network is None:
        logger.info("%s: nothing to do; no trained face network is installed", NAME)
        for name in names:
            run.forget(name, run.predictions_path(name))
        return
    found = frames_and_folds(run, folds_of(run), stage=NAME, names=names)
    if found is None:
        return
    _, folds = found
    features_path, answers_path = make_features(run, network)
    answer_untrained(run, answers_path, network, folds)
    train(run, features_path, network, folds)
    run.update_record()


if __name__ == "__main__":
    sys.exit(stage_main(video_embedding))
