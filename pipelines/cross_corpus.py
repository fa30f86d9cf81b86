"""From RAVDESS and folders of other corpora to what each is told by the others, plain and speaker-adapted."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ravdess_mm.config import Settings
from ravdess_mm.corpus.corpus_names import CORPORA
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.corpus.other_corpora import CorpusClips, find_corpora
from ravdess_mm.corpus.splits import check_recordings_distinct
from ravdess_mm.errors import InputError
from ravdess_mm.evaluation.intervals import LEVEL
from ravdess_mm.run.entry import stage_main
from ravdess_mm.run.folder import REJECTED_SCHEMA, RunFolder
from ravdess_mm.schemas import CROSS_CORPUS_SCHEMA
from ravdess_mm.store import hash_file, read_json, write_json, write_table

from .features import make_catalog

logger = logging.getLogger("ravdess_mm.pipelines.cross_corpus")


def own_clips(run: RunFolder) -> pd.DataFrame:
    """Return the voices of the run's catalog as clips of a corpus; the synthetic sample is a corpus of its own."""
    voices = make_catalog(run).query("voice")
    return pd.DataFrame(
        {
            "corpus": "sample" if run.settings.is_sample else "ravdess",
            "speaker": [f"{actor:02d}" for actor in voices["actor"]],
            "clip": voices["take"],
            "emotion": voices["emotion"],
            "path": voices["path"],
            "sha256": voices["sha256"],
        }
    )


def other_clips(found: Mapping[str, CorpusClips]) -> pd.DataFrame:
    """Return the clips of other corpora; one that cannot be opened has no digest and is rejected when it is heard."""
    tables = []
    for name, corpus in found.items():
        table = corpus.clips[["speaker", "emotion", "path"]].assign(corpus=name)
        table["clip"] = [Path(path).stem for path in table["path"]]
        table["sha256"] = [hash_file(path) if Path(path).is_file() else "" for path in table["path"]]
        tables.append(table)
        logger.info(
            "%s: %d clips of %d speakers%s",
            *(name, len(table), table["speaker"].nunique()),
            f"; left out: {corpus.left_out}" if corpus.left_out else "",
        )
    return pd.concat(tables, ignore_index=True)


def measure(run: RunFolder, clips: pd.DataFrame, found: Mapping[str, CorpusClips]) -> Path:
    """Embed all clips, let the others answer for each corpus, and score the answers."""
    import ravdess_mm.experiments.cross_corpus as experiment
    from ravdess_mm.audio.embedding import embed_files, encoder_digest

    settings = run.settings
    folder = run.root / "cross-corpus"
    predictions_path, metrics_path = folder / "predictions.parquet", folder / "metrics.json"
    rejected_path = folder / "rejected.parquet"

    def work() -> None:
        embedded = embed_files(
            [Path(path) for path in clips["path"]],
            cache_dir=run.root / "cache" / "audio",
            encoder_dir=settings.encoder,
            jobs=settings.jobs,
            backend=settings.backend,
            description="voices of all corpora",
        )
        rejected = pd.DataFrame(
            [(str(path), reason, "cross-corpus") for path, reason in sorted(embedded.failed.items())],
            columns=["path", "reason", "stage"],
            dtype=str,
        )
        for path, reason in rejected[["path", "reason"]].itertuples(index=False):
            logger.warning("cross-corpus: %s is left out (%s)", path, reason)
        heard = clips.iloc[list(embedded.kept)]
        rows = experiment.CorpusRows(
            embedded.vectors,
            *(heard[column].to_numpy(dtype=np.str_) for column in ("emotion", "corpus", "speaker", "clip")),
        )
        table = experiment.answer_left_out(rows, seed=settings.seed)
        write_table(predictions_path, table, schema=experiment.PREDICTIONS_SCHEMA)
        write_table(rejected_path, rejected, schema=REJECTED_SCHEMA)
        write_json(
            metrics_path,
            {
                "schema": CROSS_CORPUS_SCHEMA,
                "emotions": EMOTIONS,
                "level": LEVEL,
                "draws": settings.bootstrap_draws,
                "seed": settings.seed,
                "corpora": {name: about(name, heard, found.get(name)) for name in rows.corpora},
                "results": experiment.score(table, seed=settings.seed, draws=settings.bootstrap_draws),
            },
        )

    run.refresh(
        "cross-corpus",
        work=work,
        inputs={
            "encoder": encoder_digest(settings.encoder),
            "clips": clips.drop(columns="path").to_dict("list"),
            "seed": settings.seed,
            "draws": settings.bootstrap_draws,
        },
        outputs=[predictions_path, metrics_path, rejected_path],
        libraries=["numpy", "onnxruntime", "scikit-learn", "scipy", "soxr"],
    )
    return metrics_path


def about(name: str, heard: pd.DataFrame, corpus: CorpusClips | None) -> dict[str, Any]:
    """Return what a reader must know of a corpus."""
    own = heard[heard["corpus"] == name]
    facts: dict[str, Any] = {"n_clips": len(own), "n_speakers": own["speaker"].nunique()}
    if corpus is None:
        return {**facts, "title": "RAVDESS" if name == "ravdess" else "synthetic sample", "language": "English"}
    record = corpus.corpus
    return {
        **facts,
        "title": record.title,
        "language": record.language,
        "terms": record.terms,
        "reference": record.reference,
        "left_out": corpus.left_out,
    }


def show(results: Mapping[str, Any]) -> None:
    """Print the figures for people."""
    from ravdess_mm.cli.command import console
    from ravdess_mm.cli.tables import cross_corpus_table

    console().print(cross_corpus_table(results))


def cross_corpus(settings: Settings) -> None:
    """Test each corpus of CORPORA="emodb=folder ..." and RAVDESS by what the others taught."""
    if not settings.corpora:
        raise InputError(
            f'CORPORA="emodb=folder nemo=folder" names other corpora and their folders; known: {", ".join(CORPORA)}'
        )
    run = RunFolder(settings)
    mine = own_clips(run)
    found = find_corpora(settings.corpus_folders)
    clips = pd.concat([mine, other_clips(found)], ignore_index=True).sort_values(["corpus", "speaker", "clip"])
    known = clips[clips["sha256"] != ""]
    check_recordings_distinct(zip(known["corpus"], known["clip"], known["sha256"], strict=True))
    metrics_path = measure(run, clips, found)
    run.update_record()
    show(read_json(metrics_path))
    logger.info("cross-corpus: %s; `make report` shows it", metrics_path)


if __name__ == "__main__":
    sys.exit(stage_main(cross_corpus))
