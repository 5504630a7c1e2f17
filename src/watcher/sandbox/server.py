"""Serves the sandbox on this machine only, until it is told to stop."""

from __future__ import annotations

import contextlib
import ipaddress
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from types import FrameType

import uvicorn

from watcher.core.errors import SettingsError
from watcher.sandbox.app import create_app
from watcher.sandbox.options import SandboxOptions
from watcher.sandbox.wire import SandboxProtocol


def serve(options: SandboxOptions, on_ready: Callable[[str], None]) -> None:
    """Answers calls until SIGTERM or SIGINT; `on_ready` gets the base URL once it does.

    Stops at once: calls in flight are cut off. Raises SettingsError when it cannot listen there.
    """
    with _listener(options) as listener:
        _server(options, lambda: on_ready(_base_url(listener))).run([listener])


@contextlib.contextmanager
def running(options: SandboxOptions) -> Iterator[str]:
    """A sandbox in a thread of this process while the block runs; gives its base URL.

    Raises SettingsError when it cannot listen there.
    """
    ready = threading.Event()
    with _listener(options) as listener:
        base_url, server = _base_url(listener), _server(options, ready.set)
        thread = threading.Thread(target=server.run, args=([listener],), name="sandbox")
        thread.start()
        try:
            ready.wait()
            yield base_url
        finally:
            server.should_exit = True
            thread.join()


def _server(options: SandboxOptions, on_ready: Callable[[], None]) -> _Server:
    config = uvicorn.Config(
        create_app(options),
        http=SandboxProtocol,
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
    )
    return _Server(config, on_ready)


class _Server(uvicorn.Server):
    """A server that tells when it is ready, and that waits for nobody when it stops."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.force_exit = True
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Until the server has stopped; unlike the original, a signal ends here and goes no further."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {sign: signal.signal(sign, self._stop) for sign in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for sign, handler in before.items():
                signal.signal(sign, handler)

    def _stop(self, _sign: int, _frame: FrameType | None) -> None:
        self.should_exit = True


def _base_url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/v1" if ":" in host else f"http://{host}:{port}/v1"


def _listener(options: SandboxOptions) -> socket.socket:
    """A socket that listens on loopback. Raises SettingsError."""
    host = "127.0.0.1" if options.host == "localhost" else options.host
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise SettingsError(
            f"The sandbox cannot listen on {options.host}: it serves this machine only.",
            "Use 127.0.0.1.",
            code="sandbox_host",
        )
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET  # noqa: PLR2004 - IPv6
    try:
        return socket.create_server((host, options.port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        raise SettingsError(
            f"The sandbox cannot listen on port {options.port} of {host}: {error}.",
            "Choose another with --port, or 0 for any free one.",
            code="sandbox_port",
        ) from error
