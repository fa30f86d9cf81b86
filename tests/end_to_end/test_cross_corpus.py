"""The command behind `make cross-corpus`, with the sample's voices under the names of other corpora."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import pipelines.cross_corpus
from ravdess_mm.corpus.identifier import Identifier
from ravdess_mm.experiments.cross_corpus import PREDICTIONS_SCHEMA
from ravdess_mm.predictions import PROBABILITIES
from ravdess_mm.run.entry import stage_main
from ravdess_mm.schemas import CROSS_CORPUS_SCHEMA
from ravdess_mm.store import hash_file, read_json, read_table
from tests.end_to_end.conftest import Project, as_data

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("end_to_end")]

EMODB = {"happy": "F", "sad": "T", "angry": "W"}
NEMO = {"happy": "happiness", "sad": "sadness", "angry": "anger"}


@pytest.fixture(scope="module")
def folders(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three emotions of actors 1 and 2 as they are, and of 3 and 4 under the names of two other corpora."""
    root = tmp_path_factory.mktemp("corpora")
    for name in ("ravdess", "emodb", "nemo"):
        (root / name).mkdir()
    for path in sorted(corpus.rglob("03-*.*")):
        take = Identifier.parse(path).take
        emotion, number = take.emotion.label, 10 * int(take.intensity) + int(take.repetition)
        if emotion not in EMODB:
            continue
        if take.actor <= 2:
            name = f"ravdess/{path.name}"
        elif take.statement == 1:
            name = f"emodb/{take.actor:02d}a{number}{EMODB[emotion]}a{path.suffix}"
        else:
            name = f"nemo/AB{take.actor}_{NEMO[emotion]}_{number}{path.suffix}"
        shutil.copy(path, root / name)
    return root


def run(project: Project, folders: Path, *corpora: str) -> int:
    words = [f"CONFIG={project.folder / 'tiny.toml'}", "JOBS=1", f"DATA={as_data(folders / 'ravdess')}"]
    named = [f"{corpus}={folders / corpus}" for corpus in corpora]
    return stage_main(pipelines.cross_corpus.cross_corpus, [*words, f"CORPORA={' '.join(named)}", "RUN=all"])


def test_each_corpus_is_answered_by_the_others_once_and_not_again(
    project: Project, folders: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    own = Path(shutil.copytree(folders, tmp_path / "own"))
    (own / "emodb" / "03a99Fa.wav").write_bytes(b"no sound")
    (own / "emodb" / "03a98La.wav").write_bytes(b"nobody looks at it")
    assert run(project, own, "emodb", "nemo") == 0
    said = capfd.readouterr()
    for text in ("emodb", "nemo", "ravdess", "plain", "adapted", "UAR"):
        assert text in said.out
    assert "left out: 1 boredom" in said.err
    assert "03a99Fa.wav is left out" in said.err
    folder = project.run_folder("all") / "cross-corpus"
    table = read_table(folder / "predictions.parquet", schema=PREDICTIONS_SCHEMA)
    assert set(table["corpus"]) == {"emodb", "nemo", "ravdess"}
    assert set(table["speaker"]) == {"01", "02", "03", "04", "AB3", "AB4"}
    np.testing.assert_allclose(table[list(PROBABILITIES)].sum(axis=1), 1)
    found = read_json(folder / "metrics.json")
    assert found["schema"] == CROSS_CORPUS_SCHEMA
    assert [(one["corpus"], one["variant"]) for one in found["results"]] == [
        (corpus, variant) for corpus in ("emodb", "nemo", "ravdess") for variant in ("adapted", "plain")
    ]
    assert found["corpora"]["emodb"]["left_out"] == "1 boredom"
    (rejected,) = read_table(folder / "rejected.parquet")["path"]
    assert Path(rejected).name == "03a99Fa.wav"

    before = hash_file(folder / "predictions.parquet")
    assert run(project, own, "nemo", "emodb") == 0
    assert "cross-corpus: up to date" in capfd.readouterr().err
    shutil.rmtree(folder)
    assert run(project, own, "emodb", "nemo") == 0
    assert hash_file(folder / "predictions.parquet") == before


def test_bad_corpora_are_one_line_and_status_2(
    project: Project, folders: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    twice = tmp_path / "twice"
    (twice / "ravdess").mkdir(parents=True)
    for name in ("emodb", "nemo"):
        shutil.copytree(folders / name, twice / name)
    for path in (folders / "ravdess").iterdir():
        shutil.copy(path, twice / "ravdess")
    shutil.copy(next((folders / "ravdess").iterdir()), twice / "nemo" / "AB3_anger_90.wav")
    config = f"CONFIG={project.folder / 'tiny.toml'}"
    data = f"DATA={as_data(folders / 'ravdess')}"
    cases = [
        ([config, data], 'CORPORA="emodb=folder nemo=folder" names other corpora'),
        ([config, data, f"CORPORA=emodbs={folders / 'emodb'}"], "unknown corpus 'emodbs'; allowed: emodb, nemo"),
        ([config, data, f"CORPORA=emodb={tmp_path / 'absent'}"], "absent: no such folder"),
        ([config, data, f"CORPORA=emodb={folders / 'nemo'}"], "no clip of emodb shows one of the eight emotions"),
        ([config, data, f"CORPORA=emodb={folders / 'emodb'} emodb={twice}"], "corpus emodb is named 2 times"),
        ([config, data, f"CORPORA=nemo={twice / 'nemo'}"], "nemo and ravdess hold the same recording: AB3_anger_90"),
    ]
    for words, message in cases:
        assert stage_main(pipelines.cross_corpus.cross_corpus, words) == 2
        (line,) = [text for text in capfd.readouterr().err.splitlines() if text.startswith("error:")]
        assert message in line
