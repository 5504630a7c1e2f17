"""The marker that tells an inbox from an empty mount point, and the lock that keeps a second daemon out.

`.image-watcher/inbox.id` is written once, when an inbox is new. Where it is missing later, the
share is away: the folder that is left looks like an empty inbox, and nothing may happen in it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from watcher.core.errors import InboxError
from watcher.inbox import beneath, syncs
from watcher.inbox.values import ARCHIVES, CLAIMED, OURS, InboxFolder
from watcher.inbox.words import allow, in_words, who, worded

_ID = b"inbox.id"
_LOCK = b"lock"
_PROBE = b"permissions"
_OLD_PROBE = 60.0  # seconds; a younger one may be another daemon's, at this moment
_IN_OURS = OURS.encode()


def prepare(folder: InboxFolder, *, known: bool, new_id: str) -> str:
    """Make `.image-watcher/` ready and prove that files can be made, moved, synced and removed here.

    Returns the inbox's id: the marker's, or `new_id` after writing it where the inbox is new.
    `known`: the inbox was here before, so that a missing marker means that it is away. Raises
    InboxError (away, or not allowed, with the commands that help) or DiskError.
    """
    with in_words(folder.path), beneath.root_of(folder.path) as root:
        if known:
            require(folder, root)
        with beneath.folder_at(root, _IN_OURS, make=True) as ours:
            with suppress(PermissionError):  # another user's: whether it will do, the probe tells
                # People have no business in there, and could swap what is claimed.
                os.fchmod(ours, 0o700)
            found = _read_or_write_id(ours, new_id)
            with beneath.folder_at(ours, CLAIMED.encode(), make=True):
                pass
            _probe(folder, root, ours)
    return found


def require(folder: InboxFolder, root: int) -> None:
    """Raises InboxError when the marker is not in the open folder `root`: the inbox is away."""
    try:
        with beneath.folder_at(root, _IN_OURS) as ours:
            os.stat(_ID, dir_fd=ours, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        raise _no_marker(folder) from None


def is_ready(folder: InboxFolder) -> bool:
    """Whether the inbox is there, with its marker."""
    with suppress(OSError, InboxError), beneath.root_of(folder.path) as root:
        require(folder, root)
        return True
    return False


def closed_folders(folder: InboxFolder) -> tuple[str, ...]:
    """For each sub-folder that this service may not read or empty: one sentence and the command that helps."""
    found = []
    with in_words(folder.path), beneath.root_of(folder.path) as root:
        for listing in beneath.walk(root, _is_for_people):
            if listing.entries is None or not _may_move_from(listing.fd):
                path = folder.path / os.fsdecode(listing.path)
                found.append(f"{path} may not be used by this service ({who()}). {allow(path)}")
    return tuple(found)


class InboxLock:
    """Held by the one daemon that serves an inbox, for as long as it does; given back by the kernel on a crash."""

    def __init__(self, folder: InboxFolder) -> None:
        self._path = folder.path
        self._fd: int | None = None

    def acquire(self) -> bool:
        """True: it is ours, also when it was before. False: another daemon serves the inbox. Raises InboxError."""
        with in_words(self._path), self._ours() as ours:
            if self._is_held(ours):
                return True
            self.release()
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            return self._take(os.open(_LOCK, flags, 0o600, dir_fd=ours))

    def release(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
        self._fd = None

    def holder(self) -> str:
        """Who holds it, as it wrote itself down: "host, process 123"; "" when that cannot be read."""
        with (
            suppress(OSError),
            self._ours() as ours,
            os.fdopen(beneath.open_plain(ours, _LOCK), "rb") as file,
        ):
            return file.read(200).decode("utf-8", "replace").strip()
        return ""

    @contextmanager
    def _ours(self) -> Iterator[int]:
        with beneath.root_of(self._path) as root, beneath.folder_at(root, _IN_OURS) as ours:
            yield ours

    def _is_held(self, ours: int) -> bool:
        # The inbox may have been replaced under us: then this lock guards a file that nobody sees.
        if self._fd is None:
            return False
        try:
            here = os.lstat(_LOCK, dir_fd=ours)
        except FileNotFoundError:
            return False
        held = os.fstat(self._fd)
        return (here.st_dev, here.st_ino) == (held.st_dev, held.st_ino)

    def _take(self, fd: int) -> bool:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            # A share without locks must not stop the inbox for ever: the lock on the state folder stands.
            if error.errno not in {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}:
                os.close(fd)
                if error.errno in {errno.EAGAIN, errno.EACCES}:
                    return False
                raise
        self._fd = fd
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.uname().nodename}, process {os.getpid()}\n".encode(), 0)
        return True


def _read_or_write_id(ours: int, new_id: str) -> str:
    try:
        fd = beneath.open_plain(ours, _ID)
    except FileNotFoundError:
        _write_whole(ours, _ID, new_id.encode() + b"\n")
        return new_id
    with os.fdopen(fd, "rb") as file:
        return file.read(200).decode("utf-8", "replace").strip()


def _write_whole(folder: int, name: bytes, content: bytes) -> None:
    new = name + b".new"
    fd = os.open(
        new,
        os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC,
        0o600,
        dir_fd=folder,
    )
    with os.fdopen(fd, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(fd)
    os.rename(new, name, src_dir_fd=folder, dst_dir_fd=folder)
    syncs.sync(folder)


def _probe(folder: InboxFolder, root: int, ours: int) -> None:
    """Make a file, move it where drops are, sync, move it back, remove it: all that a claim and a note do."""
    made = _PROBE + b"-%d" % os.getpid()  # another daemon may be standing by
    name = b"." + made  # hidden: no other look takes it for a drop
    try:
        with os.scandir(root) as entries:
            hidden = [os.fsencode(entry.name) for entry in entries if entry.name[0] == "."]
        _write_whole(ours, made, b"")
        os.rename(made, name, src_dir_fd=ours, dst_dir_fd=root)
        syncs.sync(root)
        _remove_old_probes(root, hidden, os.lstat(name, dir_fd=root).st_mtime)
        os.rename(name, made, src_dir_fd=root, dst_dir_fd=ours)
        os.unlink(made, dir_fd=ours)
    except OSError as error:
        raise worded(folder.path, error) from None


def _remove_old_probes(root: int, names: list[bytes], now: float) -> None:
    """What a death in the middle of `_probe` left where people see it; `now` by the clock of their disk."""
    for name in names:
        if name.startswith(b"." + _PROBE + b"-"):
            with suppress(OSError):
                if now - os.lstat(name, dir_fd=root).st_mtime > _OLD_PROBE:
                    os.unlink(name, dir_fd=root)


def _is_for_people(path: bytes, name: str) -> bool:
    """Our own folder is not, and what lies in the archives was put there by us."""
    return bool(path and os.fsdecode(path) not in ARCHIVES) or (not path and name != OURS)


def _may_move_from(fd: int) -> bool:
    return os.access(".", os.R_OK | os.W_OK | os.X_OK, dir_fd=fd, effective_ids=True)


def _no_marker(folder: InboxFolder) -> InboxError:
    marker: Path = folder.path / OURS / os.fsdecode(_ID)
    made = f"mkdir -p {shlex.quote(str(marker.parent))} && touch {shlex.quote(str(marker))}"
    return InboxError(
        f"The inbox {folder.name} is offline: {folder.path} is there, but not the marker {marker} in it.",
        f"Mount the share again. If the folder was made anew on purpose, run: {made}",
    )
