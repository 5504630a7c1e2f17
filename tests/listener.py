"""Somebody who is told: a tiny server on loopback that takes apprise's `json://` messages and remembers them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Listener:
    """`address` holds `secret`, which nobody else may ever see. `status`: what it answers."""

    port: int = 0
    status: int = 200
    secret: str = "S3cretToken99"
    heard: list[dict[str, Any]] = field(default_factory=list)
    hang: threading.Event | None = None

    @property
    def address(self) -> str:
        return f"json://127.0.0.1:{self.port}/{self.secret}"

    @property
    def titles(self) -> list[str]:
        """Of the messages that were taken."""
        return [message["title"] for message in self.heard]


@contextmanager
def listener(**values: Any) -> Iterator[Listener]:  # noqa: ANN401 - fields of Listener
    """Listens while the block runs."""
    mine = Listener(**values)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"]))
            if mine.hang is not None:
                mine.hang.wait(60)
            if mine.status < 300:
                mine.heard.append(json.loads(text))
            self.send_response(mine.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", mine.port), Handler)
    server.daemon_threads = True
    mine.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield mine
    finally:
        if mine.hang is not None:
            mine.hang.set()
        server.shutdown()
        server.server_close()
        thread.join()
