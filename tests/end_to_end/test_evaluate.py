"""The command behind `make evaluate`: killed between folds it goes on; several protocols share their features."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import pipelines.evaluate
from ravdess_mm.corpus.identifier import Identifier
from ravdess_mm.predictions import read_predictions
from ravdess_mm.run.entry import stage_main
from ravdess_mm.run.protocols import load_protocol_runs
from ravdess_mm.store import hash_file
from tests.end_to_end.conftest import FACE_MODELS, Project, as_data

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("end_to_end")]


@pytest.fixture(scope="module")
def clips(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clips of three emotions for each of four actors."""
    folder = tmp_path_factory.mktemp("few")
    for path in sorted(corpus.rglob("0[123]-*.*")):
        if Identifier.parse(path).take.emotion in (3, 4, 5):
            shutil.copy(path, folder / path.name)
    return folder


def run(project: Project, clips: Path, name: str, protocol: str) -> int:
    words = [f"CONFIG={project.folder / 'tiny.toml'}", "JOBS=1", f"DATA={as_data(clips)}", f"RUN={name}"]
    return stage_main(pipelines.evaluate.evaluate, [*words, f"PROTOCOL={protocol}"], load=load_protocol_runs)


def interrupt_second(monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> list[int]:
    """Let a function work once and be interrupted the second time; returns the list of its calls."""
    original, calls = getattr(owner, name), []

    def work(*args: object, **kwargs: object) -> object:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, name, work)
    return calls


def test_evaluate_goes_on_fold_by_fold_after_a_kill(
    new_project: Callable[[], Project], clips: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import ravdess_mm.classifiers.training as classifiers
    import ravdess_mm.video.training.fold_trainer as networks

    project = new_project()
    folder = project.run_folder("r")
    # luna5 has three folds with test actors among 1-4; both kinds of training are stopped in their second fold
    voice = interrupt_second(monkeypatch, classifiers, "_fit")
    assert run(project, clips, "r", "luna5") == 130
    assert not (folder / "predictions" / "audio-svc.parquet").exists()
    face = interrupt_second(monkeypatch, networks.FoldTrainer, "run")
    assert run(project, clips, "r", "luna5") == 130
    # fold 0, interrupted; then folds 1 and 4 only; then the three of audio-embedding
    assert len(voice) == 2 + 2 + 3
    first_fold = hash_file(folder / "models" / "video-cnn" / "fold-0" / "predictions.parquet")
    capsys.readouterr()
    assert run(project, clips, "r", "luna5") == 0
    assert len(face) == 2 + 2
    assert hash_file(folder / "models" / "video-cnn" / "fold-0" / "predictions.parquet") == first_fold
    shown = capsys.readouterr().out
    figures = pd.read_csv(folder / "metrics.csv").set_index("model")
    assert {"audio-svc", "audio-embedding", "video-cnn", "fused", *FACE_MODELS} == set(figures.index)
    assert set(figures["folds"]) == {3}
    assert f"{100 * figures.loc['fused', 'accuracy']:.1f} [" in shown
    for name in figures.index:
        table = read_predictions(folder / "predictions" / f"{name}.parquet")
        assert set(table.loc[table["role"] == "test", "actor"]) == {1, 2, 3, 4}

    # the same figures as of a run that nobody stopped
    straight = new_project()
    assert run(straight, clips, "r", "luna5") == 0
    assert straight.hashes("r") == project.hashes("r")


def test_all_protocols_share_features_and_stand_side_by_side(
    project: Project, corpus: Path, clips: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    voices = project.folder / "voices"
    voices.mkdir()
    for path in clips.glob("03-*"):
        shutil.copy(path, voices / path.name)
    assert run(project, voices, "v", "all") == 0
    said = capsys.readouterr()
    assert "holdout: left out; nobody to test on" in said.err
    computed = re.findall(r"audio features: \d+ takes, (\d+) clips computed", said.err)
    assert [int(count) for count in computed] == [len(list(voices.iterdir()))]
    table = pd.read_csv(project.folder / "artifacts" / "v-protocols.csv")
    assert list(table["protocol"].unique()) == ["luna5", "emobox6", "loso"]
    folds = table[table["model"] == "audio-svc"].set_index("protocol")["folds"]
    assert folds.to_dict() == {"luna5": 3, "emobox6": 4, "loso": 4}
    assert "accuracy in per cent, by protocol" in said.out
    # a protocol that was asked for by name must be possible
    assert run(project, voices, "v", "holdout,loso") == 2
