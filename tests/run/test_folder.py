"""A stage runs when something it depends on changed, and only then."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock

import ravdess_mm
from ravdess_mm.config import Settings
from ravdess_mm.errors import InputError
from ravdess_mm.import_graph import ImportGraph
from ravdess_mm.predictions import prediction_table, write_predictions
from ravdess_mm.run.folder import RunFolder, command_of
from ravdess_mm.run.settings import load_settings
from ravdess_mm.store import read_json, read_table, write_text
from ravdess_mm.versions import library_versions


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(Settings(run="r", artifacts_dir=tmp_path / "artifacts"))


class Stage:
    """A stage that copies its input file and counts how often it worked."""

    def __init__(self, run: RunFolder) -> None:
        self.run = run
        self.calls = 0
        self.source = run.root / "in.txt"
        self.output = run.root / "out.txt"
        run.root.mkdir(parents=True)
        self.source.write_text("1")

    def work(self) -> None:
        self.calls += 1
        self.output.write_text(self.source.read_text())

    def refresh(self, **changes: object) -> bool:
        options = {"inputs": {"seed": 1}, "files": [self.source], "outputs": [self.output], **changes}
        return self.run.refresh("copy", work=self.work, **options)  # type: ignore[arg-type]


@pytest.fixture
def stage(run: RunFolder) -> Stage:
    return Stage(run)


def test_a_stage_up_to_date_does_not_run(stage: Stage) -> None:
    assert stage.refresh()
    assert not stage.refresh()
    assert stage.calls == 1


def test_a_changed_setting_file_version_or_output_runs_it_again(stage: Stage) -> None:
    stage.refresh()
    assert stage.refresh(inputs={"seed": 2})
    assert stage.refresh()
    stage.source.write_text("2")
    assert stage.refresh()
    stage.output.write_text("touched by hand")
    assert stage.refresh()
    assert stage.output.read_text() == "2"
    stage.output.unlink()
    assert stage.refresh()
    assert stage.refresh(libraries=["numpy"])
    assert not stage.refresh(libraries=["numpy"])
    assert stage.refresh(libraries=["numpy"], always=True)


def test_a_folder_is_an_output_of_which_every_file_counts(stage: Stage) -> None:
    folder = stage.run.models_dir / "svc"
    part = folder / "holdout" / "machine.npz"

    def work() -> None:
        stage.work()
        if not part.exists():  # as a fold that is trained already
            write_text(part, "weights")
        write_text(folder / "recipe.json", "{}")

    def refresh() -> bool:
        return stage.run.refresh("train", work=work, inputs={}, outputs=[stage.output, folder])

    assert refresh()
    assert not refresh()
    damages: list[Callable[[], object]] = [
        lambda: shutil.rmtree(folder),
        lambda: part.unlink(),
        lambda: part.write_text("weight"),
        lambda: part.write_text("Weights"),
    ]
    for damage in damages:
        damage()
        assert refresh()
        assert part.read_text() == "weights"
        assert not refresh()
    (folder / "heat.npz").touch()
    assert not refresh(), "what somebody adds later is not the stage's"


def test_a_stage_that_left_nothing_in_its_folder_is_not_done(stage: Stage) -> None:
    folder = stage.run.models_dir / "svc"
    folder.mkdir(parents=True)
    assert stage.refresh(outputs=[folder])
    assert stage.refresh(outputs=[folder])


@pytest.fixture
def copied_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package that stages ask instead of the package for the source code they depend on."""
    folder = tmp_path / "ravdess_mm"
    source = Path(ravdess_mm.__file__).parent
    for path in source.rglob("*.py"):
        write_text(folder / path.relative_to(source), path.read_text())
    monkeypatch.setattr("ravdess_mm.source_code.package_graph", lambda: ImportGraph("ravdess_mm", folder))
    return folder


def test_changed_code_runs_the_stages_again_that_reach_it(copied_graph: Path, run: RunFolder) -> None:
    from pipelines.fuse import score

    write_predictions(
        run.predictions_path("audio-svc"),
        prediction_table(["01-03-01-01-01-01", "01-04-01-01-01-02"], np.eye(8)[2:4], fold=-1, role="test"),
    )

    def outdated() -> bool:
        before = read_json(run.stages_dir / "metrics.json")
        score(run)
        return bool(read_json(run.stages_dir / "metrics.json") != before)

    score(run)
    assert not outdated()
    for module, is_reached in {
        "evaluation/scores.py": True,
        "corpus/identifier.py": True,  # not named by the stage: reached through others
        "run/folder.py": False,  # keeps the books
        "audio/decoding.py": False,
        "video/frame_store/store.py": False,
    }.items():
        with (copied_graph / module).open("a") as file:
            file.write("# changed\n")
        assert outdated() == is_reached, module
    (copied_graph / "evaluation" / "scores.py").unlink()
    with pytest.raises(ValueError, match=r"'ravdess_mm.evaluation.scores' is not a module of ravdess_mm"):
        score(run)


