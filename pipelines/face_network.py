"""Train a face network on still faces, score it, and write it as a bundle or, for CK+48, cross-validate by subject.

NET=vgg16 and NET=efficientnetb0 start from ImageNet (see WEIGHTS). NET=pca-dense is a baseline without convolutions and
writes pictures and a page instead of a bundle. LIMIT=<n> makes a smoke run of n images that says so.
"""

from __future__ import annotations

import json
import logging
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ravdess_mm.evaluation.intervals import DRAWS, LEVEL, actor_draws, percentile_estimate
from ravdess_mm.evaluation.scores import class_recalls, confusion_by_group, rates
from ravdess_mm.parallel.progress import set_up_logging
from ravdess_mm.run.entry import guarded
from ravdess_mm.store import fingerprint, write_json
from ravdess_mm.video.stills.datasets import Stills, read_ckplus48, read_fer2013
from ravdess_mm.video.stills.leakage import demonstrate_still_leakage
from ravdess_mm.video.stills.settings import StillSettings

from .face_card import model_card
from .face_settings import FaceSettings, command_of, read_settings

if TYPE_CHECKING:
    from ravdess_mm.video.stills.training import TrainedFaceNetwork

logger = logging.getLogger("ravdess_mm.pipelines.face_network")

PCA_DENSE = "pca-dense"
NOTE = (
    "Accuracy is the share of faces whose emotion was named. Binary accuracy counts seven yes/no answers a face, six "
    "of which are rightly no; the tutorial's 85.4 % is of this kind, and always answering no scores 85.7 %."
)
FULL_EPOCHS = 60
"""Epochs that the estimate of a smoke run is for."""


def face_network(settings: FaceSettings) -> None:
    """Train, score, write."""
    started = time.monotonic(), time.process_time()
    work = {"fer2013": _fer2013, "ckplus48": _ckplus48}[settings.corpus]
    scores = _pca_dense(settings) if settings.net == PCA_DENSE else work(settings)
    if settings.limit:
        scores = {"smoke_run": f"of {settings.limit} images: the figures are of no worth", **scores}
    minutes = {
        "wall_minutes": round((time.monotonic() - started[0]) / 60, 1),
        "cpu_minutes": round((time.process_time() - started[1]) / 60, 1),
    }
    write_json(settings.out / "scores.json", {**scores, **minutes})
    sys.stdout.write(json.dumps({**scores, **minutes}, indent=2) + "\n")


def _still_settings(settings: FaceSettings) -> StillSettings:
    return StillSettings(**settings.model_dump(include=set(StillSettings.model_fields)))


def _working_dir(settings: FaceSettings) -> Path:
    # one folder a job: where the command is repeated with other words, nothing of the old job is taken up
    return settings.out / f"training-{fingerprint(settings.model_dump(exclude={'out'}))[:12]}"


def _limited(stills: Stills, settings: FaceSettings) -> Stills:
    """Return some images drawn at random, or all."""
    if not 0 < settings.limit < len(stills):
        return stills
    return stills.select(np.sort(np.random.default_rng(settings.seed).permutation(len(stills))[: settings.limit]))


def _trainer(settings: FaceSettings) -> Callable[..., TrainedFaceNetwork]:
    from ravdess_mm.video.stills.training import train_face_network
    from ravdess_mm.video.stills.transfer_networks import IMAGENET_NETWORKS, find_weights
    from ravdess_mm.video.stills.transfer_training import train_imagenet_network

    if settings.net not in IMAGENET_NETWORKS:
        return train_face_network
    return partial(train_imagenet_network, weights=find_weights(settings.net, settings.weights))


def class_counts(stills: Stills, *, balanced: bool = False) -> dict[str, int]:
    """Return what each class counted in an epoch, 1 or more: its images, or the same for all where they were balanced.

    The zero-shot answer divides by these.
    """
    numbers = np.bincount(stills.labels, minlength=len(stills.classes))
    return {name: 1 if balanced else max(1, int(number)) for name, number in zip(stills.classes, numbers, strict=True)}


def _estimate(settings: FaceSettings, cpu_s: float, trained_on: int, all_images: int) -> dict[str, Any]:
    """Return what a smoke run says about a whole one, in processor time, which a busy machine does not stretch."""
    if not settings.limit:
        return {}
    an_epoch = cpu_s / settings.epochs * all_images / trained_on
    return {
        "estimated_cpu_minutes_an_epoch_of_all_images": round(an_epoch / 60, 1),
        f"estimated_cpu_hours_of_{FULL_EPOCHS}_epochs": round(FULL_EPOCHS * an_epoch / 3600, 1),
    }


