"""A Dask cluster, on this machine or on many."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ravdess_mm._version import __version__
from ravdess_mm.errors import InputError, one_line
from ravdess_mm.extras import need_extra


@contextmanager
def dask_client(jobs: int) -> Iterator[None]:
    """Connect to the scheduler that Dask's own settings name, or start one with `jobs` workers on this machine.

    Raises
    ------
    InputError
        If Dask is not installed, no scheduler answers, it has no workers, or one of them cannot take part: it does not
        see this folder, or has no or another version of this package.
    """
    need_extra("dask", "distributed")
    import dask
    from dask.distributed import Client, LocalCluster
    from distributed.comm.addressing import get_address_host

    address = dask.config.get("scheduler-address", None)
    if not address:
        workers = os.cpu_count() or 1 if jobs == -1 else jobs
        with LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster):
            yield
        return
    try:
        # a client of what is no address stays half made, and where Python clears it away while another event loop is
        # starting, Dask waits for itself for good
        get_address_host(address)
        client = Client(address)
    except (OSError, ValueError) as error:
        raise InputError(
            f"DASK_SCHEDULER_ADDRESS={address}: no Dask scheduler answers there ({one_line(error)})"
        ) from error
    with client:
        _check_workers(client, address)
        yield


def _check_workers(client: Any, address: str) -> None:
    """Put a cluster's workers into this folder, since paths may be relative to it; check that they can take part."""
    if not client.ncores():
        raise InputError(f"DASK_SCHEDULER_ADDRESS={address}: the scheduler has no workers; start some: dask worker")
    folder = os.getcwd()
    moved = client.run(os.chdir, folder, on_error="return")
    for worker, failure in moved.items():
        if failure is not None:
            raise InputError(f"worker {worker} does not see {folder}; all workers must share our files") from failure
    for worker, version in client.run(version_here, on_error="return").items():
        if version != __version__:
            problem = f"cannot load it ({version})" if isinstance(version, Exception) else f"has {version}"
            raise InputError(f"worker {worker} needs ravdess-mm {__version__} and {problem}")


def version_here() -> str:
    """Return the version of this package in the process that calls."""
    return __version__
