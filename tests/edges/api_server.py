"""A small HTTP server on raw sockets that can misbehave in every way a test needs. Loopback only."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeAlias

import orjson


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True, kw_only=True)
class Server:
    """`script`: one act a request, the last for all further ones. `requests`: what was asked."""

    port: int
    script: Sequence[Act]
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    done: threading.Event = field(default_factory=threading.Event)
    arrived: threading.Condition = field(default_factory=threading.Condition)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def wait_for(self, count: int) -> None:
        """Until that many requests have been read."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.requests) >= count, timeout=10)


Act: TypeAlias = Callable[[socket.socket, Request, Server], None]


@contextmanager
def serving(*script: Act, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(port=listener.getsockname()[1], script=script)
        threads: list[threading.Thread] = []

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                if server.done.is_set():
                    connection.close()
                    return
                server.connections += 1
                thread = threading.Thread(target=_talk, args=(connection, server, tls))
                threads.append(thread)
                thread.start()

        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield server
        finally:
            server.done.set()
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", server.port), timeout=1).close()
            acceptor.join(10)
            for thread in threads:
                thread.join(10)


def _talk(connection: socket.socket, server: Server, tls: ssl.SSLContext | None) -> None:
    connection.settimeout(10)
    with suppress(OSError, ValueError):
        if tls:
            connection = tls.wrap_socket(connection, server_side=True)
        with connection:
            while (request := _read(connection, server)) is not None:
                with server.arrived:
                    number = len(server.requests)
                    server.requests.append(request)
                    server.arrived.notify_all()
                server.script[min(number, len(server.script) - 1)](connection, request, server)
    with suppress(OSError):
        connection.close()


def _read(connection: socket.socket, server: Server) -> Request | None:
    data = b""
    connection.settimeout(0.05)
    while b"\r\n\r\n" not in data:
        try:
            chunk = connection.recv(65536)
        except TimeoutError:
            if server.done.is_set():
                return None
            continue
        if not chunk:
            return None
        data += chunk
        if data.startswith(b"\x16\x03"):  # TLS to a port that speaks none
            connection.sendall(head(400, 0))
            return None
    connection.settimeout(10)
    start, _, body = data.partition(b"\r\n\r\n")
    first, *lines = start.decode().split("\r\n")
    headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += connection.recv(1 << 20)
    method, path, _ = first.split(" ")
    return Request(method=method, path=path, headers=headers, body=body)


def answer(status: int, body: object = b"", **headers: str) -> Act:
    """A whole reply; anything but bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)

    def act(connection: socket.socket, _request: Request, _server: Server) -> None:
        connection.sendall(head(status, len(content), **headers) + content)

    return act


def head(status: int, length: int | None, **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Word"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if length is not None:
        lines.append(f"content-length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def raw(*pieces: bytes) -> Act:
    """These bytes, then the connection is closed."""

    def act(connection: socket.socket, _request: Request, _server: Server) -> None:
        for piece in pieces:
            connection.sendall(piece)
        connection.close()

    return act


def reset(*pieces: bytes) -> Act:
    """These bytes, then the connection is torn down (RST)."""

    def act(connection: socket.socket, _request: Request, _server: Server) -> None:
        for piece in pieces:
            connection.sendall(piece)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    return act


def stall(*pieces: bytes) -> Act:
    """These bytes, then nothing until the test ends."""

    def act(connection: socket.socket, _request: Request, server: Server) -> None:
        for piece in pieces:
            connection.sendall(piece)
        server.done.wait(10)
        connection.close()

    return act


def drip(first: bytes, every: float) -> Act:
    """The first bytes, then one byte again and again until the other side has had enough."""

    def act(connection: socket.socket, _request: Request, server: Server) -> None:
        connection.sendall(first)
        with suppress(OSError):
            while not server.done.wait(every):
                connection.sendall(b" ")

    return act


def flood(first: bytes, piece: bytes) -> Act:
    """The first bytes, then pieces without end."""

    def act(connection: socket.socket, _request: Request, server: Server) -> None:
        connection.sendall(first)
        with suppress(OSError):
            while not server.done.is_set():
                connection.sendall(piece)

    return act
