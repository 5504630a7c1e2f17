"""What cannot go on without the ledger waits for its disk, until the daemon stops."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from watcher.core.errors import DiskError
from watcher.ledger import Ledger


class Disk:
    """Refuses as often as a test says."""

    def __init__(self, refusals: float) -> None:
        self.refusals = refusals
        self.asked = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def write(self) -> str:
        self._loop.call_soon_threadsafe(self.asked.set)
        self.refusals -= 1
        if self.refusals >= 0:
            raise DiskError("The disk is full.", "Make room.")
        return "written"


def test_it_is_tried_again(tmp_path: Path) -> None:
    """A disk that takes it in the end gives its answer."""

    async def test() -> None:
        ledger = Ledger(tmp_path)
        assert await asyncio.wait_for(ledger.insist(Disk(1).write), 60) == "written"
        ledger.close()

    asyncio.run(test())


def test_a_stop_is_heard(tmp_path: Path) -> None:
    """Who waits for a disk that never takes it gets its refusal as soon as the daemon stops, and so does who comes later."""

    async def test() -> None:
        ledger, disk = Ledger(tmp_path), Disk(float("inf"))
        insisting = asyncio.create_task(ledger.insist(disk.write))
        await asyncio.wait_for(disk.asked.wait(), 60)
        assert not insisting.done()
        ledger.hurry()
        for waiting in (insisting, ledger.insist(disk.write)):
            with pytest.raises(DiskError):
                await asyncio.wait_for(waiting, 60)
        assert await ledger.insist(Disk(0).write) == "written"
        ledger.close()

    asyncio.run(test())
