"""Whose call is next: as many in flight as allowed, as fast as allowed, fair whatever a job's size."""

from __future__ import annotations

import asyncio
import math
from collections import Counter, deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from watcher.core.jobs import LaneKey
from watcher.core.wire import read_limits
from watcher.scheduler.rates import Rates, Turn
from watcher.scheduler.shares import Path, Shares

NORMAL = 2  # of the priorities 0 (urgent) to 3 (low)
_GLAD = range(200, 300)
_LATE = 0.001  # seconds: timers may fire a little early
_AHEAD = 4  # answers that may wait for an outbox while all turns are in use


class Stopping(Exception):  # noqa: N818 - a state, not a fault
    """No new calls: the daemon is stopping."""


@dataclass(frozen=True, slots=True, eq=False)
class _Wish:
    """A row that waits for its turn."""

    lane: LaneKey
    images: int
    turn: asyncio.Future[Turn]


@dataclass(slots=True)
class _Job:
    """A job of which rows wait or are in flight."""

    path: Path
    wishes: deque[_Wish] = field(default_factory=deque)
    in_flight: int = 0


class Turns:
    """A turn is the right to have one call in flight.

    When one becomes free it goes to a row whose lane may be asked now: of the priority, in it of
    the inbox, and in that of the job that has the least (see `Shares`). One row dropped behind 5,000
    is next. A lane that rests or is at its limit (see `Rates`) holds up no other, nor does an outbox
    that is slower than its calls, or hangs.
    """

    def __init__(
        self, concurrency: int, images: float | None = None, requests: float | None = None
    ) -> None:
        """SETTINGS `limits`; a minute's images and requests are each lane's."""
        self.rates = Rates(concurrency, images, requests)
        self._jobs: dict[str, _Job] = {}
        self._shares = Shares()
        self._unsettled: Counter[str] = Counter()  # by outbox: calls of which it has no answer yet
        self._stopped = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def concurrency(self) -> int:
        return self.rates.concurrency

    @property
    def in_flight(self) -> int:
        return sum(job.in_flight for job in list(self._jobs.values()))

    async def enter(
        self, job: str, lane: LaneKey, *, inbox: str = "", priority: int = NORMAL, images: int = 1
    ) -> Turn:
        """Wait for a turn. Raises Stopping, or what `interrupt` says, instead of giving one.

        `images`: how many the call asks for.
        """
        self.check()
        path = (priority, inbox, job)
        mine = self._jobs.setdefault(job, _Job(path))
        mine.path = path
        self._shares.join(path)
        wish = _Wish(lane, images, asyncio.get_running_loop().create_future())
        mine.wishes.append(wish)
        self._give()
        try:
            return await wish.turn
        except asyncio.CancelledError:
            turn = wish.turn
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.unsent(turn.result())
                self.settled(turn.result())
                self.leave(turn.result())
            raise
        finally:
            self._jobs[job].wishes.remove(wish)
            self._forget(job)

    def leave(self, turn: Turn) -> None:
        job = turn.path[2]
        self._jobs[job].in_flight -= 1
        self._shares.end(turn.path)
        self.rates.end(turn)
        self._forget(job)
        self._give()

    def settled(self, turn: Turn) -> None:
        """What its call brought is in the outbox, or it brought nothing."""
        self._unsettled[turn.lane.outbox] -= 1
        self._give()

    def prioritise(self, job: str, priority: int) -> None:
        """From now on its rows wait with those of this priority."""
        if (found := self._jobs.get(job)) is not None and found.path[0] != priority:
            found.path = (priority, *found.path[1:])
            self._shares.join(found.path)

    def unsent(self, turn: Turn) -> None:
        """The turn was not used: it does not count against the lane's limits."""
        self.rates.unsent(turn, self._now())

    def heard(self, turn: Turn, status: int, headers: Mapping[str, str]) -> None:
        """A reply begins, with what its headers tell of the lane's limits."""
        glad = status in _GLAD
        self.rates.heard(turn, read_limits(headers), self._now(), glad=glad)
        self._give()

    def refused(self, turn: Turn, *, status: int, code: str, wait: float) -> None:
        """Its call is to come later; `wait`: seconds that the server asked for, or 0."""
        self.rates.refused(turn, status=status, code=code, wait=wait, now=self._now())
        if wait:
            self.rates.rest(turn.lane, self._now() + wait)
        self._give()

    def check(self) -> None:
        """Raises Stopping once the daemon stops."""
        if self._stopped.is_set():
            raise Stopping

    def interrupt(self, error: Exception, key: str = "") -> None:
        """Send everybody away who waits for a turn (of the lanes that `key` names); they get `error`."""
        for job in list(self._jobs.values()):
            for wish in list(job.wishes):
                if not wish.turn.done() and key in ("", *wish.lane.keys.values()):
                    wish.turn.set_exception(error)

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

    def resize(
        self, concurrency: int, images: float | None = None, requests: float | None = None
    ) -> None:
        """Other limits from now on."""
        self.rates.allow(concurrency, images, requests)
        self._give()

    def _give(self) -> None:
        while self.in_flight < self.concurrency:
            wish, path = self._next()
            if wish is None:
                return
            turn = Turn(path=path, lane=wish.lane, images=wish.images, at=self._now())
            self.rates.begin(turn)
            self._shares.serve(path, max(wish.images, 1), self._paths())
            self._jobs[path[2]].in_flight += 1
            self._unsettled[wish.lane.outbox] += 1
            wish.turn.set_result(turn)

    def _next(self) -> tuple[_Wish | None, Path]:
        """Of each job the first row whose lane may be asked; of these the one that has the least."""
        now, soonest = self._now(), math.inf
        waits: dict[tuple[LaneKey, int], float] = {}
        ready: list[tuple[tuple[float, ...], _Wish, Path]] = []
        for job in self._jobs.values():
            for wish in job.wishes:
                if wish.turn.done() or self._is_behind(wish.lane.outbox):
                    continue
                kind = (wish.lane, wish.images)
                if kind not in waits:
                    waits[kind] = self.rates.wait(*kind, now)
                if waits[kind] <= 0:
                    ready.append((self._shares.rank(job.path), wish, job.path))
                    break
                soonest = min(soonest, waits[kind])
        self._look_again(soonest)
        if not ready:
            return None, (NORMAL, "", "")
        _, wish, path = min(ready, key=lambda one: one[0])
        return wish, path

    def _is_behind(self, outbox: str) -> bool:
        return self._unsettled[outbox] >= self.concurrency + _AHEAD

    def _look_again(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if seconds < math.inf:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(seconds + _LATE, self._give)

    def _paths(self) -> list[Path]:
        return [job.path for job in self._jobs.values()]

    def _forget(self, job: str) -> None:
        """Who neither waits nor has a call in flight."""
        found = self._jobs[job]
        if not found.wishes and not found.in_flight:
            del self._jobs[job]
            self._shares.keep(self._paths())

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
