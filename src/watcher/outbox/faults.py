"""What the disk says, in sentences: what happened to which path, and what to do now."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from watcher.core.errors import DiskError

_FULL = "Make room there; the work goes on by itself."
_AWAY = "Bring the disk or share back; the work goes on by itself."
_SAID = {
    errno.ENOSPC: ("disk_full", "The disk is full", _FULL),
    errno.EDQUOT: ("disk_full", "The disk quota is used up", _FULL),
    errno.EFBIG: ("disk_full", "The file is larger than the disk allows", _FULL),
    errno.EROFS: (
        "disk_read_only",
        "The disk is read-only",
        "Make it writable again, and look why.",
    ),
    errno.EIO: (
        "disk_error",
        "The disk reports an error",
        "Look at the system log; it may be dying.",
    ),
    errno.ESTALE: ("disk_away", "The share has gone away", _AWAY),
    errno.ENOTCONN: ("disk_away", "The share is not connected", _AWAY),
    errno.EHOSTDOWN: ("disk_away", "The share does not answer", _AWAY),
    errno.ETIMEDOUT: ("disk_away", "The share does not answer", _AWAY),
    errno.ENODEV: ("disk_away", "The disk is not there", _AWAY),
    errno.ENOENT: (
        "disk_away",
        "The folder is not there",
        "Bring its disk back, or make the folder.",
    ),
    errno.EACCES: (
        "disk_forbidden",
        "The service has no right to this",
        "Give it the right to read and write there.",
    ),
    errno.EPERM: (
        "disk_forbidden",
        "The service has no right to this",
        "Give it the right to read and write there.",
    ),
    errno.ELOOP: ("disk_link", "A link stands where a folder must be", "Take the link away."),
    errno.ENOTDIR: ("disk_link", "No folder, or a link, stands where one must be", "Take it away."),
    errno.EISDIR: ("disk_name_taken", "A folder stands where a file must be", "Move it elsewhere."),
    errno.ENAMETOOLONG: ("disk_name", "The name is too long for this disk", "Shorten the path."),
    errno.EMFILE: ("disk_busy", "Too many files are open", "It is tried again by itself."),
    errno.ENFILE: ("disk_busy", "Too many files are open", "It is tried again by itself."),
}
_OTHER = ("disk_error", "The disk does not take it", "Look at the system log.")


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn what the system says of `path` into a DiskError."""
    try:
        yield
    except OSError as error:
        code, what, hint = _SAID.get(error.errno or 0, _OTHER)
        raise DiskError(f"{what}: {path}.", hint, code=code) from error


def hangs(outbox: Path | str) -> DiskError:
    return DiskError(
        f"The outbox does not answer: {outbox}.",
        "Look at its disk or share; the work goes on by itself.",
        code="disk_away",
    )
