"""Whose call is next: as many as allowed, fair between jobs, and no turn is ever lost."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.core.jobs import LaneKey
from watcher.scheduler import Stopping, Turns

LANE = LaneKey(account="api.example", model="m")
OTHER = LaneKey(account="api.example", model="other")
ROUNDS = 5  # of the loop: as many as a turn needs to reach who waits for it


class Street:
    """Rows that want turns: each says when it has one, and leaves when it is told to."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.served: list[str] = []
        self.refused: list[BaseException] = []
        self._ends: list[asyncio.Event] = []
        self._tasks: list[asyncio.Task[None]] = []

    def want(self, job: str, lane: LaneKey = LANE) -> asyncio.Task[None]:
        end = asyncio.Event()
        task = asyncio.create_task(self._row(job, lane, end))
        self._tasks.append(task)
        return task

    async def _row(self, job: str, lane: LaneKey, end: asyncio.Event) -> None:
        try:
            turn = await self.turns.enter(job, lane)
        except Exception as error:  # noqa: BLE001 - what it says is what the test looks at
            self.refused.append(error)
            return
        self.served.append(job)
        self._ends.append(end)
        try:
            await end.wait()
        finally:
            self.turns.settled(turn)
            self.turns.leave(turn)

    async def end_one(self) -> None:
        """The call that has been in flight longest is over."""
        await settle()
        self._ends.pop(0).set()
        await settle()

    async def end_all(self) -> None:
        await settle()
        while self._ends:
            await self.end_one()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def settle() -> None:
    for _ in range(ROUNDS):
        await asyncio.sleep(0)


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 20))


def test_no_more_calls_than_allowed() -> None:
    """With three turns, the fourth row waits until one of the three leaves."""

    async def test() -> None:
        street = Street(Turns(3))
        for _ in range(5):
            street.want("a")
        await settle()
        assert street.turns.in_flight == 3
        await street.end_one()
        assert (len(street.served), street.turns.in_flight) == (4, 3)
        await street.end_all()

    run(test())


def test_one_row_behind_five_thousand_is_next() -> None:
    """A small job gets the next turn that becomes free, whatever waits before it."""

    async def test() -> None:
        street = Street(Turns(2))
        for _ in range(50):
            street.want("large")
        await settle()
        street.want("small")
        await street.end_one()
        assert street.served == ["large", "large", "small"]
        await street.end_all()

    run(test())


def test_jobs_take_turns() -> None:
    """With one turn for all, three jobs get every third."""

    async def test() -> None:
        street = Street(Turns(1))
        for job in "aaabbbccc":
            street.want(job)
        await settle()
        for _ in range(8):
            await street.end_one()
        assert all(len(set(street.served[at : at + 3])) == 3 for at in range(0, 9, 3))
        await street.end_all()

    run(test())


def test_a_stream_of_new_jobs_does_not_starve_an_old_one() -> None:
    """A large job gets its turns while a small one comes in with every second call."""

    async def test() -> None:
        street = Street(Turns(1))
        for _ in range(100):
            street.want("large")
        street.want("new 0")
        for number in range(15):
            street.want(f"new {number + 1}")
            await street.end_one()
            await street.end_one()
        assert street.served.count("large") >= 31 // 3
        await street.end_all()

    run(test())


def test_nothing_is_remembered_of_jobs_that_are_gone() -> None:
    """Ten thousand jobs later, the turns hold nothing of them."""

    async def test() -> None:
        turns = Turns(2)
        for number in range(10_000):
            turn = await turns.enter(f"job {number}", LANE)
            turns.leave(turn)
            turns.settled(turn)
        shares = turns._shares
        assert (turns._jobs, shares._had, shares._clocks, shares._in_flight) == ({}, {}, {}, {})
        assert set(turns._unsettled.values()) == {0}

    run(test())


def test_a_row_that_is_cancelled_loses_no_turn() -> None:
    """Cancelled while it waits, or with the turn in its hand but not seen yet: the turn goes on."""

    async def test() -> None:
        street = Street(Turns(1))
        street.want("a")
        waiting, next_one = street.want("b"), street.want("c")
        await settle()
        street._ends.pop(0).set()
        await asyncio.sleep(0)  # "a" leaves, "b" has the turn and has not run yet
        waiting.cancel()
        await settle()
        assert (street.served, street.turns.in_flight) == (["a", "c"], 1)
        next_one.cancel()
        await settle()

    run(test())


