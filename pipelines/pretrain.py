"""The models that ship: a voice taught by several corpora, what tells voices apart, and who answers with whom."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ravdess_mm.audio.embedding import FEATURE_SET, N_COPIES, embed_files, encoder_digest
from ravdess_mm.bundles.bundle import CARD_NAME
from ravdess_mm.bundles.pretrained import SHIPPED, find_pretrained
from ravdess_mm.config import Crop, FaceDetector, Rule, Settings
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.corpus.other_corpora import find_corpora
from ravdess_mm.errors import InputError
from ravdess_mm.experiments.cross_corpus import COPY_WEIGHT, CorpusRows, Variant, choose
from ravdess_mm.predict.predictor import PRETRAINED_DIR, SPEAKERS
from ravdess_mm.predictions import ADAPTED
from ravdess_mm.run.entry import stage_main
from ravdess_mm.run.folder import RunFolder
from ravdess_mm.run.settings import VARIABLES, load_settings, read_words
from ravdess_mm.schemas import FUSION_SCHEMA
from ravdess_mm.store import hash_file, write_json, write_text

from .cross_corpus import other_clips, own_clips

VOICE = "audio-embedding"
ENDINGS = {Variant.PLAIN: "", Variant.ADAPTED: ADAPTED}
FACE = "video-zero-shot"
FACE_FRAME_STEP = 10

REPRODUCE = """Make it again:

    python -m pipelines.pretrain DATA=<RAVDESS> CORPORA="emodb=<folder> nemo=<folder>" RUN=ship
"""
TERMS = """Licence: RAVDESS and nEMO are CC BY-NC-SA 4.0, so this is too: not for commercial use. None of their
recordings is in this bundle.
"""


@dataclass(frozen=True)
class PretrainSettings:
    """The run whose clips are learned from, with other corpora, and where the models go."""

    settings: Settings
    out: Path


def read_settings(arguments: Sequence[str]) -> PretrainSettings:
    """Read the words of a run and ``OUT=folder`` (default: where the package looks for what ships)."""
    words = read_words(arguments, (*VARIABLES, "OUT"))
    out = Path(words.pop("OUT", PRETRAINED_DIR))
    return PretrainSettings(load_settings(words), out)


def embedded_rows(settings: Settings) -> CorpusRows:
    """Return the embeddings of all clips and of their copies that went through the world."""
    run = RunFolder(settings)
    clips = own_clips(run)
    if settings.corpora:
        clips = pd.concat([clips, other_clips(find_corpora(settings.corpus_folders))], ignore_index=True)
    if settings.test_actors is not None:
        held_back = {f"{actor:02d}" for actor in settings.test_actors}
        clips = clips[~(clips["corpus"].isin(["ravdess", "sample"]) & clips["speaker"].isin(held_back))]
    clips = clips.sort_values(["corpus", "speaker", "clip"], ignore_index=True)
    embedded = embed_files(
        [Path(path) for path in clips["path"]],
        cache_dir=run.root / "cache" / "audio",
        n_copies=N_COPIES,
        encoder_dir=settings.encoder,
        jobs=settings.jobs,
        backend=settings.backend,
    )
    heard = clips.iloc[list(embedded.kept)]
    emotion, corpus, speaker, clip = (
        heard[name].to_numpy(dtype=np.str_) for name in ("emotion", "corpus", "speaker", "clip")
    )
    n = 1 + len(embedded.copies)
    return CorpusRows(
        np.concatenate([embedded.vectors, *embedded.copies]),
        np.tile(emotion, n),
        np.tile(corpus, n),
        np.tile(speaker, n),
        np.tile(clip, n),
        copy=np.repeat(np.arange(n), len(heard)),
    )


def pretrain(job: PretrainSettings) -> None:
    """Train the voice on everybody; strength and temperature are chosen by leaving whole corpora out."""
    from ravdess_mm.classifiers.corpora_voice import CorporaVoice
    from ravdess_mm.classifiers.trained import save_classifier

    settings = job.settings
    if settings.is_sample and job.out == PRETRAINED_DIR:
        raise InputError("the models that ship are not trained on the synthetic sample; give DATA=..., or OUT=folder")
    rows = embedded_rows(settings)
    y = np.array([EMOTIONS.index(label) for label in rows.emotion], dtype=np.int64)
    for variant in Variant:
        strength, temperature = choose(rows, variant, seed=settings.seed)
        voice = CorporaVoice.fit(
            rows.X,
            y,
            rows.places,
            is_copy=rows.is_copy,
            sample_weight=rows.weights(y),
            strengths=[strength],
            adapted=variant is Variant.ADAPTED,
        )
        trained = voice.trained(
            0,
            temperature=temperature,
            feature_names=[f"e{place:05d}" for place in range(rows.X.shape[1])],
            feature_set=FEATURE_SET,
            card={"corpora": _count(rows), "n_copies": N_COPIES, "strength": strength},
        )
        model_dir = job.out / "models" / f"{VOICE}{ENDINGS[variant]}"
        save_classifier(model_dir / "holdout", trained)
        write_text(model_dir / "holdout" / "MODEL_CARD.md", model_card(rows, variant, strength, trained.temperature))
        encoder = {"encoder": settings.encoder, "sha256": encoder_digest(settings.encoder)}
        write_json(model_dir / "encoder.json", encoder)
        write_recipe(job.out, ENDINGS[variant])
        sys.stdout.write(f"{model_dir}\n")
    sys.stdout.write(f"{learn_speakers(job.out / SPEAKERS, rows)}\n")


def _count(rows: CorpusRows) -> dict[str, dict[str, int]]:
    """Return clips and speakers of each corpus, copies left out."""
    plain = rows.originals
    return {
        name: {
            "clips": int((plain.corpus == name).sum()),
            "speakers": len(np.unique(plain.speaker[plain.corpus == name])),
        }
        for name in plain.corpora
    }


def learn_speakers(folder: Path, rows: CorpusRows) -> Path:
    """Learn from everybody what tells voices apart."""
    from ravdess_mm.predict.diarization import SpeakerSpace

    plain = rows.originals
    space = SpeakerSpace.learn(plain.X, plain.groups)
    space.save(folder, card={"corpora": _count(rows)}, text=speakers_card(rows))
    return folder


def _taught_by(rows: CorpusRows) -> str:
    return ", ".join(f"{n['clips']} clips of {n['speakers']} speakers of {name}" for name, n in _count(rows).items())


def speakers_card(rows: CorpusRows) -> str:
    """Return the model card of what tells voices apart, in Markdown."""
    return f"""# Voices told apart

