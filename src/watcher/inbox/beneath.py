"""Reaching into a folder that strangers write to: by descriptors, without following a link, never out of it.

A path that was checked by name can lead elsewhere a microsecond later. So every folder on the way
is opened from the one before it with O_NOFOLLOW, and files are judged after they are open.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from watcher.core.errors import DropError
from watcher.inbox import syncs
from watcher.inbox.values import printable

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: opening a FIFO that nobody writes to must not hang.
_PLAIN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NOREPLACE = 1  # RENAME_NOREPLACE, linux/fs.h
_NO_SUCH_CALL = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
DEEPEST = 32  # folders below each other that are walked, and held open at once
_LONGEST_EXTENSION = 32  # bytes; what is longer is part of the name
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One folder of a walk: its path below the root ("" is the root), open as `fd` until the next step.

    `entries` None: it may not be read, which does not mean that it is empty.
    """

    path: bytes
    fd: int
    entries: list[os.DirEntry[str]] | None


@contextmanager
def root_of(path: Path) -> Iterator[int]:
    """The operator's own folder, as a descriptor; it may be a link, since its path comes from the settings."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def folder_at(root: int, relative: bytes, *, make: bool = False) -> Iterator[int]:
    """The folder `relative` below `root`; `make` makes what is missing, with its parent's mode and group.

    Raises OSError (ENOTDIR or ELOOP where a link stands in the way), ValueError for a path that
    leads out.
    """
    fd = os.dup(root)
    try:
        for part in parts(relative):
            below = _step(fd, part, make=make)
            os.close(fd)
            fd = below
        yield fd
    finally:
        os.close(fd)


def parts(relative: bytes) -> list[bytes]:
    """The steps of a relative path; ValueError for one that is absolute, has ".." or a NUL."""
    steps = [step for step in relative.split(b"/") if step not in {b"", b"."}]
    if relative.startswith(b"/") or b".." in steps or b"\0" in relative:
        raise ValueError(relative)
    return steps


def open_beneath(root: Path, relative: bytes) -> int:
    """A plain file below `root`, open for reading; the caller closes the descriptor.

    Raises FileNotFoundError when there is none (yet), DropError when what is there is a link, a
    pipe, a device or a path that leads out, OSError for the rest.
    """
    folder, _, name = relative.rpartition(b"/")
    try:
        with root_of(root) as top, folder_at(top, folder) as parent:
            return open_plain(parent, name)
    except ValueError:
        raise _refused(relative) from None
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENXIO, errno.ENODEV}:
            raise _refused(relative) from None
        raise


def open_plain(folder: int, name: bytes) -> int:
    """A regular file in an open folder. Raises OSError: ELOOP for a link, EISDIR or ENODEV for what is no file."""
    if name in {b"", b".", b".."} or b"\0" in name:
        raise ValueError(name)
    fd = os.open(name, _PLAIN, dir_fd=folder)
    mode = os.fstat(fd).st_mode
    if stat.S_ISREG(mode):
        return fd
    os.close(fd)
    raise OSError(errno.EISDIR if stat.S_ISDIR(mode) else errno.ENODEV, "not a plain file")


def walk(root: int, enter: Callable[[bytes, str], bool], path: bytes = b"") -> Iterator[Listing]:
    """Every folder from `root` down, links not followed; `enter(path, name)` says which ones to go into.

    A folder that vanishes on the way is left out. Raises OSError when the file system fails.
    """
    listing = Listing(path=path, fd=root, entries=_entries(root))
    yield listing
    if path.count(b"/") >= DEEPEST:
        return
    for entry in listing.entries or ():
        if entry.is_dir(follow_symlinks=False) and enter(path, entry.name):
            name = os.fsencode(entry.name)
            yield from _walk_into(root, name, enter, join(path, name))


def join(folder: bytes, name: bytes) -> bytes:
    return folder + b"/" + name if folder else name


def rename_new(from_folder: int, name: bytes, to_folder: int, new: bytes) -> None:
    """Rename, never over anything. Raises FileExistsError, or any other OSError of rename(2)."""
    sys.audit("os.rename", name, new, from_folder, to_folder)  # as os.rename does
    if _libc.renameat2(from_folder, name, to_folder, new, _NOREPLACE) == 0:
        return
    code = ctypes.get_errno()
    if code not in _NO_SUCH_CALL:
        raise OSError(code, os.strerror(code), os.fsdecode(name))
    # NFS and some FUSE file systems cannot say "not over another": look first. What is left open
    # is the instant between the two lines, on those shares, against the very same name.
    if exists(to_folder, new):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fsdecode(new))
    os.rename(name, new, src_dir_fd=from_folder, dst_dir_fd=to_folder)


def rename_beside(from_folder: int, name: bytes, to_folder: int, new: bytes) -> bytes:
    """As rename_new, under the first free one of `x.csv`, `x (2).csv`, `x (3).csv`, …; returns it."""
    for count in range(1, 100_000):
        wanted = numbered(new, count)
        with suppress(FileExistsError):
            rename_new(from_folder, name, to_folder, wanted)
            return wanted
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fsdecode(new))


def numbered(name: bytes, count: int, longest: int = 255) -> bytes:
    """`x.csv` for 1, `x (2).csv` for 2; cut in the stem, between characters, to fit `longest` bytes."""
    if count == 1:
        return name
    stem, dot, extension = name.rpartition(b".")
    if not stem or len(extension) > _LONGEST_EXTENSION:
        stem, dot, extension = name, b"", b""
    tail = b" (%d)" % count + dot + extension
    return cut(stem, longest - len(tail)) + tail


def cut(name: bytes, longest: int) -> bytes:
    """The beginning of a name, at most `longest` bytes, not ending inside a UTF-8 character."""
    for end in range(longest, longest - 4, -1):
        if end >= len(name) or name[end] & 0xC0 != 0x80:  # noqa: PLR2004 - UTF-8's continuation bytes
            return name[:end]
    return name[:longest]  # not UTF-8: any byte is as good


def exists(folder: int, name: bytes) -> bool:
    """Whether anything has that name, a dangling link too."""
    try:
        os.lstat(name, dir_fd=folder)
    except FileNotFoundError:
        return False
    return True


def follow_mode(fd: int, parent: os.stat_result, *, folder: bool) -> None:
    """Mode and group as those of the folder it lies in, so that a share's people can use it; as far as allowed."""
    wanted = stat.S_IMODE(parent.st_mode) & (~stat.S_ISVTX if folder else 0o666)
    with suppress(PermissionError):
        if os.fstat(fd).st_gid != parent.st_gid:
            os.fchown(fd, -1, parent.st_gid)
    if stat.S_IMODE(os.fstat(fd).st_mode) == wanted:
        return
    try:
        os.fchmod(fd, wanted)
    except PermissionError:  # also of the set-group bit alone: systemd's RestrictSUIDSGID=
        with suppress(PermissionError):
            os.fchmod(fd, wanted & ~stat.S_ISGID)


