"""The marker that tells an outbox from the empty folder that is left where its disk or share is away.

Pictures written there would be hidden, not kept, as soon as it is mounted again. The marker holds an id,
because such a folder may have one as well: of a first start at which nothing was mounted.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TypeAlias

from watcher.core.errors import DiskError

NAME = ".image-watcher.id"
_ABOUT = "By this file image-watcher knows its outbox. Leave it.\n"
_NO_MARKER = "is there, but not the marker in it"
_LONGEST = 200  # bytes that are read
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC

_Stamp: TypeAlias = tuple[int, int, int, int]


@dataclass(slots=True, eq=False)
class Marker:
    """Knows the outbox `root` by its `id`; "": not yet. `remember` is called when that changes."""

    root: Path
    id: str
    new_id: Callable[[], str]
    remember: Callable[[str], None]
    _seen: _Stamp | None = None
    _lock: Lock = field(default_factory=Lock)

    def require(self, root: int) -> None:
        """Raises DiskError where the open folder `root` is not the outbox. An emptied marker is made its own."""
        try:
            found = os.stat(NAME, dir_fd=root, follow_symlinks=False)
        except FileNotFoundError:
            raise self.away(_NO_MARKER) from None
        stamp = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
        if stamp != self._seen:
            with self._lock:
                self._recognise(root)
            self._seen = stamp

    def place(self, root: int) -> None:
        """Make a new outbox of the open folder `root`; one of somebody else is shared."""
        with self._lock:
            os.close(os.open(NAME, _WRITE, 0o664, dir_fd=root))
            self._recognise(root)

    def missing(self) -> DiskError | None:
        """What a look from beside says, that changes nothing."""
        if not self.root.is_dir():
            return self.away()
        return None if (self.root / NAME).exists() else self.away(_NO_MARKER)

    def away(self, why: str = "is not there") -> DiskError:
        made = f"truncate -s 0 {shlex.quote(str(self.root / NAME))}"
        return DiskError(
            f"The outbox is away: {self.root} {why}.",
            f"Mount its disk or share again. If this is to be the outbox from now on, run: mkdir -p {shlex.quote(str(self.root))} && {made}",
            code="disk_away",
        )

    def _recognise(self, root: int) -> None:
        found = _read(root)
        if found == self.id != "":
            return
        if found and self.id:
            raise self.away("has the marker of another one")
        self.id = found or self.new_id()
        if not found:
            _write(root, f"{self.id}\n{_ABOUT}".encode())
        self.remember(self.id)


def _read(root: int) -> str:
    with os.fdopen(os.open(NAME, _READ, dir_fd=root), "rb") as file:
        return file.read(_LONGEST).decode(errors="replace").partition("\n")[0].strip()


def _write(root: int, content: bytes) -> None:
    with os.fdopen(os.open(NAME, _WRITE, dir_fd=root), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.fsync(root)
