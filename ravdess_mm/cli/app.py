"""The verb of ``ravdess-mm`` that opens a page in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ravdess_mm.cli.command import run_verb
from ravdess_mm.extras import need_extra


def app(
    host: Annotated[
        str, typer.Option(help="Where to listen; any but this machine's own address wants a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 for any free one.", min=0, max=65_535)] = 7860,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="RAVDESS_MM_TOKEN",
            help="What clients must know: 12 characters or more. By default none, and one made and printed where "
            "--host is another address.",
        ),
    ] = None,
    runs: Annotated[
        Path, typer.Option(help="Folder of runs whose models may answer; `reports` beside it has their pages.")
    ] = Path("artifacts"),
    max_mb: Annotated[float, typer.Option(help="Largest upload, in MB.", min=0.1)] = 500,
    max_seconds: Annotated[float, typer.Option(help="Longest recording, in seconds.", min=1)] = 1800,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
) -> None:
    """Open a page in the browser: try a clip, live from camera and microphone, enrol a speaker, look at runs.

    Nothing leaves this machine, and what is uploaded is deleted after the answer. `POST /api/predict` is the same for
    programs.

    Example: ravdess-mm app
    """

    def action() -> None:
        need_extra("fastapi", "python_multipart", "uvicorn")
        from ravdess_mm.app.serve import serve

        serve(
            host=host,
            port=port,
            token=token,
            runs=runs,
            max_mb=max_mb,
            max_seconds=max_seconds,
            opens_browser=not no_browser,
        )

    run_verb(action)
