"""Long work shows a bar; spread work runs over processes and comes back in order.

Bars and logs go to standard error, results to standard output, so that a pipe gets results only.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from ravdess_mm.config import Backend

Item = TypeVar("Item")
Result = TypeVar("Result")


def bar(description: str, *, total: int | None = None, unit: str = "it") -> Any:
    """Return a ``tqdm`` progress bar on standard error; use it as a context manager and call ``update``.

    A bar that is not on a terminal prints at most one line every ten seconds, so that logs stay readable.
    """
    from tqdm import tqdm

    live = sys.stderr.isatty()
    return tqdm(
        total=total,
        desc=description,
        unit=unit,
        file=sys.stderr,
        dynamic_ncols=live,
        mininterval=0.1 if live else 10.0,
        miniters=None if live else 1,
    )


def track(items: Iterable[Item], description: str, *, total: int | None = None, unit: str = "it") -> Iterator[Item]:
    """Yield `items` and show how far they are."""
    if total is None and isinstance(items, Sequence):
        total = len(items)
    with bar(description, total=total, unit=unit) as progress:
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
    """
    from joblib import Parallel, delayed

    if not items:
        return
    with bar(description, total=len(items), unit=unit) as progress:
        if jobs == 1 or len(items) == 1:
            for item in items:
                yield function(item)
                progress.update(1)
            return
        with _backend(backend, jobs, threads=threads) as n_jobs:
            calls = (delayed(function)(item) for item in items)
            for result in Parallel(n_jobs=n_jobs, return_as="generator")(calls):
                yield result
                progress.update(1)


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
    from ravdess_mm.dask_cluster import dask_client

    with dask_client(jobs), parallel_config(backend="dask"):
        yield jobs


def set_up_logging(*, debug: bool = False) -> None:
    """Send the package's messages to standard error, one line each; call once from a command."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s" if not debug else "%(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("ravdess_mm")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.DEBUG if debug else logging.INFO)
    logger.propagate = False
