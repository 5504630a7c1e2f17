"""How fast: never over a limit in any minute, nobody waits for ever, and limits that nobody tells are found."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from watcher.core.limits import MINUTE, Crowd, Found, Pace

EPOCH = 1000.0  # any moment of a clock that never goes back
calls = st.lists(st.tuples(st.integers(1, 10), st.integers(0, 40)), min_size=1, max_size=40)
calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine


def taken(calls: Sequence[tuple[int, float]], limit: float) -> list[tuple[float, int]]:
    """When each goes that comes as soon as it may, or later by so many seconds: (cost, late)."""
    pace, now, times = Pace(), EPOCH, []
    for cost, late in calls:
        now += late
        wait = pace.wait(cost, limit, limit, now)
        now += wait
        assert pace.wait(cost, limit, limit, now) < 1e-6, "who has waited may go"
        pace.take(cost, limit, now)
        times.append((now, cost))
    return times


@calm
@given(calls, st.integers(10, 200))
def test_never_more_than_the_limit_in_any_minute(calls: list[tuple[int, int]], limit: int) -> None:
    """Whatever calls cost, and however late some of them come: each minute from each call on."""
    times = taken(calls, limit)
    for begin, _ in times:
        assert sum(cost for at, cost in times if begin <= at < begin + MINUTE) <= limit


@calm
@given(calls, st.floats(0.5, 9))
def test_a_call_larger_than_the_limit_goes_alone(
    calls: list[tuple[int, int]], limit: float
) -> None:
    """Nobody waits for ever: it goes, and the next one waits as long as it is worth."""
    times = taken([(cost, 0.0) for cost, _ in calls], limit)
    for (before, cost), (at, _) in pairwise(times):
        assert at - before <= (cost + 1) * 2 * MINUTE / limit + MINUTE
    spent = sum(cost for _, cost in times[:-1])
    assert times[-1][0] - EPOCH >= (spent * MINUTE / limit) - 6


@pytest.mark.parametrize("limit", [5, 20, 60, 150, 1000])
def test_of_the_limit_98_per_cent_are_used(limit: int) -> None:
    """By calls that are always there, each a little late."""
    times = taken([(1, 0.004)] * limit * 5, limit)
    minutes = (times[-1][0] - times[0][0]) / MINUTE
    assert (len(times) - 1) / minutes >= 0.98 * limit


def test_the_calls_of_a_minute_are_spread_over_it() -> None:
    """Sixty a minute: one a second, so that a row that comes in between need not wait long."""
    times = [at for at, _ in taken([(1, 0.0)] * 60, 60)]
    assert all(later - earlier < 1.1 for earlier, later in pairwise(times))


def test_what_is_given_back_may_be_taken_again() -> None:
    """A call that was not made after all holds up nobody."""
    pace = Pace()
    for _ in range(100):
        assert pace.wait(1, 5, 5, EPOCH) == 0
        pace.take(1, 5, EPOCH)
        pace.give_back(1, 5, EPOCH)
    assert pace.used(EPOCH) == 0


def test_what_others_used_is_not_there_for_us() -> None:
    """The server says that nothing is left: the next call waits until something is."""
    pace = Pace()
    pace.take(1, 60, EPOCH)
    pace.told_left(0, EPOCH + 5)
    assert pace.wait(1, 60, 60, EPOCH + 5) == pytest.approx(1, rel=0.02)
    assert pace.wait(1, 60, 60, EPOCH + 6.1) == 0
    pace.told_left(30, EPOCH + 6.1)
    assert pace.wait(10, 60, 60, EPOCH + 6.1) == 0


def test_without_a_limit_nothing_waits() -> None:
    """Nothing was told, nothing was set."""
    pace = Pace()
    for _ in range(1000):
        assert pace.wait(10, None, None, EPOCH) == 0
        pace.take(10, None, EPOCH)


# Servers that say no, and never why. `ask` gives the seconds of a Retry-After, 0 for a yes.


@dataclass
class Bucket:
    """Refills evenly, up to a minute's worth."""

    limit: float
    left: float = 0.0
    seen: float = -math.inf

    def ask(self, now: float) -> float:
        self.left = min(self.limit, self.left + (now - self.seen) * self.limit / MINUTE)
        self.seen = now
        if self.left < 1:
            return (1 - self.left) * MINUTE / self.limit
        self.left -= 1
        return 0.0


