"""What goes by the clock while the daemon watches, with the clock that it goes by."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

from watcher.core.log import Log
from watcher.daemon.retention import Retention
from watcher.daemon.rooms import inputs_folder
from watcher.daemon.schedules import Schedules
from watcher.daemon.serving import Serving
from watcher.daemon.sides import Side
from watcher.ledger import Ledger
from watcher.settings import Settings


def clocked(
    settings: Callable[[], Settings], ledger: Ledger, serving: Mapping[str, Serving], log: Log
) -> tuple[Side, ...]:
    """Drops by the clock, and what is kept no longer."""
    folders = {name: one.folder for name, one in serving.items()}
    schedules = Schedules(
        settings=settings,
        ledger=ledger,
        folders=folders,
        clock=time.time,
        sleep=asyncio.sleep,
        log=log,
    )
    retention = Retention(
        settings=settings,
        ledger=ledger,
        folders=folders,
        inputs=inputs_folder(settings().state_dir),
        clock=time.time,
        sleep=asyncio.sleep,
        log=log,
    )
    return schedules, retention
