"""Taking a drop: one rename into `.image-watcher/claimed/<id>/`, where it keeps its path, and out of it again.

A claim is atomic because it stays on the inbox's file system. It is no lock: a program that has
the file open writes on into the renamed file, so `snapshot` looks again. Nothing is ever deleted
or renamed over another.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from watcher.inbox import beneath, done_marker, syncs
from watcher.inbox.marker import require
from watcher.inbox.values import (
    CLAIMED,
    OURS,
    REASON_SUFFIX,
    Drop,
    DropGone,
    DropStuck,
    InboxFolder,
    Signature,
    printable,
    signature_of,
)
from watcher.inbox.words import allow, in_words, who

_CLAIMS = f"{OURS}/{CLAIMED}".encode()
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_LONGEST = 255  # bytes of a name
_VANISHED = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A drop that is ours. `path`: where it lay in the inbox, and lies below its claim, in bytes."""

    folder: InboxFolder
    claim_id: str
    path: bytes
    signature: Signature

    @property
    def name(self) -> str:
        """The file's name, fit for people; not fit for opening it."""
        return printable(self.path.rpartition(b"/")[2])

    @property
    def file(self) -> Path:
        return self.folder.path / OURS / CLAIMED / self.claim_id / os.fsdecode(self.path)


def claim(folder: InboxFolder, drop: Drop, claim_id: str) -> Claimed:
    """Take a drop: durable when it returns. Commit the intent, with this id, which nobody else has, before.

    Raises DropGone when it vanished or is not the file that was seen (nothing was taken), DropStuck
    when it may not be moved, InboxError or DiskError for the whole inbox.
    """
    where, name = split(drop.path)
    with (
        claims_of(folder) as (root, claims),
        there(drop),
        beneath.folder_at(root, where) as source,
    ):
        _expect_same(drop, source, name)
        _new_claim(claims, claim_id)
        with beneath.folder_at(claims, checked(claim_id) + b"/" + where, make=True) as target:
            try:
                _move(folder, drop, (source, name), (target, name))
            finally:
                _remove_if_empty(claims, claim_id, where)
            done_marker.move(folder, name, source, name, target)
            syncs.sync(target)
            syncs.sync(source)
            found = os.lstat(name, dir_fd=target)
    return _verified(folder, drop, claim_id, found)


def unclaim(claimed: Claimed) -> bytes:
    """Put a claimed drop back where it was, or beside what has its name now; returns its path in the inbox.

    Where its folder is gone it goes to the inbox itself. Raises DropGone when it is not there.
    """
    where, name = split(claimed.path)
    with claims_of(claimed.folder) as (root, claims), there(claimed):
        with beneath.folder_at(claims, checked(claimed.claim_id) + b"/" + where) as source:
            back, target = _way_back(root, where)
            try:
                found = _put_back(claimed.folder, name, source, target)
                syncs.sync(target)
                syncs.sync(source)
            finally:
                os.close(target)
        _remove_if_empty(claims, claimed.claim_id, where)
    return beneath.join(back, found)


def claimed_ids(folder: InboxFolder) -> list[tuple[str, bytes]]:
    """Every claim that lies there: its id and the drop's path as it was in the inbox, by id.

    For recovery, before anything is claimed: claims that a crash left empty are removed.
    """
    found = []
    with claims_of(folder) as (_, claims):
        with os.scandir(claims) as entries:
            names = sorted(entry.name for entry in entries)
        for name in names:
            if path := _drop_in(folder, claims, name):
                found.append((name, path))
            elif _SAFE.fullmatch(name):
                _remove_empty_tree(claims, name.encode())
    return found


def find_claimed(folder: InboxFolder, claim_id: str) -> Claimed | None:
    """The claim of that id as it lies there now, or None."""
    with claims_of(folder) as (_, claims):
        path = _drop_in(folder, claims, claim_id)
        if path is None:
            return None
        where, name = split(path)
        with beneath.folder_at(claims, checked(claim_id) + b"/" + where) as holder:
            signature = signature_of(os.lstat(name, dir_fd=holder))
    return Claimed(folder=folder, claim_id=claim_id, path=path, signature=signature)


def fetch_marker(claimed: Claimed) -> None:
    """Take the done-marker of a claimed drop along, which a death between the two renames left behind.

    For recovery. One that belongs to a new drop of the same name stays.
    """
    where, name = split(claimed.path)
    with (
        claims_of(claimed.folder) as (root, claims),
        there(claimed),
        beneath.folder_at(claims, checked(claimed.claim_id) + b"/" + where) as target,
        suppress(FileNotFoundError, NotADirectoryError),  # of the folder it came from
        beneath.folder_at(root, where) as source,
    ):
        if not beneath.exists(source, name):
            done_marker.move(claimed.folder, name, source, name, target)


@contextmanager
def opened(claimed: Claimed) -> Iterator[int]:
    """The claimed drop, open for reading. Raises DropGone when it is not there, or no plain file."""
    where, name = split(claimed.path)
    with (
        claims_of(claimed.folder) as (_, claims),
        there(claimed),
        beneath.folder_at(claims, checked(claimed.claim_id) + b"/" + where) as holder,
    ):
        fd = beneath.open_plain(holder, name)
    try:
        yield fd
    finally:
        os.close(fd)


