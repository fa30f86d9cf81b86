"""What stands before every request: whose it is, where it comes from, how big it is."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

IDLE_S: Final = 30
"""How long a client that sends a file may be silent."""
GUARDED: Final = ("/api/", "/runs/")
"""Paths that want the token, where there is one; the page itself holds no secret."""
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(self), geolocation=()",
    "cache-control": "no-store",
}
"""Of every answer that does not say otherwise."""


class _RefusedError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Guard:
    """Middleware that refuses before anything is read.

    Parameters
    ----------
    app : ASGI application
        What answers.
    hosts : frozenset of str or None
        Names this server goes by, against rebound names (DNS rebinding); None: any.
    token : str or None
        What a client must know.
    max_bytes : int
        Of a request's body.
    """

    def __init__(self, app: ASGIApp, *, hosts: frozenset[str] | None, token: str | None, max_bytes: int) -> None:
        self._app = app
        self._hosts = hosts
        self._token = token
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusals: list[_RefusedError] = []

        async def send_with_headers(message: Message) -> None:
            if refusals:
                return  # the application says that it could not read; why, is said below
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            self._check(scope)
            await self._app(scope, self._counted(receive, refusals), send_with_headers)
        except _RefusedError as error:
            refusals.append(error)
        if refusals:
            refusal = refusals[-1]
            extra = {"www-authenticate": "Bearer"} if refusal.status == 401 else {}
            answer = JSONResponse({"error": str(refusal)}, refusal.status, headers={**extra, "connection": "close"})
            refusals.clear()
            await answer(scope, receive, send_with_headers)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        name = urlsplit(f"//{host}").hostname or ""
        if self._hosts is not None and name not in self._hosts:
            raise _RefusedError(421, f"host {name[:100]!r}; allowed: {', '.join(sorted(self._hosts))}")
        is_guarded = scope["path"].startswith(GUARDED)
        origin = headers.get("origin")
        is_foreign = origin is not None and urlsplit(origin).netloc != host
        if is_guarded and (is_foreign or headers.get("sec-fetch-site") in ("cross-site", "same-site")):
            raise _RefusedError(403, "asked from another site; allowed: this server's own page, and programs")
        if is_guarded and self._token is not None and not self._is_known(scope, headers):
            raise _RefusedError(401, "wrong or no token; allowed: 'Authorization: Bearer TOKEN', or ?token=TOKEN")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._max_bytes:
            raise self._too_big

    def _is_known(self, scope: Scope, headers: Headers) -> bool:
        query = QueryParams(scope["query_string"])
        said = headers.get("authorization", "").removeprefix("Bearer ") or query.get("token", "")
        if secrets.compare_digest(said.encode(), str(self._token).encode()):
            return True
        return secrets.compare_digest(query.get("ticket", "").encode(), ticket(self._token, scope["path"]).encode())

    def _counted(self, receive: Receive, refusals: list[_RefusedError]) -> Callable[[], Awaitable[Message]]:
        read, is_whole = 0, False

        async def counted() -> Message:
            nonlocal read, is_whole
            if is_whole:
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), IDLE_S)
            except TimeoutError:
                refusals.append(_RefusedError(408, f"nothing came for {IDLE_S} s"))
                raise refusals[0] from None
            read += len(message.get("body", b""))
            is_whole = not message.get("more_body", False)
            if read > self._max_bytes:
                refusals.append(self._too_big)
                raise refusals[0]
            return message

        return counted

    @property
    def _too_big(self) -> _RefusedError:
        return _RefusedError(413, f"too big; allowed: {self._max_bytes / 1e6:.0f} MB")


def ticket(token: str | None, path: str) -> str:
    """Return what opens this one path in place of the token, so that a report never sees the token."""
    return hmac.new((token or "").encode(), path.encode(), hashlib.sha256).hexdigest()
