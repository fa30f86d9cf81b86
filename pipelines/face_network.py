"""Train a face network on still faces, score it, and write it as a bundle or, for CK+48, cross-validate by subject."""

from __future__ import annotations

import json
import logging
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, ValidationError

from ravdess_mm.corpus.leakage import demonstrate_leakage
from ravdess_mm.corpus.stills import read_ckplus48, read_fer2013
from ravdess_mm.entry import guarded
from ravdess_mm.errors import InputError
from ravdess_mm.progress import set_up_logging
from ravdess_mm.store import fingerprint, write_json
from ravdess_mm.video.still_settings import StillSettings

logger = logging.getLogger("ravdess_mm.pipelines.face_network")

LICENCE = """FER2013 (Goodfellow et al. 2013) is for non-commercial research; so are networks trained on it. None of its
images is in this bundle."""


class FaceSettings(StillSettings):
    """What one run of this command depends on; every field is an argument NAME=value in capitals."""

    corpus: Literal["fer2013", "ckplus48"] = Field("fer2013", description="fer2013 or ckplus48")
    faces: Path = Field(description="the corpus: a folder, a zip, or FER2013's original CSV")
    out: Path = Field(Path("artifacts/face-network"), description="folder of the bundle and of scores.json")
    net: str = Field("compact", description="compact, vgg19 or resnet18")
    seed: int = Field(20, ge=0, lt=2**32)


def face_network(settings: FaceSettings) -> None:
    """Train, score, write."""
    started = time.monotonic(), time.process_time()
    scores = _fer2013(settings) if settings.corpus == "fer2013" else _ckplus48(settings)
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


def _fer2013(settings: FaceSettings) -> dict[str, Any]:
    from ravdess_mm.video.face_bundle import score_face_network, write_face_bundle
    from ravdess_mm.video.still_training import train_face_network

    stills = read_fer2013(settings.faces)
    training, test = stills.part("Training"), stills.part("PublicTest")
    logger.info("%d training images, %d test images", len(training), len(test))
    working_dir = _working_dir(settings)
    trained = train_face_network(
        settings.net, training, _still_settings(settings), seed=settings.seed, working_dir=working_dir
    )
    scores = {"corpus": settings.corpus, "part": "PublicTest"}
    scores |= score_face_network(trained.model, test, training=training)
    facts = {
        "net": settings.net,
        "trained_on": "FER2013 Training",
        "training_images": len(training),
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
    from ravdess_mm.video.still_training import cross_validate

    stills = read_ckplus48(settings.faces)
    working_dir = _working_dir(settings)
    probabilities = cross_validate(
        settings.net, stills, _still_settings(settings), seed=settings.seed, working_dir=working_dir
    )
    shutil.rmtree(working_dir)
    return {
        "corpus": settings.corpus,
        "protocol": "ten folds by subject",
        "images": len(stills),
        "subjects": len(np.unique(stills.groups)),
        "accuracy": float((probabilities.argmax(axis=1) == stills.labels).mean()),
        "leakage": str(demonstrate_leakage(stills)),
    }


def model_card(settings: FaceSettings, facts: dict[str, Any]) -> str:
    """Return the model card of a network, in Markdown."""
    scores = facts["scores"]
    fresh = scores["without_duplicates"]
    recalls = "\n".join(f"| {emotion} | {recall:.3f} |" for emotion, recall in scores["recall"].items())
    return f"""# Face network `{settings.net}`

From a 44x44 gray crop of a face to seven emotions: {", ".join(scores["recall"])}. There is no *calm*.

- Trained on the Training part of FER2013 ({facts["training_images"]} images); nothing was chosen on the test part.
- PublicTest, mean of ten crops: accuracy **{scores["accuracy"]:.3f}** on {scores["images"]} images
  (centre crop alone {scores["accuracy_centre"]:.3f}), unweighted recall {scores["uar"]:.3f}.
- Without the {scores["images"] - fresh["images"]} test images that are pixel for pixel in the training part:
  **{fresh["accuracy"]:.3f}** on {fresh["images"]} images.

| class | recall |
|---|---|
{recalls}

Reproduce it:

    {command_of(settings)}

Licence: {LICENCE}
"""


def command_of(settings: FaceSettings) -> str:
    """Return the command that repeats a run; the path of the corpus is shortened to its name."""
    given = settings.model_dump(mode="json", exclude_defaults=True)
    given |= {"faces": settings.faces.name, "epochs": settings.epochs, "seed": settings.seed}
    given.pop("out", None)
    return "python -m pipelines.face_network " + " ".join(f"{name.upper()}={value}" for name, value in given.items())


def read_settings(arguments: Sequence[str]) -> FaceSettings:
    """Read ``NAME=value`` arguments.

    Raises
    ------
    InputError
        One line that says which argument is wrong, what was received and what is allowed.
    """
    allowed = ", ".join(name.upper() for name in FaceSettings.model_fields)
    given: dict[str, str] = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals or name != name.upper() or name.lower() not in FaceSettings.model_fields:
            raise InputError(f"{argument!r} is not an argument NAME=value; allowed names: {allowed}")
        given[name.lower()] = value
    try:
        return FaceSettings.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).upper()
        if first["type"] == "missing":
            raise InputError(f"{name}=... is missing: {FaceSettings.model_fields[name.lower()].description}") from error
        raise InputError(f"{name}={first['input']}: {first['msg']}") from error


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
