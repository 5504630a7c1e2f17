"""Files that this program itself puts into an inbox: they appear there whole, with the done-marker it asks for."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import get_ident
from typing import BinaryIO

from watcher.core.errors import InboxError
from watcher.inbox import beneath, done_marker
from watcher.inbox.claims import split
from watcher.inbox.values import InboxFolder
from watcher.inbox.words import in_words

_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 1 << 20


def place(folder: InboxFolder, name: str, source: BinaryIO) -> Path:
    """Put a drop into an inbox, under its name or the first free one like it; returns where it lies.

    Raises InboxError or DiskError.
    """
    wanted = os.fsencode(name)
    _refuse_shared_marker(folder)
    with _opened(folder, b"") as inbox:
        part = _written(inbox, source)
        found = beneath.rename_beside(inbox, part, inbox, wanted)
        if marker := done_marker.name_for(folder, found):
            os.close(os.open(marker, _NEW, 0o600, dir_fd=inbox))
        beneath.sync(inbox)
    return folder.path / os.fsdecode(found)


def place_beside(folder: InboxFolder, path: str, source: BinaryIO) -> bool:
    """Put a picture that a drop names into an inbox, below its path; False where other content has that name.

    Raises InboxError or DiskError.
    """
    where, name = split(os.fsencode(path))
    with _opened(folder, where) as beside:
        part = _written(beside, source)
        try:
            beneath.rename_new(beside, part, beside, name)
        except FileExistsError:
            same = _sha256(beside, part) == _sha256(beside, name)
            os.unlink(part, dir_fd=beside)
            return same
        beneath.sync(beside)
    return True


@contextmanager
def _opened(folder: InboxFolder, where: bytes) -> Iterator[int]:
    with in_words(folder.path):
        folder.path.mkdir(parents=True, exist_ok=True)
        with beneath.root_of(folder.path) as root, beneath.folder_at(root, where, make=True) as it:
            yield it


def _written(folder: int, source: BinaryIO) -> bytes:
    """A hidden file of the content, synced; hidden, so that no look takes it for a drop."""
    part = b".placed-%d-%d.part" % (os.getpid(), get_ident())
    fd = os.open(part, _NEW, 0o600, dir_fd=folder)
    try:
        with os.fdopen(fd, "wb") as file:
            while chunk := source.read(_CHUNK):
                file.write(chunk)
            beneath.follow_mode(fd, os.fstat(folder), folder=False)
            file.flush()
            os.fsync(fd)
    except BaseException:
        with suppress(OSError):
            os.unlink(part, dir_fd=folder)
        raise
    return part


def _sha256(folder: int, name: bytes) -> str:
    with os.fdopen(beneath.open_plain(folder, name), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _refuse_shared_marker(folder: InboxFolder) -> None:
    """One marker for a whole folder would let in what others have not finished."""
    marker = folder.require_done_marker
    if marker and "{name}" not in marker:
        raise InboxError(
            f"The inbox {folder.name} waits for the file {marker} beside its drops, one for all of a folder.",
            f"Copy the file into {folder.path} yourself, and make {marker} when all is there.",
        )