@dataclass
class Sliding:
    """So many in any minute."""

    limit: float
    calls: deque[float] = field(default_factory=deque)

    def ask(self, now: float) -> float:
        while self.calls and self.calls[0] <= now - MINUTE:
            self.calls.popleft()
        if len(self.calls) >= self.limit:
            return self.calls[0] + MINUTE - now
        self.calls.append(now)
        return 0.0


@dataclass
class Calendar:
    """So many in each minute of the clock."""

    limit: float
    minute: float = 0.0
    count: int = 0

    def ask(self, now: float) -> float:
        if now // MINUTE != self.minute:
            self.minute, self.count = now // MINUTE, 0
        self.count += 1
        return 0.0 if self.count <= self.limit else MINUTE - now % MINUTE


@dataclass
class Client:
    """Asks one after the other as fast as it thinks it may, each call 20 ms after the other at the most."""

    ask: Callable[[float], float]
    tells: bool
    found: Found = field(default_factory=Found)
    pace: Pace = field(default_factory=Pace)
    now: float = EPOCH
    rests_until: float = 0.0
    granted: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            limit = self.found.at(self.now)
            ceiling = limit if self.found.by_minute else None
            wait = max(self.rests_until - self.now, self.pace.wait(1, limit, ceiling, self.now))
            self.now += max(wait, 0.02)
            self.pace.take(1, limit, self.now)
            self.found = self.found.asked(1, self.now)
            self._hear(self.ask(self.now), limit)

    def _hear(self, wait: float, limit: float | None) -> None:
        sent, self.now = self.now, self.now + 0.002
        if not wait:
            self.granted.append(sent)
            self.found = self.found.yes(sent)
            return
        self.refused.append(sent)
        self.pace.give_back(1, limit, sent)
        told = wait if self.tells else 0.0
        used = self.pace.used(self.now)
        self.found = self.found.no(1, asked=sent, used=used, wait=told, now=self.now)
        self.rests_until = self.now + (told or self.found.rest())
        self.pace.rest(self.rests_until)

    def after(self, seconds: float) -> tuple[int, int]:
        since = EPOCH + seconds
        return sum(at >= since for at in self.granted), sum(at >= since for at in self.refused)


@pytest.mark.parametrize("tells", [True, False], ids=["Retry-After", "no Retry-After"])
@pytest.mark.parametrize("limit", [20, 60, 150, 600])
@pytest.mark.parametrize("server", [Bucket, Sliding, Calendar])
def test_a_limit_that_nobody_tells_is_found(
    server: type[Bucket | Sliding | Calendar], limit: int, *, tells: bool
) -> None:
    """In half an hour 97 % of it are used after the first minute, and at most 1 % of the calls refused."""
    client = Client(server(limit).ask, tells)
    client.run(1800)
    granted, refused = client.after(60)
    assert granted >= 0.97 * limit * 29
    assert refused <= 0.01 * (granted + refused)


@pytest.mark.parametrize("server", [Bucket, Sliding, Calendar])
def test_a_limit_that_was_raised_is_found(server: type[Bucket | Sliding | Calendar]) -> None:
    """Twice as much is allowed after a while: an hour and a half later it is used."""
    this = server(60)
    client = Client(this.ask, tells=True)
    client.run(600)
    this.limit = 120
    client.run(7200)
    assert client.after(6000)[0] >= 0.97 * 120 * 30


@pytest.mark.parametrize("server", [Bucket, Sliding, Calendar])
def test_a_limit_that_was_lowered_is_found(server: type[Bucket | Sliding | Calendar]) -> None:
    """Half as much is allowed after a while: soon few are refused again."""
    this = server(120)
    client = Client(this.ask, tells=True)
    client.run(600)
    this.limit = 60
    client.run(900)
    granted, refused = client.after(900)
    assert refused <= 0.02 * (granted + refused)


