"""Room on the disks, looked at before a drop is claimed and before a call is paid for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from watcher.inbox import prove_room, require_room
from watcher.settings import Disk

_GOOD_FOR = 1.0  # seconds that a good look counts


class Space:
    """May be asked from any thread but the event loop's: a dead share hangs."""

    def __init__(self, disk: Callable[[], Disk], *, monotonic: Callable[[], float]) -> None:
        """`disk`: what is set now; `monotonic` in seconds."""
        self._disk = disk
        self._monotonic = monotonic
        self._good_until: dict[tuple[Path, bool], float] = {}

    def require(self, folder: Path, *, prove: bool = False) -> None:
        """Raises DiskError, naming the disk, what is free and what is needed.

        `prove`: by making a file there, since what is lost there cannot be had again.
        """
        if self._good_until.get((folder, prove), 0.0) > self._monotonic():
            return
        disk = self._disk()
        require_room(folder, least=disk.least_bytes, share=disk.least_percent / 100)
        if prove:
            prove_room(folder, least=disk.least_bytes)
        self._good_until[folder, prove] = self._monotonic() + _GOOD_FOR