def _fer2013(settings: FaceSettings) -> dict[str, Any]:
    from ravdess_mm.video.face_bundle import round_weights, score_face_network, write_face_bundle

    stills = read_fer2013(settings.faces)
    everything = stills.part("Training")
    training, test = _limited(everything, settings), _limited(stills.part("PublicTest"), settings)
    logger.info("%d training images, %d test images", len(training), len(test))
    working_dir = _working_dir(settings)
    started = time.process_time()
    trained = _trainer(settings)(
        settings.net, training, _still_settings(settings), seed=settings.seed, working_dir=working_dir
    )
    round_weights(trained.model)
    scores = {"corpus": settings.corpus, "net": settings.net, "part": "PublicTest"}
    scores |= _estimate(settings, time.process_time() - started, len(training), len(everything))
    scores |= score_face_network(trained.model, test, training=training)
    facts = {
        "net": settings.net,
        "trained_on": "FER2013 Training",
        "training_images": len(training),
        "class_counts": class_counts(training, balanced=settings.balanced),
        "settings": _still_settings(settings).model_dump(mode="json"),
        "precision": trained.precision,
        "seed": settings.seed,
        "scores": scores,
    }
    text = model_card(settings, facts)
    write_face_bundle(settings.out, trained.model, classes=training.classes, facts=facts, text=text)
    shutil.rmtree(working_dir)
    return scores


def _ckplus48(settings: FaceSettings) -> dict[str, Any]:
    from ravdess_mm.video.stills.training import cross_validate

    everything = read_ckplus48(settings.faces)
    stills = _limited(everything, settings)
    started = time.process_time()
    working_dir = _working_dir(settings)
    probabilities = cross_validate(
        settings.net,
        stills,
        _still_settings(settings),
        seed=settings.seed,
        working_dir=working_dir,
        train=_trainer(settings),
    )
    shutil.rmtree(working_dir)
    return {
        "corpus": settings.corpus,
        "protocol": "ten folds by subject",
        "images": len(stills),
        "subjects": len(np.unique(stills.groups)),
        **_figures(stills, probabilities.argmax(axis=1), seed=settings.seed),
        "leakage": str(demonstrate_still_leakage(stills)),
        **_estimate(settings, time.process_time() - started, len(stills), len(everything)),
    }


def _figures(stills: Stills, answers: npt.NDArray[np.int64], *, seed: int) -> dict[str, Any]:
    """Return accuracy and UAR with 95 % intervals that resample subjects, and the recall of each class."""
    labels = stills.labels.astype(np.int64)
    subjects = np.unique(stills.groups, return_inverse=True)[1]
    _, matrices = confusion_by_group(labels, answers, subjects)
    drawn = np.tensordot(actor_draws(len(matrices), draws=DRAWS, seed=seed), matrices, axes=1)
    recalls = class_recalls(matrices.sum(axis=0))
    figures: dict[str, Any] = {}
    for name in ("accuracy", "uar"):
        value = float(getattr(rates(matrices.sum(axis=0)), name))
        figures[name] = value
        found = percentile_estimate(value, getattr(rates(drawn), name), level=LEVEL)
        figures[f"{name}_interval"] = [found.low, found.high]
    figures["recall"] = {stills.classes[label]: float(recalls[label]) for label in np.unique(labels)}
    return figures


def _pca_dense(settings: FaceSettings) -> dict[str, Any]:
    from ravdess_mm.report.pca_page import write_pca_page
    from ravdess_mm.video.stills.pca_dense import (
        COMPONENTS,
        cross_validate_pca_dense,
        draw_pictures,
        fit_pca_dense,
        measure,
    )

    how = _still_settings(settings)
    scores: dict[str, Any] = {"corpus": settings.corpus, "net": PCA_DENSE}
    by_components = {}
    if settings.corpus == "fer2013":
        stills = read_fer2013(settings.faces)
        training, test = _limited(stills.part("Training"), settings), _limited(stills.part("PublicTest"), settings)
        for number in COMPONENTS:
            fitted = fit_pca_dense(training, how, n_components=number, seed=settings.seed)
            by_components[str(number)] = measure(fitted.predict_proba(test.images), test.labels)
        scores["tested_on"] = "FER2013 PublicTest; fitted on Training"
    else:
        test = _limited(read_ckplus48(settings.faces), settings)
        for number in COMPONENTS:
            answers = cross_validate_pca_dense(test, how, n_components=number, seed=settings.seed)
            by_components[str(number)] = measure(answers[:, np.unique(test.labels)], compact_labels(test.labels))
        fitted = fit_pca_dense(test, how, n_components=number, seed=settings.seed)  # for the pictures only
        scores["tested_on"] = "CK+48, ten folds by subject"
    scores |= {"images": len(test), "by_components": by_components, "command": command_of(settings), "note": NOTE}
    page = write_pca_page(settings.out / "index.html", scores, draw_pictures(fitted.pca, settings.out))
    logger.info("%s", page)
    return scores


def compact_labels(labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return labels as places among those that occur: CK+48 has seven of its eight class names."""
    return np.searchsorted(np.unique(labels), labels)


def main(arguments: Sequence[str]) -> int:
    """Run the command; return its exit status."""
    words = [word for word in arguments if word != "--debug"]
    debug = len(words) < len(arguments)
    set_up_logging(debug=debug)
    if "--help" in words or "-h" in words:
        lines = [
            f"  {name.upper():<17} {field.description} ({'required' if field.is_required() else field.default})"
            for name, field in FaceSettings.model_fields.items()
        ]
        sys.stdout.write("\n".join([__doc__ or "", "", "Arguments, as NAME=value:", *lines, ""]))
        return 0
    return guarded(lambda: face_network(read_settings(words)), debug=debug)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
