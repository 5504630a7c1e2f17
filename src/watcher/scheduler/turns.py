"""Whose call is next: as many in flight as allowed, fair between jobs whatever their size."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from contextlib import suppress

from watcher.core.jobs import LaneKey


class Stopping(Exception):  # noqa: N818 - a state, not a fault
    """No new calls: the daemon is stopping."""


class Turns:
    """A turn is the right to have one call in flight.

    When one becomes free it goes to the waiting job with the fewest calls in flight, and among
    those to the one that has waited longest since its last turn: one row dropped behind 5,000
    is next. A lane that rests (Retry-After) gives no turns until it may.
    """

    def __init__(self, concurrency: int) -> None:
        self.concurrency = concurrency
        self._in_flight: dict[str, int] = defaultdict(int)
        self._served: dict[str, int] = {}
        self._count = 0
        self._waiting: dict[str, deque[tuple[LaneKey, asyncio.Future[None]]]] = defaultdict(deque)
        self._resting: dict[str, float] = {}
        self._stopped = asyncio.Event()

    @property
    def in_flight(self) -> int:
        return sum(self._in_flight.values())

    async def enter(self, job: str, lane: LaneKey) -> None:
        """Wait for a turn. Raises Stopping, or what `interrupt` says, instead of giving one."""
        self.check()
        # New among those that wait: behind who has waited longer, before who was served just now.
        self._served.setdefault(job, self._count - 1)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (lane, turn)
        self._waiting[job].append(entry)
        self._give()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.leave(job)
            raise
        finally:
            self._forget(job, entry)

    def leave(self, job: str) -> None:
        self._in_flight[job] -= 1
        if not self._in_flight[job]:
            del self._in_flight[job]
            if job not in self._waiting:
                self._served.pop(job, None)
        self._give()

    def check(self) -> None:
        """Raises Stopping once the daemon stops."""
        if self._stopped.is_set():
            raise Stopping

    def rest(self, lane: LaneKey, seconds: float) -> None:
        """Give this lane no turns for that long."""
        loop = asyncio.get_running_loop()
        until = max(self._resting.get(str(lane), 0.0), loop.time() + seconds)
        self._resting[str(lane)] = until
        loop.call_at(until + 0.001, self._give)  # timers may fire a little early

    def interrupt(self, error: Exception, key: str = "") -> None:
        """Send everybody away who waits for a turn (of the lanes that `key` names); they get `error`."""
        for entries in list(self._waiting.values()):
            for lane, turn in list(entries):
                if not turn.done() and key in ("", lane.account, str(lane)):
                    turn.set_exception(error)

    def stop(self) -> None:
        """No new turns; those in flight go on."""
        self._stopped.set()
        self.interrupt(Stopping())

    async def pause(self, seconds: float) -> None:
        """Let time pass. Raises Stopping as soon as the daemon stops."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopped.wait()
                raise Stopping

    def resize(self, concurrency: int) -> None:
        self.concurrency = concurrency
        self._give()

    def _give(self) -> None:
        while self.in_flight < self.concurrency:
            job = min(self._ready_jobs(), key=self._rank, default=None)
            if job is None:
                return
            turn = next(t for lane, t in self._waiting[job] if self._may(lane, t))
            self._count += 1
            self._served[job] = self._count
            self._in_flight[job] += 1
            turn.set_result(None)

    def _ready_jobs(self) -> list[str]:
        return [
            job
            for job, entries in self._waiting.items()
            if any(self._may(lane, turn) for lane, turn in entries)
        ]

    def _may(self, lane: LaneKey, turn: asyncio.Future[None]) -> bool:
        now = asyncio.get_running_loop().time()
        return not turn.done() and self._resting.get(str(lane), 0.0) <= now

    def _rank(self, job: str) -> tuple[int, int]:
        return self._in_flight.get(job, 0), self._served.get(job, 0)

    def _forget(self, job: str, entry: tuple[LaneKey, asyncio.Future[None]]) -> None:
        entries = self._waiting[job]
        entries.remove(entry)
        if not entries:
            del self._waiting[job]
            if job not in self._in_flight:
                self._served.pop(job, None)
