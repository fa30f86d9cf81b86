"""The models that ship: a voice model of all actors of a run and a frozen face network, as a run in miniature."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ravdess_mm.audio.table import FEATURES_SCHEMA
from ravdess_mm.bundle import CARD_NAME
from ravdess_mm.config import Crop, Settings, load_settings
from ravdess_mm.corpus.catalog import CATALOG_SCHEMA
from ravdess_mm.corpus.splits import Fold
from ravdess_mm.entry import stage_main
from ravdess_mm.errors import InputError
from ravdess_mm.fusion.recipe import SCHEMA
from ravdess_mm.predict import PRETRAINED_DIR
from ravdess_mm.runs import RunFolder
from ravdess_mm.store import hash_file, read_table, write_json, write_text
from ravdess_mm.video.pretrained import SHIPPED, find_pretrained

KIND = "logistic"
VOICE = f"audio-{KIND}"
FACE = "video-zero-shot"
FACE_FRAME_STEP = 10


@dataclass(frozen=True)
class PretrainSettings:
    """The run whose features are learned from, and where the models go."""

    settings: Settings
    out: Path


def read_settings(arguments: Sequence[str]) -> PretrainSettings:
    """Read the words of a run and ``OUT=folder`` (default: where the package looks for what ships)."""
    given = [word for word in arguments if word.startswith("OUT=")]
    words = [word for word in arguments if word not in given]
    out = Path(given[-1].removeprefix("OUT=")) if given else PRETRAINED_DIR
    return PretrainSettings(load_settings(words), out)


def pretrain(job: PretrainSettings) -> None:
    """Train the voice on all actors, with copies in noise and at other speeds; needs the features of a run."""
    from ravdess_mm.audio.changed import usable_voices
    from ravdess_mm.augmentation import speed_copies, training_copies
    from ravdess_mm.classifiers.rows import check_features
    from ravdess_mm.classifiers.run import train_on_all
    from ravdess_mm.classifiers.trained import save_classifier

    run = RunFolder(job.settings)
    run.need(run.features_path, stage="features")
    if job.settings.is_sample and job.out == PRETRAINED_DIR:
        raise InputError("the models that ship are not trained on the synthetic sample; give DATA=..., or OUT=folder")
    table = read_table(run.features_path, schema=FEATURES_SCHEMA)
    actors = tuple(int(actor) for actor in np.unique(table["actor"]))
    everybody = (Fold(-1, actors, ()),)
    voices = usable_voices(read_table(run.catalog_path, schema=CATALOG_SCHEMA), table["take"])
    settings = job.settings
    cache_dir = run.root / "cache" / "augmented"
    clean = speed_copies(
        voices,
        everybody,
        feature_set=settings.features,
        cache_dir=cache_dir,
        jobs=settings.jobs,
        backend=settings.backend,
    )
    noisy = training_copies(
        voices,
        check_features(table),
        everybody,
        inner_folds=settings.search.inner_folds,
        feature_set=settings.features,
        cache_dir=cache_dir,
        seed=settings.seed,
        jobs=settings.jobs,
        backend=settings.backend,
    )
    result = train_on_all(
        KIND,
        table,
        search=settings.search,
        dense=settings.dense,
        seed=settings.seed,
        jobs=settings.jobs,
        feature_set=settings.features.value,
        copies=(*clean[-1], *noisy[-1]),
    )
    folder = job.out / "models" / VOICE / "holdout"
    save_classifier(folder, result.trained)
    chosen = result.search.sort_values("rank").iloc[0]
    write_text(
        folder / "README.md", model_card(settings, actors, len(table), chosen["accuracy_mean"], chosen["uar_mean"])
    )
    write_recipe(job.out)
    sys.stdout.write(f"{folder}\n")


def write_recipe(out: Path) -> None:
    """Say which models answer, and that voice and face count the same: no clip has taught anything else."""
    models = {"audio": VOICE}
    network = find_pretrained(SHIPPED)
    if network is not None:
        models["video"] = FACE
        card = {"network": SHIPPED, "sha256": hash_file(network / CARD_NAME)}
        write_json(
            out / "models" / FACE / "network.json", {**card, "frame_step": FACE_FRAME_STEP, "crop": Crop.FACE.value}
        )
    fold = {"fold": -1, "models": models, "temperatures": dict.fromkeys(models, 1.0), "lessons": []}
    write_json(out / "models" / "fused" / "recipe.json", {"schema": SCHEMA, "rule": "mean", "folds": [fold]})


def model_card(settings: Settings, actors: tuple[int, ...], n_takes: int, accuracy: float, uar: float) -> str:
    """Return the model card of the voice, in Markdown."""
    people = f"{len(actors)} actors ({actors[0]}-{actors[-1]})"
    return f"""# Voice model `{VOICE}`

From the sound of a spoken sentence to eight emotions: multinomial logistic regression on the {settings.features.value}
features.

- Trained on {n_takes} speech takes of RAVDESS by {people}, and on four changed copies of each:
  in white noise, in babble, 8 % slower, 8 % faster.
- In {settings.search.inner_folds} actor-disjoint folds of these takes, on which its strength was chosen:
  accuracy {accuracy:.3f}, UAR {uar:.3f}. No actor was held back for a test of this very model; for tests of its kind
  see docs/results.md.
- Actors of one country speak two English sentences in a studio. Spontaneous speech, other languages, children and
  phones are something else: expect less there, and do not decide anything about a person by it.

Reproduce it:

    make features DATA=... RUN=ship
    python -m pipelines.pretrain DATA=... RUN=ship

Licence: RAVDESS (Livingstone & Russo 2018) is CC BY-NC-SA 4.0; so is this model: not for commercial use. None of its
recordings is in this bundle.
"""


if __name__ == "__main__":
    sys.exit(stage_main(pretrain, load=read_settings))
