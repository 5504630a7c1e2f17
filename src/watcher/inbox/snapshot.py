"""A claimed drop, copied while it is hashed: what is read later can no longer change.

A small one is copied into memory, any other into a blob that its hash names.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from watcher.core.errors import DiskError, DropError
from watcher.inbox.claims import Claimed, opened
from watcher.inbox.lease import Writers, writers_of
from watcher.inbox.values import DropBusy, signature_of
from watcher.inbox.words import in_words, worded

_CHUNK = 1 << 20
_SMALL = 1 << 16  # bytes; making and removing a file takes longer than reading so few
_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """`sha256` (hex) of all bytes, `size` in bytes. `path` ends in the hash; None: `content` holds the bytes.

    Not synced: it is read at once, and after a crash taken anew from the claim.
    """

    sha256: str
    size: int
    content: bytes = b""
    path: Path | None = None

    def open(self) -> BinaryIO:
        """For reading, seekable; the caller closes it."""
        return BytesIO(self.content) if self.path is None else self.path.open("rb")


def snapshot(claimed: Claimed, into_folder: Path) -> Snapshot:
    """Copy a claimed drop: a large one to `<into_folder>/<sha256>`, which is left as it is where it exists.

    `into_folder` is made where it is needed. Raises DropBusy when somebody writes, or wrote, to the
    drop: `unclaim` it and wait. DropError when it is larger than the inbox takes. InboxError when it
    cannot be read, DiskError when the copy cannot be written.
    """
    with in_words(claimed.folder.path), opened(claimed) as source:
        size = os.fstat(source).st_size
        _refuse_large(claimed, size)
        _expect_quiet(claimed, source)
        take = _in_memory if size <= _SMALL else _on_disk
        taken = take(claimed, source, into_folder)
        _expect_quiet(claimed, source)
    return taken


def discard(folder: Path) -> None:
    """Remove a folder that holds snapshots and nothing else."""
    with suppress(OSError):  # what is left is cleared at the next start
        for name in os.listdir(folder):  # noqa: PTH208 - once a drop: shutil.rmtree takes ten times as long
            (folder / name).unlink()
        folder.rmdir()


def _in_memory(claimed: Claimed, source: int, _into_folder: Path) -> Snapshot:
    content = b"".join(_chunks(claimed, source))
    return Snapshot(sha256=hashlib.sha256(content).hexdigest(), size=len(content), content=content)


def _on_disk(claimed: Claimed, source: int, into_folder: Path) -> Snapshot:
    part = into_folder / f"{claimed.claim_id}.part"
    digest, size = hashlib.sha256(), 0
    with on_disk(part):
        into_folder.mkdir(exist_ok=True, mode=0o700)
        with os.fdopen(os.open(part, _NEW, 0o600), "wb") as copy:
            for chunk in _chunks(claimed, source):
                digest.update(chunk)
                size += len(chunk)
                copy.write(chunk)
        blob = into_folder / digest.hexdigest()
        if blob.exists():
            part.unlink()
        else:
            part.rename(blob)
    return Snapshot(sha256=blob.name, size=size, path=blob)


def _chunks(claimed: Claimed, source: int) -> Iterator[bytes]:
    """All bytes, some at a time; a file may grow while it is read."""
    size = 0
    while chunk := _read(claimed, source):
        size += len(chunk)
        _refuse_large(claimed, size)
        yield chunk


def _read(claimed: Claimed, source: int) -> bytes:
    with in_words(claimed.folder.path):
        return os.read(source, _CHUNK)


def _expect_quiet(claimed: Claimed, source: int) -> None:
    changed = signature_of(os.fstat(source))[:4] != claimed.signature[:4]
    if changed or writers_of(source) is Writers.SOME:
        raise DropBusy(
            f"{claimed.name} is still being written.",
            "Nothing to do: it is taken when the program that writes it is done.",
        )


def _refuse_large(claimed: Claimed, size: int) -> None:
    limit = claimed.folder.max_file_bytes
    if size > limit:
        raise DropError(
            f"{claimed.name} has {size / 1e6:,.1f} MB; this inbox takes files of up to {limit / 1e6:,.1f} MB.",
            "Split it into smaller files, or raise max_file_mb of this inbox.",
            code="file_too_large",
        )


@contextmanager
def on_disk(part: Path) -> Iterator[None]:
    """What fails on the side of the copy is the disk's fault, never the inbox's."""
    try:
        yield
    except OSError as error:
        found = worded(part.parent, error)
        raise DiskError(found.what, found.hint) from None
