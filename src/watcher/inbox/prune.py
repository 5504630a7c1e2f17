"""Archived drops that are kept no longer: found below `done/` and `failed/`, and removed for good."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, TypeAlias

from watcher.inbox import beneath
from watcher.inbox.marker import require
from watcher.inbox.values import InboxFolder
from watcher.inbox.words import in_words

_MONTH = re.compile(rb"\d{4}-\d{2}")
_NUMBERED = re.compile(r" \(\d+\)$")
_Where: TypeAlias = Literal["done", "failed"]
_WHERE: tuple[_Where, ...] = ("done", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Archived:
    """One job's folder in an archive. `path` is relative to the inbox, `changed_at` seconds since the epoch."""

    where: _Where
    path: bytes
    job: str
    changed_at: float


def archived(folder: InboxFolder) -> Iterator[Archived]:
    """Everything in the archives. Raises InboxError where the inbox is away."""
    with in_words(folder.path), beneath.root_of(folder.path) as root:
        require(folder, root)
        for where in _WHERE:
            for month in _folders(root, where.encode()):
                if _MONTH.fullmatch(month):
                    yield from _of_month(root, where, beneath.join(where.encode(), month))


def remove_archived(folder: InboxFolder, one: Archived) -> None:
    """Remove it, and its month where nothing else is in it. Raises InboxError or DiskError."""
    month, _, name = one.path.rpartition(b"/")
    above, _, own = month.rpartition(b"/")
    with in_words(folder.path), beneath.root_of(folder.path) as root:
        require(folder, root)
        with suppress(FileNotFoundError), beneath.folder_at(root, month) as shelf:
            shutil.rmtree(name, dir_fd=shelf)
        with suppress(OSError), beneath.folder_at(root, above) as archive:
            os.rmdir(own, dir_fd=archive)


def _of_month(root: int, where: _Where, month: bytes) -> Iterator[Archived]:
    for name in _folders(root, month):
        path = beneath.join(month, name)
        with suppress(OSError), beneath.folder_at(root, path) as found:
            yield Archived(
                where=where,
                path=path,
                job=_NUMBERED.sub("", os.fsdecode(name)),
                changed_at=os.fstat(found).st_mtime,
            )


def _folders(root: int, path: bytes) -> list[bytes]:
    """The folders in one that may not be there; links are none."""
    with (
        suppress(FileNotFoundError, NotADirectoryError),
        beneath.folder_at(root, path) as folder,
        os.scandir(folder) as entries,
    ):
        return [os.fsencode(one.name) for one in entries if one.is_dir(follow_symlinks=False)]
    return []
