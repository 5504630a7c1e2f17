"""What each lane may be asked for now: images and requests a minute, and calls at a time.

Limits are those of the settings, those that the server tells, and those that were found out from
where it says no; the lowest holds.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from watcher.core.jobs import Json, LaneKey
from watcher.core.limits import Crowd, Found, Pace
from watcher.core.wire import Limit

IMAGES, REQUESTS = "images", "requests"
_TOO_MANY = 429
_OVERLOADED = (503, 529)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """The right to have one call in flight, given `at` (seconds of the loop's clock)."""

    path: tuple[int, str, str]  # priority, inbox, job
    lane: LaneKey
    images: int
    at: float

    @property
    def costs(self) -> Mapping[str, float]:
        return {IMAGES: self.images, REQUESTS: 1}

    @property
    def counts(self) -> str:
        """What a limit that nobody tells is taken to be one of."""
        return IMAGES if self.images else REQUESTS


@dataclass(slots=True, kw_only=True)
class _Lane:
    """What is known of one lane. Kinds are `IMAGES` and `REQUESTS`."""

    pace: dict[str, Pace] = field(default_factory=lambda: {IMAGES: Pace(), REQUESTS: Pace()})
    told: dict[str, float] = field(default_factory=dict)
    found: dict[str, Found] = field(default_factory=lambda: {IMAGES: Found(), REQUESTS: Found()})
    crowd: Crowd = field(default_factory=Crowd)
    in_flight: int = 0
    rests_until: float = 0.0
    worked: bool = False  # in this life of the process
    tried_at: float = 0.0


class Rates:
    """The lanes' limits. `now` is always the loop's clock, in seconds."""

    def __init__(
        self, concurrency: int, images: float | None = None, requests: float | None = None
    ) -> None:
        self._lanes: dict[str, _Lane] = defaultdict(_Lane)
        self.ahead = 0.0  # seconds by which the first call of a lane goes before the others
        self.allow(concurrency, images, requests)

    def allow(
        self, concurrency: int, images: float | None = None, requests: float | None = None
    ) -> None:
        """SETTINGS `limits`: calls at a time in all, images and requests a minute of each lane."""
        self.concurrency = concurrency
        self._set = {IMAGES: images, REQUESTS: requests}

    def wait(self, lane: LaneKey, images: int, now: float) -> float:
        """Seconds until such a call may be made; 0: now; infinite: not before another one has ended."""
        one = self._lanes[str(lane)]
        if one.in_flight >= one.crowd.most(self.concurrency):
            return math.inf
        if one.in_flight and not one.worked and (left := one.tried_at + self.ahead - now) > 0:
            return left
        waits = [
            one.pace[kind].wait(cost, *self._limits(one, kind, now), now)
            for kind, cost in ((IMAGES, images), (REQUESTS, 1))
        ]
        return max(one.rests_until - now, *waits, 0.0)

    def begin(self, turn: Turn) -> None:
        one = self._lanes[str(turn.lane)]
        if not one.in_flight:
            one.tried_at = turn.at
        one.in_flight += 1
        for kind, cost in turn.costs.items():
            one.pace[kind].take(cost, self._limits(one, kind, turn.at)[0], turn.at)
            one.found[kind] = one.found[kind].asked(cost, turn.at)

    def end(self, turn: Turn) -> None:
        self._lanes[str(turn.lane)].in_flight -= 1

    def unsent(self, turn: Turn, now: float) -> None:
        """Nothing was asked for after all."""
        one = self._lanes[str(turn.lane)]
        for kind, cost in turn.costs.items():
            one.pace[kind].give_back(cost, self._limits(one, kind, now)[0], turn.at)
            one.found[kind] = one.found[kind].unasked(cost)

    def heard(self, turn: Turn, limits: Iterable[Limit], now: float, *, glad: bool) -> None:
        """A reply is there: what its headers tell; `glad`: it is a good one."""
        one = self._lanes[str(turn.lane)]
        for limit in limits:
            self._told(one, limit, now)
        if glad:
            one.worked = True
            one.crowd = one.crowd.yes(self.concurrency)
            one.found = {
                kind: found.yes(turn.at, turn.costs[kind]) for kind, found in one.found.items()
            }

    def refused(self, turn: Turn, *, status: int, code: str, wait: float, now: float) -> None:
        """A call is to come later; `wait`: seconds of its Retry-After, or 0."""
        one = self._lanes[str(turn.lane)]
        if status == _TOO_MANY or status in _OVERLOADED:
            one.crowd = one.crowd.no(asked=turn.at, now=now)
        if status == _TOO_MANY:
            self._too_many(one, turn, code, wait, now)

    def rest(self, lane: LaneKey, until: float) -> None:
        """No call of this lane before then."""
        one = self._lanes[str(lane)]
        one.rests_until = max(one.rests_until, until)
        for pace in one.pace.values():
            pace.rest(until)

    def about(self, now: float) -> list[dict[str, Json]]:
        """What was learnt, for people and for `recall` after a restart."""
        return [
            {"lane": key, "concurrency": one.crowd.most(self.concurrency),
             **{f"{kind}_per_minute": self._about(one, kind, now) for kind in one.pace}}
            for key, one in list(self._lanes.items())
        ]  # fmt: skip

    def recall(self, about: object, now: float) -> None:
        """Begin with what was known before: a server that tells its limits soon does so again."""
        for said in about if isinstance(about, list) else ():
            if isinstance(said, dict) and isinstance(said.get("lane"), str):
                self._recall(self._lanes[said["lane"]], said, now)

    def _recall(self, one: _Lane, said: Mapping[str, object], now: float) -> None:
        size = said.get("concurrency")
        if isinstance(size, int) and size < one.crowd.size:
            one.crowd = Crowd(size=max(size, 1), halved=now)
        for kind, pace in one.pace.items():
            pace.rest(now)
            known = said.get(f"{kind}_per_minute")
            limit = known.get("learnt") if isinstance(known, dict) else None
            if isinstance(limit, int | float) and limit > 0:
                one.found[kind] = Found(limit=float(limit), since=now)

    def _about(self, one: _Lane, kind: str, now: float) -> dict[str, Json]:
        learnt = min(self._learnt(one, kind, now), default=None)
        return {
            "set": self._set[kind],
            "learnt": None if learnt is None else round(learnt, 1),
            "used": round(one.pace[kind].used(now)),
        }

    def _learnt(self, one: _Lane, kind: str, now: float) -> list[float]:
        found = one.found[kind].at(now)
        told = [limit for name, limit in one.told.items() if _kind(name) == kind]
        return told if found is None else [*told, found]

    def _limits(self, one: _Lane, kind: str, now: float) -> tuple[float | None, float | None]:
        """The limit to keep to, and the one never to pass in any minute.

        A server that refills evenly gave more than that in its first minute, and will not mind.
        """
        learnt, setting = self._learnt(one, kind, now), self._set[kind]
        limits = learnt if setting is None else [*learnt, setting]
        found = one.found[kind].at(now)
        if found is None or one.found[kind].by_minute:
            lowest = min(limits, default=None)
            return lowest, lowest
        firm = [limit for limit in limits if limit != found]
        return min(limits), min(firm, default=None)

    def _told(self, one: _Lane, limit: Limit, now: float) -> None:
        kind = _kind(limit.dimension)
        if not kind or not limit.limit:
            return
        if limit.dimension not in one.told:  # what was guessed is of no use any more
            one.found[kind] = Found()
        one.told[limit.dimension] = limit.limit
        if limit.remaining is not None:
            one.pace[kind].told_left(limit.remaining, now)

    def _too_many(self, one: _Lane, turn: Turn, code: str, wait: float, now: float) -> None:
        kind = turn.counts
        pace, found, cost = one.pace[kind], one.found[kind], turn.costs[kind]
        pace.give_back(cost, self._limits(one, kind, now)[0], turn.at)
        used = pace.used(now)
        if code == "slow_down":
            one.found[kind] = found.slow_down(asked=turn.at, used=used, now=now)
        elif not any(_kind(name) == kind for name in one.told):
            one.found[kind] = found.no(cost, asked=turn.at, used=used, wait=wait, now=now)
            self.rest(turn.lane, now + (wait or one.found[kind].rest()))


def _kind(dimension: str) -> str:
    """What a limit of this name counts; "": something that cannot be known before a call.

    Seen: requests, tokens, images, input-images.
    """
    if dimension == REQUESTS:
        return REQUESTS
    return IMAGES if dimension.endswith("images") else ""
