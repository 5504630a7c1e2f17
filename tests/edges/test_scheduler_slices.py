"""Slices at work: real ledger, real loop, a clock that stands still, and a provider that answers as told."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest
from tests.edges.inbox_room import Clock
from tests.edges.ledger_room import LANE, Notes, accept, picture, settlement

from watcher.core.budgets import Money
from watcher.core.jobs import JobState, LaneKey, OpenItem, Problem, RowState
from watcher.engines import LocalEngine
from watcher.ledger import HaltedLane, Ledger
from watcher.scheduler import Lanes, Scheduler, Turns
from watcher.work import Asked, Deferred, Delivered, Failed, Halted, Held, Outcome, Work

NO_MONEY = Problem(code="insufficient_quota", what="There is no money left.")
Reply = Callable[[OpenItem], Awaitable[str]]


HEADS: dict[str, tuple[int, dict[str, str]]] = {"done": (200, {})}


class Made(NamedTuple):
    """Stands where Asked stands."""

    item: OpenItem
    attempt: int
    said: str


async def done(_: OpenItem) -> str:
    return "done"


class Provider:
    """Stands where Work stands: notes attempts and outcomes in the ledger, and answers as `reply` says."""

    def __init__(self, ledger: Ledger, clock: Clock, reply: Reply) -> None:
        self.ledger = ledger
        self.clock = clock
        self.reply = reply
        self.calls: list[tuple[str, int]] = []
        self.events: list[str] = []

    def lane(self, _: OpenItem) -> LaneKey:
        return LANE

    def found_reply(self, _: OpenItem) -> Asked | None:
        return None

    @property
    def reuse(self) -> Provider:
        return self

    @property
    def purse(self) -> Provider:
        return self

    @property
    def judge(self) -> Provider:
        return self

    def step(self, item: OpenItem) -> OpenItem:
        return item

    async def next_step(self, _: OpenItem) -> None:
        """Every row here is over with its first picture."""

    @asynccontextmanager
    async def sole(self, item: OpenItem) -> AsyncIterator[tuple[OpenItem, None]]:
        yield item, None

    @asynccontextmanager
    async def afforded(self, _: OpenItem) -> AsyncIterator[Held]:
        yield Held(money=Money())

    async def ask(
        self,
        item: OpenItem,
        lane: LaneKey,
        *,
        held: Held,
        on_end: Callable[[], object],
        on_head: Callable[[int, Mapping[str, str]], object],
    ) -> Made:
        del held
        attempt = await self.ledger.call(
            self.ledger.items.begin_attempt, item, lane=lane, n=1, now=self.clock()
        )
        assert attempt is not None
        self.calls.append((item.job_id, item.number))
        said = await self.reply(item)
        on_head(*HEADS.get(said, (500, {})))
        if said == "done":
            on_end()
        return Made(item, attempt, said)

    async def settle(self, asked: Made, *, outage: bool) -> Outcome:
        del outage
        item, attempt, said = asked
        states = {"done": RowState.DONE, "failed": RowState.FAILED, "halted": RowState.QUEUED}
        stem = f"{item.job_id}-{item.number}"
        due = self.clock() + (2.0 if said == "later" else 90.0)
        told = settlement(
            states.get(said, RowState.WAITING),
            pictures=(picture(1, stem),) if said == "done" else (),
            problem=None if said == "done" else NO_MONEY,
            due_at=None if said in states else due,
        )
        over = await self.ledger.call(
            self.ledger.items.settle, item, attempt, told, now=self.clock()
        )
        match said:
            case "done":
                return Delivered(item=item, state=RowState.DONE, job_over=over)
            case "failed":
                return Failed(item=item, problem=NO_MONEY, job_over=over, by_server=False)
            case "halted":
                return Halted(item=item, problem=NO_MONEY, scope="provider")
        self.clock.now += 2.0 if said == "later" else 0.0  # the wait is over at once
        return Deferred(item=replace(item, due_at=due, pending=None), problem=NO_MONEY)

    def lane_halted(self, lane: HaltedLane, *, fresh: bool) -> None:
        del lane
        self.events.append("halted" if fresh else "still halted")

    def lane_reopened(self, _: str) -> None:
        self.events.append("reopened")

    async def broken(self, item: OpenItem) -> Failed | None:
        self.events.append("broken")
        if self.events.count("broken") < 3:
            return None
        failed = settlement(RowState.FAILED)
        over = await self.ledger.call(self.ledger.items.settle, item, 0, failed, now=self.clock())
        return Failed(item=item, problem=NO_MONEY, job_over=over, by_server=False, sent=False)


class Shop:
    """Engine, scheduler and ledger as the daemon joins them."""

    def __init__(
        self,
        folder: Path,
        reply: Reply = done,
        *,
        concurrency: int = 4,
        batch: int = 5,
        inboxes: tuple[str, ...] | None = None,
    ) -> None:
        self.clock = Clock()
        self.ledger = Ledger(folder)
        self.provider = Provider(self.ledger, self.clock, reply)
        self.lanes = Lanes((), clock=self.clock)
        self.turns = Turns(concurrency)
        self.over: Counter[str] = Counter()
        self.notes = Notes()
        self.engine = LocalEngine(self.ledger, clock=self.clock, log=self.notes, inboxes=inboxes)
        self.scheduler = Scheduler(
            ledger=self.ledger,
            work=cast("Work", self.provider),
            turns=self.turns,
            lanes=self.lanes,
            batch_size=lambda _: batch,
            on_change=self._changed,
            on_lane=self.engine.submit,
            clock=self.clock,
        )

    def _changed(self, job: str, over: bool) -> None:  # noqa: FBT001 - the scheduler's callback
        self.over[job] += over

    async def work_while(self, condition: Callable[[], bool]) -> None:
        """Until the condition no longer holds; then stop, and all that is in flight comes back."""
        running = asyncio.create_task(self.engine.run(self.scheduler.run_slice))
        await self.wait_while(condition)
        self.turns.stop()
        self.engine.stop()
        await asyncio.wait_for(running, 10)

    @staticmethod
    async def wait_while(condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while condition():  # noqa: ASYNC110 - what is waited for is in a database
                await asyncio.sleep(0.002)

    def states(self, job: str) -> Counter[RowState]:
        return Counter(row.state for row in self.ledger.views.rows(job))

    def is_running(self, *jobs: str) -> bool:
        found = [self.ledger.views.job(job) for job in jobs]
        return any(one is not None and one.state is JobState.RUNNING for one in found)


@pytest.fixture
def shops() -> Iterator[list[Shop]]:
    made: list[Shop] = []
    yield made
    for shop in made:
        shop.ledger.close()


def run(test: Awaitable[Any]) -> None:
    async def within() -> None:
        await asyncio.wait_for(test, 30)

    asyncio.run(within())


def test_every_row_is_asked_for_once_and_each_job_ends_once(
    tmp_path: Path, shops: list[Shop]
) -> None:
    """Three jobs of several slices side by side: one call a row, one end a job, nothing left behind."""

    async def test() -> None:
        shop = Shop(tmp_path)
        shops.append(shop)
        jobs = [accept(shop.ledger, job, rows) for job, rows in (("a", 120), ("b", 1), ("c", 51))]
        await shop.work_while(lambda: shop.is_running(*jobs))
        assert (len(shop.provider.calls), len(set(shop.provider.calls))) == (172, 172)
        assert shop.over == {"a": 1, "b": 1, "c": 1}
        assert (shop.scheduler._places, shop.turns.in_flight) == ({}, 0)

    run(test())


def test_no_more_calls_in_flight_than_allowed(tmp_path: Path, shops: list[Shop]) -> None:
    """`limits.concurrency` holds for all jobs together, `batch_size` for each of them."""
    gate = asyncio.Event()
    most, flying = 0, Counter[str]()

    async def reply(item: OpenItem) -> str:
        nonlocal most
        flying[item.job_id] += 1
        most = max(most, flying.total())
        assert flying[item.job_id] <= 2, "more than the batch"
        await gate.wait()
        flying[item.job_id] -= 1
        return "done"

    async def test() -> None:
        shop = Shop(tmp_path, reply, concurrency=3, batch=2)
        shops.append(shop)
        jobs = [accept(shop.ledger, job, 20) for job in "ab"]
        running = asyncio.create_task(shop.engine.run(shop.scheduler.run_slice))
        await shop.wait_while(lambda: flying.total() < 3)
        gate.set()
        await shop.wait_while(lambda: shop.is_running(*jobs))
        shop.engine.stop()
        await asyncio.wait_for(running, 10)
        assert (most, shop.provider.events) == (3, [])

    run(test())


def test_one_row_behind_a_large_batch_is_next(tmp_path: Path, shops: list[Shop]) -> None:
    """A batch larger than the concurrency queues up no calls before the row that comes after it."""
    gates: list[asyncio.Event] = []

    async def reply(_: OpenItem) -> str:
        gates.append(asyncio.Event())
        await gates[-1].wait()
        return "done"

    async def test() -> None:
        shop = Shop(tmp_path, reply, concurrency=2, batch=50)
        shops.append(shop)
        accept(shop.ledger, "large", 50)
        running = asyncio.create_task(shop.engine.run(shop.scheduler.run_slice))
        await shop.wait_while(lambda: len(gates) < 2)
        accept(shop.ledger, "small", 1)
        shop.engine.submit()
        await shop.wait_while(lambda: "small" not in shop.turns._jobs)
        gates[0].set()
        await shop.wait_while(lambda: len(gates) < 3)
        assert shop.provider.calls[2] == ("small", 1)
        shop.turns.stop()
        shop.engine.stop()
        for gate in gates:
            gate.set()
        await asyncio.wait_for(running, 10)

    run(test())


def test_a_deferred_row_is_asked_for_again_until_it_is_done(
    tmp_path: Path, shops: list[Shop]
) -> None:
    """Deferred → due again, in the same slice, for as long as the wait is short."""
    told = Counter[int]()

    async def reply(item: OpenItem) -> str:
        told[item.number] += 1
        return "later" if told[item.number] < 3 else "done"

    async def test() -> None:
        shop = Shop(tmp_path, reply)
        shops.append(shop)
        accept(shop.ledger, "a", 3)
        await shop.work_while(lambda: shop.is_running("a"))
        assert (told, shop.over) == ({1: 3, 2: 3, 3: 3}, {"a": 1})

    run(test())


def test_a_long_wait_goes_back_to_the_ledger(tmp_path: Path, shops: list[Shop]) -> None:
    """A row that is due in more than a minute holds nothing: its slice is due again with it."""

    async def reply(_: OpenItem) -> str:
        return "much later"

    async def test() -> None:
        shop = Shop(tmp_path, reply)
        shops.append(shop)
        accept(shop.ledger, "a", 2)
        begun = shop.clock.now
        await shop.work_while(lambda: shop.ledger.items.next_due() != begun + 90)
        assert (shop.states("a"), len(shop.provider.calls)) == ({RowState.WAITING: 2}, 2)

    run(test())


def test_a_lane_that_halts_keeps_every_row_and_asks_no_more(
    tmp_path: Path, shops: list[Shop]
) -> None:
    """With 100 slices open the first no stops them all: rows queued, a handful of calls, nobody spins."""

    async def reply(_: OpenItem) -> str:
        return "halted"

    async def test() -> None:
        shop = Shop(tmp_path, reply)
        shops.append(shop)
        accept(shop.ledger, "a", 5_000)
        probe = shop.clock.now + 300
        await shop.work_while(lambda: shop.ledger.items.next_due() != probe)
        assert shop.states("a") == {RowState.QUEUED: 5_000}
        assert len(shop.provider.calls) <= shop.turns.concurrency + 1
        assert shop.provider.events[0] == "halted"
        assert [lane.key for lane in shop.ledger.lanes.halted()] == [LANE.account]

    run(test())


def test_one_probe_at_a_time_and_nobody_spins_beside_it(tmp_path: Path, shops: list[Shop]) -> None:
    """While the probe is under way all other slices have a time to come back at; when it passes, all go on."""
    gate = asyncio.Event()

    async def reply(_: OpenItem) -> str:
        await gate.wait()
        return "done"

    async def test() -> None:
        shop = Shop(tmp_path, reply)
        shops.append(shop)
        jobs = [accept(shop.ledger, job, 120) for job in "ab"]
        shop.lanes.halt(LANE, NO_MONEY, "provider")
        shop.clock.now += 300
        running = asyncio.create_task(shop.engine.run(shop.scheduler.run_slice))
        await shop.wait_while(lambda: (shop.ledger.items.next_due() or 0) <= shop.clock.now)
        assert len(shop.provider.calls) == 1
        gate.set()
        await shop.wait_while(lambda: shop.is_running(*jobs))
        shop.engine.stop()
        await asyncio.wait_for(running, 10)
        assert (shop.lanes.halted, shop.ledger.lanes.halted()) == ((), ())
        assert shop.over == {"a": 1, "b": 1}

    run(test())


def test_a_row_that_meets_a_fault_of_ours_stops_no_other(tmp_path: Path, shops: list[Shop]) -> None:
    """One row breaks: the others are done, it comes back later, and the turns are all there."""

    async def reply(item: OpenItem) -> str:
        if item.number == 2:
            raise KeyError("ours")
        return "done"

    async def test() -> None:
        shop = Shop(tmp_path, reply)
        shops.append(shop)
        accept(shop.ledger, "a", 5)
        await shop.work_while(lambda: shop.ledger.items.next_due() != shop.clock.now + 300)
        assert shop.states("a") == {RowState.DONE: 4, RowState.RUNNING: 1}
        assert (shop.provider.events, shop.turns.in_flight) == (["broken"], 0)

    run(test())


def test_a_row_that_breaks_always_is_given_up(tmp_path: Path, shops: list[Shop]) -> None:
    """It is not paid for for ever: its job ends, and everybody is told of it."""

    async def reply(_: OpenItem) -> str:
        raise KeyError("ours")

    async def test() -> None:
        shop = Shop(tmp_path, reply)
        shops.append(shop)
        accept(shop.ledger, "a", 1)

        def wait_no_longer() -> bool:
            shop.clock.now += 100
            shop.engine.submit()
            return shop.is_running("a")

        await shop.work_while(wait_no_longer)
        assert (len(shop.provider.calls), shop.over) == (3, {"a": 1})

    run(test())


def test_a_slice_that_cannot_be_read_stops_no_other(tmp_path: Path, shops: list[Shop]) -> None:
    """A fault of ours in one slice is logged, and the other jobs go on."""

    async def test() -> None:
        shop = Shop(tmp_path)
        shops.append(shop)
        accept(shop.ledger, "a", 1)
        accept(shop.ledger, "b", 1)
        with shop.ledger._database.write() as tx:
            tx.exec_driver_sql("UPDATE rows SET item = '{}' WHERE job_id = 'a'")
        await shop.work_while(lambda: shop.is_running("b") or not shop.notes.events)
        assert shop.notes.events == ["slice.broken"]

    run(test())


def test_jobs_of_inboxes_that_are_not_served_wait(tmp_path: Path, shops: list[Shop]) -> None:
    """An inbox taken out of the settings: its jobs stay as they are, and cost nothing."""

    async def test() -> None:
        shop = Shop(tmp_path, inboxes=("served",))
        shops.append(shop)
        accept(shop.ledger, "a", 1, inbox="gone")
        accept(shop.ledger, "b", 1, inbox="served")
        await shop.work_while(lambda: shop.is_running("b"))
        assert shop.provider.calls == [("b", 1)]
        assert shop.is_running("a")

    run(test())


def test_a_crowd_of_jobs_keeps_out_no_other_inbox_and_nothing_urgent(
    tmp_path: Path, shops: list[Shop]
) -> None:
    """Seventy jobs of one inbox are under way or before them: one of another inbox, and an urgent one, are next."""
    gates: list[asyncio.Event] = []

    async def reply(_: OpenItem) -> str:
        gates.append(asyncio.Event())
        await gates[-1].wait()
        return "done"

    async def test() -> None:
        shop = Shop(tmp_path, reply, concurrency=1, batch=1, inboxes=("crowded", "calm"))
        shops.append(shop)
        for number in range(70):
            accept(shop.ledger, f"a{number:02}", 2, inbox="crowded", priority=2)
        running = asyncio.create_task(shop.engine.run(shop.scheduler.run_slice))
        await shop.wait_while(lambda: len(shop.turns._jobs) < 64 or not gates)
        accept(shop.ledger, "b", 1, inbox="calm", priority=2)
        accept(shop.ledger, "c", 1, inbox="crowded", priority=0)
        for job in ("b", "c"):
            shop.engine.submit()
            await shop.wait_while(lambda job=job: job not in shop.turns._jobs)  # type: ignore[misc]
        for number in range(2):
            gates[number].set()
            await shop.wait_while(lambda number=number: len(gates) < number + 2)  # type: ignore[misc]
        assert {job for job, _ in shop.provider.calls[1:3]} == {"b", "c"}
        shop.turns.stop()
        shop.engine.stop()
        for gate in gates:
            gate.set()
        await asyncio.wait_for(running, 10)

    run(test())


def test_a_stop_leaves_every_row_final_or_open(tmp_path: Path, shops: list[Shop]) -> None:
    """Calls in flight finish and count; nothing new is sent, and a new start goes on with the rest."""
    gate = asyncio.Event()

    async def reply(_: OpenItem) -> str:
        await gate.wait()
        return "done"

    async def test() -> None:
        shop = Shop(tmp_path, reply)
        shops.append(shop)
        accept(shop.ledger, "a", 20)
        running = asyncio.create_task(shop.engine.run(shop.scheduler.run_slice))
        await shop.wait_while(lambda: len(shop.provider.calls) < 4)
        shop.turns.stop()
        shop.engine.stop()
        gate.set()
        await asyncio.wait_for(running, 10)
        assert shop.states("a") == {RowState.DONE: 4, RowState.QUEUED: 16}
        assert len(shop.provider.calls) == 4

    run(test())


def test_more_calls_after_a_reload(tmp_path: Path, shops: list[Shop]) -> None:
    """A limit that was raised is used in full."""
    gate = asyncio.Event()

    async def reply(_: OpenItem) -> str:
        await gate.wait()
        return "done"

    async def test() -> None:
        shop = Shop(tmp_path, reply, concurrency=1, batch=50)
        shops.append(shop)
        accept(shop.ledger, "a", 40)
        running = asyncio.create_task(shop.engine.run(shop.scheduler.run_slice))
        await shop.wait_while(lambda: len(shop.provider.calls) < 1)
        shop.scheduler.turns.resize(6)
        await shop.wait_while(lambda: len(shop.provider.calls) < 6)
        gate.set()
        await shop.wait_while(lambda: shop.is_running("a"))
        shop.engine.stop()
        await asyncio.wait_for(running, 10)

    run(test())
