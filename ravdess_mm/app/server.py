"""The page, and ``/api`` for programs: what is asked for, handed to the child processes that answer."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import tempfile
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from importlib.resources import files as resources
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import FastAPI, File, Form, Header, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from ravdess_mm._version import __version__
from ravdess_mm.app.guard import Guard, ticket
from ravdess_mm.app.runs import finished_runs
from ravdess_mm.app.worker import BusyError, TooSlowError, Worker
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.errors import InputError
from ravdess_mm.report.page import own_text

STATIC: Final = Path(str(resources("ravdess_mm.app"))) / "static"
MOST_CLIPS: Final = 40
"""Files of one enrolment."""
START_S: Final = 60
"""What an answer may take beside the length of the recording: models are loaded, the machine is busy."""
LIVE_S: Final = 30
"""How long the answer for a moment may take; models are loaded with the first."""
REPORT_POLICY: Final = (
    "sandbox allow-scripts allow-downloads; default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""A report may be somebody else's: its scripts run, but alone and without a way out."""


@dataclass(frozen=True)
class Limits:
    """What is taken.

    Attributes
    ----------
    max_bytes : int
        Of one request.
    max_s : float
        Of one recording, in seconds; an answer may take as long, and `START_S` more.
    """

    max_bytes: int
    max_s: float


class Answer(BaseModel):
    """The object of ``ravdess-mm predict --json``."""

    model_config = ConfigDict(extra="allow")

    path: str = Field(description="Name of the upload.")
    duration_s: float | None = Field(description="Length in seconds; null where the file does not say.")
    label: str = Field(description="The most probable emotion.")
    probabilities: dict[str, float] = Field(description="Emotion to probability; they sum to 1.")
    sources: str = Field(description="What the answer rests on, such as audio+video.")
    branches: dict[str, dict[str, float]] = Field(description="The same from voice (audio) and face (video) alone.")
    segments: list[dict[str, Any]] = Field(description="A long recording sentence by sentence.")
    notes: list[str] = Field(description="What a reader must know.")


class Refusal(BaseModel):
    """Why there is no answer."""

    error: str = Field(description="One line: what was received, and what is allowed.")


REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Refusal, "description": said}
    for status, said in {
        401: "Wrong or no token.",
        403: "Asked from another site.",
        413: "Too many bytes.",
        422: "The file cannot be answered for.",
        503: "Too many requests are in line.",
        504: "The answer took too long.",
    }.items()
}
Ticket = Annotated[str, Header(alias="X-Ticket", description="A name of yours, for /api/queue.", max_length=64)]
Run = Annotated[str, Form(description="Name of a finished run whose models answer; none: those that ship.")]
Speaker = Annotated[UploadFile | None, File(description="An enrolment (.json) of the one person in the clip.")]
Clip = Annotated[UploadFile, File(description="A sound or a film.")]


