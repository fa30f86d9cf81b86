"""A mistake is one line and status 2; asking for help teaches; importing the command is cheap."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ravdess_mm.bundles.pretrained import PRETRAINED_DIR, SHIPPED
from ravdess_mm.config import Settings
from ravdess_mm.errors import InputError
from ravdess_mm.run.entry import guarded, stage_main


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (None, 0, ""),
        (InputError("no such folder"), 2, "error: no such folder\n"),
        (KeyboardInterrupt(), 130, "interrupted;"),
        (ZeroDivisionError("a\nb"), 2, "error: unexpected ZeroDivisionError: a b (--debug shows where)\n"),
    ],
)
def test_guarded_turns_errors_into_one_line(
    capsys: pytest.CaptureFixture[str], error: BaseException | None, status: int, line: str
) -> None:
    def action() -> None:
        if error is not None:
            raise error

    assert guarded(action) == status
    captured = capsys.readouterr()
    assert captured.err.startswith(line)
    assert captured.err.count("\n") == (1 if line else 0)
    assert not captured.out


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def action() -> None:
        raise InputError("no")

    assert guarded(action, debug=True) == 2
    assert "Traceback" in capsys.readouterr().err


def test_stage_main_teaches_and_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    def stage(settings: Settings) -> None:
        """Do the thing."""

    assert stage_main(stage, ["--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("Do the thing.")
    assert "TEST_ACTORS" in shown
    assert stage_main(stage, ["SEED=3"]) == 0
    assert stage_main(stage, ["SEDE=3"]) == 2
    assert "unknown variable 'SEDE'" in capsys.readouterr().err


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, ravdess_mm.cli.main; "
        "heavy = {'tensorflow', 'keras', 'librosa', 'cv2', 'av', 'sklearn', 'xgboost'} & set(sys.modules); "
        "sys.exit(', '.join(sorted(heavy)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_system_has_the_last_word_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def full() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "out\x1b.parquet")

    assert guarded(full) == 2
    assert capsys.readouterr().err == "error: out\\x1b.parquet: no space left on device\n"


def run_command(words: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **options.pop("env", {})}
    return subprocess.run([sys.executable, "-m", "ravdess_mm", *words], env=environment, text=True, **options)


def test_a_name_that_the_output_cannot_say_is_escaped(tmp_path: Path) -> None:
    path = tmp_path / "a\U0001f600\n.wav"
    path.write_bytes(b"nothing")
    done = run_command(["predict", str(path)], env={"PYTHONIOENCODING": "cp1252"}, capture_output=True)
    assert done.returncode == 2
    assert f"{tmp_path}/a\\U0001f600\\n.wav: " in done.stderr
    assert "unexpected" not in done.stderr


def test_a_pipe_that_was_closed_is_no_error(tmp_path: Path) -> None:
    words = f"{sys.executable} -m ravdess_mm info --json {PRETRAINED_DIR / SHIPPED} | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", words], capture_output=True, text=True)
    assert done.returncode in (0, 1)
    assert done.stderr == ""


def test_a_pipe_is_no_clip(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.wav")
    done = run_command(["predict", str(tmp_path / "a.wav")], capture_output=True, timeout=120)
    assert done.returncode == 2
    assert "a.wav: neither a file nor a folder" in done.stderr
