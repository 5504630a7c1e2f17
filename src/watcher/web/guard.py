"""What every request passes: its host is one of ours, it has its time, and its answer says what a browser may do.

A Host that is not ours is how a page of somebody else's reaches a server on this machine (DNS rebinding).
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from watcher.core.errors import WatcherError
from watcher.core.log import Log
from watcher.web.problems import Refused
from watcher.web.values import WebRules

HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}
_PIECE = 15.0  # seconds until the next piece of a body
_BODY = 300.0  # seconds for the whole of a body
_READ = 30.0  # seconds that a client may take to read a piece of an answer


class TooSlow(Refused):
    """The body did not come in time."""

    def __init__(self) -> None:
        super().__init__(408, "too_slow", "The request did not arrive in time.", "Send it again.")


class _Unread(Exception):  # noqa: N818 - a state, not a fault
    """The client does not read what it asked for."""


class Guard:
    """The outermost application."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        rules: WebRules,
        log: Log,
        count: Callable[[Scope, int], None],
    ) -> None:
        """`count` is told of every answer, by its status."""
        self._app = app
        self._names = _our_names(rules)
        self._loopback = _is_loopback(rules.host)
        self._log = log
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        scope["app"] = self  # else Starlette answers what it does not know by itself
        pipe = _Pipe(scope, receive, send)
        try:
            self._check_host(Headers(scope=scope))
            await self._app(scope, pipe.receive, pipe.send)
        except Refused as refused:
            await self._refuse(refused, scope, pipe)
        except WatcherError as error:
            await self._refuse(Refused(503, "unavailable", error.what, error.hint), scope, pipe)
        except _Unread:
            pipe.abort()
        except Exception:  # noqa: BLE001 - the border of one request: it stops no other
            self._log.exception("page.broken", path=scope["path"])
            await self._refuse(_our_fault(), scope, pipe)
        self._count(scope, pipe.status)

    async def _refuse(self, refused: Refused, scope: Scope, pipe: _Pipe) -> None:
        if pipe.status:
            pipe.abort()
            return
        try:
            await refused.answer()(scope, pipe.receive, pipe.send)
        except _Unread:
            pipe.abort()

    def _check_host(self, headers: Headers) -> None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            raise Refused(
                421, "foreign_host",
                "This server is not known by the name that was asked for.",
                "Ask for it by its address, or add the name to web.hosts in the settings.",
            )  # fmt: skip

    def _is_ours(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".").lower()
        except ValueError:
            return False
        return name in self._names or (not self._loopback and _is_address(name))


class _Pipe:
    """One request's two directions, with their time limits."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._more = True
        self._until = asyncio.get_running_loop().time() + _BODY
        self.status = 0

    async def receive(self) -> Message:
        if not self._more:  # nothing but the end of the connection is waited for
            return await self._receive()
        now = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(min(_PIECE, self._until - now)):
                message = await self._receive()
        except TimeoutError:
            raise TooSlow from None
        self._more = message["type"] == "http.request" and message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._complete(MutableHeaders(raw=message.setdefault("headers", [])))
        try:
            async with asyncio.timeout(_READ):
                await self._send(message)
        except TimeoutError:
            raise _Unread from None

    def _complete(self, headers: MutableHeaders) -> None:
        for name, value in HEADERS.items():
            headers.setdefault(name, value)
        asked = Headers(scope=self._scope)
        has_body = asked.get("content-length", "0") != "0" or "transfer-encoding" in asked
        if self._more and has_body:  # what is still coming is not read for ever
            headers["connection"] = "close"

    def abort(self) -> None:
        transport = self._scope.get("state", {}).get("transport")
        if transport is not None:
            transport.abort()


def _our_fault() -> Refused:
    what = "This program met a fault of its own."
    return Refused(500, "internal", what, "Look at the log, and report it.")


def _our_names(rules: WebRules) -> frozenset[str]:
    names = {"localhost", "127.0.0.1", "::1", rules.host.lower(), *map(str.lower, rules.hosts)}
    if rules.public_url:
        names.add((urlsplit(rules.public_url).hostname or "").lower())
    return frozenset(names - {""})


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_address(name: str) -> bool:
    """An address instead of a name: no DNS answer leads to it."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
