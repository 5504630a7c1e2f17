"""Connections that cannot be held: one that says nothing, or reads nothing, is let go."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from watcher.web.guard import HEADERS
from watcher.web.problems import Refused

MOST = 256  # connections at once
_HEAD = 10.0  # seconds that a request's head may take
_UNREAD = 30_000  # milliseconds that what was sent may stay unread (tcp(7), TCP_USER_TIMEOUT)


class WebProtocol(H11Protocol):
    """HTTP/1.1; a request's head has its time, and requests know their connection."""

    _head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > MOST:
            transport.abort()
            return
        sock = transport.get_extra_info("socket")
        # asyncio does so only for sockets made with an explicit protocol; else each answer takes 40 ms.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD)
        self.app_state: dict[str, Any] = {**self.app_state, "transport": transport}
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._had_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._had_head()
        elif self._head is None:  # the first bytes of a further request
            self._expect_head()

    def send_400_response(self, msg: str) -> None:
        """As uvicorn's, in our words and with our headers."""
        refused = Refused(400, "not_http", f"{msg}", "Send HTTP/1.1.").answer()
        headers = [
            *refused.raw_headers,
            *((name.encode(), value.encode()) for name, value in HEADERS.items()),
            (b"connection", b"close"),
        ]
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            for event in (
                h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
                h11.Data(data=bytes(refused.body)),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _expect_head(self) -> None:
        self._head = self.loop.call_later(_HEAD, self.transport.abort)

    def _had_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None
