"""Pictures that an answer, or a row, only names: a loop of its own, which asks for no picture to be made again."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from random import Random

import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt

from watcher import __version__
from watcher.api.addresses import Resolve, is_public
from watcher.api.bodies import bounded, plain_chunks
from watcher.api.endpoint import Endpoint
from watcher.api.exchange import Sleep, streamed
from watcher.api.faults import Fault
from watcher.api.files import WholeFile, load_whole, on_disk
from watcher.api.waits import jittered
from watcher.core.jobs import No, Refusal
from watcher.core.pictures import is_listed

_TRIES = 4
_REDIRECTS = 3
_LARGEST = 64 << 20  # bytes
_EXPIRED = frozenset({401, 403, 404, 410})
_PAID = "The picture is probably paid for, so it is not asked for again; drop the row again if it is still wanted."


_WEB_PORTS = (80, 443)
_NOTHING_SENT = (
    "Nothing was asked for and nothing was paid; look at the address, then drop the row again."
)


class _TryAgain(Exception):  # noqa: N818 - not the last word
    """`expired`: the server knows the address no more, or not yet."""

    def __init__(self, what: str, *, expired: bool = False) -> None:
        super().__init__(what)
        self.expired = expired


class _Forbidden(Exception):  # noqa: N818 - a verdict
    """An address that is not gone to (any more), now or later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """Where a request really goes: the address that was judged, under the host's own name."""

    url: httpx.URL
    addresses: Sequence[str]

    def request(
        self, client: httpx.AsyncClient, tries: int, headers: dict[str, str], timeout: httpx.Timeout
    ) -> httpx.Request:
        """`tries` failed before; each next one goes to the next address."""
        address = self.addresses[tries % len(self.addresses)]
        return client.build_request(
            "GET",
            self.url.copy_with(host=address),
            headers={**headers, "host": self.url.netloc.decode()},
            timeout=timeout,
            extensions={"sni_hostname": self.url.host},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloads:
    """Fetches over http(s) from public addresses, or from the API's own host and port.

    `hosts` None: what answers name, fetched from the API itself with the key. Else what rows name:
    never with the key; from these hosts only where any are listed, which may be private then.
    """

    endpoint: Endpoint
    client: httpx.AsyncClient
    resolve: Resolve
    sleep: Sleep
    random: Random
    hosts: Collection[str] | None = None

    async def fetch(self, url: str, into: Path) -> bytes | Refusal:
        """See ImageApi.fetch and ImageApi.fetch_input."""
        if (kept := await on_disk(load_whole, into)) is not None:
            return kept  # its address may have expired since
        try:
            with WholeFile(into) as file:
                async for attempt in self._persistent():
                    with attempt:
                        await self._try(url, file, attempt.retry_state)
                await file.keep()
        except _TryAgain as last:
            return self._refusal(str(last), expired=last.expired)
        except _Forbidden as verdict:
            return self._refusal(str(verdict), final=True)
        return await on_disk(into.read_bytes)

    def _persistent(self) -> AsyncRetrying:
        return AsyncRetrying(
            stop=stop_after_attempt(_TRIES),
            wait=jittered(0.5, 8.0, self.random),
            retry=retry_if_exception_type(_TryAgain),
            sleep=self.sleep,
            reraise=True,
        )

    def _refusal(self, what: str, *, expired: bool = False, final: bool = False) -> Refusal:
        if self.hosts is None:
            code = "link_expired" if expired else "download" if final else "link_unreachable"
            return Refusal(no=No.AMBIGUOUS, code=code, what=what, hint=_PAID, paid_maybe=True)
        no = No.NEVER if expired or final else No.LATER
        return Refusal(no=no, code="picture_unreachable", what=what, hint=_NOTHING_SENT)

    async def aclose(self) -> None:
        await self.client.aclose()

    async def _try(self, url: str, file: WholeFile, state: RetryCallState) -> None:
        try:
            async with asyncio.timeout(self.endpoint.timeout("download")):
                await self._follow(self._joined(url), file, state.attempt_number - 1)
        except TimeoutError:
            raise _TryAgain("The picture did not arrive in time.") from None
        except httpx.TransportError:
            raise _TryAgain("The connection to the picture's address broke.") from None
        except Fault as fault:
            final = fault.refusal.code == "too_large"
            raise (_Forbidden if final else _TryAgain)(fault.refusal.what) from None

    async def _follow(self, url: httpx.URL, file: WholeFile, tries: int) -> None:
        for _ in range(_REDIRECTS + 1):
            target = await self._judged(url)
            request = target.request(self.client, tries, self._headers(url), self._timeout)
            async with streamed(self.client, request) as response:
                if not response.has_redirect_location:
                    return await _store(response, url, file)
                url = _parsed(str(url.join(response.headers["location"])))
        raise _TryAgain(f"{url.host} sends in circles.")

    @property
    def _timeout(self) -> httpx.Timeout:
        wait, connect = self.endpoint.timeout("download"), self.endpoint.timeout("connect")
        return httpx.Timeout(wait, connect=connect)

    async def _judged(self, url: httpx.URL) -> _Target:
        """Resolved once; one private address among several condemns the host."""
        port = url.port or (443 if url.scheme == "https" else 80)
        trusted = self._is_trusted(url)  # before anybody is asked for its address
        try:
            found = await self.resolve(url.host, port)
        except OSError:
            found = ()
        if not found:
            raise _TryAgain(f"The name {url.host} was not found.")
        if not trusted and not all(is_public(address) for address in found):
            raise _Forbidden(f"The picture's address leads into a private network ({url.host}).")
        return _Target(url=url, addresses=found)

    def _is_trusted(self, url: httpx.URL) -> bool:
        """Whether it may be private. Raises _Forbidden for a host or port that no row may name."""
        own = _place(url) == _place(httpx.URL(self.endpoint.base_url))
        if self.hosts is None or own:
            return own
        listed = is_listed(url.host, self.hosts)
        if self.hosts and not listed:
            raise _Forbidden(f"{url.host} is not among the allowed_hosts of this inbox.")
        if not listed and _place(url)[1] not in _WEB_PORTS:
            raise _Forbidden(f"{url.host} is asked at port {url.port}, which is not the web's.")
        return listed

    def _joined(self, url: str) -> httpx.URL:
        try:
            return _parsed(str(httpx.URL(f"{self.endpoint.base_url}/").join(url.strip())))
        except httpx.InvalidURL:
            raise _Forbidden(
                "The answer names a picture by something that is no address."
            ) from None

    def _headers(self, url: httpx.URL) -> dict[str, str]:
        """The key goes to the API's own origin and nowhere else."""
        own = httpx.URL(self.endpoint.base_url)
        same = self.hosts is None and (url.scheme, *_place(url)) == (own.scheme, *_place(own))
        return {
            "accept": "image/*,*/*;q=0.5",
            "accept-encoding": "identity",
            "user-agent": f"image-watcher/{__version__}",
            **(self.endpoint.auth if same else {}),
        }


def _parsed(url: str) -> httpx.URL:
    parsed = httpx.URL(url)
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.userinfo:
        raise _Forbidden("The picture's address is not a plain http(s) one.")
    return parsed


def _place(url: httpx.URL) -> tuple[str, int]:
    return url.host, url.port or (443 if url.scheme == "https" else 80)


async def _store(response: httpx.Response, url: httpx.URL, file: WholeFile) -> None:
    status = response.status_code
    if status != HTTPStatus.OK:
        words = f"{url.host} answered {status} for the picture."
        raise _TryAgain(words, expired=status in _EXPIRED)
    if response.headers.get("content-type", "").lower().startswith("text/html"):
        raise _TryAgain(f"{url.host} sent a web page for the picture.")
    file.begin()
    async for chunk in bounded(plain_chunks(response), _LARGEST, "The picture"):
        await file.take(chunk)
    if not file.size:
        raise _TryAgain(f"{url.host} sent nothing for the picture.")
