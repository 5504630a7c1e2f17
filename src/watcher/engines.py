"""Who works on which slice. This engine: one process, the ledger beside it, no leases."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import TypeAlias

from watcher.core.errors import DiskError
from watcher.core.jobs import Slice
from watcher.core.log import Log
from watcher.ledger import Ledger

WorkSlice: TypeAlias = Callable[[Slice, Callable[[], None]], Awaitable[float]]

_OPEN_JOBS = 64  # jobs that compete for turns at once; the others follow in the order they came
_BROKEN = 300.0  # seconds before a slice is handed out again that met a fault of our own
_LONGEST_SLEEP = 30.0  # seconds: clocks jump, so due times are looked at again


class LocalEngine:
    """Hands out slices of this process's own ledger: of each job the next one when the last has started."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        clock: Callable[[], float],
        log: Log,
        inboxes: Collection[str] | None = None,
        closed_until: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """`clock` tells seconds since the epoch. `inboxes`: jobs of others wait until these are served.
        `closed_until`: nothing can be asked for before then, so that nothing is handed out.
        """
        self._closed_until = closed_until
        self._ledger = ledger
        self._log = log
        self._inboxes = inboxes
        self._clock = clock
        self._wake = asyncio.Event()
        self._feeding: dict[str, Slice] = {}  # by job: the slice whose rows are being started
        self._working = 0
        self._stopping = False
        self.idle = asyncio.Event()

    def submit(self) -> None:
        """There is something new to do, or something may go on."""
        self._wake.set()

    def stop(self) -> None:
        """Hand out no more; `run` returns when what is out has come back."""
        self._stopping = True
        self._wake.set()

    async def reconcile(self) -> None:
        """At start: whatever the ledger says is being worked on, is not."""
        await self._ledger.insist(self._ledger.items.reconcile)

    async def run(self, work: WorkSlice, *, only: str | None = None) -> None:
        """Until `stop`; `only`: slices of one job alone."""
        async with asyncio.TaskGroup() as slices:
            while not self._stopping:
                self._wake.clear()
                for slice_ in await self._take(only):
                    self._feeding[slice_.job_id] = slice_
                    self._working += 1
                    slices.create_task(self._one(slice_, work))
                if not self._working:
                    self.idle.set()
                await self._until_due(only)

    async def _take(self, only: str | None) -> list[Slice]:
        if self._closed_until() > self._clock():
            return []
        room = _OPEN_JOBS - len(self._feeding)
        try:
            if room > 0:
                taken = await self._slices(only, room, self._inboxes)
            else:
                taken = await self._beside(only)
        except DiskError:  # while it stops
            return []
        if taken:
            self.idle.clear()
        return taken

    async def _beside(self, only: str | None) -> list[Slice]:
        """Beyond the jobs that are open: for inboxes of which none is, and for what is more urgent."""
        open_ = self._feeding.values()
        none = set(self._inboxes or ()) - {slice_.inbox for slice_ in open_}
        if none and (taken := await self._slices(only, len(none), none)):
            return taken
        room = 2 * _OPEN_JOBS - len(self._feeding)
        least = max(slice_.priority for slice_ in open_)
        return await self._slices(only, room, self._inboxes, above=least) if room > 0 else []

    async def _slices(
        self,
        only: str | None,
        most: int,
        inboxes: Collection[str] | None,
        above: int = 4,
    ) -> list[Slice]:
        return await self._ledger.insist(
            self._ledger.items.take_slices,
            now=self._clock(), most=most, without=tuple(self._feeding), only=only,
            inboxes=inboxes, above=above,
        )  # fmt: skip

    async def _one(self, slice_: Slice, work: WorkSlice) -> None:
        def drained() -> None:
            if self._feeding.get(slice_.job_id) is slice_:
                del self._feeding[slice_.job_id]
                self._wake.set()

        try:
            due_at = await work(slice_, drained)
        except Exception:  # noqa: BLE001 - the border of this slice's task: one broken slice stops no other
            self._log.exception("slice.broken", job=slice_.job_id, first=slice_.first)
            due_at = self._clock() + _BROKEN
        with suppress(DiskError):  # while it stops: the next start reconciles
            await self._ledger.insist(
                self._ledger.items.release, slice_, due_at=due_at, now=self._clock()
            )
        self._working -= 1
        drained()
        self._wake.set()

    async def _until_due(self, only: str | None) -> None:
        if self._stopping:
            return
        wait = _LONGEST_SLEEP
        if (closed := self._closed_until() - self._clock()) > 0:
            wait = closed
        elif len(self._feeding) < _OPEN_JOBS:
            items = self._ledger.items
            try:
                due = await self._ledger.insist(
                    items.next_due, without=tuple(self._feeding), only=only, inboxes=self._inboxes
                )
            except DiskError:  # while it stops
                return
            wait = _LONGEST_SLEEP if due is None else max(due - self._clock(), 0.01)
        try:
            async with asyncio.timeout(min(wait, _LONGEST_SLEEP)):
                await self._wake.wait()
        except TimeoutError:
            return
