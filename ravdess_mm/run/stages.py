"""The graph of stages, read from ``stages.mk`` as the Makefile reads it, and how one stage after the other is run."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from ravdess_mm.errors import InputError

_PACKAGE: Final = Path(__file__).parents[1]
_SECTION: Final = re.compile(r"# (\w+)")
_LINE: Final = re.compile(r"(?P<name>[\w-]+)(?: \?=|:(?P<needs>[ a-z-]*)) *## (?P<about>.+)")


@dataclass(frozen=True)
class Line:
    """One stage, experiment or variable.

    Attributes
    ----------
    name : str
        Such as ``audio-models`` or ``TEST_ACTORS``.
    section : str
        ``stages``, ``experiments`` or ``variables``.
    about : str
        What it is, in a line.
    needs : tuple of str
        Stages that are run before this one.
    """

    name: str
    section: str
    about: str
    needs: tuple[str, ...]


@lru_cache(maxsize=1)
def read_lines() -> tuple[Line, ...]:
    """Return stages, experiments and variables, in the order in which they are shown."""
    section, found = "", []
    for text in files("ravdess_mm").joinpath("run/stages.mk").read_text("utf-8").splitlines():
        if head := _SECTION.fullmatch(text):
            section = head[1]
        elif line := _LINE.fullmatch(text):
            found.append(Line(line["name"], section, line["about"], tuple((line["needs"] or "").split())))
    return tuple(found)


def variables() -> dict[str, str]:
    """Return the name of each variable and what it means."""
    return {line.name: line.about for line in read_lines() if line.section == "variables"}


def stages_for(name: str) -> tuple[str, ...]:
    """Return the stages that make one up to date, in order, itself last.

    Raises
    ------
    InputError
        If there is no such stage.
    """
    graph = {line.name: line.needs for line in read_lines() if line.section != "variables"}
    if name not in graph:
        raise InputError(f"unknown stage {name!r}; allowed: {', '.join(graph)}")
    done: dict[str, None] = {}

    def visit(stage: str) -> None:
        for other in graph[stage]:
            visit(other)
        done.setdefault(stage)

    visit(name)
    done.pop("all", None)  # a name for the report
    return tuple(done)


def run_stages(name: str, words: Sequence[str] = ()) -> int:
    """Run a stage and, before it, what it needs; each in a process of its own, as make does.

    Parameters
    ----------
    name : str
        A stage or an experiment.
    words : sequence of str
        ``NAME=value`` words and ``--debug``, for every one of them.

    Returns
    -------
    int
        0, or the exit status of the first stage that failed.

    Raises
    ------
    InputError
        If there is no such stage.
    """
    for stage in stages_for(name):
        command, environment = _command(stage, words)
        status = _wait(subprocess.Popen(command, env=environment))
        if status:
            return status
    return 0


def _command(stage: str, words: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Return how a stage is run: in a wheel stages are a room of this package, in a checkout they stand beside it."""
    module, environment = f"pipelines.{stage.replace('-', '_')}", dict(os.environ)
    if (_PACKAGE / "pipelines").is_dir():
        module = f"{_PACKAGE.name}.{module}"
    else:
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_PACKAGE.parent), os.environ.get("PYTHONPATH")]))
    # -P: a file called numpy.py in the user's folder is not taken for the library
    return [sys.executable, "-u", "-P", "-m", module, *words], environment


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Wait for a stage; one that is told to end ends its stage too."""

    def end(number: int, _frame: FrameType | None) -> NoReturn:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        return process.wait()
    except KeyboardInterrupt:  # which the stage has got as well: it says what is kept
        return process.wait()
    except SystemExit:
        process.terminate()
        process.wait()
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def help_lines(*sections: str) -> Iterator[str]:
    """Yield what there is, a line each, under the names of its sections."""
    for section in sections:
        yield f"{section}:"
        yield from (f"  {line.name:<19}{line.about}" for line in read_lines() if line.section == section)
        yield ""
