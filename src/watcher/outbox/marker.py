"""The marker that tells an outbox from the empty folder that is left where its disk or share is away.

Pictures written there would be hidden, not kept, as soon as it is mounted again. The marker holds an id,
because such a folder may have one as well: of a first start at which nothing was mounted.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TypeAlias

from watcher.core.errors import DiskError
from watcher.outbox.descriptors import READ, sync_folder, written

NAME = ".image-watcher.id"
_ABOUT = "By this file image-watcher knows its outbox. Leave it.\n"
_NO_MARKER = "is there, but not the marker in it"
_ANOTHER = "has the marker of another one"
_NO_FILE = f"has something that is no file in place of its marker {NAME}"
_LONGEST = 200  # bytes that are read

_Stamp: TypeAlias = tuple[int, int, int, int]


@dataclass(slots=True, eq=False)
class Marker:
    """Knows the outbox `root` by its `id`; "": it is new. `remember` is called when that changes."""

    root: Path
    id: str
    new_id: Callable[[], str]
    remember: Callable[[str], None]
    _seen: _Stamp | None = None
    _made: str = ""  # an id that was written, and is not remembered yet
    _lock: Lock = field(default_factory=Lock)

    def require(self, root: int) -> None:
        """Raises DiskError, or OSError, where the open folder `root` is not the outbox.

        A new outbox gets its marker, but where it has one: then it is shared. So does one whose marker
        was emptied on purpose.
        """
        stamp = _stamp(root)
        if stamp is None or stamp != self._seen:
            with self._lock:
                self._recognise(root)
            self._seen = stamp

    def missing(self) -> DiskError | None:
        """What a look from beside says, that changes nothing."""
        try:
            root = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            return self.away()
        try:
            self._expect(_read(root))
        except DiskError as error:
            return error
        finally:
            os.close(root)
        return None

    def away(self, why: str = "is not there") -> DiskError:
        folder, marker = (shlex.quote(str(path)) for path in (self.root, self.root / NAME))
        return DiskError(
            f"The outbox is away: {self.root} {why}.",
            f"Mount its disk or share again. If this is to be the outbox from now on, run: mkdir -p {folder} && truncate -s 0 {marker}",
            code="disk_away",
        )

    def _recognise(self, root: int) -> None:
        found = _read(root)
        if found == self.id != "":
            return
        self._expect(found)
        if not found:
            self._made = self._made or self.new_id()
            written(root, NAME, [f"{self._made}\n{_ABOUT}".encode()])
            sync_folder(root)
        new = found or self._made
        self.remember(new)
        self.id, self._made = new, ""

    def _expect(self, found: str | None) -> None:
        """`found`: the id in a marker, "" in an emptied one; None: there is none."""
        if found == _NO_FILE:
            raise self.away(_NO_FILE)
        if found is None and self.id:
            raise self.away(_NO_MARKER)
        if found and self.id and found not in {self.id, self._made}:
            raise self.away(_ANOTHER)


def _stamp(root: int) -> _Stamp | None:
    try:
        found = os.stat(NAME, dir_fd=root, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _read(root: int) -> str | None:
    try:
        marker = os.open(NAME, READ, dir_fd=root)
    except FileNotFoundError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(marker).st_mode):
            return _NO_FILE
        return os.read(marker, _LONGEST).decode(errors="replace").partition("\n")[0].strip()
    finally:
        os.close(marker)
