"""The graph of stages: its order, what is refused, and processes that end as their stages do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ravdess_mm.errors import InputError
from ravdess_mm.run import stages
from ravdess_mm.run.stages import read_lines, run_stages, stages_for, variables


def test_a_stage_comes_after_what_it_needs() -> None:
    order = stages_for("report")
    assert order[0] == "features"
    assert order[-2:] == ("fuse", "report")
    assert len(order) == len(set(order)) == 8
    assert stages_for("all") == order
    assert stages_for("importance") == ("features", "audio-models", "importance")
    assert stages_for("compare") == ("compare",)
    with pytest.raises(InputError, match="unknown stage 'reports'; allowed: all, features, audio-models"):
        stages_for("reports")


def test_each_stage_is_a_file_that_can_be_read() -> None:
    folder = Path(stages.__file__).parents[2] / "pipelines"
    lines = [line for line in read_lines() if line.section != "variables"]
    assert [line.section for line in lines] == sorted((line.section for line in lines), reverse=True)
    for line in lines:
        assert line.name == "all" or (folder / f"{line.name.replace('-', '_')}.py").is_file()
        assert line.about
    assert list(variables())[:2] == ["DATA", "RUN"]


def package(folder: Path, **code: str) -> Path:
    """Write a package with stages of its own beside it."""
    (folder / "toy").mkdir()
    (folder / "pipelines").mkdir()
    for name, text in {"__init__": "", **code}.items():
        (folder / "pipelines" / f"{name}.py").write_text(text)
    return folder / "toy"


@pytest.mark.parametrize("inside", [False, True])
def test_stages_run_one_after_the_other_up_to_the_first_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: bool
) -> None:
    say = "import sys; from pathlib import Path; Path('said').open('a').write(f'{__name__} {sys.argv[1:]}\\n')\n"
    toy = package(tmp_path, features=say, audio_models=say + "sys.exit(3)", importance=say)
    monkeypatch.setattr(stages, "_PACKAGE", toy)
    if inside:
        (tmp_path / "pipelines").rename(toy / "pipelines")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(toy)
    (toy / "pathlib.py").write_text("")  # of the user's own: not taken for Python's
    assert run_stages("importance", ["SEED=3"]) == 3
    assert Path("said").read_text() == "__main__ ['SEED=3']\n" * 2


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_who_ends_the_command_ends_its_stage(tmp_path: Path) -> None:
    toy = package(tmp_path, features="import time; print('here', flush=True); time.sleep(60)")
    code = f"from pathlib import Path; from ravdess_mm.run import stages; stages._PACKAGE = Path({str(toy)!r}); "
    process = subprocess.Popen(
        [sys.executable, "-c", code + "raise SystemExit(stages.run_stages('features'))"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    process.terminate()
    process.communicate(timeout=30)  # which waits for whoever holds the other end
    assert process.returncode == 128 + signal.SIGTERM
