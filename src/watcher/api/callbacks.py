"""Telling a stranger's program that something is done: one POST to an address that was judged, nothing followed."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

import httpx

from watcher import __version__
from watcher.api.addresses import Resolve, is_public, resolve
from watcher.core.pictures import is_listed

_TIME = 15.0  # seconds for the whole of a call
_LONGEST = 2048  # characters of an address
_GONE = "It does not want to be called any more (410)."


class NotTaken(Exception):  # noqa: N818 - an answer, not a fault
    """Why a call did not end well, in a sentence. `final`: it is not tried again."""

    def __init__(self, what: str, *, final: bool = False) -> None:
        super().__init__(what)
        self.final = final


@dataclass(frozen=True, slots=True)
class Callbacks:
    """`hosts`: the only ones that are called, private ones too; none: any public one."""

    hosts: Collection[str] = ()
    resolve: Resolve = resolve
    _client: httpx.AsyncClient = field(
        default_factory=lambda: httpx.AsyncClient(follow_redirects=False, trust_env=False)
    )

    def check(self, url: str) -> None:
        """Before anything is promised. Raises NotTaken for what is no address that may be called."""
        self._parsed(url)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Raises NotTaken unless it was answered with 2xx."""
        parsed = self._parsed(url)
        try:
            async with asyncio.timeout(_TIME):
                status = await self._send(parsed, body, headers)
        except TimeoutError:
            raise NotTaken(f"{parsed.host} did not answer in time.") from None
        except httpx.HTTPError as error:
            raise NotTaken(f"{parsed.host} cannot be reached ({type(error).__name__}).") from None
        if status == HTTPStatus.GONE:
            raise NotTaken(_GONE, final=True)
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            raise NotTaken(f"{parsed.host} answered {status}.")

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _send(self, url: httpx.URL, body: bytes, headers: Mapping[str, str]) -> int:
        """To the address that was judged, under the host's own name; the answer's body is not read."""
        request = self._client.build_request(
            "POST",
            url.copy_with(host=await self._judged(url)),
            content=body,
            headers={
                "content-type": "application/json",
                "user-agent": f"image-watcher/{__version__}",
                **headers,
                "host": url.netloc.decode(),
            },
            extensions={"sni_hostname": url.raw_host.decode("ascii")},
        )
        response = await self._client.send(request, stream=True)
        await response.aclose()
        return response.status_code

    async def _judged(self, url: httpx.URL) -> str:
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            found = await self.resolve(url.host, port)
        except OSError:
            found = ()
        if not found:
            raise NotTaken(f"The name {url.host} was not found.")
        if not is_listed(url.host, self.hosts) and not all(map(is_public, found)):
            raise NotTaken(f"{url.host} leads into a private network.", final=True)
        return found[0]

    def _parsed(self, url: str) -> httpx.URL:
        try:
            parsed = httpx.URL(url) if len(url) <= _LONGEST else httpx.URL("")
        except httpx.InvalidURL:
            parsed = httpx.URL("")
        if parsed.scheme not in {"http", "https"} or not parsed.host or parsed.userinfo:
            raise NotTaken("It is not a plain http(s) address.", final=True)
        if self.hosts and not is_listed(parsed.host, self.hosts):
            raise NotTaken(f"{parsed.host} is not among web.callback_hosts.", final=True)
        if not is_listed(parsed.host, self.hosts) and _is_private(parsed.host):
            raise NotTaken(f"{parsed.host} leads into a private network.", final=True)
        return parsed


def _is_private(host: str) -> bool:
    """An address, or localhost, that can be told to be private without asking anybody."""
    plain = host.strip("[]")
    looks = plain.replace(".", "").isdecimal() or ":" in plain
    return plain == "localhost" or (looks and not is_public(plain))
