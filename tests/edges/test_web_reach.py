"""Looking into folders that may hang, from the loop."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from watcher.core.errors import DiskError
from watcher.web.reach import Reach

HERE, THERE = Path("/here"), Path("/there")


def test_a_folder_that_hangs_is_told_and_holds_up_no_other() -> None:
    """However many look into it: each is told, what waited behind others is never begun, and others are answered."""
    asyncio.run(_many_look())


async def _many_look() -> None:
    reach, go, begun = Reach(patience=0.2), threading.Event(), []

    def hang() -> bool:
        begun.append(1)
        return go.wait(30)

    looks = [asyncio.create_task(reach.into(HERE, hang)) for _ in range(50)]
    assert await reach.into(THERE, lambda: "found") == "found"
    for look in looks:
        with pytest.raises(DiskError, match="does not answer: /here"):
            await look
    assert reach.hangs(HERE)
    assert not reach.hangs(THERE)
    go.set()
    assert await reach.throughout(HERE, lambda: "found") == "found"
    assert await reach.into(HERE, lambda: "found") == "found"
    assert not reach.hangs(HERE)
    assert len(begun) < len(looks)


def test_what_is_to_be_finished_is() -> None:
    """`throughout` waits longer than others would, and gives what it did."""
    asyncio.run(_finish())


async def _finish() -> None:
    reach, go = Reach(patience=0.01), threading.Event()
    doing = asyncio.create_task(reach.throughout(HERE, lambda: go.wait(30)))
    with pytest.raises(DiskError):
        await reach.into(HERE, lambda: go.wait(30))
    go.set()
    assert await doing
