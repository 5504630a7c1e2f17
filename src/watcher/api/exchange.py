"""One HTTP exchange: a request out, a response in, within a deadline, over connections kept few a client."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

import httpx
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt

from watcher.api.faults import Fault, Phase, fault_of, too_late, unreachable
from watcher.api.waits import jittered
from watcher.core.jobs import Refusal

CONNECTIONS = 8  # a client: httpx looks at each of its connections for each request
_IDLE = 2.0  # seconds; servers close after 5, and one closed just as we send would be a doubt
LONGEST_CALL = 900.0  # seconds, whatever the settings say
_WRITE = 120.0
_CONNECT_TRIES = 3

# At level info it would write every address, and with it the signatures of signed links.
logging.getLogger("httpx").setLevel(logging.WARNING)

Sleep: TypeAlias = Callable[[float], Awaitable[None]]
Take: TypeAlias = Callable[[httpx.Response], Awaitable[None]]
Field: TypeAlias = tuple[str, tuple[str | None, bytes, str | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A request. `patience`: seconds without a byte before it is given up."""

    method: str
    url: str
    headers: Mapping[str, str]
    patience: float
    content: bytes | None = None
    files: Sequence[Field] | None = None


class Exchanges:
    """Several clients, each call on the least busy one; connecting is tried again on the spot.

    `connect` and `margin` in seconds; the margin is what a call gets on top of its patience.
    """

    def __init__(
        self,
        clients: Sequence[httpx.AsyncClient],
        *,
        connect: float,
        margin: float,
        sleep: Sleep,
        random: Random,
    ) -> None:
        self._clients = clients
        self._connect = connect
        self._margin = margin
        self._sleep = sleep
        self._random = random
        self._busy = [0] * len(clients)
        self._places = asyncio.Semaphore(CONNECTIONS * len(clients))

    async def run(self, out: Outgoing, take: Take) -> Refusal | None:
        """Send, and hand the response to `take`, which reads it; None when it was read to its end.

        The deadline holds for connecting, sending and reading together: the timeouts of HTTP
        clients count from byte to byte, and a server that drips outlives them all.
        """
        phase, host = Phase(), httpx.URL(out.url).netloc.decode()
        async with self._client() as client:
            try:
                async with asyncio.timeout(min(out.patience + self._margin, LONGEST_CALL)):
                    await self._persistent()(self._once, client, out, take, phase)
            except TimeoutError:
                return (unreachable if phase.nothing_sent else too_late)(host).refusal
            except Fault as fault:
                return fault.refusal
        return None

    async def aclose(self) -> None:
        for client in self._clients:
            await client.aclose()

    async def _once(
        self, client: httpx.AsyncClient, out: Outgoing, take: Take, phase: Phase
    ) -> None:
        request = client.build_request(
            out.method,
            out.url,
            headers=dict(out.headers),
            content=out.content,
            files=out.files,
            timeout=httpx.Timeout(out.patience, connect=self._connect, write=_WRITE, pool=None),
            extensions={"trace": phase.trace},
        )
        try:
            async with streamed(client, request) as response:
                await take(response)
        except httpx.TransportError as error:
            raise fault_of(error, phase, request.url.netloc.decode()) from None

    def _persistent(self) -> AsyncRetrying:
        """Nothing was sent, so trying again at once is free."""
        return AsyncRetrying(
            stop=stop_after_attempt(_CONNECT_TRIES),
            wait=jittered(0.25, 2.0, self._random),
            retry=retry_if_exception(lambda error: isinstance(error, Fault) and error.again),
            sleep=self._sleep,
            reraise=True,
        )

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[httpx.AsyncClient]:
        async with self._places:
            idlest = self._busy.index(min(self._busy))
            self._busy[idlest] += 1
            try:
                yield self._clients[idlest]
            finally:
                self._busy[idlest] -= 1


@asynccontextmanager
async def streamed(
    client: httpx.AsyncClient, request: httpx.Request
) -> AsyncIterator[httpx.Response]:
    """The response with its body still to be read. Raises httpx.TransportError."""
    response = await client.send(request, stream=True, follow_redirects=False)
    try:
        yield response
    finally:
        await response.aclose()


def make_client(
    transport: httpx.AsyncBaseTransport | None, tls: ssl.SSLContext, *, idle: float = _IDLE
) -> httpx.AsyncClient:
    """A client that adds nothing of its own: no environment, no redirects, no packing.

    `idle`: seconds that a connection may wait for the next request; 0 closes each at once.
    """
    network = httpx.AsyncHTTPTransport(
        verify=tls,
        http2=False,
        limits=httpx.Limits(
            max_connections=CONNECTIONS,
            max_keepalive_connections=CONNECTIONS if idle else 0,
            keepalive_expiry=idle,
        ),
        socket_options=_keepalive(),
    )
    return httpx.AsyncClient(
        transport=transport or network, trust_env=False, follow_redirects=False
    )


def _keepalive() -> list[tuple[int, int, int]]:
    """Minutes without a byte are usual here: keep firewalls from forgetting the connection."""
    options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, name):  # not everywhere
            options.append((socket.IPPROTO_TCP, getattr(socket, name), value))
    return options
