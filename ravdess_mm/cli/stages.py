"""The verb ``ravdess-mm run``: what make does, without make and without a checkout."""

from __future__ import annotations

from typing import Annotated

import typer

from ravdess_mm.cli.command import run_verb, wants_tracebacks
from ravdess_mm.run.stages import help_lines, run_stages

# after \b nothing is wrapped
HELP = "\n\n".join(
    [
        "Run a stage or an experiment, and before it what it needs; what is up to date is not done again.",
        "Files go to artifacts/<run>/ and reports/<run>/ in the current folder. In a checkout, make does the same.",
        *("\b\n" + "\n".join(help_lines(section)).rstrip() for section in ("stages", "experiments", "variables")),
    ]
)


def run(
    stage: Annotated[str, typer.Argument(metavar="STAGE", help="A stage or an experiment.")],
    words: Annotated[
        list[str] | None, typer.Argument(metavar="NAME=value...", help="Variables.", show_default=False)
    ] = None,
) -> None:
    """Run a stage; its help is `HELP`."""
    debug = ["--debug"] if wants_tracebacks() else []
    run_verb(lambda: run_stages(stage, [*(words or ()), *debug]))
