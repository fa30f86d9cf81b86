"""The command ``ravdess-mm``: results to standard output, everything else to standard error.

Exit status: 0 fine, 1 the answer is "no" (broken files were found), 2 wrong usage or unusable input.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from ravdess_mm._version import __version__
from ravdess_mm.config import Rule, parse_actors
from ravdess_mm.corpus.download import Part
from ravdess_mm.entry import guarded
from ravdess_mm.errors import InputError
from ravdess_mm.progress import set_up_logging
from ravdess_mm.store import plain

app = typer.Typer(
    name="ravdess-mm",
    help="Which emotion do voice and face express, and how sure are we? Actor-disjoint by construction.",
    epilog="Whole runs, from a folder of clips to a report, are started with make: `make help`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table for people.")]
Jobs = Annotated[int, typer.Option("--jobs", "-j", help="Processes; -1 for one a core.")]


class _State:
    debug = False


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
    _State.debug = debug
    set_up_logging(debug=debug)


def _run(action: Callable[[], int | None]) -> None:
    """Run a verb's work and leave with the exit status it stands for."""
    answer: list[int | None] = []
    status = guarded(lambda: answer.append(action()), debug=_State.debug)
    raise typer.Exit(status or (answer[0] or 0 if answer else 0))


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(plain(value), indent=2, ensure_ascii=False) + "\n")


def _console() -> Any:
    from rich.console import Console

    # in a pipe a table is as wide as it needs to be, never cut at 80 columns
    return Console(width=None if sys.stdout.isatty() else 160, highlight=False)


@app.command()
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
        from ravdess_mm.corpus.verify import verify_corpus

        result = verify_corpus(data, deep=deep, jobs=jobs)
        if as_json:
            _print_json(result.to_dict())
        else:
            result.render(_console())
        return 0 if result.ok else 1

    _run(action)


@app.command()
def download(
    folder: Annotated[Path, typer.Argument(help="Where to; made if it is missing.", metavar="DIR")],
    part: Annotated[
        list[Part], typer.Option(help="What to fetch; may be given more than once. Videos are about 0.5 GB an actor.")
    ] = [Part.SPEECH_AUDIO],  # noqa: B006 - typer only reads it
    actors: Annotated[str | None, typer.Option(help="Whose videos, such as 1,17-20; by default everybody's.")] = None,
    keep_archives: Annotated[bool, typer.Option(help="Keep the zip files.")] = False,
) -> None:
    """Fetch RAVDESS from its official record, checked against the record's own checksums (CC BY-NC-SA 4.0).

    Run it again where it was cut off: what is unpacked is not fetched again. Prints the folders, for `make DATA=...`.
    """

    def action() -> None:
        from ravdess_mm.corpus.download import download as fetch

        try:
            whose = None if actors is None else parse_actors(actors)
        except ValueError as error:
            raise InputError(f"--actors: {error}") from error
        for found in fetch(folder, part, actors=whose, keep_archives=keep_archives):
            typer.echo(found)

    _run(action)


@app.command()
def sample(
    folder: Annotated[Path, typer.Argument(help="Where to write it; new, empty, or a sample made before.")],
    jobs: Jobs = -1,
) -> None:
    """Make the synthetic sample corpus: invented voices and faces under RAVDESS names."""

    def action() -> None:
        from ravdess_mm.corpus.sample import ensure_sample

        typer.echo(ensure_sample(folder, jobs=jobs))

    _run(action)


@app.command()
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
            _print_json(results)
        else:
            from ravdess_mm.tables import metrics_tables

            for table in metrics_tables(results):
                _console().print(table)

    _run(action)


