"""The verb ``ravdess-mm live``: camera and microphone, twice a second."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ravdess_mm.cli.command import AnsweringRun, console, run_verb
from ravdess_mm.errors import InputError, MediaError

if TYPE_CHECKING:
    from ravdess_mm.predict.live import LiveAnswer


def live(
    camera: Annotated[int, typer.Option(help="Number of the camera; -1 for none.")] = 0,
    microphone: Annotated[
        str | None, typer.Option(help="Part of the microphone's name; by default the system's; none for none.")
    ] = None,
    list_devices: Annotated[
        bool, typer.Option("--list-devices", help="List cameras and microphones and stop.")
    ] = False,
    video: Annotated[
        Path | None, typer.Option(help="Play this film, or sound, in real time instead of camera and microphone.")
    ] = None,
    record: Annotated[Path | None, typer.Option(help="Write every answer to this .csv as well.")] = None,
    run: AnsweringRun = None,
    speaker: Annotated[
        Path | None, typer.Option(help="The person who is seen and heard: their clips, or what `enrol` wrote.")
    ] = None,
) -> None:
    """Say twice a second which emotion voice and face express now; Ctrl-C ends it.

    The voice is heard over the last two seconds in which somebody speaks and fades in silence; the face is the largest
    one. Camera or microphone that fails is named, and the other goes on. Nothing is kept but what --record writes.
    """

    def action() -> int:
        from ravdess_mm.predict.live_sources import LiveSources
        from ravdess_mm.predict.live_sources import list_devices as devices

        if list_devices:
            cameras, microphones, problem = devices()
            typer.echo(f"cameras: {', '.join(map(str, cameras)) or 'none'}")
            typer.echo(f"microphones: {'; '.join(microphones) or problem or 'none'}")
            return 0
        if record is not None and record.suffix.lower() != ".csv":
            raise InputError(f"{record}: answers are recorded as .csv; name it so")
        from ravdess_mm.bundles.pretrained import PRETRAINED_DIR
        from ravdess_mm.predict.live import LiveSession
        from ravdess_mm.predict.predictor import Predictor

        predictor = Predictor.from_run(run or PRETRAINED_DIR, speaker=speaker)
        predictor.warm_up()
        try:
            sources = LiveSources.of_film(video) if video is not None else LiveSources.of_devices(camera, microphone)
        except MediaError as error:
            raise InputError(f"{video}: {error}") from error
        with LiveSession(predictor, sources) as session, _shown() as show, _recorded(record) as keep:
            try:
                for answer in session.answers():
                    show(answer)
                    keep(answer)
            except KeyboardInterrupt:
                pass
        return 0

    run_verb(action)


@contextmanager
def _shown() -> Iterator[Callable[[LiveAnswer], None]]:
    """Show answers in one line that changes, or in a line each where that is no terminal."""
    from rich.live import Live

    target = console()
    if not target.is_terminal:
        yield lambda answer: typer.echo(line_of(answer))
        return
    with Live(console=target, auto_refresh=False) as line:
        yield lambda answer: line.update(line_of(answer), refresh=True)


@contextmanager
def _recorded(path: Path | None) -> Iterator[Callable[[LiveAnswer], None]]:
    """Write answers to a table, each as soon as it is given."""
    if path is None:
        yield lambda answer: None
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        writer: Any = None

        def keep(answer: LiveAnswer) -> None:
            nonlocal writer
            row = answer.row()
            if writer is None:
                writer = csv.DictWriter(file, fieldnames=list(row))
                writer.writeheader()
            writer.writerow(row)
            file.flush()

        yield keep


def line_of(answer: LiveAnswer) -> str:
    """Return an answer in one line: what both say, each by itself, how late it is, what was dropped."""
    parts = [f"{answer.time_s:6.1f} s", _top("", answer.both), _top("voice ", answer.voice), _top("face ", answer.face)]
    if answer.voice is not None and not answer.is_speaking:
        parts[2] += " (silence)"
    parts.append(f"{1000 * answer.latency_s:.0f} ms late" if answer.latency_s == answer.latency_s else "nothing new")
    parts.append(f"{answer.n_dropped} dropped")
    return "  ".join((*parts, *answer.notes))


def _top(name: str, answer: dict[str, float] | None) -> str:
    if answer is None:
        return f"{name}-"
    label = max(answer, key=lambda emotion: answer[emotion])
    return f"{name}{label} {100 * answer[label]:.0f} %"