def test_a_lane_that_rests_holds_up_no_other() -> None:
    """Rows of a resting lane get no turns until it may; those of other lanes go on."""

    async def test() -> None:
        street = Street(Turns(1))
        street.turns.rates.rest(LANE, asyncio.get_running_loop().time() + 0.05)
        street.want("a", LANE)
        street.want("a", OTHER)
        street.want("b", OTHER)
        await settle()
        await street.end_one()
        assert street.served == ["a", "b"]
        await street.end_one()
        while len(street.served) < 3:  # noqa: ASYNC110 - a lane rests for real
            await asyncio.sleep(0.005)
        assert street.served == ["a", "b", "a"]
        await street.end_all()

    run(test())


def test_an_outbox_that_is_behind_holds_up_no_other() -> None:
    """Calls end, and nothing of them gets into their outbox: after a few no more are made for it, and every
    turn is free for those of another one; it goes on as it catches up.
    """

    async def test() -> None:
        turns = Turns(2)
        slow, other = (replace(LANE, outbox=path) for path in ("/srv/slow", "/srv/other"))
        unsettled = []
        for _ in range(2 + 4):
            unsettled.append(await turns.enter("a", slow))
            turns.leave(unsettled[-1])
        waiting = asyncio.create_task(turns.enter("a", slow))
        await settle()
        assert not waiting.done()
        two = [await turns.enter("b", other) for _ in range(2)]
        assert turns.in_flight == 2
        turns.leave(two[0])
        turns.settled(unsettled[0])
        turns.leave(await waiting)

    run(test())


@pytest.mark.parametrize(("key", "left"), [("", 0), ("api.example", 0), ("api.example/m", 1)])
def test_interrupted_rows_are_sent_away(key: str, left: int) -> None:
    """Those that wait for a turn of the named lanes get the error, others and calls in flight go on."""

    async def test() -> None:
        street = Street(Turns(1))
        street.want("a")
        await settle()
        street.want("b", LANE)
        street.want("c", OTHER)
        await settle()
        street.turns.interrupt(RuntimeError("halted"), key)
        await street.end_one()
        assert (len(street.served) - 1, len(street.refused)) == (left, 2 - left)
        await street.end_all()

    run(test())


def test_stopping_gives_no_new_turns() -> None:
    """Who waits is sent away, who comes is sent away, who has a turn ends in peace."""

    async def test() -> None:
        street = Street(Turns(1))
        street.want("a")
        street.want("b")
        await settle()
        street.turns.stop()
        street.want("c")
        with pytest.raises(Stopping):
            await street.turns.pause(3600)
        with pytest.raises(Stopping):
            street.turns.check()
        await street.end_one()
        assert (street.served, [type(one) for one in street.refused]) == (["a"], [Stopping] * 2)
        await street.end_all()

    run(test())


def test_more_turns_are_given_at_once() -> None:
    """A larger limit lets waiting rows in; a smaller one takes no turn away."""

    async def test() -> None:
        street = Street(Turns(1))
        for _ in range(5):
            street.want("a")
        await settle()
        street.turns.resize(3)
        await settle()
        assert street.turns.in_flight == 3
        street.turns.resize(1)
        await street.end_one()
        assert street.turns.in_flight == 2
        await street.end_all()

    run(test())


actions = st.lists(
    st.tuples(st.sampled_from(["want", "end", "cancel", "yield"]), st.integers(0, 3)), max_size=60
)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 4), actions)
def test_turns_are_never_lost_nor_doubled(concurrency: int, steps: list[tuple[str, int]]) -> None:
    """Whoever comes, leaves or is cancelled, at whatever moment: never more than allowed in flight,
    and never fewer while somebody waits."""

    async def test() -> None:
        street = Street(Turns(concurrency))
        tasks: list[asyncio.Task[None]] = []
        for step, number in steps:
            if step == "want":
                tasks.append(street.want(f"job {number}"))
            elif step == "end" and street._ends:
                street._ends.pop(0).set()
            elif step == "cancel" and (waiting := [one for one in tasks if not one.done()]):
                waiting[number % len(waiting)].cancel()
            else:
                await asyncio.sleep(0)
            assert street.turns.in_flight <= concurrency
        await settle()
        waiting_rows = sum(len(job.wishes) for job in street.turns._jobs.values())
        assert street.turns.in_flight == concurrency or waiting_rows == 0
        await street.end_all()
        assert street.turns.in_flight == 0

    run(test())
