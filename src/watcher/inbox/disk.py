"""How much room there is, and how much of it is left alone."""

from __future__ import annotations

import os
from pathlib import Path

_LEAST = 2 * 2**30
_SHARE = 0.05


def free_bytes(path: Path) -> int:
    """Bytes that may be written below `path` by who runs this. Raises OSError."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def reserve_bytes(path: Path, *, least: int = _LEAST, share: float = _SHARE) -> int:
    """Bytes that stay free: 2 GiB or 5 % of the file system, whichever is more. Raises OSError."""
    found = os.statvfs(path)
    return max(least, int(found.f_blocks * found.f_frsize * share))
