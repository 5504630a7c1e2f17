"""What goes on beside the way of a drop: looks, clocks, pages. None of it may stop the daemon."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from watcher.core.log import Log

_AGAIN = 60.0  # seconds before a side is begun anew that met a fault of our own


class Side(Protocol):
    """One task of its own. It ends by being cancelled, and puts its own things in order then."""

    async def run(self) -> None:
        """Until cancelled."""


async def run_sides(sides: Sequence[Side], log: Log) -> None:
    """All of them at once, until cancelled."""
    async with asyncio.TaskGroup() as tasks:
        for side in sides:
            tasks.create_task(_keep_up(side, log))


async def _keep_up(side: Side, log: Log) -> None:
    name = type(side).__name__
    while True:
        try:
            await side.run()
        except Exception:
            log.exception("side.broken", side=name)
        else:
            return
        await asyncio.sleep(_AGAIN)