def _step(parent: int, name: bytes, *, make: bool) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=parent)
    except FileNotFoundError:
        if not make:
            raise
    above = os.fstat(parent)
    try:
        # The set-group bit comes from the folder above by itself.
        os.mkdir(name, stat.S_IMODE(above.st_mode) & 0o777, dir_fd=parent)
    except FileExistsError:
        return os.open(name, _FOLDER, dir_fd=parent)
    fd = os.open(name, _FOLDER, dir_fd=parent)
    follow_mode(fd, above, folder=True)
    syncs.sync(parent)
    return fd


def _walk_into(
    parent: int, name: bytes, enter: Callable[[bytes, str], bool], path: bytes
) -> Iterator[Listing]:
    try:
        fd = os.open(name, _FOLDER, dir_fd=parent)
    except (FileNotFoundError, NotADirectoryError):
        return
    except PermissionError:
        yield Listing(path=path, fd=-1, entries=None)
        return
    try:
        yield from walk(fd, enter, path)
    finally:
        os.close(fd)


def _entries(fd: int) -> list[os.DirEntry[str]] | None:
    try:
        with os.scandir(fd) as entries:
            return list(entries)
    except PermissionError:
        return None


def _refused(relative: bytes) -> DropError:
    return DropError(
        f"“{printable(relative)}” was refused: it is not a plain file inside the folder.",
        "Put the file itself beside the drop, and name it without “..” or a leading “/”.",
    )