ODD = '{"key": null, "outputs": [], "seconds": "long", "messages": {}}'


@pytest.mark.parametrize("content", ["", '{"key": ', "[1]", '{"key": 1}', "\udc80", ODD])
def test_a_damaged_record_of_a_stage_costs_its_work_only(stage: Stage, content: str) -> None:
    stage.refresh()
    record = stage.run.stages_dir / "copy.json"
    record.write_text(content, errors="surrogateescape")
    stage.run.update_record()
    assert stage.refresh()
    assert not stage.refresh()
    assert set(read_json(record)) == {"key", "outputs", "seconds", "messages"}


def test_a_damaged_record_of_a_run_is_written_anew(run: RunFolder, caplog: pytest.LogCaptureFixture) -> None:
    run.update_record(data_fingerprint="f")
    run.record_path.write_text("{")
    run.update_record(data_fingerprint="g")
    assert read_json(run.record_path)["data_fingerprint"] == "g"
    assert "run.json: not a JSON file" in caplog.text
    assert "taken for missing" in caplog.text


def test_a_stage_that_failed_runs_again(stage: Stage) -> None:
    stage.refresh()
    stage.source.write_text("2")

    def fail() -> None:
        raise InputError("no")

    with pytest.raises(InputError, match="no"):
        stage.run.refresh("copy", work=fail, inputs={"seed": 1}, files=[stage.source], outputs=[stage.output])
    stage.source.write_text("1")
    assert stage.refresh()


def test_two_processes_never_run_one_stage_of_one_run(stage: Stage) -> None:
    (stage.run.root / "stages").mkdir()
    with FileLock(stage.run.root / "stages" / "copy.lock"), pytest.raises(InputError, match="another process"):
        stage.refresh()


def test_warnings_of_a_stage_are_kept_in_the_record(run: RunFolder) -> None:
    def work() -> None:
        logging.getLogger("ravdess_mm.somewhere").warning("actor %d is absent", 7)

    run.refresh("quiet", work=work, inputs={})
    run.skip("video-cnn", "there is no video in the data")
    run.update_record(folds=[1])
    record = read_json(run.record_path)
    assert record["messages"] == ["actor 7 is absent", "video-cnn was left out: there is no video in the data"]
    assert record["folds"] == [1]
    assert set(record["stages"]) == {"quiet", "video-cnn"}
    assert record["synthetic"] is True
    assert record["versions"]["numpy"] == library_versions()["numpy"]
    run.update_record(data_fingerprint="x")
    assert read_json(run.record_path)["folds"] == [1]


def test_a_skipped_stage_leaves_no_stale_output_and_runs_later(stage: Stage) -> None:
    stage.refresh()
    stage.run.skip("copy", "nothing to copy", stage.output)
    assert not stage.output.exists()
    assert stage.refresh()


def test_need_says_which_stage_comes_first(run: RunFolder) -> None:
    with pytest.raises(InputError, match="run `make features` with the same variables first"):
        run.need(run.catalog_path, stage="features")


def test_rejected_is_written_even_when_empty(run: RunFolder) -> None:
    part = pd.DataFrame({"path": ["b", "a"], "reason": ["y", "x"], "stage": ["audio", "audio"]})
    run.write_rejected([])
    assert read_table(run.rejected_path, schema="rejected/1").empty
    run.write_rejected([part, part.iloc[:1]])
    assert read_table(run.rejected_path)["path"].tolist() == ["a", "b"]


def test_command_repeats_the_settings() -> None:
    words = ["DATA='a b' c", "RUN=real", "TEST_ACTORS=1,17-20", "FRAME_STEP=4"]
    command = command_of(load_settings(words))
    assert command == """make report DATA=''"'"'a b'"'"' c' RUN=real TEST_ACTORS=1,17,18,19,20 FRAME_STEP=4"""
    assert command_of(load_settings([])) == "make report"
    command = command_of(load_settings(["CORPORA=emodb='my wav' nemo=x"]))
    assert command == """make report CORPORA=''"'"'emodb=my wav'"'"' nemo=x'"""
