"""A daemon whose page is open, at a port of its own, and a client that knows the token."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from tests.system.house import House, house, merged, wait_for

TOKEN = "a-token-that-only-tests-know"
BEARER = {"authorization": f"Bearer {TOKEN}"}


@dataclass(frozen=True, kw_only=True)
class Door:
    """`url` without a slash at its end; `client` knows the address and nothing else."""

    house: House
    url: str
    client: httpx.Client

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def raw(self, request: bytes, *, timeout: float = 10.0) -> bytes:
        """What a connection answers to these bytes, until it is closed or silent for that long."""
        with closing(socket.create_connection(("127.0.0.1", self.port), timeout)) as line:
            line.sendall(request)
            return read_all(line)


def read_all(line: socket.socket) -> bytes:
    """Everything until the end of the connection, or its silence."""
    found = b""
    try:
        while piece := line.recv(1 << 16):
            found += piece
    except (TimeoutError, ConnectionResetError):
        pass
    return found


@contextmanager
def door(
    folder: Path, base_url: str, settings: Mapping[str, Any] | None = None, *, token: bool = True
) -> Iterator[Door]:
    """A house with its page open; further `settings` are laid over."""
    folder.mkdir(parents=True, exist_ok=True)
    web: dict[str, Any] = {"enabled": True, "listen": "127.0.0.1:0"}
    if token:
        (folder / "token").write_text(TOKEN + "\n")
        web["token_file"] = str(folder / "token")
    whole = merged({"web": web}, settings or {})
    with house(folder, base_url, whole) as made:
        url = page_address(made)
        with httpx.Client(base_url=url, timeout=30) as client:
            yield Door(house=made, url=url, client=client)


def page_address(made: House) -> str:
    """Where the page says that it is."""

    def found() -> str:
        told = made.state / "daemon.json"
        return str(json.loads(told.read_text("utf-8")).get("page", "")) if told.exists() else ""

    return wait_for(found, what="the page is open")


def first_picture(made: House, name: str) -> str:
    """The path of a picture of a job that is over, as the page serves it."""
    job = made.wait_over(name)
    return f"/{job.folder.name}/images/{job.pictures[0].name}"
