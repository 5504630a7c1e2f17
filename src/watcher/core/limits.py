"""How fast a lane may be asked: so much a minute, and so many calls at a time.

Arithmetic alone. Whoever uses it passes the time in, as seconds that never go back, and the cost of
a call in what is limited: one request, or `n` images.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace

MINUTE = 60.0
# Clocks differ and packets take their time: a minute's worth is spread over a little more.
MARGIN = 0.99
SPAN = MINUTE / MARGIN
_SLACK = 5.0  # seconds that a call may come late and be made up for
_TINY = 1e-9

_UNSURE = 60.0  # seconds that a limit which was found out holds before more is tried
_SURE = 600.0
_SLOW = 300.0
_CLOSE = 0.1  # two findings that differ by less confirm each other
_CURVE = 0.02  # so much more is tried when it was held, and tried, for equally long
_MANY = 3
_FEW = 10
_IN_VAIN = 4  # noes in a row after few calls, however slowly these came: it is not the rate
_DEAF = 900.0  # seconds that noes then teach nothing
_LONGEST_REST = 30.0
_WHOLE = 1.0  # second: Retry-After is rounded up to it
_LONGEST_DOUBT = 8.0  # the same, while there may be no limit at all
_STRAY = 5.0  # granted beyond what a limit would have let through: there is none
_FITS = 2.0  # the same, where one more no comes: it does not speak for that limit

_FIRST = 8.0  # calls at a time before the API has answered any


class Pace:
    """What was taken of one limit, and when the next may be: evenly, and never over a ceiling.

    Limits are passed in each time, since they are learnt; None: there is none.
    """

    def __init__(self) -> None:
        self._taken: deque[tuple[float, float]] = deque()
        self._sum = 0.0
        self._next = 0.0
        self._left: tuple[float, float] | None = None

    def wait(self, cost: float, limit: float | None, ceiling: float | None, now: float) -> float:
        """Seconds until `cost` may be taken; 0 when it may be now.

        `limit` a minute is kept to on the average, `ceiling` in any minute whatever. A call that is
        larger than the ceiling goes when nothing else did for a minute.
        """
        if limit is None or not cost:
            return 0.0
        self._forget(now)
        waits = [self._next - now, self._until_left(cost, limit, now)]
        if ceiling is not None:
            waits.append(self._until_room(cost, ceiling, now))
        return max(0.0, *waits)

    def take(self, cost: float, limit: float | None, now: float) -> None:
        self._forget(now)
        self._taken.append((now, cost))
        self._sum += cost
        if limit is not None:
            self._next = max(self._next, now - _SLACK) + cost * SPAN / limit
        if self._left:
            self._left = (self._left[0] - cost, self._left[1])

    def give_back(self, cost: float, limit: float | None, at: float) -> None:
        """What was taken then was not asked for after all, or was refused."""
        if (at, cost) not in self._taken:
            return
        self._taken.remove((at, cost))
        self._sum -= cost
        if limit is not None:
            self._next -= cost * SPAN / limit

    def rest(self, until: float) -> None:
        """Nothing before then; and what could not be taken until then is not made up for."""
        self._next = max(self._next, until)

    def told_left(self, left: float, now: float) -> None:
        """So much is left, says the server: others may use the same key."""
        self._left = (left, now)

    def used(self, now: float) -> float:
        """What was taken within the last minute. May be asked from another thread."""
        return sum(cost for at, cost in tuple(self._taken) if at > now - SPAN)

    def _forget(self, now: float) -> None:
        while self._taken and self._taken[0][0] <= now - SPAN:
            self._sum -= self._taken.popleft()[1]
        if not self._taken:
            self._sum = 0.0

    def _until_room(self, cost: float, ceiling: float, now: float) -> float:
        """Until so much of the last minute is over that this fits."""
        over = self._sum + cost - max(math.floor(ceiling + _TINY), cost)
        for at, taken in self._taken:
            if over <= _TINY:
                return 0.0
            over -= taken
            if over <= _TINY:
                return at + SPAN - now
        return 0.0

    def _until_left(self, cost: float, limit: float, now: float) -> float:
        """Until the server has enough again, as far as it told."""
        if self._left is None:
            return 0.0
        left, at = self._left
        missing = min(cost, limit) - min(left + (now - at) * limit / SPAN, limit)
        return missing * SPAN / limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A limit that nobody tells, found out from where the server says no.

    From one no to the next the server lets through what it allows: that is measured, and used from
    then on. It is held for `hold` seconds, longer each time it is confirmed; then ever more is
    tried, until the next no.

    One no alone may be a stray one, of a server that was busy for a moment: it is `doubted`, and
    nothing is held to it, until others come where the limit would have them.
    """

    limit: float | None = None  # a minute; None: no no so far
    since: float = 0.0
    hold: float = _UNSURE
    begun: float = 0.0  # of the measuring
    granted: float = 0.0  # asked for since `begun`, and not refused
    full: bool = True  # the server had a whole minute's worth to give at `begun`
    last: float = 0.0  # when something was asked for
    noes: int = 0  # one after the other, with nothing granted between them
    said: float = 0.0  # when the last no was heard
    said_before: float = 0.0  # when the one before it was
    most: float = 0.0  # granted in the minute before the first of them
    by_minute: bool = False  # the server counts whole minutes, it does not refill evenly
    minutes: float = 1.0  # that the limit was measured over
    in_vain: int = 0
    deaf_until: float = 0.0
    doubted: int = (
        0  # the noes that speak for the limit while nothing is held to it; 0: it is believed
    )
    passed: float = 0.0  # granted since the last of these

    def at(self, now: float) -> float | None:
        """What may be asked for a minute now."""
        if self.limit is None or self.doubted:
            return None
        tried = max(0.0, now - self.since - self.hold) / self.hold
        return self.limit * (1 + _CURVE * tried * tried)

    def asked(self, cost: float, now: float) -> Found:
        gap = now - self.last
        if not self.last or gap > MINUTE:  # by now the server is full; idle time teaches nothing
            since = self.since + gap if self.limit and self.last else self.since
            return replace(self, last=now, begun=now, granted=cost, full=True, since=since)
        if self.noes and not self.doubted:
            return replace(self, last=now, begun=now, granted=0.0)
        return replace(self, last=now, granted=self.granted + cost)

    def unasked(self, cost: float) -> Found:
        """It was not sent after all."""
        return replace(self, granted=max(0.0, self.granted - cost))

    def yes(self, asked: float, cost: float = 1.0) -> Found:
        """Something that was asked for then was granted."""
        if not self.said or asked <= self.said:
            # It takes longer than a no: what was asked beside the last no is heard after it.
            return replace(self, noes=1) if self.noes > 1 and asked > self.said_before else self
        passed = self.passed + cost
        if self.doubted and self._passed_more(passed, _STRAY, asked):
            return replace(self, limit=None, doubted=0, passed=0.0, noes=0, said=0.0)
        return replace(self, noes=0, passed=passed)

    def no(self, cost: float, *, asked: float, used: float, wait: float, now: float) -> Found:
        """`used`: granted within the last minute; `wait`: seconds of Retry-After, or 0.

        What was on its way when the last no was heard only mends what was measured then.
        """
        if now < self.deaf_until:
            return self
        if self.said and asked <= self.said:
            less = max((self.limit or 1.0) - cost / self.minutes, 1.0)
            granted = self.granted - cost if self.doubted else self.granted
            return replace(self, limit=less, most=self.most - cost, granted=granted)
        if self.noes and not (self.doubted and self._is_soon(wait, cost, self.limit or 1.0)):
            return self._again(now)
        if doubted := self._doubted(asked):
            found = self._measured(cost, asked=asked, used=used, wait=wait)
            return replace(
                found, granted=self.granted - cost, since=now, noes=1, said=now, most=used,
                doubted=doubted, passed=0.0,
            )  # fmt: skip
        in_vain = self.in_vain + 1 if not self.doubted and self.granted < _FEW else 0
        if in_vain >= _IN_VAIN:
            return Found(deaf_until=now + _DEAF)
        found = self._measured(cost, asked=asked, used=used, wait=wait)
        limit = self._lower(found.limit or 1.0, now)
        return replace(
            found, limit=limit, since=now, hold=self._hold(limit), begun=now, granted=0.0, full=False,
            noes=1, said=now, most=used, in_vain=in_vain, doubted=0,
        )  # fmt: skip

    def slow_down(self, *, asked: float, used: float, now: float) -> Found:
        """Half of what it was, and more again only slowly: at most half as much again in 15 minutes."""
        if self.said and asked <= self.said:
            return self
        before = min(self.at(now) or math.inf, max(used, 1.0))
        return replace(self, limit=max(before / 2, 1.0), since=now, hold=_SLOW, said=now, doubted=0)

    def rest(self) -> float:
        """Seconds without a call after a no that does not say how long; longer each time."""
        if self.limit is None:
            return 0.0
        longest = _LONGEST_DOUBT if self.doubted else _LONGEST_REST
        return min(MINUTE / self.limit * 1.5**self.noes, longest)

    def _doubted(self, asked: float) -> int:
        """With one more no: two make a limit where much was granted before them, four where little was."""
        if not self.doubted:
            return int(self.limit is None)
        noes = 1 if self._passed_more(self.passed, _FITS, asked) else self.doubted + 1
        return noes if noes < (2 if self.granted >= _FEW else _IN_VAIN) else 0

    def _passed_more(self, passed: float, spare: float, asked: float) -> bool:
        """Than the limit would have let through since the last no."""
        return passed > spare + (self.limit or 0.0) * (asked - self.said) / MINUTE

    def _again(self, now: float) -> Found:
        """Had it refilled evenly, one of several calls would have passed."""
        again = replace(self, noes=self.noes + 1, said_before=self.said, said=now)
        if again.noes != _MANY:
            return again
        return replace(again, by_minute=True, limit=max(self.most, 1.0), doubted=0)

    def _measured(self, cost: float, *, asked: float, used: float, wait: float) -> Found:
        """By the time that the server says, exactly one such call more would have been granted."""
        granted = max(0.0, self.granted - cost) + (cost if wait else cost / 2)
        minutes = max((asked - self.begun + wait) / MINUTE + self.full, _TINY)
        evenly = granted / minutes
        if self.by_minute or (wait and not self._is_soon(wait, cost, evenly)):
            return replace(self, limit=max(used, 1.0), minutes=1.0, by_minute=True)
        return replace(self, limit=max(evenly, 1.0), minutes=minutes)

    @staticmethod
    def _is_soon(wait: float, cost: float, limit: float) -> bool:
        """Whether a server that refills evenly would tell such a wait; they tell whole seconds."""
        return 0 < wait <= 2 * MINUTE * cost / limit + _WHOLE

    def _lower(self, limit: float, now: float) -> float:
        """Less than before in any case: the more, the fewer were granted since the last no."""
        before = self.at(now)
        if before is None:
            return limit
        return min(limit, before * (MARGIN if self.by_minute else 1 - 1 / (self.granted + 2)))

    def _hold(self, limit: float) -> float:
        sure = self.limit is not None and abs(limit - self.limit) < _CLOSE * self.limit
        return min(self.hold * 3, _SURE) if sure else _UNSURE


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """How many calls at a time: more while the API is glad, half when it is not (AIMD).

    Until its first no one more for each answer, so twice as many a round trip; then one more each
    round trip.
    """

    size: float = _FIRST
    halved: float = -math.inf  # when

    def most(self, allowed: int) -> int:
        return max(1, int(min(self.size, allowed)))

    def yes(self, allowed: int) -> Crowd:
        more = 1.0 if self.halved == -math.inf else 1 / self.size
        return replace(self, size=min(max(self.size + more, 1.0), max(allowed, _FIRST)))

    def no(self, *, asked: float, now: float) -> Crowd:
        """Once a round trip: what was on its way when it was halved says nothing of the half."""
        if asked <= self.halved:
            return self
        return replace(self, size=max(self.size / 2, 1.0), halved=now)
