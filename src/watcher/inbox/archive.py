"""Where a drop goes when its job is done: `done/<yyyy-mm>/<job>/` or `failed/…`, never over another."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from watcher.core.errors import InboxError
from watcher.inbox import beneath, done_marker, syncs
from watcher.inbox.claims import Claimed, checked, claims_of, split, there
from watcher.inbox.values import ARCHIVES, InboxFolder
from watcher.inbox.words import in_words

_MONTH = re.compile(r"\d{4}-\d{2}")


def archive(claimed: Claimed, *, where: Literal["done", "failed"], month: str, job: str) -> Path:
    """Move a claim, whole, to `<where>/<month>/<job>/`; returns the drop's new path relative to the inbox.

    `month` as "2026-11". One rename, so that a crash leaves it here or there; a folder of that
    name that exists is left alone, and " (2)" is added. Raises DropGone when the claim is not there,
    InboxError where something else has the archive's name.
    """
    if not _MONTH.fullmatch(month):
        raise ValueError(month)
    shelf = f"{where}/{month}".encode()
    with (
        claims_of(claimed.folder) as (root, claims),
        _shelf(claimed.folder, root, shelf) as target,
        there(claimed),
    ):
        _show(claims, checked(claimed.claim_id), os.fstat(target))
        found = beneath.rename_beside(claims, checked(claimed.claim_id), target, checked(job))
        syncs.sync(target)
        syncs.sync(claims)
    return Path(os.fsdecode(beneath.join(shelf, found) + b"/" + claimed.path))


@contextmanager
def _shelf(folder: InboxFolder, root: int, shelf: bytes) -> Iterator[int]:
    path = folder.path / os.fsdecode(shelf)
    try:
        with beneath.folder_at(root, shelf, make=True) as found:
            yield found
    except OSError as error:
        if error.errno not in {errno.ENOTDIR, errno.ELOOP}:
            raise
        raise InboxError(
            f"Nothing can be archived in {path}: it, or {path.parent}, is no folder.",
            "Rename what has that name; the work goes on by itself.",
        ) from None


def find_archived(folder: InboxFolder, job: str) -> Path | None:
    """Where a job's drop was archived, relative to the inbox; None where it was not, or is gone."""
    with in_words(folder.path), beneath.root_of(folder.path) as root:
        for where in ARCHIVES:
            for month in _months(root, where.encode()):
                place = where.encode() + b"/" + month + b"/" + checked(job)
                with (
                    suppress(FileNotFoundError, NotADirectoryError),
                    beneath.folder_at(root, place),
                ):
                    return Path(os.fsdecode(place))
    return None


def bring_along(
    folder: InboxFolder, archived: Path, companions: Iterable[bytes]
) -> tuple[bytes, ...]:
    """Move the pictures that a drop named beside it into its archive; returns those that were moved.

    `archived`: what `archive` or `find_archived` returned; `companions`: paths relative to the inbox.
    One that is gone, not a plain file or not movable stays where it is: the drop itself is safe already.
    """
    job = b"/".join(os.fsencode(archived).split(b"/")[:3])
    with in_words(folder.path), beneath.root_of(folder.path) as root:
        return tuple(path for path in companions if _brought(folder, root, path, job))


def _brought(folder: InboxFolder, root: int, path: bytes, job: bytes) -> bool:
    where, name = split(path)
    with suppress(OSError, ValueError), beneath.folder_at(root, where) as source:
        os.close(beneath.open_plain(source, name))
        with beneath.folder_at(root, beneath.join(job, where), make=True) as target:
            new = beneath.rename_beside(source, name, target, name)
            done_marker.move(folder, name, source, new, target)
            return True
    return False


def _months(root: int, where: bytes) -> list[bytes]:
    """The newest first."""
    with suppress(FileNotFoundError, NotADirectoryError), beneath.folder_at(root, where) as shelf:
        with os.scandir(shelf) as entries:
            months = [entry.name for entry in entries if _MONTH.fullmatch(entry.name)]
        return [os.fsencode(month) for month in sorted(months, reverse=True)]
    return []


def _show(claims: int, name: bytes, shelf: os.stat_result) -> None:
    """While claimed, nobody else may look into a claim; in the archive people may."""
    with beneath.folder_at(claims, name) as holder:
        for listing in beneath.walk(holder, lambda _path, _name: True):
            if listing.entries is not None:
                beneath.follow_mode(listing.fd, shelf, folder=True)
