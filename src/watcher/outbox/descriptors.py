"""Files and folders by descriptors: no name on the way can be swapped for a link that leads elsewhere."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe holds up nobody
BUFFER = 1 << 16


def plain(path: str) -> list[str]:
    """The names in a relative path; none of them may lead elsewhere."""
    names = path.split("/") if path else []
    if any(name in ("", ".", "..") or "\0" in name for name in names):
        raise ValueError(f"not a path within the outbox: {path!r}")
    return names


@contextmanager
def opened(path: Path | str, within: int | None = None) -> Iterator[int]:
    """A folder's descriptor. The root may be a link, since operators make those; nothing in it may."""
    flags = _FOLDER if within is not None else _FOLDER & ~os.O_NOFOLLOW
    descriptor = os.open(path, flags, dir_fd=within)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def walked(root: int, names: list[str]) -> Iterator[int]:
    """The descriptor of the folder at the end of `names`."""
    if not names:
        yield root
        return
    with opened(names[0], root) as folder, walked(folder, names[1:]) as last:
        yield last


@contextmanager
def made(name: str, within: int) -> Iterator[int]:
    """A folder's descriptor; a new one takes group and mode of the one that it is in."""
    (only,) = plain(name)
    try:
        os.mkdir(only, dir_fd=within)
        new = True
    except FileExistsError:
        new = False
    with opened(only, within) as folder:
        if new:
            follow(
                folder, os.fstat(within), stat.S_IRWXU | stat.S_IRWXG | stat.S_IRWXO | stat.S_ISGID
            )
        yield folder


def follow(descriptor: int, parent: os.stat_result, bits: int) -> None:
    """Take the parent's group and those `bits` of its mode, as far as the system lets us."""
    # A share that keeps its own modes, a group that is not ours: the file is as good without.
    with suppress(OSError):
        os.fchown(descriptor, -1, parent.st_gid)
    with suppress(OSError):
        os.fchmod(descriptor, parent.st_mode & bits)


def written(folder: int, name: str, chunks: Iterable[bytes]) -> None:
    part = part_of(name)
    remove(part, folder)  # what an earlier end in the middle left, or somebody's link
    descriptor = os.open(part, _NEW_FILE, 0o666, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb", buffering=BUFFER) as file:
            file.writelines(chunks)
            file.flush()
            follow(descriptor, os.fstat(folder), 0o666)
            os.fsync(descriptor)
        os.rename(part, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        remove(part, folder)
        raise


def linked(source: int, name: str, into: int, last: str, sha256: str) -> bytes | None:
    """Put a file of another folder in place and return what is in it, where that is what it should be."""
    part = part_of(last)
    remove(part, into)
    try:
        os.link(name, part, src_dir_fd=source, dst_dir_fd=into, follow_symlinks=False)
        content = read(into, part)
    except FileNotFoundError:
        raise
    except OSError:  # another disk, or one without links
        content = read(source, name)
        if hashlib.sha256(content).hexdigest() != sha256:
            return None
        written(into, last, [content])
        return content
    if hashlib.sha256(content).hexdigest() != sha256:
        remove(part, into)
        return None
    os.rename(part, last, src_dir_fd=into, dst_dir_fd=into)
    remove(part, into)  # two names of one file: that rename does nothing
    sync_folder(into)
    return content


def read(folder: int, name: str) -> bytes:
    with os.fdopen(os.open(name, READ, dir_fd=folder), "rb") as file:
        return file.read()


def part_of(name: str) -> str:
    return f".{hashlib.sha256(name.encode()).hexdigest()[:16]}.part"


def sync_folder(folder: int) -> None:
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some shares cannot, and need not
            raise


def remove(name: str, folder: int) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return