def _put_back(folder: InboxFolder, name: bytes, source: int, target: int) -> bytes:
    """Its marker goes first: a drop without it would wait for ever, if we died in between."""
    is_free = not beneath.exists(target, name)
    if is_free:
        done_marker.move(folder, name, source, name, target)
    found = beneath.rename_beside(source, name, target, name)
    if found != name:  # the marker of that name would be the newcomer's
        done_marker.move(folder, name, target if is_free else source, found, target)
    return found


def _new_claim(claims: int, claim_id: str) -> None:
    """Nothing is ever put into another's claim. An empty one, of a crash before the rename, is none."""
    name = checked(claim_id)
    with suppress(OSError):
        os.rmdir(name, dir_fd=claims)
    if beneath.exists(claims, name):
        raise ValueError(claim_id)


def _verified(folder: InboxFolder, drop: Drop, claim_id: str, found: os.stat_result) -> Claimed:
    """What was renamed is what was seen: between the look and the rename it may have been swapped or written to."""
    claimed = Claimed(
        folder=folder, claim_id=claim_id, path=drop.path, signature=signature_of(found)
    )
    if not stat.S_ISREG(found.st_mode) or claimed.signature[:4] != drop.signature[:4]:
        unclaim(claimed)
        raise _gone(drop)
    return claimed


def _expect_same(drop: Drop, source: int, name: bytes) -> None:
    found = os.lstat(name, dir_fd=source)
    if not stat.S_ISREG(found.st_mode) or signature_of(found) != drop.signature:
        raise _gone(drop)


def _move(
    folder: InboxFolder, drop: Drop, source: tuple[int, bytes], target: tuple[int, bytes]
) -> None:
    try:
        # The target folder was made for this claim: there is nothing to rename over.
        os.rename(source[1], target[1], src_dir_fd=source[0], dst_dir_fd=target[0])
    except OSError as error:
        place = folder.path / os.fsdecode(split(drop.path)[0])
        if error.errno in {errno.EACCES, errno.EPERM}:
            raise DropStuck(
                f"{drop.name} cannot be taken: this service ({who()}) may not move files out of {place}.",
                allow(place),
            ) from None
        if error.errno in {errno.EXDEV, errno.EBUSY}:
            raise DropStuck(
                f"{drop.name} cannot be taken: {place} lies on another file system than the inbox.",
                "Make that folder an inbox of its own, or drop the file into the inbox itself.",
            ) from None
        raise


def _drop_in(folder: InboxFolder, claims: int, claim_id: str) -> bytes | None:
    """The path of the one plain file in a claim that is no done-marker and no reason, or None."""
    if not _SAFE.fullmatch(claim_id):
        return None
    with (
        suppress(FileNotFoundError, NotADirectoryError),
        beneath.folder_at(claims, claim_id.encode()) as holder,
    ):
        for listing in beneath.walk(holder, lambda _path, _name: True):
            names = sorted(_plain_files(listing))
            beside = {done_marker.name_for(folder, name) for name in names}
            beside |= {reason_name(name) for name in names}
            for name in names:
                if name not in beside and not done_marker.is_left_over(folder, name):
                    return beneath.join(listing.path, name)
    return None


def _plain_files(listing: beneath.Listing) -> Iterator[bytes]:
    for entry in listing.entries or ():
        if entry.is_file(follow_symlinks=False):
            yield os.fsencode(entry.name)


def _way_back(root: int, where: bytes) -> tuple[bytes, int]:
    """The folder a drop came from, or the inbox where that is gone: its path and an open descriptor."""
    try:
        with beneath.folder_at(root, where) as folder:
            return where, os.dup(folder)
    except (FileNotFoundError, NotADirectoryError):
        return b"", os.dup(root)


def _remove_if_empty(claims: int, claim_id: str, where: bytes) -> None:
    """Remove a claim's folders from the deepest up, as far as nothing is in them."""
    path = beneath.join(checked(claim_id), where)
    with suppress(OSError):
        while path:
            os.rmdir(path, dir_fd=claims)
            path = path.rpartition(b"/")[0]


def _remove_empty_tree(claims: int, name: bytes) -> None:
    with suppress(OSError), beneath.folder_at(claims, name) as holder:
        for listing in list(beneath.walk(holder, lambda _path, _name: True))[::-1]:
            os.rmdir(beneath.join(name, listing.path), dir_fd=claims)


@contextmanager
def claims_of(folder: InboxFolder) -> Iterator[tuple[int, int]]:
    """The inbox and its claims, open; InboxError when it is away, which must not look like an empty one."""
    with in_words(folder.path), beneath.root_of(folder.path) as root:
        require(folder, root)
        with beneath.folder_at(root, _CLAIMS, make=True) as claims:
            yield root, claims


@contextmanager
def there(drop: Drop | Claimed) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _VANISHED:
            raise
        raise _gone(drop) from None


def _gone(drop: Drop | Claimed) -> DropGone:
    return DropGone(f"{drop.name} is gone, or is another file now.", "Nothing to do.")


def reason_name(name: bytes) -> bytes:
    """What the text is called that says, beside a drop in its archive, why it was refused."""
    ending = REASON_SUFFIX.encode()
    return beneath.cut(name, _LONGEST - len(ending)) + ending


def split(path: bytes) -> tuple[bytes, bytes]:
    where, _, name = path.rpartition(b"/")
    if name in {b"", b".", b".."}:
        raise ValueError(path)
    return where, name


def checked(identifier: str) -> bytes:
    if not _SAFE.fullmatch(identifier):
        raise ValueError(identifier)
    return identifier.encode()