@app.command()
def fuse(
    tables: Annotated[list[Path], typer.Argument(help="Prediction tables to fuse.", metavar="TABLE TABLE...")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the fused table.")],
    rule: Annotated[Rule, typer.Option(help="How the tables' probabilities become one.")] = Rule.PRODUCT,
    seed: Annotated[int, typer.Option(help="Seed.")] = 20,
) -> None:
    """Fuse prediction tables of the same takes, ours or converted from elsewhere.

    What a rule learns, it learns from out-of-fold rows only (role=oof, or the other folds): never from rows it scores.
    """

    def action() -> None:
        from ravdess_mm.fusion import fuse as fuse_tables
        from ravdess_mm.predictions import read_predictions, write_predictions

        named = {path.stem: read_predictions(path) for path in tables}
        if len(tables) < 2 or len(named) < len(tables):
            raise InputError(f"fusion needs two or more tables with different file names; got {len(named)}")
        fused = fuse_tables(named, rule=rule, seed=seed)
        write_predictions(output, fused.table)
        typer.echo(output)

    _run(action)


@app.command()
def predict(
    paths: Annotated[list[Path], typer.Argument(help="Clips of any name, or folders of them.", metavar="PATH...")],
    run: Annotated[
        Path | None,
        typer.Option("--run", help="Folder of a finished run whose models answer; by default those that ship."),
    ] = None,
    speaker: Annotated[
        Path | None,
        typer.Option(
            help="The one person who speaks in all of them: a folder of their clips, or what `enrol` wrote. "
            "Speaker-adapted models answer then."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say which emotion voice and face of a clip express.

    A clip that cannot be used is named on standard error and costs only itself; exit status 1 then.

    Example: ravdess-mm predict holiday.mp4 --speaker her-clips/
    """

    def action() -> int:
        from ravdess_mm.errors import MediaError
        from ravdess_mm.predict import PRETRAINED_DIR, Predictor, find_clips
        from ravdess_mm.progress import track
        from ravdess_mm.tables import predictions_table

        clips = list(find_clips(paths))
        predictor = Predictor.from_run(run or PRETRAINED_DIR, speaker=speaker)
        answers, failed = [], 0
        for path in track(clips, "clips", unit="clip"):
            try:
                answers.append(predictor.predict(path))
            except MediaError as error:
                failed += 1
                typer.echo(f"{path}: {error}", err=True)
        if as_json:
            _print_json([answer.to_dict() for answer in answers])
        elif answers:
            _console().print(predictions_table(answers))
        if not answers:
            raise InputError(f"none of {len(clips)} clips could be used")
        return 1 if failed else 0

    _run(action)


@app.command()
def enrol(
    paths: Annotated[
        list[Path], typer.Argument(help="Clips of one person, or folders of them; no labels.", metavar="PATH...")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the enrolment, a .json file.")],
    run: Annotated[
        Path | None,
        typer.Option("--run", help="Folder of a run with ADAPT=speaker; by default for the models that ship."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Get to know a speaker once, for `predict --speaker`; a dozen clips in several moods do well.

    A clip that cannot be used is named on standard error and costs only itself; exit status 1 then.
    """

    def action() -> int:
        from ravdess_mm.audio.features import feature_names
        from ravdess_mm.predict import PRETRAINED_DIR, Predictor
        from ravdess_mm.speaker import FEWEST_CLIPS, enrol_speaker

        if output.suffix.lower() != ".json":
            raise InputError(f"{output}: an enrolment is a .json file; name it so")
        feature_set = Predictor.adapted_features(run or PRETRAINED_DIR)
        enrolment, failed = enrol_speaker(paths, feature_set=feature_set)
        for path, reason in failed.items():
            typer.echo(f"{path}: {reason}", err=True)
        if enrolment.n_clips < FEWEST_CLIPS:
            raise InputError(f"one usable clip says too little about a speaker; {FEWEST_CLIPS} or more are needed")
        enrolment.save(output, feature_names=feature_names(feature_set))
        if as_json:
            facts = {"path": output, "clips": enrolment.n_clips, "features": feature_set}
            _print_json({**facts, "failed": {path.as_posix(): reason for path, reason in failed.items()}})
        else:
            typer.echo(f"{output}: a speaker by {enrolment.n_clips} clips, features {feature_set.value}")
        return 1 if failed else 0

    _run(action)


@app.command()
def explain(
    clip: Annotated[Path, typer.Argument(help="A clip of any name, with a picture.", metavar="CLIP")],
    run: Annotated[
        Path | None,
        typer.Option("--run", help="Folder of a finished run whose models answer; by default those that ship."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The page; by default <name of the clip>-explained.html here.")
    ] = None,
    emotion: Annotated[
        str | None,
        typer.Option(help="Show what speaks for this emotion; by default for each frame's most probable one."),
    ] = None,
    method: Annotated[
        str,
        typer.Option(help="grad-cam, or hires-cam: truer to places in a network that flattens its last map, as seed."),
    ] = "grad-cam",
    frames: Annotated[int, typer.Option(help="Most frames to show.", min=1, max=60)] = 12,
    as_json: Json = False,
) -> None:
    """Show why: the clip's frames, colour over the part of the face that spoke, every emotion over time.

    Writes one HTML page that opens anywhere, with what the voice, the face and both together answer.

    Example: ravdess-mm explain holiday.mp4 --run artifacts/mine -o holiday.html
    """

    def action() -> None:
        from ravdess_mm.errors import MediaError
        from ravdess_mm.explain import explain_clip, write_explanation
        from ravdess_mm.predict import PRETRAINED_DIR, Predictor

        if method not in ("grad-cam", "hires-cam"):
            raise InputError(f"method {method!r}; allowed: grad-cam, hires-cam")
        predictor = Predictor.from_run(run or PRETRAINED_DIR)
        try:
            explanation = explain_clip(predictor, clip, method=method, about=emotion, n_frames=frames)
        except MediaError as error:
            raise MediaError(f"{clip}: {error}") from error
        page = write_explanation(explanation, output or Path(f"{clip.stem}-explained.html"))
        if as_json:
            _print_json({**explanation.to_dict(), "page": page})
        else:
            typer.echo(page)

    _run(action)


@app.command()
def info(
    bundle: Annotated[
        Path, typer.Argument(help="Folder of a model, such as artifacts/<run>/models/audio-svc/holdout.")
    ],
    as_json: Json = False,
) -> None:
    """Show what a trained model is: its kind, features, actors it was trained on, versions and checksums."""

    def action() -> None:
        from ravdess_mm.bundle import read_bundle
        from ravdess_mm.tables import card_table

        found = read_bundle(bundle)
        facts = {
            "kind": found.kind,
            "emotions": found.emotions,
            "versions": found.versions,
            "parts": found.parts,
            **found.card,
        }
        if as_json:
            _print_json(facts)
        else:
            _console().print(card_table(str(bundle), plain(facts)))

    _run(action)


def main() -> None:
    """Entry point of the command."""
    app()


if __name__ == "__main__":
    main()
