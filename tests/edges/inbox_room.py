"""An inbox of its own for a test: a real folder, its scanner, and a clock that the test turns."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from watcher.inbox.ears import Heard
from watcher.inbox.marker import prepare
from watcher.inbox.scan import Scanner
from watcher.inbox.snapshot import Snapshot
from watcher.inbox.values import Drop, Identity, InboxFolder, Sighting

PLAIN = InboxFolder(
    name="products",
    path=Path("inbox"),
    extensions=frozenset({".csv", ".json", ".prompt"}),
    max_file_bytes=10**6,
)
NOBODY = 65534


ODD_NAMES = [
    b"a" * 251 + b".csv",
    b"caf\xe9.csv",
    b"\xff\xfe.csv",
    "café.csv".encode(),
    "cafe\u0301.csv".encode(),
    b"two\nlines.csv",
    b"quo'te\".csv",
    b"-rf.csv",
    b"spa ce .csv",
    b"\x1b[31m.csv",
    "\u202egpj.csv".encode(),
    b"a.CSV",
    b"$(reboot).csv",
    b"*.csv",
]


class Clock:
    """Seconds, as the test says."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Room:
    """The inbox is `base/inbox`, set as `folder` says."""

    def __init__(self, base: Path, folder: InboxFolder = PLAIN) -> None:
        self.base = base
        self.path = base / "inbox"
        self.path.mkdir()
        self.folder = replace(folder, path=self.path)
        prepare(self.folder, known=False, new_id="id-1")
        self.clock = Clock()
        self.scanner = Scanner(self.folder, clock=self.clock)

    def drop(self, name: str, content: str = "prompt\na cat\n") -> Path:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        return file

    def look(self, after: float = 0.0, *, least: int = 0) -> Sighting:
        self.clock.now += after
        return self.scanner.look(least=least)

    def ready(self, after: float = 0.0) -> list[bytes]:
        return [drop.path for drop in self.look(after).ready]

    def seen(self, name: str, content: str = "prompt\na cat\n") -> Drop:
        """Drop a file and wait until it is named ready."""
        self.drop(name, content)
        self.look()
        path = os.fsencode(name)
        return next(drop for drop in self.look(60).ready if drop.path == path)

    def files(self) -> set[str]:
        """Every file in the inbox, our own bookkeeping left out."""
        ours = (".image-watcher/inbox.id", ".image-watcher/lock", ".image-watcher/probe")
        found = {
            str(file.relative_to(self.path)) for file in self.path.rglob("*") if file.is_file()
        }
        return found - set(ours)


class DeafEars:
    """Ears that hear nothing and do not know it."""

    made = 0

    def __init__(self, root: Path, heard: Heard) -> None:
        del root, heard
        type(self).made += 1

    def listen(self, folders: Mapping[bytes, Identity]) -> bool:
        return not folders

    def alive(self) -> bool:
        return True

    def close(self) -> None:
        return None


@contextmanager
def as_nobody() -> Iterator[Path]:
    """An open folder, for what is done in the block as a user that owns nothing (`os.seteuid`); root only."""
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    with tempfile.TemporaryDirectory(dir="/tmp") as base:
        Path(base).chmod(0o777)
        try:
            yield Path(base)
        finally:
            os.seteuid(0)


def open_to_all(room: Room) -> None:
    """Let a user that owns nothing into an inbox that root prepared."""
    for path in (room.path, *room.path.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)


def bytes_of(copy: Snapshot) -> bytes:
    """All bytes of a snapshot, wherever it holds them."""
    with copy.open() as stream:
        return stream.read()
