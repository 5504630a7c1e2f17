"""Replies and pictures on disk: a name appears only when its file is whole.

A reply is one line of JSON (status and the useful headers), then the body as it came.
"""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Self, TypeVar

import orjson

from watcher.core.errors import DiskError
from watcher.core.jobs import Reply

_ROOM = (
    1 << 19
)  # bytes gathered before a thread writes them: each time costs the call half a millisecond
_LONGEST_HEAD = 1 << 18
_CODES = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EROFS: "disk_read_only",
    errno.EACCES: "disk_no_permission",
    errno.EPERM: "disk_no_permission",
}


_DISK = ThreadPoolExecutor(8, "replies")
T = TypeVar("T")


async def on_disk(act: Callable[..., T], *values: object) -> T:
    """In a thread for replies alone: nothing else may keep what is paid for from its disk."""
    return await asyncio.get_running_loop().run_in_executor(_DISK, act, *values)


class WholeFile:
    """A file that is written beside its name (`.part`) and takes it when it is whole and synced.

    Used in a `with`: left without `keep`, nothing remains of it; cancelled in `keep`, it is kept
    all the same. The disk's work is done in threads, its faults are raised as DiskError.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._part = path.with_name(f"{path.name}.part")
        self._file: BinaryIO | None = None
        self._gathered = bytearray()
        self._keeping = self._left = False
        self._using = threading.Lock()  # a cancelled write may still be going on

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._left = True
        if not self._keeping:
            self._drop()

    def begin(self) -> None:
        """Anew: what an earlier try left is gone. The part is opened with the first write."""
        self._drop()

    async def take(self, chunk: bytes) -> None:
        self.size += len(chunk)
        self._gathered += chunk
        if len(self._gathered) >= _ROOM:
            await self._do(self._write, self._all_gathered())

    async def keep(self) -> None:
        """Synced, renamed, and the folder synced: from here it cannot be lost."""
        self._keeping = True
        try:
            await self._do(self._publish, self._all_gathered())
        except DiskError:
            self._keeping = False
            raise

    def _drop(self) -> None:
        with self._using:
            if self._file:
                with suppress(OSError):  # what it could not write is not wanted any more
                    self._file.close()
                with suppress(OSError):
                    self._part.unlink(missing_ok=True)
            self._file = None
        self._all_gathered()
        self.size = 0

    def _all_gathered(self) -> bytearray:
        gathered, self._gathered = self._gathered, bytearray()
        return gathered

    async def _do(self, act: Callable[..., None], *values: object) -> None:
        try:
            await on_disk(act, *values)
        except OSError as error:
            raise _disk_error(self.path, error) from error

    def _write(self, gathered: bytearray) -> None:
        with self._using:
            if self._left and not self._keeping:
                return
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._part.open("wb")
            self._file.write(gathered)

    def _publish(self, gathered: bytearray) -> None:
        self._write(gathered)
        with self._using:
            if not self._file:
                return
            with self._file as file:
                file.flush()
                os.fsync(file.fileno())
            self._file = None
            self._part.replace(self.path)
        _sync_folder(self.path.parent)


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def head_of(status: int, headers: Mapping[str, str]) -> bytes:
    """The first line of a stored reply."""
    return orjson.dumps({"status": status, "headers": dict(headers)}) + b"\n"


def load_reply(path: Path) -> Reply | None:
    """What an earlier process stored; None when it is not there or not whole. Raises DiskError."""
    try:
        with path.open("rb") as file:
            head = _head(file.readline(_LONGEST_HEAD))
            return Reply(status=head[0], headers=head[1], body=file.read()) if head else None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _disk_error(path, error) from error


def load_whole(path: Path) -> bytes | None:
    """A picture that was stored; None when it is not there. Raises DiskError."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DiskError(
            f"{path} cannot be read: {os.strerror(error.errno or 0)}.",
            "Mend that disk; the rows wait.",
        ) from error


def _head(line: bytes) -> tuple[int, dict[str, str]] | None:
    try:
        head = orjson.loads(line) if line.endswith(b"\n") else None
    except orjson.JSONDecodeError:
        return None
    if not isinstance(head, dict):
        return None
    status, headers = head.get("status"), head.get("headers")
    return (status, headers) if isinstance(status, int) and isinstance(headers, dict) else None


def _disk_error(path: Path, error: OSError) -> DiskError:
    code = _CODES.get(error.errno or 0, "disk_fault")
    reason = os.strerror(error.errno) if error.errno else str(error)
    return DiskError(
        f"The answer of the API could not be stored in {path.parent}: {reason}.",
        "Make room, or mend the disk or its permissions; the rows wait.",
        code=code,
    )
