"""How the work ends: what is paid for is waited for, and only that."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Mapping

from watcher.api import LONGEST_CALL
from watcher.scheduler import Scheduler
from watcher.work import Account, Work

GRACE = LONGEST_CALL + 15.0  # seconds that calls in flight get to end: they are paid for
END = 5.0  # seconds that the process gets to end once its daemon has
_LOOK = 0.1  # seconds between two looks whether they have ended


async def calls_end(scheduler: Scheduler, work: Work, working: asyncio.Task[None]) -> None:
    """Until no call is in flight and what they brought is fetched, from addresses that end; or `working` is."""
    loop = asyncio.get_running_loop()
    until = loop.time() + GRACE
    while (scheduler.turns.in_flight or work.is_fetching) and not (
        working.done() or loop.time() > until
    ):
        await asyncio.wait({working}, timeout=_LOOK)


async def close_accounts(accounts: Mapping[str, Account]) -> None:
    """Give their connections back."""
    for account in {id(each): each for each in accounts.values()}.values():
        await account.api.aclose()


def end_within(seconds: float, code: int) -> None:
    """All is said and written down: threads that hang on a dead disk are not waited for."""
    timer = threading.Timer(seconds, os._exit, [code])
    timer.daemon = True
    timer.start()
