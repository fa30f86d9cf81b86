"""Start the page: where it listens, who may use it."""

from __future__ import annotations

import errno
import ipaddress
import os
import secrets
import socket
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import uvicorn

from ravdess_mm.app.server import Limits, create_app
from ravdess_mm.app.worker import Worker
from ravdess_mm.errors import InputError

LOCAL: Final = frozenset({"127.0.0.1", "localhost", "::1"})
SHORTEST_TOKEN: Final = 12


def serve(
    *, host: str, port: int, token: str | None, runs: Path, max_mb: float, max_seconds: float, opens_browser: bool
) -> None:
    """Serve the page until it is interrupted; its address goes to standard output.

    Parameters
    ----------
    host : str
        Where to listen. Anything but this machine's own address wants a token; one is made where none is given.
    port : int
        0 for any free one.
    token : str, optional
        What clients must know, at least `SHORTEST_TOKEN` characters.
    runs : Path
        Such as ``artifacts``; reports are in ``reports`` beside it.
    max_mb, max_seconds : float
        Largest upload and longest recording.
    opens_browser : bool
        Whether to open it.

    Raises
    ------
    InputError
        If the token is too short, or nothing can listen there.
    """
    if token is not None and (len(token) < SHORTEST_TOKEN or not token.isascii()):
        raise InputError(f"a token of {len(token)} characters; allowed: {SHORTEST_TOKEN} or more, of ASCII")
    is_local = _is_local(host)
    if not is_local and token is None:
        token = secrets.token_urlsafe(24)
    listening = _listen(host, port)
    app = create_app(
        runs=runs,
        reports=runs.absolute().parent / "reports",
        limits=Limits(max_bytes=round(max_mb * 1e6), max_s=max_seconds),
        token=token,
        hosts=None if not is_local else LOCAL | {host},
    )
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listening.getsockname()[1]}/{f'?token={token}' if token else ''}"
    sys.stdout.write(f"{address}\n")
    sys.stdout.flush()
    sys.stderr.write("Open this address in a browser; Ctrl+C ends it.\n")
    if opens_browser and _has_desktop():
        webbrowser.open(address)
    config = uvicorn.Config(
        app, http="h11", ws="none", log_level="warning", access_log=False, server_header=False,
        timeout_graceful_shutdown=2,
    )  # fmt: skip
    try:
        _Server(config, app.state.workers).run(sockets=[listening])
    except KeyboardInterrupt:
        sys.stderr.write("ended\n")


class _Server(uvicorn.Server):
    """Ends the work before it waits for connections, so that nobody waits for an answer at the end."""

    def __init__(self, config: uvicorn.Config, workers: Sequence[Worker]) -> None:
        super().__init__(config)
        self._workers = workers

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening."""
        for worker in self._workers:
            worker.close()
        await super().shutdown(sockets)


def _is_local(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listen(host: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        told = (
            "is in use; another with --port"
            if error.errno == errno.EADDRINUSE
            else f"cannot be used ({error.strerror})"
        )
        raise InputError(f"port {port} on {host} {told}") from error
    return listening


def _has_desktop() -> bool:
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
