"""Working a slice: its items in a small sliding batch, no barrier, deferred ones due again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from watcher.core.jobs import LaneKey, OpenItem, Slice
from watcher.scheduler.lanes import LaneHalted, Lanes
from watcher.scheduler.turns import Stopping, Turns
from watcher.work import Asked, Deferred, Delivered, Failed, Halted, Outcome, Withdrawn, Work

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from watcher.ledger import Ledger

_NEAR = 60.0  # seconds: shorter waits are waited for here, longer ones go back to the ledger
_BROKEN = 300.0  # seconds before a row is taken up again that met a fault of our own


class Scheduler:
    """What runs next, within `limits.concurrency`, the jobs' batch sizes and the lanes' states."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        work: Work,
        turns: Turns,
        lanes: Lanes,
        batch_size: Callable[[str], int],
        on_change: Callable[[str, bool], None],
        on_lane: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        """`batch_size` of an inbox; `on_change(job, job_over)` is told of every settled item, `on_lane()` of
        every lane that halts or reopens.
        """
        self.turns = turns
        self.lanes = lanes
        self._ledger = ledger
        self._work = work
        self._batch_size = batch_size
        self._on_change = on_change
        self._on_lane = on_lane
        self._clock = clock
        self._places: dict[str, _Places] = {}
        # Replies that wait to be decoded and saved: bounded, so that a slow outbox slows the calls.
        self._unsettled = asyncio.Semaphore(turns.concurrency + 4)

    async def run_slice(self, slice_: Slice, drained: Callable[[], None]) -> float:
        """Work every open item of a slice; `drained` is called when all of them have started.

        Returns when the slice is due again, in seconds since the epoch, for rows of halted lanes.
        """
        due_again: list[float] = []
        items = await self._ledger.call(self._ledger.items.open_items, slice_)
        async with self._places_of(slice_) as places, asyncio.TaskGroup() as rows:
            for item in items:
                if item.pending is None and item.due_at > self._clock() + _NEAR:
                    continue
                await places.acquire()
                rows.create_task(self._run(item, places, due_again))
            drained()
        return min(due_again, default=self._clock())

    async def _run(self, item: OpenItem, places: asyncio.Semaphore, due_again: list[float]) -> None:
        lane = self._work.lane(item)
        try:
            await self._until_final(item, lane, places)
        except LaneHalted as halted:
            due_again.append(halted.probe_at)
        except (Stopping, Withdrawn):
            due_again.append(0.0)
        except Exception:  # noqa: BLE001 - the border of this row's task: one broken row stops no other
            self.lanes.undecided(lane)
            self._work.broken(item)
            due_again.append(self._clock() + _BROKEN)

    async def _until_final(self, item: OpenItem, lane: LaneKey, places: asyncio.Semaphore) -> None:
        """The only loop: deferred → due again. Holds its place in the batch until a reply is there."""
        while True:
            try:
                await self._wait_until(item.due_at)
                asked = await self._ask(item, lane)
            finally:
                places.release()
            try:
                outcome = await self._work.settle(asked, outage=self.lanes.failing(lane))
            finally:
                self._unsettled.release()
            over = isinstance(outcome, Delivered | Failed) and outcome.job_over
            self._on_change(item.job_id, over)
            await self._note(lane, outcome)
            if not isinstance(outcome, Deferred) or outcome.item.due_at > self._clock() + _NEAR:
                return
            item = outcome.item
            await places.acquire()

    async def _ask(self, item: OpenItem, lane: LaneKey) -> Asked:
        """One call, or the reply of an earlier one that is on disk. Leaves one `_unsettled` taken."""
        if (found := self._work.found_reply(item)) is not None:
            await self._unsettled.acquire()
            return found
        probe = self.lanes.admit(lane)
        await self._unsettled.acquire()
        try:
            return await self._in_turn(item, lane)
        except BaseException:
            self._unsettled.release()
            if probe:
                self.lanes.unprobed(lane)
            raise

    async def _in_turn(self, item: OpenItem, lane: LaneKey) -> Asked:
        await self.turns.enter(item.job_id, lane)
        try:
            return await self._work.ask(item, lane)
        finally:
            self.turns.leave(item.job_id)

    async def _note(self, lane: LaneKey, outcome: Outcome) -> None:
        """What one outcome tells about its lane."""
        match outcome:
            case Halted(problem=problem, scope=scope):
                halted, fresh = self.lanes.halt(lane, problem, scope)
                await self._ledger.call(self._ledger.lanes.halt, halted)
                self._work.lane_halted(halted, fresh=fresh)
                self._on_lane()
                self.turns.interrupt(LaneHalted(halted), halted.key)
                raise LaneHalted(halted)
            case Delivered() | Failed(by_server=False):
                for key in self.lanes.passed(lane):
                    await self._ledger.call(self._ledger.lanes.reopen, key)
                    await self._ledger.call(self._ledger.items.wake)
                    self._work.lane_reopened(key)
                    self._on_lane()
            case Failed():
                self.lanes.exhausted(lane)
                self.lanes.undecided(lane)
            case Deferred(rest=rest):
                self.lanes.undecided(lane)
                if rest:
                    self.turns.rest(lane, rest)

    async def _wait_until(self, due_at: float) -> None:
        if (wait := due_at - self._clock()) > 0:
            await self.turns.pause(wait)

    @asynccontextmanager
    async def _places_of(self, slice_: Slice) -> AsyncIterator[_Places]:
        """The batch of a job, shared by all of its slices that are open at once."""
        places = self._places.setdefault(slice_.job_id, _Places(self._batch_size(slice_.inbox)))
        places.slices += 1
        try:
            yield places
        finally:
            places.slices -= 1
            if not places.slices:
                del self._places[slice_.job_id]


class _Places(asyncio.Semaphore):
    slices = 0
