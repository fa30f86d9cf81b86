"""A child process that answers one request after another, so that no upload can stop or crash the server."""

from __future__ import annotations

import asyncio
import multiprocessing
import shutil
import signal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from ravdess_mm.errors import InputError, RavdessError, one_line

MOST_WAITING: Final = 16
"""Requests that may stand in line; one more is refused."""


class BusyError(RavdessError):
    """Too many requests stand in line."""


class TooSlowError(RavdessError):
    """An answer took longer than it may."""


class Worker:
    """One child process and the line of requests in front of it.

    Parameters
    ----------
    folder : Path
        Where uploads are; the child removes it when the server is gone without a word.
    limit_s : float
        How long one answer may take, in seconds. The child is ended then, as it is when its client goes away.

    Notes
    -----
    The child starts with the first request and keeps the models in memory.
    """

    def __init__(self, folder: Path, *, limit_s: float) -> None:
        self._folder = folder
        self._limit_s = limit_s
        self._turn = asyncio.Lock()
        self._line: dict[object, str] = {}
        self._child: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None
        self._is_closed = False

    def ahead(self, ticket: str) -> int | None:
        """Return how many requests come before the one of that ticket; None where it is not in the line."""
        return next((place for place, one in enumerate(self._line.values()) if one == ticket), None)

    async def run(self, job: str, *, ticket: str = "", **arguments: Any) -> Any:
        """Return what a function of `ravdess_mm.app.jobs` returns, once it is this request's turn.

        Parameters
        ----------
        job : str
            Its name.
        ticket : str
            A name for `ahead`.
        **arguments
            Its arguments.

        Raises
        ------
        BusyError
            If `MOST_WAITING` requests are in the line.
        TooSlowError
            If the answer takes too long.
        InputError
            If the job refuses its input, or the child dies of it.
        """
        if len(self._line) >= MOST_WAITING:
            raise BusyError(f"{len(self._line)} requests are in line, the most that may be; try again in a minute")
        place = object()
        self._line[place] = ticket
        try:
            async with self._turn:
                return await self._ask(job, arguments)
        finally:
            del self._line[place]

    async def _ask(self, job: str, arguments: dict[str, Any]) -> Any:
        pipe = self._started()
        try:
            await asyncio.to_thread(pipe.send, (job, arguments))
            state, answer = await asyncio.wait_for(asyncio.to_thread(pipe.recv), self._limit_s)
        except TimeoutError:
            self.stop()
            raise TooSlowError(f"the answer took longer than {self._limit_s:.0f} s and was stopped") from None
        except (EOFError, OSError):
            self.stop()
            raise InputError("the process that answers ended while it read this file, which may be damaged") from None
        except BaseException:
            self.stop()
            raise
        if state != "answered":
            raise InputError(answer)
        return answer

    def _started(self) -> Connection:
        if self._is_closed:
            raise BusyError("the server is stopped")
        if self._pipe is None or self._child is None or not self._child.is_alive():
            self.stop()
            context = multiprocessing.get_context("spawn")
            self._pipe, other_end = context.Pipe()
            self._child = context.Process(target=_work, args=(other_end, self._folder), daemon=True)
            self._child.start()
            other_end.close()
        return self._pipe

    def close(self) -> None:
        """End the child for good: who waits is refused."""
        self._is_closed = True
        if self._child is not None:
            self._child.kill()

    def stop(self) -> None:
        """End the child, whatever it does; the next request starts another."""
        if self._child is not None:
            self._child.kill()
            self._child.join()
        if self._pipe is not None:
            self._pipe.close()
        self._child = self._pipe = None


def _work(pipe: Connection, folder: Path) -> None:
    """Answer until the server is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server ends the child
    from ravdess_mm.app import jobs

    while True:
        try:
            job, arguments = pipe.recv()
            try:
                reply = ("answered", getattr(jobs, job)(**arguments))
            except RavdessError as error:
                reply = ("refused", str(error))
            except Exception as error:
                reply = ("failed", f"unexpected {type(error).__name__}: {one_line(error)}")
            pipe.send(reply)
        except (EOFError, OSError):
            shutil.rmtree(folder, ignore_errors=True)
            return
