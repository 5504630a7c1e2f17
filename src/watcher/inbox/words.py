"""Errors of the file system, turned into sentences for the person who must act."""

from __future__ import annotations

import errno
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from watcher.core.errors import DiskError, InboxError

_DISK = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota is used up",
    errno.EROFS: "it is mounted read-only",
    errno.EIO: "the disk answers with an I/O error",
}
_ROOM = "Make room there, or make it writable; the work goes on by itself."
_AWAY = "Mount the share again, or look at the file server; the inbox comes back by itself."


@contextmanager
def in_words(path: Path | str) -> Iterator[None]:
    """OSError on `path` becomes DiskError (wait, nothing is lost) or InboxError (away, or not allowed)."""
    try:
        yield
    except OSError as error:
        raise worded(path, error) from None


@contextmanager
def disk_in_words(path: Path | str) -> Iterator[None]:
    """OSError becomes DiskError where the disk of `path` is full or broken; any other is left as it is."""
    try:
        yield
    except OSError as error:
        found = worded(path, error)
        raise (found if isinstance(found, DiskError) else error) from None


def worded(path: Path | str, error: OSError) -> DiskError | InboxError:
    if error.errno in _DISK:
        return DiskError(f"{path} cannot be used: {_DISK[error.errno]}.", _ROOM)
    if error.errno in {errno.EACCES, errno.EPERM}:
        return InboxError(f"{path} may not be used by this service ({who()}).", allow(path))
    return InboxError(f"{path} cannot be used: {os.strerror(error.errno or 0)}.", _AWAY)


def allow(path: Path | str) -> str:
    """The commands that let this service into a folder and keep what people drop there usable for it."""
    folder = shlex.quote(str(path))
    group = os.getegid()
    return f"Run: chgrp {group} {folder} && chmod g+rwxs {folder}"


def who() -> str:
    return f"user {os.geteuid()}, group {os.getegid()}"
