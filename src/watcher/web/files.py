"""Files of jobs: plain files of an outbox, under safe types, whole or in ranges, cached by what they are."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from watcher.core.errors import DiskError
from watcher.outbox import Outbox
from watcher.web.problems import Refused, not_found
from watcher.web.reach import Reach

FOLDER = re.compile(r".+--[0-9b-df-hj-np-tv-z]{13}")  # core.naming.job_folder
_PIECE = 256 * 1024
_SHOWN = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
    "svg": "image/svg+xml",
    "json": "application/json",
    "jsonl": "text/plain; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
}
_KEPT = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_PICTURES = ("images/", "thumbnails/", "renditions/")
# A drawing can hold script and name other files: shown, it may do neither.
_STRICT = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    first: int
    last: int  # the last byte itself

    @property
    def length(self) -> int:
        return self.last - self.first + 1


async def file_answer(
    request: Request,
    outboxes: Iterable[Outbox],
    reach: Reach,
    folder: str,
    name: str,
    *,
    public: bool,
) -> Response:
    """The file `name` of the job's folder in the first of `outboxes` that has it; those that hang are asked last.

    Raises Refused, or DiskError where one that may have it is away. `public`: pages of other sites may show it.
    """
    lost = "There is no such file, or not yet."
    if not FOLDER.fullmatch(folder):
        raise not_found(lost)
    away: DiskError | None = None
    for outbox in sorted(outboxes, key=lambda one: reach.hangs(one.root)):
        try:
            found = await reach.into(outbox.root, partial(_opened, outbox, folder, name))
        except ValueError:
            break
        except DiskError as error:  # the others may have it
            away, found = error, None
        if found is not None:
            return _FileAnswer(
                *found, request.headers, name, reach=reach, root=outbox.root, public=public
            )
    raise away or not_found(lost)


def _opened(outbox: Outbox, folder: str, name: str) -> tuple[BinaryIO, os.stat_result] | None:
    found = outbox.open_file(folder, name)
    if found is None:
        return None
    file = os.fdopen(found, "rb", buffering=0)
    return file, os.fstat(found)


class _FileAnswer(Response):
    """An open file; closed when the answer is over, however it ends."""

    def __init__(
        self,
        file: BinaryIO,
        about: os.stat_result,
        asked: Headers,
        name: str,
        *,
        reach: Reach,
        root: Path,
        public: bool,
    ) -> None:
        self._file, self._reach, self._root = file, reach, root
        self.background = None
        etag = f'"{about.st_ino:x}-{about.st_mtime_ns:x}-{about.st_size:x}"'
        headers = {
            "etag": etag,
            "last-modified": formatdate(about.st_mtime, usegmt=True),
            "accept-ranges": "bytes",
            "content-security-policy": _STRICT,
            "cache-control": _caching(name, public=public),
            **_kind(name),
            **({"cross-origin-resource-policy": "cross-origin"} if public else {}),
        }
        self._part = _Part(first=0, last=about.st_size - 1)
        self.status_code = 200
        if _is_known(asked, etag):
            self.status_code, self._part = 304, _Part(first=0, last=-1)
        elif "range" in asked and _range_holds(asked, etag, about.st_mtime):
            self._cut(asked["range"], about.st_size, headers)
        if self.status_code != 304:  # noqa: PLR2004 - not modified
            headers["content-length"] = str(self._part.length)
        self.raw_headers = [
            (key.encode(), value.encode("latin-1")) for key, value in headers.items()
        ]

    def _cut(self, wanted: str, size: int, headers: dict[str, str]) -> None:
        """One range; several, or what is no range, give the whole file (RFC 9110, 14.2)."""
        found = _RANGE.fullmatch(wanted.strip())
        if not found or found.groups() == ("", ""):
            return
        first, last = found.groups()
        if len(first) > 18 or len(last) > 18:  # noqa: PLR2004 - more digits than any file has bytes
            first, last = str(size), ""
        begin = int(first) if first else max(0, size - int(last))
        end = min(int(last), size - 1) if first and last else size - 1
        if begin >= size or begin > end:
            self._close()
            raise Refused(
                416, "range", "The file has no such part.", f"It has {size} bytes.",
                headers={"content-range": f"bytes */{size}"},
            )  # fmt: skip
        self.status_code, self._part = 206, _Part(first=begin, last=end)
        headers["content-range"] = f"bytes {begin}-{end}/{size}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        try:
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            at, left = self._part.first, self._part.length
            while scope["method"] != "HEAD" and left:
                read = partial(os.pread, self._file.fileno(), min(left, _PIECE), at)
                piece = await self._reach.into(self._root, read)
                if not piece:
                    break  # it was cut meanwhile; names of ours are replaced, never cut
                at, left = at + len(piece), left - len(piece)
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._close()

    def _close(self) -> None:
        """Some shares are asked then, and hang there too."""
        self._reach.later(self._root, self._file.close)


def _kind(name: str) -> dict[str, str]:
    """The type by the name's ending; what is not known to be harmless is only for keeping."""
    ending = name.rpartition(".")[2].lower()
    if ending in _SHOWN:
        return {"content-type": _SHOWN[ending]}
    plain = quote(name.rpartition("/")[2], safe="")
    return {
        "content-type": _KEPT.get(ending, "application/octet-stream"),
        "content-disposition": f"attachment; filename*=UTF-8''{plain}",
    }


def _caching(name: str, *, public: bool) -> str:
    """Pictures hardly ever change under their name; tables do while the job runs."""
    if not name.startswith(_PICTURES):
        return "private, no-cache"
    return f"{'public' if public else 'private'}, max-age=300, stale-while-revalidate=86400"


def _is_known(asked: Headers, etag: str) -> bool:
    known = asked.get("if-none-match", "")
    return known.strip() == "*" or etag in (
        one.strip().removeprefix("W/") for one in known.split(",")
    )


def _range_holds(asked: Headers, etag: str, changed: float) -> bool:
    """If-Range: the part is wanted only of the file that the client knows."""
    known = asked.get("if-range")
    if known is None or known == etag:
        return True
    try:
        return int(changed) == int(parsedate_to_datetime(known).timestamp())
    except (TypeError, ValueError):
        return False