From the sound of a sentence to a place where sentences of one person lie close together, whatever the emotion
(`predict --speakers N`): linear discriminant analysis on the speech encoder's pooled states.

- Taught by {_taught_by(rows)}. Its figures, on speakers that a space of its kind was not taught
  by, are in docs/results.md.
- It does not know how many people speak, and it does not know anybody: it is of no use to find out who somebody is.
- In noise, on phones, and where people speak at once, expect less.

{REPRODUCE}
{TERMS}"""


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
        {"schema": FUSION_SCHEMA, "rule": Rule.PRODUCT.value, "folds": [fold]},
    )


def model_card(rows: CorpusRows, variant: Variant, strength: float, temperature: float) -> str:
    """Return the model card of a voice, in Markdown."""
    adapted = (
        "\n- For a speaker of whom two or more unlabelled clips are known (`predict --speaker`): features are "
        "standardised\n  by them. Its figures do not compare with those of the plain model."
        if variant is Variant.ADAPTED
        else ""
    )
    return f"""# Voice model `{VOICE}{ENDINGS[variant]}`

From the sound of a spoken sentence to eight emotions: kernel ridge regression on principal components of the pooled
states of a frozen speech encoder.

- Taught by {_taught_by(rows)}, each corpus and each of its emotions counting the same, and by
  {N_COPIES} copies of each clip that went through the world: rooms, microphones, noise, levels, telephones, codecs. A
  copy counts {COPY_WEIGHT:g} times what its clip does. Nothing of any clip is kept.
- Strength ({strength:g}) and temperature ({temperature:.3g}) were chosen by leaving whole corpora out, so that it is as
  sure as it is right on recordings from elsewhere; in RAVDESS' own studio it is righter than it says.{adapted}
- `calm` was taught by RAVDESS alone.
- No speaker was held back for a test of this very model; for tests of its kind see docs/results.md.
- Every speaker acts. Spontaneous speech and children are something else: expect less there, and do not decide anything
  about a person by it.

{REPRODUCE}
{TERMS}"""


if __name__ == "__main__":
    sys.exit(stage_main(pretrain, load=read_settings))