def test_noes_that_have_nothing_to_do_with_the_rate_teach_nothing() -> None:
    """Every third call is refused, however slowly they come: after some minutes it is no matter of the rate."""
    count = 0

    def ask(_: float) -> float:
        nonlocal count
        count += 1
        return 0.001 if count % 3 == 0 else 0.0

    client = Client(ask, tells=False)
    client.run(900)
    assert client.found.limit is None
    assert client.after(600)[0] > 1000


def test_a_no_that_is_heard_before_the_answers_beside_it_is_one_of_several() -> None:
    """Three calls at a time, of which two are granted and take longer: no server that counts whole minutes."""
    found = Found()
    for at in range(30):
        found = found.asked(1, EPOCH + at / 10)
        found = found.yes(EPOCH + at / 10)
    for now in (EPOCH + 4, EPOCH + 6, EPOCH + 8, EPOCH + 10):
        for _ in range(3):
            found = found.asked(1, now)
        found = found.no(1, asked=now, used=30, wait=1, now=now + 0.1)
        for _ in range(2):
            found = found.yes(now)
    assert not found.by_minute


@pytest.mark.parametrize("told", [0.0, 1.0], ids=["no Retry-After", "Retry-After"])
@pytest.mark.parametrize("struck", [{1}, {31}, {1, 2}, {1, 40, 90}, {5, 7, 9}], ids=str)
def test_stray_noes_are_no_limit(struck: set[int], told: float) -> None:
    """A server that was busy for a moment is asked as fast as before, once it answers again."""
    count = 0

    def ask(_: float) -> float:
        nonlocal count
        count += 1
        return (told or 0.001) if count in struck else 0.0

    client = Client(ask, tells=bool(told))
    client.run(60)
    assert client.found.limit is None
    assert len(client.granted) > 1000


def test_slow_down_halves_and_comes_back_slowly() -> None:
    """At most half as much again in 15 minutes."""
    found = Found(limit=100.0, since=EPOCH).slow_down(asked=EPOCH, used=100.0, now=EPOCH)
    limits = [found.at(EPOCH + 900 * quarter) or 0.0 for quarter in range(9)]
    assert limits[0] == 50
    assert limits[-1] > 100
    assert all(later <= 1.55 * earlier for earlier, later in pairwise(limits))


def test_idle_time_teaches_nothing() -> None:
    """A lane that nobody used over night begins where it stopped."""
    found = Found(limit=60.0, since=EPOCH, last=EPOCH).asked(1, EPOCH + 30_000)
    assert found.at(EPOCH + 30_000) == 60


@calm
@given(st.integers(1, 200), st.lists(st.booleans(), max_size=300))
def test_the_crowd_stays_between_one_and_what_is_allowed(allowed: int, answers: list[bool]) -> None:
    """Whatever the API answers."""
    crowd = Crowd()
    for at, glad in enumerate(answers):
        crowd = crowd.yes(allowed) if glad else crowd.no(asked=float(at), now=at + 0.5)
        assert 1 <= crowd.most(allowed) <= allowed


def test_the_crowd_halves_once_a_round_trip_and_grows_again() -> None:
    """Eight noes to calls that were on their way together halve it once; sixty glad answers bring it back."""
    crowd = Crowd(size=16)
    for _ in range(8):
        crowd = crowd.no(asked=EPOCH, now=EPOCH + 1)
    assert crowd.most(16) == 8
    for _ in range(8):
        crowd = crowd.yes(16)
    assert crowd.most(16) == 8
    for _ in range(120):
        crowd = crowd.yes(16)
    assert crowd.most(16) == 16


def test_before_its_first_no_the_crowd_doubles_each_round_trip() -> None:
    """Two hundred at a time are reached within five."""
    crowd = Crowd()
    for _ in range(5):
        for _ in range(crowd.most(200)):
            crowd = crowd.yes(200)
    assert crowd.most(200) == 200
