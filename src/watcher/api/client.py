"""The image API. Promises: a reply has its name only when it is whole and synced; what may have been
charged is told from what was surely not; every call ends in bounded time and memory.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random

import httpx
import orjson

from watcher import __version__
from watcher.api import addresses
from watcher.api.bodies import body_of, useful_headers
from watcher.api.downloads import Downloads
from watcher.api.endpoint import Endpoint
from watcher.api.exchange import Exchanges, Field, Outgoing, Sleep, make_client
from watcher.api.files import WholeFile, head_of
from watcher.core.jobs import Call, Refusal, Reply
from watcher.core.wire import ModelListing, read_models

_LARGEST_REPLY = 256 << 20  # bytes; ten 4K pictures in base64 are about 250 MB
_LARGEST_LISTING = 16 << 20
_LISTING = 30.0  # seconds


def _nothing(*_: object) -> None:
    return


class ImageApi:
    """The API at one endpoint. Belongs to one event loop; `aclose` it there.

    `clients` × 8 calls are in flight at most, further ones wait their turn. `margin`: seconds that
    a call gets on top of its patience before it is given up from outside. `transport` replaces the
    network, `tls` the trusted certificates, `resolve` the name service of downloads.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clients: int = 4,
        margin: float = 30.0,
        tls: ssl.SSLContext | None = None,
        resolve: addresses.Resolve = addresses.resolve,
        sleep: Sleep = asyncio.sleep,
        random: Random | None = None,
    ) -> None:
        random = random or Random()  # noqa: S311 - it spreads waits, and keeps no secret
        tls = tls or httpx.create_ssl_context()
        self.endpoint = endpoint
        self._exchanges = Exchanges(
            [make_client(transport, tls) for _ in range(max(clients, 1))],
            connect=endpoint.timeout("connect"),
            margin=margin,
            sleep=sleep,
            random=random,
        )
        self._downloads = Downloads(
            endpoint=endpoint,
            client=make_client(transport, tls, idle=0),
            resolve=resolve,
            sleep=sleep,
            random=random,
        )

    async def send(
        self,
        call: Call,
        into: Path,
        *,
        idempotency_key: str = "",
        on_end: Callable[[], object] = _nothing,
        on_head: Callable[[int, Mapping[str, str]], object] = _nothing,
    ) -> Refusal | None:
        """POST the call; the reply is streamed to `into`, whole and synced when this returns.

        `load_reply` reads it. A Refusal means that there is none: LATER when nothing was sent,
        AMBIGUOUS when the call may have been charged. Any status is a reply; redirects are not
        followed. `on_end` is called as soon as a good answer is in, before the disk is waited for;
        what any other reply means may close the lane, so nothing should follow it unread. `on_head`
        gets the status and the useful headers of any reply as they arrive. Raises DiskError.
        """
        with WholeFile(into) as file:
            out = self._outgoing(call, idempotency_key)
            if refusal := await self._exchanges.run(
                out, partial(self._store, file, on_end, on_head)
            ):
                return refusal
            await file.keep()
        return None

    async def fetch(self, url: str, into: Path) -> bytes | Refusal:
        """The picture behind an address of an answer, stored at `into` as `send` stores replies; what lies
        there already is taken as it is.

        Tried four times; relative addresses count from the base URL. A Refusal is AMBIGUOUS, code
        `link_expired`, `link_unreachable` (it may work later) or `download` (it is not gone to): paid perhaps,
        and nothing to ask for again. Raises DiskError.
        """
        return await self._downloads.fetch(url, into)

    async def fetch_input(self, url: str, into: Path, hosts: Collection[str]) -> bytes | Refusal:
        """The picture behind an address of a row, before its call; as `fetch`, and never with the key.

        `hosts`: the only ones that may be asked, and may be private; none: any public one. A Refusal
        is LATER or NEVER, code `picture_unreachable`: nothing was paid. Raises DiskError.
        """
        return await replace(self._downloads, hosts=hosts).fetch(url, into)

    async def models(self) -> tuple[ModelListing, ...] | Refusal:
        """`GET /models`. Not every server has it: a Refusal here closes no lane by itself."""
        got: list[Reply] = []

        async def keep(response: httpx.Response) -> None:
            key, body = self.endpoint.key, bytearray()
            async for chunk in body_of(response, _LARGEST_LISTING, key):
                body += chunk
            headers = useful_headers(response.headers, key)
            got.append(Reply(status=response.status_code, headers=headers, body=bytes(body)))

        out = Outgoing(
            method="GET",
            url=f"{self.endpoint.base_url}/models",
            headers=self._headers(),
            patience=_LISTING,
        )
        return await self._exchanges.run(out, keep) or read_models(got[-1])

    async def aclose(self) -> None:
        await self._exchanges.aclose()
        await self._downloads.aclose()

    async def _store(
        self,
        file: WholeFile,
        on_end: Callable[[], object],
        on_head: Callable[[int, Mapping[str, str]], object],
        response: httpx.Response,
    ) -> None:
        key = self.endpoint.key
        headers = useful_headers(response.headers, key)
        on_head(response.status_code, headers)
        file.begin()
        await file.take(head_of(response.status_code, headers))
        async for chunk in body_of(response, _LARGEST_REPLY, key):
            await file.take(chunk)
        if response.is_success:
            on_end()

    def _outgoing(self, call: Call, idempotency_key: str) -> Outgoing:
        headers = self._headers()
        if idempotency_key and self.endpoint.profile.honours_idempotency_key:
            headers["idempotency-key"] = idempotency_key
        content = None
        if not call.parts:
            headers["content-type"] = "application/json"
            content = orjson.dumps(dict(call.body), default=_plain)
        return Outgoing(
            method="POST",
            url=f"{self.endpoint.base_url}/{call.path}",
            headers=headers,
            patience=self.endpoint.timeout(call.patience),
            content=content,
            files=[_field(call, index) for index in range(len(call.parts))] or None,
        )

    def _headers(self) -> dict[str, str]:
        organization = self.endpoint.organization
        return {
            "accept": "application/json",
            "accept-encoding": "identity",  # a packed answer may unpack to gigabytes
            "user-agent": f"image-watcher/{__version__}",
            **({"openai-organization": organization} if organization else {}),
            **self.endpoint.auth,
        }


def _field(call: Call, index: int) -> Field:
    part = call.parts[index]
    return part.name, (part.filename or None, part.content, part.content_type or None)


def _plain(value: object) -> object:
    """Values of rows come as any Mapping or set."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} is no JSON")
