"""How much room a disk has, and how much of it is left alone."""

from __future__ import annotations

import os
from pathlib import Path
from threading import get_ident

from watcher.core.errors import DiskError
from watcher.inbox.words import worded

_LEAST = 2 * 2**30
_SHARE = 0.05
_PROOF = 16 * 2**20
_BACK = "Bring that disk back, or let this service write there; the work goes on by itself."


def free_bytes(path: Path) -> int:
    """Bytes that may be written below `path` by who runs this; 0 when the inodes are used up. Raises OSError."""
    found = os.statvfs(path)
    return 0 if found.f_files and not found.f_favail else found.f_bavail * found.f_frsize


def reserve_bytes(path: Path, *, least: int = _LEAST, share: float = _SHARE) -> int:
    """Bytes that stay free: 2 GiB or 5 % of the file system, whichever is more. Raises OSError."""
    found = os.statvfs(path)
    return max(least, int(found.f_blocks * found.f_frsize * share))


def require_room(path: Path, *, least: int = _LEAST, share: float = _SHARE) -> None:
    """Raises DiskError where less is free than is to stay free, or nothing may be written at all.

    A share that does not tell its size is not judged.
    """
    try:
        found = os.statvfs(path)
        free, needed = free_bytes(path), reserve_bytes(path, least=least, share=share)
    except OSError as error:
        raise _as_disk_error(path, error) from None
    disk = f"The disk {_mount_point(path)} (of {path})"
    if found.f_flag & os.ST_RDONLY:
        what, hint = f"{disk} is mounted read-only.", "Look why, and mount it writable again"
    elif found.f_blocks and free < needed:
        what = f"{disk} has {_size(free)} free; {_size(needed)} are to stay free."
        hint = f"Make room for {_size(needed - free)} there, or lower disk.least_gb and disk.least_percent"
        if not free:
            hint = "Make room there, also for new files (df -h, df -i)"
    else:
        return
    raise DiskError(what, f"{hint}; the work goes on by itself.", code="disk_full")


def prove_room(folder: Path, *, least: int = _LEAST) -> None:
    """Raises DiskError where no file of 16 MiB (or `least`) can be made: a quota, a broken disk."""
    probe = folder / f".room-{os.getpid()}-{get_ident()}"
    try:
        fd = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        try:
            os.posix_fallocate(fd, 0, max(1, min(least, _PROOF)))
            os.fsync(fd)
        finally:
            os.close(fd)
            probe.unlink()
    except OSError as error:
        raise _as_disk_error(folder, error) from None


def _as_disk_error(path: Path, error: OSError) -> DiskError:
    found = worded(path, error)
    hint = found.hint if isinstance(found, DiskError) else _BACK
    return DiskError(found.what, hint, code="disk_full")


def _mount_point(path: Path) -> Path:
    real = path.resolve()
    return next(parent for parent in (real, *real.parents) if parent.is_mount())


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"
