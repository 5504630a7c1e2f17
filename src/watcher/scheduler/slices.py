"""Working a slice: its items in a small sliding batch, no barrier, deferred ones due again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from watcher.core.errors import DiskError
from watcher.core.jobs import LaneKey, OpenItem, Problem, Scope, Slice
from watcher.scheduler.lanes import LaneHalted, Lanes, unanswered
from watcher.scheduler.rates import Turn
from watcher.scheduler.turns import NORMAL, Stopping, Turns
from watcher.work import Asked, Deferred, Delivered, Failed, Halted, Held, Outcome, Withdrawn, Work

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from watcher.ledger import HaltedLane, Ledger

_NEAR = 60.0  # seconds: shorter waits are waited for here, longer ones go back to the ledger
_ASIDE = 50  # deferred rows of one job that are waited for here; more, and no new ones are begun
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

    async def look_at_priorities(self) -> None:
        """Somebody may have given an order."""
        if not self._places:
            return
        views = self._ledger.views
        for job, priority in (
            await self._ledger.call(views.priorities, list(self._places))
        ).items():
            if (places := self._places.get(job)) is not None:
                places.priority = priority
            self.turns.prioritise(job, priority)

    def follow(self, ordered: Iterable[HaltedLane]) -> tuple[list[HaltedLane], list[str]]:
        """As `Lanes.follow`; who waits for a turn of a lane that is paused is sent away."""
        paused, opened = self.lanes.follow(ordered)
        for lane in paused:
            self._work.lane_halted(lane, fresh=True)
            self.turns.interrupt(LaneHalted(lane), lane.key)
        for key in opened:
            self._work.lane_reopened(key)
        return paused, opened

    async def disk_refused(self, problem: Problem, outbox: str) -> None:
        """A disk does not take what was paid for: until it does nobody pays for more who needs that `outbox`;
        nobody at all where it is "".
        """
        if outbox:
            await self._halt(LaneKey(account="", model="", outbox=outbox), problem, "outbox")
            return
        for name in {account.name for account in self._work.accounts.values()}:
            await self._halt(LaneKey(account=name, model=""), problem, "provider")

    async def disk_taken(self, outbox: str) -> None:
        """An outbox that had refused takes what was paid for."""
        await self._reopen(self.lanes.passed(LaneKey(account="", model="", outbox=outbox)))

    async def run_slice(self, slice_: Slice, drained: Callable[[], None]) -> float:
        """Work every open item of a slice; `drained` is called when all of them have started.

        Returns when the slice is due again, in seconds since the epoch, for rows of halted lanes.
        """
        due_again: list[float | LaneHalted] = []
        rows_open = await self._ledger.call(self._ledger.items.open_items, slice_)
        items = [self._work.judge.step(item) for item in rows_open]
        async with self._places_of(slice_) as places, asyncio.TaskGroup() as rows:
            for item in items:
                if item.pending is None and item.due_at > self._clock() + _NEAR:
                    continue
                await places.acquire_new()
                rows.create_task(self._run(item, places, due_again))
            drained()
        await self._put_off_others(slice_, due_again)
        return min(map(self._due, due_again), default=self._clock())

    async def _run(
        self, item: OpenItem, places: _Places, due_again: list[float | LaneHalted]
    ) -> None:
        """A row, step by step: its pictures, then what they are worth."""
        step = await self._step(item, places, due_again)
        while step is not None:
            await places.acquire()
            step = await self._step(step, places, due_again)

    async def _step(
        self, item: OpenItem, places: _Places, due_again: list[float | LaneHalted]
    ) -> OpenItem | None:
        """What is to be asked for next of the row, as far as that is up to this slice."""
        lane = self._work.lane(item)
        try:
            return await self._until_over(item, lane, places)
        except LaneHalted as halted:
            due_again.append(halted)
        except (Stopping, Withdrawn):
            due_again.append(0.0)
        except Exception:  # noqa: BLE001 - the border of this row's task: one broken row stops no other
            self.lanes.undecided(lane)
            if (failed := await self._work.broken(item)) is None:
                due_again.append(self._clock() + _BROKEN)
            else:
                self._on_change(item.job_id, failed.job_over)
        return None

    async def _until_over(self, item: OpenItem, lane: LaneKey, places: _Places) -> OpenItem | None:
        """The only loop: deferred → due again. Holds its place in the batch until its call has ended;
        a row that waits for its time holds none.

        After a good answer the next one need not wait for disks; after any other reply it waits until
        it is known what that means for the lane.
        """
        if item.due_at > self._clock():
            places.release()
            await self._wait_aside(item, places)
        while True:
            with ExitStack() as held:
                held.callback(places.release)
                outcome = await self._once(item, lane, held, places.priority)
                over = isinstance(outcome, Delivered | Failed) and outcome.job_over
                self._on_change(item.job_id, over)
                await self._note(lane, outcome)
            if not isinstance(outcome, Deferred):
                return await self._work.judge.next_step(item)
            if outcome.item.due_at > self._clock() + _NEAR:
                return None
            item = outcome.item
            await self._wait_aside(item, places)

    async def _once(self, item: OpenItem, lane: LaneKey, held: ExitStack, priority: int) -> Outcome:
        """What a row is paid for is there for its equals, also for those that are asked for at the moment."""
        async with self._work.reuse.sole(item) as (known, settlement):
            if settlement is not None:
                return await self._work.take_over(known, settlement)
            if (found := self._work.found_reply(known)) is not None:
                held.close()
                return await self._settled(found, lane)
            async with self._work.purse.afforded(known) as money:
                asked, turn = await self._ask(known, lane, held, money, priority)
                try:
                    outcome = await self._settled(asked, lane)
                finally:
                    self.turns.settled(turn)
                if isinstance(outcome, Deferred):
                    code, status = outcome.problem.code, outcome.status
                    self.turns.refused(turn, status=status, code=code, wait=outcome.rest)
                return outcome

    async def _settled(self, asked: Asked, lane: LaneKey) -> Outcome:
        return await self._work.settle(asked, outage=self.lanes.failing(lane))

    async def _ask(
        self, item: OpenItem, lane: LaneKey, held: ExitStack, money: Held, priority: int
    ) -> tuple[Asked, Turn]:
        """One call; its turn is to be told once its answer is settled."""
        probe = self.lanes.admit(lane)
        try:
            return await self._in_turn(item, lane, held, money, priority)
        except BaseException:
            if probe:
                self.lanes.unprobed(lane)
            raise

    async def _in_turn(
        self, item: OpenItem, lane: LaneKey, held: ExitStack, money: Held, priority: int
    ) -> tuple[Asked, Turn]:
        turn = await self.turns.enter(
            item.job_id, lane, inbox=item.inbox, priority=priority, images=item.images
        )
        held.callback(self.turns.leave, turn)
        try:
            self.turns.check()
            heard = partial(self.turns.heard, turn)
            asked = await self._work.ask(item, lane, held=money, on_end=held.close, on_head=heard)
        except BaseException:
            self.turns.unsent(turn)
            self.turns.settled(turn)
            raise
        if not asked.attempt:
            self.turns.unsent(turn)
        return asked, turn

    async def _note(self, lane: LaneKey, outcome: Outcome) -> None:
        """What one outcome tells about its lane."""
        match outcome:
            case Halted(problem=problem, scope=scope):
                raise LaneHalted(await self._halt(lane, problem, scope))
            case Failed(unanswered=True) | Deferred(unanswered=True):
                self.lanes.exhausted(lane)
                if self.lanes.failing(lane):
                    halted = await self._halt(lane, unanswered(outcome.problem), "provider")
                    raise LaneHalted(halted)
                self.lanes.undecided(lane)
            case Failed(sent=False):
                self.lanes.undecided(lane)
            case Delivered(sent=False):
                return
            case Delivered() | Failed(by_server=False):
                kept = isinstance(outcome, Delivered)
                await self._reopen(self.lanes.passed(lane, kept=kept))
            case Failed():
                self.lanes.exhausted(lane)
                self.lanes.undecided(lane)
            case Deferred():
                self.lanes.undecided(lane)

    async def _reopen(self, keys: Iterable[str]) -> None:
        for key in keys:
            with suppress(DiskError):  # while it stops: a new start probes at once
                await self._ledger.insist(self._ledger.lanes.reopen, key)
                await self._ledger.insist(self._ledger.items.wake)
            self._work.lane_reopened(key)
            self._on_lane()

    async def _halt(self, lane: LaneKey, problem: Problem, scope: Scope) -> HaltedLane:
        halted, fresh = self.lanes.halt(lane, problem, scope)
        with suppress(DiskError):  # halted all the same; a new start finds out by itself
            await self._ledger.call(self._ledger.lanes.halt, halted)
        self._work.lane_halted(halted, fresh=fresh)
        self._on_lane()
        self.turns.interrupt(LaneHalted(halted), halted.key)
        return halted

    async def _put_off_others(self, slice_: Slice, again: list[float | LaneHalted]) -> None:
        """A halted provider is met once, not by each of the 20,000 slices of a large job in turn."""
        met = {one.lane.key for one in again if isinstance(one, LaneHalted) and one.is_for_all}
        if shut := [key for key in met if self.lanes.is_halted(key)]:
            until = min(map(self.lanes.closed_until, shut))
            with suppress(DiskError):  # while it stops
                await self._ledger.insist(self._ledger.items.put_off, slice_.inbox, until=until)

    def _due(self, again: float | LaneHalted) -> float:
        """Rows that were sent away are due as their lane stands now: it may have reopened since, or a probe
        may have been ordered.
        """
        return self.lanes.closed_until(again.lane.key) if isinstance(again, LaneHalted) else again

    async def _wait_aside(self, item: OpenItem, places: _Places) -> None:
        """Until a row is due again and has a place; it comes without one."""
        async with places.aside:
            if (wait := item.due_at - self._clock()) > 0:
                await self.turns.pause(min(wait, _NEAR))  # clocks jump
        await places.acquire()

    @asynccontextmanager
    async def _places_of(self, slice_: Slice) -> AsyncIterator[_Places]:
        """The batch of a job, shared by all of its slices that are open at once."""
        places = self._places.setdefault(slice_.job_id, _Places(self._batch_size(slice_.inbox)))
        places.slices += 1
        places.priority = slice_.priority
        try:
            yield places
        finally:
            places.slices -= 1
            if not places.slices:
                del self._places[slice_.job_id]


class _Places(asyncio.Semaphore):
    """The batch of one job; beside it the rows that were deferred, so many at most."""

    slices = 0
    priority = NORMAL

    def __init__(self, batch_size: int) -> None:
        super().__init__(batch_size)
        self.aside = asyncio.Semaphore(_ASIDE)

    async def acquire_new(self) -> None:
        """A place for a row that was not asked for yet: there is none while too many were deferred."""
        async with self.aside:
            await self.acquire()
