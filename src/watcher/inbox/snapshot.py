"""A claimed drop, copied while it is hashed into a blob of that name: what is read later can no longer change."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from watcher.core.errors import DiskError, DropError
from watcher.inbox.claims import Claimed, opened
from watcher.inbox.lease import Writers, writers_of
from watcher.inbox.values import DropBusy, signature_of
from watcher.inbox.words import in_words, worded

_CHUNK = 1 << 20
_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """`path` ends in the SHA-256 (hex) of all bytes; `size` in bytes. Whole.

    Not synced: it is read at once, and after a crash taken anew from the claim.
    """

    path: Path
    sha256: str
    size: int


def snapshot(claimed: Claimed, into_folder: Path) -> Snapshot:
    """Copy a claimed drop to `<into_folder>/<sha256>`, which is left as it is where it exists.

    Raises DropBusy when somebody writes, or wrote, to it: `unclaim` it and wait. DropError when it
    is larger than the inbox takes. InboxError when it cannot be read, DiskError when the copy
    cannot be written.
    """
    part = into_folder / f"{claimed.claim_id}.part"
    with in_words(claimed.folder.path), opened(claimed) as source:
        _refuse_large(claimed, os.fstat(source).st_size)
        _expect_quiet(claimed, source)
        sha256, size = _copy(claimed, source, part)
        _expect_quiet(claimed, source)
    return _keep(part, into_folder / sha256, size)


def discard(folder: Path) -> None:
    """Remove a folder that holds snapshots and nothing else."""
    with suppress(OSError):  # what is left is cleared at the next start
        for name in os.listdir(folder):  # noqa: PTH208 - once a drop: shutil.rmtree takes ten times as long
            (folder / name).unlink()
        folder.rmdir()


def _copy(claimed: Claimed, source: int, part: Path) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with on_disk(part), os.fdopen(os.open(part, _NEW, 0o600), "wb") as copy:
        while chunk := _read(claimed, source):
            digest.update(chunk)
            size += len(chunk)
            _refuse_large(claimed, size)  # it may grow while it is read
            copy.write(chunk)
    return digest.hexdigest(), size


def _read(claimed: Claimed, source: int) -> bytes:
    with in_words(claimed.folder.path):
        return os.read(source, _CHUNK)


def _keep(part: Path, blob: Path, size: int) -> Snapshot:
    with on_disk(part):
        if blob.exists():
            part.unlink()
        else:
            part.rename(blob)
    return Snapshot(path=blob, sha256=blob.name, size=size)


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
