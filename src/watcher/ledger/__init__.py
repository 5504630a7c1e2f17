"""The one memory: jobs, rows, slices, attempts, claims and lanes. What it returns from is on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from watcher.core.errors import DiskError
from watcher.ledger.alerts import Alerts, EndedJob
from watcher.ledger.choices import CalmFolder, ChoiceFolder, Choices, ChosenPicture, Redo, RedoRow
from watcher.ledger.claims import Claim, Claims
from watcher.ledger.codec import dump
from watcher.ledger.companions import Companion, Companions
from watcher.ledger.costs import Cost, Costs
from watcher.ledger.database import open_database
from watcher.ledger.figures import Figures, Pace, Totals
from watcher.ledger.folders import Folders
from watcher.ledger.incoming import Incoming
from watcher.ledger.items import Items
from watcher.ledger.jobs import SLICE_ROWS, Acceptance, Earlier, Jobs, NewJob, NewRow
from watcher.ledger.lanes import AT_ONCE, HaltedLane, Lanes
from watcher.ledger.orders import Orders
from watcher.ledger.paid import Paid, PaidRow
from watcher.ledger.posts import Post, Posts
from watcher.ledger.refused import RefusedParameter, RefusedParameters
from watcher.ledger.renditions import DuePicture, Renditions
from watcher.ledger.retention import Retention
from watcher.ledger.schedules import Scheduled, Schedules
from watcher.ledger.verdicts import Verdicts
from watcher.ledger.views import Views

__all__ = [
    "AT_ONCE",
    "SLICE_ROWS",
    "Acceptance",
    "CalmFolder",
    "ChoiceFolder",
    "ChosenPicture",
    "Claim",
    "Companion",
    "Cost",
    "DuePicture",
    "Earlier",
    "EndedJob",
    "HaltedLane",
    "Incoming",
    "Ledger",
    "NewJob",
    "NewRow",
    "Pace",
    "PaidRow",
    "Post",
    "Redo",
    "RedoRow",
    "RefusedParameter",
    "Scheduled",
    "Totals",
    "dump",
]

_DISK_WAIT = 5.0  # seconds between tries while the disk refuses

P = ParamSpec("P")
T = TypeVar("T")


class Ledger:
    """Every table, by what it is about. Methods are whole transactions and may be called from any thread."""

    def __init__(self, state_dir: Path, *, upgrade: bool = False) -> None:
        """`upgrade`: see `open_database`. Raises LedgerError where the database cannot be used."""
        database = open_database(state_dir, upgrade=upgrade)
        self.upgraded = database.upgraded
        self.alerts = Alerts(database)
        self.claims = Claims(database)
        self.costs = Costs(database)
        self.jobs = Jobs(database)
        self.items = Items(database)
        self.companions = Companions(database)
        self.figures = Figures(database)
        self.folders = Folders(database)
        self.lanes = Lanes(database)
        self.orders = Orders(database)
        self.paid = Paid(database)
        self.posts = Posts(database)
        self.refused = RefusedParameters(database)
        self.retention = Retention(database)
        self.schedules = Schedules(database)
        self.choices = Choices(database)
        self.renditions = Renditions(database)
        self.verdicts = Verdicts(database)
        self.views = Views(database)
        self._database = database
        self._thread = ThreadPoolExecutor(1, "ledger")
        self._hurried = asyncio.Event()

    def incoming(self, job: NewJob) -> Incoming:
        """The way in of one drop's rows."""
        return Incoming(self._database, self.jobs, job)

    async def call(self, method: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """One of the methods, on the ledger's own thread, so that no disk holds up the calls."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, partial(method, *args, **kwargs))

    async def insist(self, method: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As `call`, again and again while the disk refuses: what cannot go on without it waits here.

        Raises DiskError only once `hurry` was called.
        """
        while True:
            try:
                return await self.call(method, *args, **kwargs)
            except DiskError:
                if self._hurried.is_set():
                    raise
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._hurried.wait(), _DISK_WAIT)

    def hurry(self) -> None:
        """The daemon stops: whoever insists tries once more and no longer. The next start finds it as it was."""
        self._hurried.set()

    def close(self) -> None:
        self._thread.shutdown()
        self._database.close()
