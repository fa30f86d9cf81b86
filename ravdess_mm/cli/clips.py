"""The verbs of ``ravdess-mm`` on clips of your own: predict, enrol, explain."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import partial
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zlib import crc32

import typer

from ravdess_mm.cli.command import AnsweringRun, Json, console, print_json, run_verb
from ravdess_mm.config import Rows
from ravdess_mm.errors import InputError, one_line, printable

if TYPE_CHECKING:
    from ravdess_mm.predict.batch import Question


def predict(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Clips of any name, folders of them, or patterns such as '*.mp4'.", metavar="PATH..."),
    ] = None,
    from_file: Annotated[
        str | None, typer.Option("--from-file", help="A file with a path a line; - reads standard input.")
    ] = None,
    run: AnsweringRun = None,
    speaker: Annotated[
        Path | None,
        typer.Option(
            help="The one person who speaks in all of them: a folder of their clips, one recording longer than 20 s, "
            "or what `enrol` wrote. Speaker-adapted models answer then."
        ),
    ] = None,
    speakers: Annotated[
        int | None,
        typer.Option(
            help="How many people speak in each long recording: their voices are told apart, with a mean answer for "
            "each of them.",
            min=1,
        ),
    ] = None,
    in_segments: Annotated[
        bool | None,
        typer.Option(
            "--segments/--whole",
            help="One answer a sentence, or one for all; by default segments where a clip is longer than 20 s: the "
            "models know sentences.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write a table; killed, the same command goes on.")] = None,
    parquet: Annotated[Path | None, typer.Option("--parquet", help="The same as Parquet.")] = None,
    rows: Annotated[Rows, typer.Option(help="What a row of the table stands for.")] = Rows.CLIPS,
    jobs: Annotated[int, typer.Option("--jobs", "-j", help="Processes; -1 for one a core.")] = 1,
    timeline: Annotated[
        Path | None, typer.Option(help="Draw voice, face and both over time, as .html or .png; of one clip.")
    ] = None,
    annotate: Annotated[
        Path | None, typer.Option(help="Copy a film to this .mp4 with faces, emotions and the voice drawn in.")
    ] = None,
) -> None:
    """Say which emotion voice and face of a clip express.

    A long recording is parted where nobody speaks: each segment has its answer, and the whole has their mean.
    A clip that cannot be used is named on standard error and costs only itself; exit status 1 then.

    Examples: ravdess-mm predict holiday.mp4 --speaker her-clips/

    ravdess-mm predict interview.mp3 --speakers 2

    ravdess-mm predict films/ --csv faces.csv --rows faces --jobs -1

    ravdess-mm predict holiday.mp4 --annotate seen.mp4 --timeline seen.html
    """

    def action() -> int:
        from ravdess_mm.predict.batch import Question

        clips = list(_clips(paths or [], from_file))
        if not clips:
            raise InputError("no clips; allowed: paths, folders, patterns, or --from-file with a path a line")
        if speaker is not None and speakers is not None:
            raise InputError("--speaker and --speakers exclude each other: one known person, or several told apart")
        if sum((as_json, csv is not None, parquet is not None)) > 1:
            raise InputError("--json, --csv and --parquet exclude each other")
        question = Question(run, speaker, speakers, in_segments)
        pictures = [path for path in (timeline, annotate) if path is not None]
        if pictures and len(clips) > 1:
            raise InputError(f"--timeline and --annotate are of one clip; got {len(clips)}")
        for path in pictures:
            _draw(question, clips[0], path, as_timeline=path is timeline)
            typer.echo(printable(str(path)), err=as_json)
        table_path = csv or parquet
        if table_path is not None:
            return _write_table(clips, question, table_path, rows, jobs)
        if pictures and not as_json:
            return 0
        return _print_answers(clips, question, jobs, as_json=as_json)

    run_verb(action)


def _clips(paths: list[Path], from_file: str | None) -> Iterator[Path]:
    """Yield the clips that are asked about; of a list, those that are not there too: each costs only itself."""
    from ravdess_mm.corpus.media_files import find_clips

    for path in paths:
        matches = sorted(glob(str(path), recursive=True)) if set("*?[") & set(str(path)) and not path.exists() else []
        yield from find_clips(matches or [path])
    if from_file is None:
        return
    try:
        text = sys.stdin.read() if from_file == "-" else Path(from_file).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{from_file}: no list of paths ({one_line(error, Path(from_file))})") from error
    for line in filter(None, map(str.strip, text.splitlines())):
        yield from find_clips([line]) if Path(line).is_dir() else [Path(line)]


def _draw(question: Question, clip: Path, path: Path, *, as_timeline: bool) -> None:
    from ravdess_mm.errors import MediaError

    try:
        if as_timeline:
            from ravdess_mm.predict.timeline import make_timeline, write_timeline

            write_timeline(make_timeline(question.predictor(), clip, in_segments=question.in_segments), path)
        else:
            from ravdess_mm.predict.annotation import annotate_film

            annotate_film(question.predictor(), clip, path)
    except MediaError as error:
        raise MediaError(f"{clip}: {error}") from error


def _write_table(clips: list[Path], question: Question, path: Path, rows: Rows, jobs: int) -> int:
    from ravdess_mm.predict.batch import write_answers

    failed = write_answers(clips, question, path, rows=rows, jobs=jobs)
    for clip, reason in failed.items():
        typer.echo(printable(f"{clip}: {reason}"), err=True)
    typer.echo(printable(str(path)))
    return 1 if failed else 0


def _print_answers(clips: list[Path], question: Question, jobs: int, *, as_json: bool) -> int:
    from ravdess_mm.cli.tables import predictions_table
    from ravdess_mm.predict.batch import answer_many

    answers, failed = [], 0
    for path, answer in answer_many(clips, question, jobs=jobs):
        if isinstance(answer, str):
            failed += 1
            typer.echo(printable(f"{path}: {answer}"), err=True)
        else:
            answers.append(answer)
    if as_json:
        print_json([answer.to_dict() for answer in answers])
    elif answers:
        console().print(predictions_table(answers))
    if not answers:
        raise InputError(f"none of {len(clips)} clips could be used")
    return 1 if failed else 0


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
    """Get to know a speaker once, for `predict --speaker`; a dozen clips in several emotions do well.

    A recording of more than 20 s counts as many clips as it has sentences. Of silent films the face is known and the
    voice is not. A clip that cannot be used is named on standard error and costs only itself; exit status 1 then.
    """

    def action() -> int:
        from ravdess_mm.bundles.pretrained import PRETRAINED_DIR
        from ravdess_mm.predict.enrolment import enrol_voice, save_enrolment
        from ravdess_mm.predict.run_models import RunModels

        if output.suffix.lower() != ".json":
            raise InputError(f"{output}: an enrolment is a .json file; name it so")
        adapted, plain = RunModels.load_adapted(run or PRETRAINED_DIR), RunModels.load(run or PRETRAINED_DIR)
        features = adapted.audio.features
        voice, unheard = enrol_voice(paths, features=features, know=partial(adapted.audio.enrol, plain=plain.audio))
        face, seen = adapted.video.shares_of(paths)
        for path, reason in unheard.items():
            typer.echo(f"{printable(path)}: {reason}{'; its picture is used' if path in seen else ''}", err=True)
        if not voice.is_enough and face is None:
            number = "one usable clip says" if voice.n_clips else "clips of which none can be used say"
            raise InputError(f"{number} too little about a speaker; two or more are needed")
        failed = {path: reason for path, reason in unheard.items() if path not in seen}
        network = adapted.video.network_sha256 if face is not None else None
        save_enrolment(output, voice, face, features=features, network=network)
        faces = face.n_clips if face is not None else 0
        if as_json:
            facts = {"path": output, "clips": voice.n_clips, "faces": faces}
            print_json({**facts, "failed": {path.as_posix(): reason for path, reason in failed.items()}})
        else:
            known = f"a speaker by {voice.n_clips} clips" if voice.is_enough else f"a face by {faces} clips"
            also = f" and a face by {faces}" if faces and voice.is_enough else ""
            typer.echo(f"{output}: {known}{also}")
        return 1 if failed else 0

    run_verb(action)


def explain(
    clip: Annotated[Path, typer.Argument(help="A clip of any name, with a picture.", metavar="CLIP")],
    run: AnsweringRun = None,
    speaker: Annotated[
        Path | None,
        typer.Option(
            help="The person in the clip: a folder of their clips, or what `enrol` wrote; as for `predictor`."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The page; by default <name of the clip>-explained.html here; "
            "where that is there already, with a mark of the clip's folder.",
        ),
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
        from ravdess_mm.predict.explanation import explain_clip, write_explanation
        from ravdess_mm.predict.predictor import PRETRAINED_DIR, Predictor

        if method not in ("grad-cam", "hires-cam"):
            raise InputError(f"method {method!r}; allowed: grad-cam, hires-cam")
        predictor = Predictor.from_run(run or PRETRAINED_DIR, speaker=speaker)
        try:
            explanation = explain_clip(predictor, clip, method=method, about=emotion, n_frames=frames)
        except MediaError as error:
            raise MediaError(f"{clip}: {error}") from error
        page = write_explanation(explanation, output or _page_for(clip))
        if as_json:
            print_json({**explanation.to_dict(), "page": page})
        else:
            typer.echo(page)

    run_verb(action)


def _page_for(clip: Path) -> Path:
    """Return where the page of a clip goes; with a mark of its folder where one of that name is there already."""
    page = Path(f"{clip.stem}-explained.html")
    return page if not page.exists() else Path(f"{clip.stem}-{crc32(os.fsencode(clip.absolute())):08x}-explained.html")
