"""The door as a task beside the daemon: it listens, and where it cannot, says so and tries again.

uvicorn serves; signals, logs and the way to stop stay the daemon's.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Callable, Coroutine, Iterator

import uvicorn
from starlette.types import ASGIApp

from watcher.core.log import Log
from watcher.web.wire import WebProtocol

_AGAIN = 30.0  # seconds until an address that was taken is tried again
_TAKEN = "Everything else works on. End what listens there, or set web.listen to another port and restart."
_BACKLOG = 128
_HEAD_BYTES = 32 * 1024  # of a request's head
_IDLE = 30  # seconds that a connection may wait for its next request


class WebServer:
    """`run` serves until it is cancelled; then it waits for nobody."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        host: str,
        port: int,
        why_closed: Callable[[], str],
        beside: Callable[[], Coroutine[None, None, None]],
        log: Log,
    ) -> None:
        """`why_closed`: why it may not be opened now, in words; "" when it may. `beside`: runs as long."""
        self._app = app
        self._host, self._port = host, port
        self._why_closed = why_closed
        self._beside = beside
        self._log = log
        self.trouble = ""  # why nobody can see the page, in words
        self.address = ""  # where it listens

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._beside())
            tasks.create_task(self._listen())

    async def _listen(self) -> None:
        while True:
            if closed := self._why_closed():
                self._tell(closed, "")
            else:
                await self._try()
            self.address = ""
            await asyncio.sleep(_AGAIN)

    async def _try(self) -> None:
        try:
            listener = _listener(self._host, self._port)
        except (OSError, OverflowError) as error:
            what = (
                f"The status page cannot be opened at {self._host}:{self._port}: {_reason(error)}."
            )
            self._tell(what, _TAKEN)
            return
        with listener:
            self.trouble, self.address = "", _address(listener)
            self._log.info("page.opened", address=self.address)
            await self._serve(listener)

    async def _serve(self, listener: socket.socket) -> None:
        config = uvicorn.Config(
            self._app,
            http=WebProtocol,
            loop="none",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_IDLE,
            h11_max_incomplete_event_size=_HEAD_BYTES,
        )
        server = _Server(config)
        try:
            await server.serve([listener])
        finally:
            server.end()

    def _tell(self, what: str, hint: str) -> None:
        words = f"{what} {hint}".strip()
        if words != self.trouble:
            self._log.warning("page.refused", what=what, what_to_do=hint)
        self.trouble = words


class _Server(uvicorn.Server):
    """A server that takes no signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def end(self) -> None:
        """At once: no client, however slow, holds up a stop."""
        for one in getattr(self, "servers", ()):
            one.close()
        for task in list(self.server_state.tasks):
            task.cancel()
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()


def _listener(host: str, port: int) -> socket.socket:
    name = "127.0.0.1" if host == "localhost" else host
    try:
        version = ipaddress.ip_address(name).version
    except ValueError:
        version = 4
    family = socket.AF_INET6 if version == 6 else socket.AF_INET  # noqa: PLR2004 - IPv6
    return socket.create_server((name, port), family=family, backlog=_BACKLOG)


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).rstrip(".").lower()
