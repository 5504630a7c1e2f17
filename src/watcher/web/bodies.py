"""Receiving what is posted: onto the disk, bounded, hashed and, where it is signed, proved on the way."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from watcher.core.webhooks import SIGNATURE, Signer
from watcher.web.problems import Refused

_PIECE = 1 << 18
_FIELDS, _FIELD_BYTES = 100, 16 * 1024


class Body:
    """The body of one request as a file, while the block lasts."""

    def __init__(self, file: Path, *, most: int, signer: Signer | None) -> None:
        """`most`: bytes. `signer`: what the body's signature is checked with, if it has one."""
        self.file = file
        self._most = most
        self._signer = signer
        self._hash = hashlib.sha256()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.file.parent.mkdir, mode=0o700, exist_ok=True)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for file in (self.file, self._inner):
            with suppress(OSError):
                await asyncio.to_thread(file.unlink, missing_ok=True)

    @property
    def _inner(self) -> Path:
        return self.file.with_suffix(".file")

    async def receive(self, request: Request) -> str:
        """The body onto the disk; returns its SHA-256. Raises Refused."""
        announced = request.headers.get("content-length", "0")
        if announced.isdecimal() and int(announced) > self._most:
            raise self._too_large()
        size = 0
        with self.file.open("wb") as sink:
            async for piece in request.stream():
                size += len(piece)
                if size > self._most:
                    raise self._too_large()
                self._hash.update(piece)
                if self._signer is not None:
                    self._signer.take(piece)
                await asyncio.to_thread(sink.write, piece)
        if self._signer and not self._signer.is_among(request.headers.get(SIGNATURE, "")):
            what = "The signature does not fit."
            raise Refused(401, "bad_signature", what, "Sign id.timestamp.body with the token.")
        return self._hash.hexdigest()

    async def part(self, request: Request) -> Part:
        """The one file of a multipart body. Raises Refused."""
        parser = MultiPartParser(
            request.headers,
            self._pieces(),
            max_files=1,
            max_fields=_FIELDS,
            max_part_size=_FIELD_BYTES,
        )
        try:
            form = await parser.parse()
        except (MultiPartException, KeyError, ValueError, AssertionError):
            what = "The multipart body cannot be read."
            raise Refused(400, "multipart", what, "Send one file, in a field named file.") from None
        try:
            found = form.get("file")
            if not isinstance(found, UploadFile) or not found.filename:
                what = "There is no file in the body."
                raise Refused(422, "no_file", what, "Send it in a field named file.")
            digest = await asyncio.to_thread(self._keep, found)
        finally:
            await form.close()
        return Part(file=self._inner, name=found.filename, sha256=digest)

    def _keep(self, found: UploadFile) -> str:
        digest = hashlib.sha256()
        with self._inner.open("wb") as sink:
            while piece := found.file.read(_PIECE):
                digest.update(piece)
                sink.write(piece)
        return digest.hexdigest()

    async def _pieces(self) -> AsyncGenerator[bytes, None]:
        with self.file.open("rb") as source:
            while piece := await asyncio.to_thread(source.read, _PIECE):
                yield piece
        yield b""

    def _too_large(self) -> Refused:
        hint = f"At most {self._most / 1e6:g} MB are taken. Split it."
        return Refused(413, "too_large", "The body is too large.", hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What is to be dropped: a file, under the name that its sender gave it."""

    file: Path
    name: str
    sha256: str
