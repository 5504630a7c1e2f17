"""Bodies of replies as they come in: bounded, unpacked where a server packs unasked, never held whole."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Mapping

import httpx

from watcher.api.faults import Fault, ambiguous

_LARGEST_ERROR = 1 << 20  # bytes
_SHORT = 8  # keys of local servers ("x", "none") are words, and no secret
_PIECE = 1 << 20
_GZIP_OR_ZLIB = 47

# Of these headers something follows; the rest is not stored (cookies and keys least of all).
_KEPT = frozenset({
    "content-type", "date", "location", "retry-after", "retry-after-ms", "x-request-id", "x-should-retry",
    "openai-processing-ms", "openai-version", "apim-request-id", "x-ms-region", "cf-ray", "server",
})  # fmt: skip


def useful_headers(headers: Mapping[str, str], key: str) -> dict[str, str]:
    """Names in lower case. Addresses lose their query, values the key, should a server quote it."""
    kept = {
        name.lower(): _without_key(value.encode(), key).decode()
        for name, value in headers.items()
        if name.lower() in _KEPT or name.lower().startswith("x-ratelimit-")
    }
    if "location" in kept:
        kept["location"] = kept["location"].partition("?")[0]
    return kept


async def body_of(response: httpx.Response, limit: int, key: str) -> AsyncIterator[bytes]:
    """The body, in pieces. Of a reply that is no success at most 1 MiB, and never with our key in it.

    Raises Fault `too_large` over `limit` bytes, and httpx.TransportError for a body cut short.
    """
    if not response.is_success:
        yield await _error_body(response, key)
        return
    async for chunk in bounded(plain_chunks(response), limit):
        yield chunk


async def _error_body(response: httpx.Response, key: str) -> bytes:
    body = bytearray()
    async for chunk in plain_chunks(response):
        body += chunk
        if len(body) >= _LARGEST_ERROR:
            break
    return _without_key(bytes(body[:_LARGEST_ERROR]), key)


def _without_key(text: bytes, key: str) -> bytes:
    return text if len(key) < _SHORT else text.replace(key.encode(), b"*" * len(key))


async def bounded(
    chunks: AsyncIterator[bytes], limit: int, what: str = "The answer"
) -> AsyncIterator[bytes]:
    """The chunks, as long as they are at most `limit` bytes together; else Fault `too_large`."""
    total = 0
    async for chunk in chunks:
        total += len(chunk)
        if total > limit:
            raise ambiguous(
                "too_large", f"{what} is larger than {limit >> 20} MiB and was cut off."
            )
        yield chunk


async def plain_chunks(response: httpx.Response) -> AsyncIterator[bytes]:
    """The body without its content coding, in pieces of at most 1 MiB, whatever a bomb holds."""
    coding = response.headers.get("content-encoding", "").strip().lower()
    if coding in ("", "identity"):
        async for chunk in response.aiter_raw():
            yield chunk
        return
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise _garbled(response)
    unpack = zlib.decompressobj(wbits=_GZIP_OR_ZLIB)
    try:
        async for chunk in response.aiter_raw():
            rest = chunk
            while rest and not unpack.eof:
                yield unpack.decompress(rest, _PIECE)
                rest = unpack.unconsumed_tail
    except zlib.error:
        raise _garbled(response) from None
    if not unpack.eof:
        raise _garbled(response)


def _garbled(response: httpx.Response) -> Fault:
    host = response.request.url.host
    return ambiguous("protocol_error", f"{host} packed its answer in a way that cannot be read.")
