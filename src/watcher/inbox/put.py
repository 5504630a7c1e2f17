"""Dropping by ourselves: a copy of a file appears in an inbox whole, under a name that is ours to say."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from threading import get_ident
from typing import BinaryIO

from watcher.core.errors import DropError
from watcher.inbox import beneath, syncs
from watcher.inbox.done_marker import awaited
from watcher.inbox.marker import require
from watcher.inbox.values import OURS, InboxFolder, signature_of
from watcher.inbox.words import in_words

_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


def put(folder: InboxFolder, path: bytes, content: Path) -> bool:
    """Copy the file `content` to `path` (relative to the inbox): written apart, synced, renamed in.

    False where something of that name is there already: it is left alone. Raises InboxError where
    the inbox is away, DiskError where a disk refuses, DropError where `content` changes meanwhile,
    OSError where it cannot be read.
    """
    where, _, name = path.rpartition(b"/")
    with (
        content.open("rb") as source,
        in_words(folder.path),
        beneath.root_of(folder.path) as root,
    ):
        require(folder, root)
        with (
            beneath.folder_at(root, OURS.encode()) as ours,
            beneath.folder_at(root, where, make=True) as target,
        ):
            part = b"put-%d-%d" % (os.getpid(), get_ident())
            try:
                _copy(source, ours, part, os.fstat(target))
                if marker := awaited(folder, name):  # before the drop: it is whole when it appears
                    _make(target, marker)
                beneath.rename_new(ours, part, target, name)
            except BaseException as error:
                with suppress(OSError):
                    os.unlink(part, dir_fd=ours)
                if isinstance(error, FileExistsError):
                    return False
                raise
            syncs.sync(target)
    return True


def _make(folder: int, name: bytes) -> None:
    """An empty file, unless anything has that name; a link that has it is not followed."""
    with suppress(FileExistsError):
        os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o660, dir_fd=folder))


def _copy(source: BinaryIO, ours: int, part: bytes, parent: os.stat_result) -> None:
    before = os.fstat(source.fileno())
    fd = os.open(part, _NEW, 0o600, dir_fd=ours)
    with os.fdopen(fd, "wb") as file:
        shutil.copyfileobj(source, file)
        file.flush()
        beneath.follow_mode(fd, parent, folder=False)
        os.fsync(fd)
    if signature_of(os.fstat(source.fileno())) != signature_of(before):
        raise DropError(f"{source.name} is being written.", "Nothing: it is tried again.")


def lies(folder: InboxFolder, path: bytes) -> bool:
    """Whether anything of that name is in the inbox. Raises InboxError where the inbox is away."""
    where, _, name = path.rpartition(b"/")
    with in_words(folder.path), beneath.root_of(folder.path) as root:
        require(folder, root)
        with suppress(FileNotFoundError), beneath.folder_at(root, where) as parent:
            return beneath.exists(parent, name)
    return False
