"""A mistake is one line and status 2; asking for help teaches; importing the command is cheap."""

from __future__ import annotations

import subprocess
import sys

import pytest

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