def create_app(
    *, runs: Path, reports: Path, limits: Limits, token: str | None = None, hosts: frozenset[str] | None = None
) -> FastAPI:
    """Return the application.

    Parameters
    ----------
    runs, reports : Path
        Such as ``artifacts`` and ``reports``.
    limits : Limits
        What is taken.
    token : str, optional
        What a client must know.
    hosts : frozenset of str, optional
        Names this server goes by; None: any.
    """
    folder = Path(tempfile.mkdtemp(prefix="ravdess-mm-app-"))
    clips = Worker(folder, limit_s=limits.max_s + START_S)
    moments = Worker(folder, limit_s=LIVE_S)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            for worker in (clips, moments):
                worker.stop()
            shutil.rmtree(folder, ignore_errors=True)

    app = FastAPI(title="ravdess-mm", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.add_middleware(Guard, hosts=hosts, token=token, max_bytes=limits.max_bytes)
    app.state.folder, app.state.workers = folder, (clips, moments)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    _add_errors(app)

    def run_folder(name: str) -> str:
        if not name:
            return ""
        known = finished_runs(runs, reports)
        if name not in known:
            raise InputError(f"run {name[:100]!r}; allowed: {', '.join(known) or 'none is finished'}")
        return str(known[name].folder)

    async def about_clip(
        job: str, request: Request, file: UploadFile, run: str, speaker: UploadFile | None, ticket: str, **more: Any
    ) -> Response:
        known, folder_of_run = await _text(speaker), run_folder(run)
        with _kept(folder, [file]) as paths:
            own = {"path": paths[0], "name": _name(file), "run": folder_of_run, "speaker": known, **more}
            return await _answered(request, clips.run(job, ticket=ticket, max_s=limits.max_s, **own))

    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        return HTMLResponse((STATIC / "index.html").read_text("utf-8"))

    @app.get("/api", include_in_schema=False)
    async def api_page() -> Response:
        return HTMLResponse((STATIC / "api.html").read_text("utf-8"))

    @app.get("/report.css", include_in_schema=False)
    async def style() -> Response:
        return Response(str(own_text("style.css")), media_type="text/css")

    @app.get("/api/info")
    async def info() -> dict[str, Any]:
        """Say what this server takes and can do."""
        return {
            "version": __version__,
            "emotions": EMOTIONS,
            "max_mb": limits.max_bytes / 1e6,
            "max_seconds": limits.max_s,
            "max_clips": MOST_CLIPS,
            "gradcam": importlib.util.find_spec("tensorflow") is not None,
        }

    @app.get("/api/runs")
    def list_runs() -> list[dict[str, Any]]:
        """List the finished runs with the addresses of their reports."""
        return [
            {
                "name": run.name,
                "synthetic": run.is_synthetic,
                "accuracy": run.accuracy,
                "pages": [
                    {"name": page.stem, "address": _address(f"/runs/{run.name}/{page.name}", token)}
                    for page in run.pages
                ],
            }
            for run in finished_runs(runs, reports).values()
        ]

    @app.get("/runs/{run}/{page}", include_in_schema=False)
    def report(run: str, page: str) -> Response:
        known = finished_runs(runs, reports).get(run)
        path = next((one for one in known.pages if one.name == page), None) if known is not None else None
        if path is None:
            return JSONResponse({"error": "no such report"}, 404)
        return HTMLResponse(path.read_bytes(), headers={"content-security-policy": REPORT_POLICY})

    @app.get("/api/queue/{name}")
    async def queue(name: str) -> dict[str, int | None]:
        """Say how many requests come before yours, by the X-Ticket you sent with it; null: it is not in line."""
        return {"ahead": clips.ahead(name)}

    @app.post("/api/predict", responses={200: {"model": Answer}, **REFUSALS})
    async def predict(
        request: Request,
        file: Clip,
        run: Run = "",
        speaker: Speaker = None,
        details: Annotated[bool, Form(description="Add face, frames, csv and html: what the page shows.")] = False,
        x_ticket: Ticket = "",
    ) -> Response:
        """Say which emotion voice and face of a clip express."""
        return await about_clip("predict", request, file, run, speaker, x_ticket, in_detail=details)

    @app.post("/api/explain", responses=REFUSALS)
    async def explain(
        request: Request, file: Clip, run: Run = "", speaker: Speaker = None, x_ticket: Ticket = ""
    ) -> Response:
        """Show which part of the face spoke (Grad-CAM); needs TensorFlow. Returns frames, and a page as html."""
        return await about_clip("explain", request, file, run, speaker, x_ticket)

    @app.post("/api/timeline", responses=REFUSALS)
    async def timeline(
        request: Request, file: Clip, run: Run = "", speaker: Speaker = None, x_ticket: Ticket = ""
    ) -> Response:
        """Answer for voice, face and both over time. Returns rows of bars, and a page as html."""
        return await about_clip("timeline", request, file, run, speaker, x_ticket)

    @app.post("/api/annotate", responses={200: {"content": {"video/mp4": {}}}, **REFUSALS})
    async def annotate(
        request: Request, file: Clip, run: Run = "", speaker: Speaker = None, x_ticket: Ticket = ""
    ) -> Response:
        """Return a copy of a film with boxes around faces and what they and the voice say, as MP4."""
        return await about_clip("annotate", request, file, run, speaker, x_ticket)

    @app.post("/api/enrol", responses=REFUSALS)
    async def enrol(
        request: Request,
        files: Annotated[list[UploadFile], File(description="Clips of one person; or one enrolment, to check it.")],
        run: Run = "",
        x_ticket: Ticket = "",
    ) -> Response:
        """Get to know a speaker by clips without labels; keep `enrolment` as a .json file for `speaker`."""
        if len(files) > MOST_CLIPS:
            raise InputError(f"{len(files)} clips; allowed: {MOST_CLIPS}")
        with _kept(folder, files) as paths:
            work = clips.run(
                "enrol",
                ticket=x_ticket,
                paths=paths,
                names=_distinct(map(_name, files)),
                run=run_folder(run),
                max_s=limits.max_s,
            )
            return await _answered(request, work)

    @app.post("/api/live", responses=REFUSALS)
    async def live(
        request: Request,
        picture: Annotated[UploadFile | None, File(description="A JPEG from the camera.")] = None,
        sound: Annotated[UploadFile | None, File(description="The last seconds: 16-bit mono samples.")] = None,
        sr: Annotated[int, Form(description="Sampling rate of the sound, in Hz.")] = 16_000,
        run: Run = "",
        speaker: Speaker = None,
    ) -> Response:
        """Answer for a moment."""
        known = await _text(speaker)
        given = [b"" if one is None else await one.read() for one in (picture, sound)]
        work = moments.run("live", picture=given[0], sound=given[1], sr=sr, run=run_folder(run), speaker=known)
        return await _answered(request, work)

    return app


def _add_errors(app: FastAPI) -> None:
    def refuse(status: int) -> Any:
        async def handler(_: Request, error: Exception) -> Response:
            return JSONResponse({"error": str(error)}, status)

        return handler

    async def unreadable(_: Request, error: Exception) -> Response:
        found = error.errors() if isinstance(error, RequestValidationError) else []
        told = "; ".join(f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg'].lower()}" for one in found[:3])
        return JSONResponse({"error": told or str(error)}, 422)

    async def not_there(_: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 400
        return JSONResponse({"error": str(getattr(error, "detail", error)).lower()}, status)

    app.add_exception_handler(HTTPException, not_there)
    app.add_exception_handler(InputError, refuse(422))
    app.add_exception_handler(BusyError, refuse(503))
    app.add_exception_handler(TooSlowError, refuse(504))
    app.add_exception_handler(RequestValidationError, unreadable)


async def _answered(request: Request, work: Coroutine[Any, Any, Any]) -> Response:
    """Wait for an answer, or end the work when its client goes away."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            return Response(status_code=499)
        answer = task.result()
        if isinstance(answer, str):  # a film, which is gone with its folder
            return Response(await asyncio.to_thread(Path(answer).read_bytes), media_type="video/mp4")
        return JSONResponse(answer)
    finally:
        task.cancel()
        gone.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


@contextmanager
def _kept(folder: Path, uploads: Iterable[UploadFile]) -> Iterator[list[str]]:
    """Keep uploads as files with names of ours, for as long as the answer takes."""
    with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as own:
        paths = []
        for number, upload in enumerate(uploads):
            path = Path(own) / f"clip-{number:02d}"
            with path.open("wb") as file:
                shutil.copyfileobj(upload.file, file)
            upload.file.close()
            paths.append(str(path))
        yield paths


async def _text(upload: UploadFile | None) -> str:
    return "" if upload is None else (await upload.read()).decode("utf-8", errors="replace")


def _name(upload: UploadFile) -> str:
    """Return what an upload is called, fit to be shown."""
    last = (upload.filename or "").replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(sign for sign in last if sign.isprintable())[:100] or "clip"


def _distinct(names: Iterable[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        found.append(name if name not in found else f"{name} ({len(found) + 1})")
    return found


def _address(path: str, token: str | None) -> str:
    return quote(path) if token is None else f"{quote(path)}?ticket={ticket(token, path)}"
