"""What the verbs of the command ``ravdess-mm`` have in common: options, exit status, where answers go."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from ravdess_mm.run.entry import guarded
from ravdess_mm.store import plain

ANSWER: Final = "Answer for clips of your own"
LEARN: Final = "Learn from a corpus"
CHECK: Final = "Check"
AnsweringRun = Annotated[
    Path | None,
    typer.Option("--run", help="Folder of a finished run whose models answer; by default those that ship."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table for people.")]
Jobs = Annotated[int, typer.Option("--jobs", "-j", help="Processes; -1 for one a core.")]


class VerbGroup(TyperGroup):
    """Lists verbs under what they are for, as each says where it is registered (``rich_help_panel``)."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the verbs into the help."""
        panels: dict[str, list[tuple[str, str]]] = {ANSWER: [], LEARN: [], CHECK: []}
        for name in self.list_commands(ctx):
            command = self.commands[name]
            panel = getattr(command, "rich_help_panel", None)
            panels.setdefault(str(panel), []).append((name, command.get_short_help_str(limit=90)))
        for title, verbs in panels.items():
            with formatter.section(title):
                formatter.write_dl(verbs)


class _State:
    debug = False


def show_tracebacks(wanted: bool) -> None:
    """Say whether errors are shown with their tracebacks."""
    _State.debug = wanted


def wants_tracebacks() -> bool:
    """Tell whether errors are shown with their tracebacks."""
    return _State.debug


def run_verb(action: Callable[[], int | None]) -> None:
    """Run a verb's work and leave with the exit status it stands for."""
    answer: list[int | None] = []
    status = guarded(lambda: answer.append(action()), debug=_State.debug)
    raise typer.Exit(status or (answer[0] or 0 if answer else 0))


def print_json(value: Any) -> None:
    """Print a value for programs."""
    says_all = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    sys.stdout.write(json.dumps(plain(value), indent=2, ensure_ascii=not says_all) + "\n")


def console() -> Any:
    """Return where tables for people are printed."""
    from rich.console import Console

    # in a pipe a table is as wide as it needs to be, never cut at 80 columns
    return Console(width=None if sys.stdout.isatty() else 180, highlight=False, markup=False, emoji=False)
