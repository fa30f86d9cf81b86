"""The command ``ravdess-mm``: results to standard output, everything else to standard error.

Exit status: 0 fine, 1 the answer is "no" (broken files were found), 2 wrong usage or unusable input.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ravdess_mm._version import __version__
from ravdess_mm.cli.app import app as app_verb
from ravdess_mm.cli.clips import enrol, explain, predict
from ravdess_mm.cli.command import (
    ANSWER,
    CHECK,
    LEARN,
    Jobs,
    Json,
    VerbGroup,
    console,
    print_json,
    run_verb,
    show_tracebacks,
)
from ravdess_mm.cli.live import live
from ravdess_mm.cli.stages import HELP, run
from ravdess_mm.config import Rule, parse_actors
from ravdess_mm.corpus.download import ArchivePart
from ravdess_mm.errors import InputError
from ravdess_mm.parallel.progress import set_up_logging
from ravdess_mm.store import plain

app = typer.Typer(
    cls=VerbGroup,
    name="ravdess-mm",
    help="Which emotion do voice and face express, and how sure are we? Actor-disjoint by construction.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


for _verb in (predict, live, explain, enrol):
    app.command(rich_help_panel=ANSWER)(_verb)
app.command("app", rich_help_panel=ANSWER)(app_verb)
app.command(help=HELP, rich_help_panel=LEARN)(run)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ravdess-mm {__version__}")
        raise typer.Exit


@app.callback()
def common(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and detailed logs.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Set up logs before any verb runs."""
    show_tracebacks(debug)
    set_up_logging(debug=debug)


@app.command(rich_help_panel=CHECK)
def verify(
    data: Annotated[list[Path], typer.Argument(help="Folders of RAVDESS clips.", metavar="DATA...")],
    deep: Annotated[bool, typer.Option("--deep", help="Decode every file to its end: finds truncated ones.")] = False,
    as_json: Json = False,
    jobs: Jobs = -1,
) -> None:
    """Count clips against the full release; list what is missing, and what is broken.

    Exit status 1 where a file is broken; missing files are no error: few people hold all 7356.
    """

    def action() -> int:
        from ravdess_mm.corpus.verification import verify_corpus
        from ravdess_mm.corpus.verification_text import render_result

        result = verify_corpus(data, deep=deep, jobs=jobs)
        if as_json:
            print_json(result.to_dict())
        else:
            render_result(result, console())
        return 0 if result.ok else 1

    run_verb(action)


@app.command(rich_help_panel=LEARN)
def download(
    folder: Annotated[Path, typer.Argument(help="Where to; made if it is missing.", metavar="DIR")],
    part: Annotated[
        list[ArchivePart],
        typer.Option(
            help="What to fetch; may be given more than once. Videos are about 0.5 GB an actor; action units, which "
            "OpenFace measured in all of them, 0.4 GB together."
        ),
    ] = [ArchivePart.SPEECH_AUDIO],  # noqa: B006 - typer only reads it
    actors: Annotated[str | None, typer.Option(help="Whose videos, such as 1,17-20; by default everybody's.")] = None,
    keep_archives: Annotated[bool, typer.Option(help="Keep the zip files.")] = False,
    record_url: Annotated[
        str | None,
        typer.Option(help="Address of a mirror's description of the record, JSON as Zenodo's.", show_default=False),
    ] = None,
) -> None:
    """Fetch RAVDESS from its official records, checked against the records' own checksums (CC BY-NC-SA 4.0).

    Run it again where it was cut off: it goes on from there, and what is unpacked is not fetched again. Prints the
    folders, for `make DATA=...`.
    """

    def action() -> None:
        from ravdess_mm.corpus.download import download as fetch

        try:
            whose = None if actors is None else parse_actors(actors)
        except ValueError as error:
            raise InputError(f"--actors: {error}") from error
        for found in fetch(folder, part, actors=whose, keep_archives=keep_archives, record_url=record_url):
            typer.echo(found)

    run_verb(action)


@app.command(rich_help_panel=LEARN)
def sample(
    folder: Annotated[Path, typer.Argument(help="Where to write it; new, empty, or a sample made before.")],
    jobs: Jobs = -1,
) -> None:
    """Make the synthetic sample corpus: invented voices and faces under RAVDESS names."""

    def action() -> None:
        from ravdess_mm.sample.files import ensure_sample

        typer.echo(ensure_sample(folder, jobs=jobs))

    run_verb(action)


@app.command(rich_help_panel=CHECK)
def evaluate(
    tables: Annotated[list[Path], typer.Argument(help="Prediction tables, .parquet or .csv.", metavar="TABLE...")],
    draws: Annotated[int, typer.Option(help="Bootstrap draws over actors.", min=100)] = 2000,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 20,
    as_json: Json = False,
) -> None:
    """Recompute accuracy, UAR, F1, recalls and the confusion matrix from prediction tables."""

    def action() -> None:
        from ravdess_mm.evaluation import evaluate_many
        from ravdess_mm.predictions import read_predictions

        named = {path.stem: read_predictions(path) for path in tables}
        if len(named) < len(tables):
            raise InputError("two tables have the same file name; names tell models apart, so rename one")
        results = evaluate_many(named, draws=draws, seed=seed)
        if as_json:
            print_json(results)
        else:
            from ravdess_mm.cli.tables import metrics_tables

            for table in metrics_tables(results):
                console().print(table)

    run_verb(action)


@app.command(rich_help_panel=LEARN)
def fuse(
    tables: Annotated[list[Path], typer.Argument(help="Prediction tables to fuse.", metavar="TABLE TABLE...")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the fused table.")],
    rule: Annotated[Rule, typer.Option(help="How the tables' probabilities become one.")] = Rule.POOL,
    seed: Annotated[int, typer.Option(help="Seed.")] = 20,
) -> None:
    """Fuse prediction tables of the same takes, ours or converted from elsewhere.

    What a rule learns, it learns from out-of-fold rows only (role=oof, or the other folds): never from rows it scores.
    Tables without any are fused in groups of actors, each by what the rows of the other actors teach.
    """

    def action() -> None:
        from ravdess_mm.fusion import fuse as fuse_tables
        from ravdess_mm.predictions import read_predictions, write_predictions

        named = {path.stem: read_predictions(path) for path in tables}
        if len(tables) < 2 or len(named) < len(tables):
            raise InputError(f"fusion needs two or more tables with different file names; got {len(named)}")
        fused = fuse_tables(named, rule=rule, seed=seed, cross_fit_test=True)
        write_predictions(output, fused.table)
        typer.echo(output)

    run_verb(action)


@app.command(rich_help_panel=CHECK)
def info(
    bundle: Annotated[
        Path, typer.Argument(help="Folder of a model, such as artifacts/<run>/models/audio-svc/holdout.")
    ],
    as_json: Json = False,
) -> None:
    """Show what a trained model is: its kind, features, actors it was trained on, versions and checksums."""

    def action() -> None:
        from ravdess_mm.bundles.bundle import read_bundle
        from ravdess_mm.cli.tables import card_table

        found = read_bundle(bundle)
        facts = {
            "kind": found.kind,
            "emotions": found.emotions,
            "versions": found.versions,
            "parts": found.parts,
            **found.card,
        }
        if as_json:
            print_json(facts)
        else:
            console().print(card_table(str(bundle), plain(facts)))

    run_verb(action)


def main() -> None:
    """Entry point of the command."""
    app()


if __name__ == "__main__":
    main()
