"""Room on the disks is looked at before a call is paid for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.edges.inbox_room import Clock

from watcher.core.errors import DiskError
from watcher.outbox import Outbox
from watcher.work import Place
from watcher.work.room import Room


class Disk:
    """Has room until it is `full`."""

    full = False

    def require(self, folder: Path, *, prove: bool = False) -> None:
        del prove
        if self.full:
            raise DiskError(f"The disk of {folder} is full.", "Make room.")


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as made:
        yield made


def test_a_share_that_hangs_is_away(tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    """A look that does not come back keeps nobody waiting: the outbox is away, and no others."""
    go = threading.Event()

    class Hanging(Disk):
        def require(self, folder: Path, *, prove: bool = False) -> None:
            del folder, prove
            go.wait(10)

    places = {"main": Place(outbox=Outbox(tmp_path), disk=threads)}
    room = Room(replies=tmp_path, places=places, space=Hanging(), clock=Clock(), patience=0.05)
    refusal = asyncio.run(room.lacking("main"))
    go.set()
    assert refusal is not None
    assert (refusal.code, refusal.scope) == ("disk_away", "outbox")


def test_a_clock_that_goes_back_does_not_stop_the_looking(
    tmp_path: Path, threads: ThreadPoolExecutor
) -> None:
    """A look counts for a second, and not until a clock that was set back an hour has caught up."""
    clock, disk = Clock(), Disk()
    places = {"main": Place(outbox=Outbox(tmp_path), disk=threads)}
    room = Room(replies=tmp_path, places=places, space=disk, clock=clock)
    assert asyncio.run(room.lacking("main")) is None
    disk.full = True
    assert asyncio.run(room.lacking("main")) is None
    clock.now -= 3600
    refusal = asyncio.run(room.lacking("main"))
    assert refusal is not None
    assert refusal.code == "disk_full"
