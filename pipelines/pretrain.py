"""The models that ship: a voice model of all actors of a run and a frozen face network, as a run in miniature."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ravdess_mm.audio.features import FEATURE_SET
from ravdess_mm.audio.table import FEATURES_SCHEMA
from ravdess_mm.bundle import CARD_NAME
from ravdess_mm.config import Adaptation, Crop, FaceDetector, Rule, SearchSettings, Settings
from ravdess_mm.entry import stage_main
from ravdess_mm.errors import InputError
from ravdess_mm.fusion.recipe import SCHEMA
from ravdess_mm.predict import PRETRAINED_DIR, SPEAKERS
from ravdess_mm.predictions import ADAPTED
from ravdess_mm.runs import RunFolder
from ravdess_mm.settings_words import VARIABLES, load_settings, read_words
from ravdess_mm.store import hash_file, read_table, write_json, write_text
from ravdess_mm.video.pretrained import SHIPPED, find_pretrained

KIND = "ridge"
"""Keeps no training row."""
VOICE = f"audio-{KIND}"
ENDINGS = {Adaptation.NONE: "", Adaptation.SPEAKER: ADAPTED}
FACE = "video-zero-shot"
FACE_FRAME_STEP = 10
SEARCH = SearchSettings(draws=16, refine=False)
"""The strength of the penalty and the weights of the classes are all there is to find, and sixteen draws find them."""


@dataclass(frozen=True)
class PretrainSettings:
    """The run whose features are learned from, and where the models go."""

    settings: Settings
    out: Path


def read_settings(arguments: Sequence[str]) -> PretrainSettings:
    """Read the words of a run and ``OUT=folder`` (default: where the package looks for what ships)."""
    words = read_words(arguments, (*VARIABLES, "OUT"))
    out = Path(words.pop("OUT", PRETRAINED_DIR))
    return PretrainSettings(load_settings(words), out)


def pretrain(job: PretrainSettings) -> None:
    """Train the voice on all actors; needs the features of a run."""
    from ravdess_mm.classifiers.run import train_on_all
    from ravdess_mm.classifiers.trained import save_classifier

    run, settings = RunFolder(job.settings), job.settings
    if settings.is_sample and job.out == PRETRAINED_DIR:
        raise InputError("the models that ship are not trained on the synthetic sample; give DATA=..., or OUT=folder")
    run.need(run.features_path, stage="features")
    table = read_table(run.features_path, schema=FEATURES_SCHEMA)
    for adapt in Adaptation:
        result = train_on_all(
            KIND,
            table,
            search=SEARCH,
            dense=settings.dense,
            seed=settings.seed,
            jobs=settings.jobs,
            feature_set=FEATURE_SET,
            adapt=adapt,
        )
        folder = job.out / "models" / f"{VOICE}{ENDINGS[adapt]}" / "holdout"
        save_classifier(folder, result.trained)
        write_text(folder / "MODEL_CARD.md", model_card(settings, adapt, table, result.search))
        write_recipe(job.out, ENDINGS[adapt])
        sys.stdout.write(f"{folder}\n")
    sys.stdout.write(f"{learn_speakers(job.out / SPEAKERS, settings, table)}\n")


def learn_speakers(folder: Path, settings: Settings, table: pd.DataFrame) -> Path:
    """Learn from all actors what tells voices apart."""
    from ravdess_mm.classifiers.rows import check_features
    from ravdess_mm.diarization import SpeakerSpace

    rows = check_features(table).sample
    space = SpeakerSpace.learn(rows.X, rows.groups)
    space.save(folder, card={"actors": np.unique(rows.groups)}, text=speakers_card(settings, table))
    return folder


def speakers_card(settings: Settings, table: pd.DataFrame) -> str:
    """Return the model card of what tells voices apart, in Markdown."""
    actors = np.unique(table["actor"])
    return f"""# Voices told apart

From the sound of a sentence to a place where sentences of one person lie close together, whatever the emotion
(`predict --speakers N`): linear discriminant analysis of {len(actors)} actors ({actors[0]}-{actors[-1]}) on the
{FEATURE_SET} features.

- Learned from {len(table)} speech takes of RAVDESS, every actor in eight emotions. Its figures, on actors that a space
  of its kind was not learned from, are in docs/results.md.
- It does not know how many people speak, and it does not know anybody: it is of no use to find out who somebody is.
- Actors of one country speak two English sentences in a studio; in noise, on phones, and where people speak at once,
  expect less.

Reproduce it:

    make features DATA=... RUN=ship PROTOCOL=luna5
    python -m pipelines.pretrain DATA=... RUN=ship PROTOCOL=luna5

Licence: RAVDESS (Livingstone & Russo 2018) is CC BY-NC-SA 4.0; so is this: not for commercial use. None of its
recordings is in this bundle.
"""


def write_recipe(out: Path, ending: str) -> None:
    """Say which models answer, and that their probabilities are multiplied: no clip has taught anything else."""
    models = {"audio": f"{VOICE}{ending}"}
    network = find_pretrained(SHIPPED)
    if network is not None:
        models["video"] = f"{FACE}{ending}"
        card = {"network": SHIPPED, "sha256": hash_file(network / CARD_NAME)}
        sampling = {"frame_step": FACE_FRAME_STEP, "crop": Crop.FACE.value, "detector": FaceDetector.HAAR.value}
        write_json(out / "models" / models["video"] / "network.json", {**card, **sampling})
    lesson = {"sources": list(models), "n_actors": 0, "n_takes": 0}
    fold = {"fold": -1, "models": models, "temperatures": dict.fromkeys(models, 1.0), "lessons": [lesson]}
    write_json(
        out / "models" / f"fused{ending}" / "recipe.json",
        {"schema": SCHEMA, "rule": Rule.PRODUCT.value, "folds": [fold]},
    )


def model_card(settings: Settings, adapt: Adaptation, table: pd.DataFrame, search: pd.DataFrame) -> str:
    """Return the model card of a voice, in Markdown."""
    actors = np.unique(table["actor"])
    people = f"{len(actors)} actors ({actors[0]}-{actors[-1]})"
    chosen = search.sort_values("rank").iloc[0]
    adapted = (
        "\n- For a speaker of whom two or more unlabelled clips are known (`predict --speaker`): features are "
        "standardised\n  by them. Its figures do not compare with those of the plain model."
        if adapt is Adaptation.SPEAKER
        else ""
    )
    return f"""# Voice model `{VOICE}{ENDINGS[adapt]}`

From the sound of a spoken sentence to eight emotions: ridge regression onto the classes, on the
{FEATURE_SET} features.

- Trained on {len(table)} speech takes of RAVDESS by {people}.{adapted}
- In {SEARCH.inner_folds} actor-disjoint folds of these takes, on which its strength was chosen:
  accuracy {chosen["accuracy_mean"]:.3f}, UAR {chosen["uar_mean"]:.3f}.
  No actor was held back for a test of this very model; for tests of its kind see docs/results.md.
- Actors of one country speak two English sentences in a studio. Spontaneous speech, other languages, children and
  phones are something else: expect less there, and do not decide anything about a person by it.

Reproduce it:

    make features DATA=... RUN=ship PROTOCOL=luna5
    python -m pipelines.pretrain DATA=... RUN=ship PROTOCOL=luna5

Licence: RAVDESS (Livingstone & Russo 2018) is CC BY-NC-SA 4.0; so is this model: not for commercial use. None of its
recordings is in this bundle.
"""


if __name__ == "__main__":
    sys.exit(stage_main(pretrain, load=read_settings))
