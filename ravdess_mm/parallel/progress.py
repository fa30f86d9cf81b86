"""Progress bars, and parallel work with results in order.

Bars and logs go to standard error, results to standard output, so that a pipe gets results only.
"""

from __future__ import annotations

import atexit
import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from threading import RLock
from typing import TYPE_CHECKING, ClassVar, Final, Self, TextIO, TypeVar

from ravdess_mm.config import Backend

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

Item = TypeVar("Item")
Result = TypeVar("Result")


CRASHED: Final = "its decoder crashed"
"""Said of a clip that ended the process which read it."""
APART: Final = 32
"""Items that are met one by one after a process died, each in a process of its own."""
_SECONDS_BETWEEN_LINES: Final = 10.0


class Bar:
    """A progress bar on standard error; where that is no terminal, a line at most every ten seconds.

    Bars that are open at the same time stand one below the other.

    Parameters
    ----------
    description : str
        What is done.
    total : int, optional
        How much there is to do; None where nobody knows.
    unit : str
        What is counted; ``B`` for bytes, which are shown as megabytes.
    """

    _terminal: ClassVar[Progress | None] = None
    _n_open: ClassVar[int] = 0
    _lock: ClassVar[RLock] = RLock()

    def __init__(self, description: str, *, total: int | None = None, unit: str = "it") -> None:
        self.n, self.total, self.note = 0, total, ""
        self._description, self._unit = description, unit
        self._opened_s = self._shown_s = time.monotonic()
        self._is_open = True
        self._task: TaskID | None = self._open() if sys.stderr.isatty() else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def update(self, n: int = 1) -> None:
        """Count `n` more."""
        self.n += n
        if self._task is not None and Bar._terminal is not None:
            Bar._terminal.update(self._task, completed=self.n, total=self.total, text=self._text())
        elif time.monotonic() - self._shown_s >= _SECONDS_BETWEEN_LINES:
            self._print()

    def reset(self) -> None:
        """Count from 0 again."""
        self.n = 0

    def close(self) -> None:
        """Leave what it shows and end it; another one starts below."""
        if not self._is_open:
            return
        self._is_open = False
        if self._task is None:
            self._print()
            return
        with Bar._lock:
            Bar._n_open -= 1
            if Bar._terminal is not None and Bar._n_open:
                Bar._terminal.remove_task(self._task)
            elif Bar._terminal is not None:
                Bar._terminal.stop()
                atexit.unregister(Bar._terminal.stop)
                Bar._terminal = None

    def _open(self) -> TaskID:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        with Bar._lock:
            Bar._n_open += 1
            if Bar._terminal is None:
                Bar._terminal = Progress(
                    TextColumn("{task.description}", markup=False),
                    BarColumn(),
                    TimeRemainingColumn(),
                    TextColumn("{task.fields[text]}", markup=False),
                    console=Console(stderr=True),
                    redirect_stdout=False,  # results go where they are sent
                )
                Bar._terminal.start()
                atexit.register(Bar._terminal.stop)  # gives the cursor back, whatever ends the program
            return Bar._terminal.add_task(self._description, total=self.total, text=self._text())

    def _print(self) -> None:
        self._shown_s = time.monotonic()
        share = f"{self.n / self.total:.0%} " if self.total else ""
        elapsed_s = self._shown_s - self._opened_s
        print(f"{self._description}: {share}{self._text()}, {elapsed_s:.0f} s", file=sys.stderr)

    def _text(self) -> str:
        counts = [self.n] if self.total is None else [self.n, self.total]
        in_bytes = self._unit == "B"
        numbers = "/".join(f"{count / 1e6:.1f}" if in_bytes else str(count) for count in counts)
        return f"{numbers} {'MB' if in_bytes else self._unit}" + (f", {self.note}" if self.note else "")


def track(items: Iterable[Item], description: str, *, unit: str = "it") -> Iterator[Item]:
    """Yield `items` and show how far they are."""
    total = len(items) if isinstance(items, Sequence) else None
    with Bar(description, total=total, unit=unit) as progress:
        for item in items:
            yield item
            progress.update(1)


def map_parallel(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    description: str,
    jobs: int = -1,
    backend: Backend = Backend.LOKY,
    unit: str = "clip",
    threads: bool = False,
    lost: Result | None = None,
) -> Iterator[Result]:
    """Apply `function` to each item over processes; yield results in the order of `items`, with a bar.

    Parameters
    ----------
    function : callable
        Picklable; errors that concern one item should be returned, not raised.
    items : sequence
        What to work on.
    jobs : int
        Processes; -1 for one a core. With 1 everything runs in this process.
    backend : Backend
        ``loky`` (local processes) or ``dask`` (needs the extra ``dask``): the cluster whose scheduler Dask's settings
        name (``DASK_SCHEDULER_ADDRESS``), all of it, or else one of `jobs` processes on this machine.
    threads : bool
        Use threads of this process instead: right for work that leaves the interpreter's lock, such as fits of
        scikit-learn and XGBoost, which would otherwise cost each process seconds of imports.
    lost : optional
        The result of an item whose process died, as where native code crashed; without it that ends everything.
    """
    if not items:
        return
    with Bar(description, total=len(items), unit=unit) as progress:
        if jobs == 1 or len(items) == 1:
            for item in items:
                yield function(item)
                progress.update(1)
            return
        from joblib import Parallel, delayed  # a quarter of a second that one job does without
        from joblib.externals.loky.process_executor import TerminatedWorkerError

        with _backend(backend, jobs, threads=threads) as n_jobs:
            n_done = 0
            while n_done < len(items):
                calls = (delayed(function)(item) for item in items[n_done:])
                try:
                    for result in Parallel(n_jobs=n_jobs, return_as="generator")(calls):
                        yield result
                        n_done += 1
                        progress.update(1)
                except TerminatedWorkerError:
                    if lost is None:
                        raise
                    # it was one of those that were being worked on: these are met one by one
                    for item in items[n_done : n_done + APART]:
                        yield _apart(function, item, lost)
                        n_done += 1
                        progress.update(1)


def _apart(function: Callable[[Item], Result], item: Item, lost: Result) -> Result:
    """Apply a function in a process of its own; return `lost` where that dies."""
    from joblib.externals.loky import ProcessPoolExecutor
    from joblib.externals.loky.process_executor import BrokenProcessPool

    with ProcessPoolExecutor(max_workers=1) as executor:
        try:
            result: Result = executor.submit(function, item).result()
        except BrokenProcessPool:
            return lost
    return result


@contextmanager
def _backend(backend: Backend, jobs: int, *, threads: bool) -> Iterator[int]:
    from joblib import parallel_config

    if threads:
        with parallel_config(backend="threading"):
            yield jobs
        return
    if backend is Backend.LOKY:
        with parallel_config(backend="loky", inner_max_num_threads=1):
            yield jobs
        return
    from ravdess_mm.parallel.dask_cluster import dask_client

    with dask_client(jobs), parallel_config(backend="dask"):
        yield jobs


class _StandardErrorHandler(logging.StreamHandler[TextIO]):
    """Writes to what standard error is now: open bars stand in for it, to keep lines above them."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def set_up_logging(*, debug: bool = False) -> None:
    """Send the package's messages to standard error, one line each; call once from a command."""
    handler = _StandardErrorHandler()
    handler.setFormatter(logging.Formatter("%(message)s" if not debug else "%(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("ravdess_mm")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.DEBUG if debug else logging.INFO)
    logger.propagate = False
