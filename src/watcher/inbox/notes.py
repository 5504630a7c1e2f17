"""The short texts beside a drop, `<name>.STATUS.txt`, that tell people what becomes of it.

Each appears whole, by rename. They are not synced: a note that a power cut empties is written
again with the next change, and it must cost less than what it tells about.
"""

from __future__ import annotations

import errno
import hashlib
import os
from contextlib import suppress
from threading import get_ident

from watcher.inbox import beneath
from watcher.inbox.claims import Claimed, checked, claims_of, reason_name, split, there
from watcher.inbox.values import ARCHIVES, NOTE_SUFFIX, OURS, InboxFolder
from watcher.inbox.words import in_words

_SUFFIX = NOTE_SUFFIX.encode()
_LONGEST = 255
_DAY = 86_400.0
_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
_TEMP = b".note-"  # hidden: it may stand where people look
_UNFINISHED = (_TEMP, b"note-", b"put-")  # of notes, and of files that `put` was writing
_NOWHERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.ENOTEMPTY)


def write_note(folder: InboxFolder, drop: bytes, text: str) -> bool:
    """Put `text` beside the drop of that path (relative, bytes), in place of an earlier note.

    False when there is nowhere to put it: its folder is gone or closed to us, or a folder has the
    note's name. Raises InboxError or DiskError.
    """
    where, name = _place(drop)
    with in_words(folder.path), beneath.root_of(folder.path) as root:
        try:
            with (
                beneath.folder_at(root, where) as beside,
                beneath.folder_at(root, OURS.encode()) as ours,
            ):
                _write(beside, ours, name, text, drop, like=os.fstat(beside))
        except OSError as error:
            closed = where and error.errno in {errno.EACCES, errno.EPERM}
            if not closed and error.errno not in _NOWHERE:
                raise
            return False
    return True


def write_reason(claimed: Claimed, text: str) -> None:
    """Put why a claimed drop was refused beside it, to go with it into the archive: `<name>.error.txt`.

    Before the archive, so that no crash parts the two. Raises InboxError, DiskError or DropGone.
    """
    where, name = split(claimed.path)
    with (
        claims_of(claimed.folder) as (root, claims),
        there(claimed),
        beneath.folder_at(root, OURS.encode()) as ours,
        beneath.folder_at(claims, checked(claimed.claim_id) + b"/" + where) as beside,
    ):
        _write(beside, ours, reason_name(name), text, claimed.path, like=os.fstat(root))


def remove_note(folder: InboxFolder, drop: bytes) -> None:
    """Remove the note of the drop of that path, if there is one. Raises InboxError or DiskError."""
    where, name = _place(drop)
    with (
        in_words(folder.path),
        beneath.root_of(folder.path) as root,
        suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError),
        beneath.folder_at(root, where) as beside,
    ):
        os.unlink(name, dir_fd=beside)


def sweep_notes(folder: InboxFolder, *, now: float, older_than: float = _DAY) -> int:
    """Remove notes that were last written `older_than` seconds before `now` (both wall clock); returns how many.

    A note whose drop still lies beside it stays: what it says is still so.
    """
    removed = 0
    with in_words(folder.path), beneath.root_of(folder.path) as root:
        _sweep_unfinished(root, now - older_than)
        for listing in beneath.walk(root, _enter):
            names = {os.fsencode(entry.name) for entry in listing.entries or ()}
            for name in names:
                if name.endswith(_SUFFIX) and name.removesuffix(_SUFFIX) not in names:
                    removed += _removed_if_old(listing.fd, name, now - older_than)
    return removed


def note_path(drop: bytes) -> bytes:
    """Where the note of a drop stands, relative to the inbox; a name that would be too long is cut and told apart."""
    where, name = _place(drop)
    return beneath.join(where, name)


def _place(drop: bytes) -> tuple[bytes, bytes]:
    where, _, name = drop.rpartition(b"/")
    if len(name) + len(_SUFFIX) > _LONGEST:
        mark = b"~" + hashlib.sha256(name).hexdigest()[:8].encode()
        name = beneath.cut(name, _LONGEST - len(_SUFFIX) - len(mark)) + mark
    return where, name + _SUFFIX


def _write(
    beside: int, ours: int, name: bytes, text: str, drop: bytes, *, like: os.stat_result
) -> None:
    """`like`: the folder whose mode and group the file follows."""
    new = b"%s%s-%d" % (_TEMP, hashlib.sha256(drop).hexdigest()[:16].encode(), get_ident())
    fd = os.open(new, _NEW, 0o600, dir_fd=ours)
    with os.fdopen(fd, "wb") as file:
        file.write(text.encode("utf-8", "backslashreplace"))
        beneath.follow_mode(fd, like, folder=False)
    try:
        os.rename(new, name, src_dir_fd=ours, dst_dir_fd=beside)
    except OSError as error:
        with suppress(OSError):
            os.unlink(new, dir_fd=ours)
        if error.errno != errno.EXDEV or ours == beside:
            raise
        # That folder is another disk's; what lies there cannot be taken, and is told why.
        _write(beside, beside, name, text, drop, like=like)


def _sweep_unfinished(root: int, before: float) -> None:
    """What a crash between writing and renaming left."""
    with suppress(FileNotFoundError), beneath.folder_at(root, OURS.encode()) as ours:
        with os.scandir(ours) as entries:
            names = [os.fsencode(entry.name) for entry in entries]
        for name in names:
            if name.startswith(_UNFINISHED):
                _removed_if_old(ours, name, before)


def _removed_if_old(folder: int, name: bytes, before: float) -> int:
    with suppress(FileNotFoundError, IsADirectoryError, PermissionError):
        if os.lstat(name, dir_fd=folder).st_mtime < before:
            os.unlink(name, dir_fd=folder)
            return 1
    return 0


def _enter(path: bytes, name: str) -> bool:
    return bool(path) or name not in {OURS, *ARCHIVES}
