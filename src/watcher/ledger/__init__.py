"""The one memory: jobs, rows, slices, attempts, claims and lanes. What it returns from is on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from watcher.ledger.claims import Claim, Claims
from watcher.ledger.codec import dump
from watcher.ledger.database import open_database
from watcher.ledger.inboxes import Inboxes
from watcher.ledger.items import Items
from watcher.ledger.jobs import SLICE_ROWS, Acceptance, Earlier, Jobs, NewJob, NewRow
from watcher.ledger.lanes import HaltedLane, Lanes
from watcher.ledger.orders import Orders
from watcher.ledger.refused import RefusedParameter, RefusedParameters
from watcher.ledger.views import Views

__all__ = [
    "SLICE_ROWS",
    "Acceptance",
    "Claim",
    "Earlier",
    "HaltedLane",
    "Ledger",
    "NewJob",
    "NewRow",
    "RefusedParameter",
    "dump",
]

P = ParamSpec("P")
T = TypeVar("T")


class Ledger:
    """Every table, by what it is about. Methods are whole transactions and may be called from any thread."""

    def __init__(self, state_dir: Path) -> None:
        """Raises LedgerError where the database cannot be used."""
        database = open_database(state_dir)
        self.claims = Claims(database)
        self.jobs = Jobs(database)
        self.items = Items(database)
        self.inboxes = Inboxes(database)
        self.lanes = Lanes(database)
        self.orders = Orders(database)
        self.refused = RefusedParameters(database)
        self.views = Views(database)
        self._database = database
        self._thread = ThreadPoolExecutor(1, "ledger")

    async def call(self, method: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """One of the methods, on the ledger's own thread, so that no disk holds up the calls."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, partial(method, *args, **kwargs))

    def close(self) -> None:
        self._thread.shutdown()
        self._database.close()
