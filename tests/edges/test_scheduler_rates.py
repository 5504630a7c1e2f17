"""What a lane may be asked for now: the lowest of what is set, told and found out; each lane for itself."""

from __future__ import annotations

import math

import pytest

from watcher.core.jobs import LaneKey
from watcher.core.wire import Limit
from watcher.scheduler.rates import Rates, Turn

LANE = LaneKey(account="api.example", model="m")
OTHER = LaneKey(account="api.example", model="other")
NOW = 1000.0
MANY = 50  # calls at a time


def begin(rates: Rates, now: float, lane: LaneKey = LANE, images: int = 1) -> Turn:
    turn = Turn(path=(2, "inbox", "job"), lane=lane, images=images, at=now)
    rates.begin(turn)
    return turn


def calls(rates: Rates, seconds: float, lane: LaneKey = LANE, images: int = 1) -> int:
    """How many may be made one after the other in so long a time."""
    now, count = NOW, 0
    while (wait := rates.wait(lane, images, now)) < math.inf and now + wait < NOW + seconds:
        now += wait + 0.001
        rates.end(begin(rates, now, lane, images))
        count += 1
        if count > 10_000:
            break
    return count


def told(rates: Rates, *limits: Limit, lane: LaneKey = LANE) -> None:
    turn = begin(rates, NOW - 100, lane)
    rates.end(turn)
    rates.heard(turn, limits, NOW - 100, glad=True)


@pytest.mark.parametrize(
    ("setting", "headers", "allowed"),
    [(60, None, 60), (None, 60, 60), (60, 30, 30), (30, 60, 30)],
    ids=["set", "told", "less told than set", "less set than told"],
)
def test_the_lowest_limit_holds(setting: float | None, headers: float | None, allowed: int) -> None:
    """Of what is set and what the server tells, in any minute."""
    rates = Rates(MANY, images=setting)
    if headers:
        told(rates, Limit(dimension="input-images", limit=headers))
    assert allowed - 1 <= calls(rates, 59) <= allowed


def test_n_images_count_as_n() -> None:
    """Four a call: a quarter as many calls."""
    assert calls(Rates(MANY, images=60), 59, images=4) == 15


def test_requests_are_limited_beside_images() -> None:
    """Whichever is used up first."""
    assert calls(Rates(MANY, images=60, requests=20), 59) == 20
    assert calls(Rates(MANY, images=60, requests=20), 59, images=6) == 10


def test_calls_for_texts_are_no_images() -> None:
    """An analyze call counts as a request alone."""
    assert calls(Rates(MANY, images=1), 10, images=0) > 1000


def test_each_lane_has_limits_of_its_own() -> None:
    """One that is used up takes nothing from another."""
    rates = Rates(MANY, images=60)
    assert calls(rates, 59) == 60
    assert rates.wait(LANE, 1, NOW + 59) > 0
    assert rates.wait(OTHER, 1, NOW + 59) == 0


def test_a_lane_that_rests_makes_no_calls() -> None:
    """Retry-After, whatever the limits say."""
    rates = Rates(MANY)
    rates.rest(LANE, NOW + 5)
    assert rates.wait(LANE, 1, NOW) == 5
    assert rates.wait(OTHER, 1, NOW) == 0


def test_calls_at_a_time_are_halved_by_a_no_and_only_in_that_lane() -> None:
    """429 and 503; what comes back from the same round trip counts once."""
    rates = Rates(8)
    turns = [begin(rates, NOW) for _ in range(8)]
    assert rates.wait(LANE, 1, NOW) == math.inf
    for turn in turns:
        rates.end(turn)
        rates.refused(turn, status=503, code="server_is_overloaded", wait=0, now=NOW + 1)
    for _ in range(4):
        assert rates.wait(LANE, 1, NOW + 1) == 0
        begin(rates, NOW + 1)
    assert rates.wait(LANE, 1, NOW + 1) == math.inf
    assert rates.wait(OTHER, 1, NOW + 1) == 0


def test_a_turn_that_was_not_used_costs_nothing() -> None:
    """A row that needed no call holds up nobody."""
    rates = Rates(MANY, images=1)
    for _ in range(100):
        assert rates.wait(LANE, 1, NOW) == 0
        turn = begin(rates, NOW)
        rates.unsent(turn, NOW)
        rates.end(turn)


def test_a_limit_that_the_server_tells_is_not_guessed() -> None:
    """429s beside headers that tell of images are somebody else's matter; without them they make a limit."""
    silent, open_ = Rates(MANY), Rates(MANY)
    told(open_, Limit(dimension="images", limit=600, remaining=599))
    for rates in (silent, open_):
        for at in range(20):
            begin(rates, NOW + at / 10)
        for now in (NOW + 2, NOW + 3):
            rates.heard(begin(rates, now), (), now, glad=True)
            no = begin(rates, now + 0.1)
            rates.refused(no, status=429, code="rate_limit_exceeded", wait=0.1, now=now + 0.2)
    found = [rates.about(NOW + 4)[0]["images_per_minute"] for rates in (silent, open_)]
    assert [one["learnt"] < 30 for one in found] == [True, False]  # type: ignore[index, call-overload, operator]


def test_slow_down_cuts_also_what_is_told() -> None:
    """The calls came up too fast for a limit that would allow them."""
    rates = Rates(MANY)
    told(rates, Limit(dimension="images", limit=600))
    turn = begin(rates, NOW)
    rates.refused(turn, status=429, code="slow_down", wait=0, now=NOW + 1)
    assert calls(rates, 59) < 10


def test_what_was_learnt_is_known_after_a_restart() -> None:
    """It is begun with, and given up for what the server tells then."""
    before = Rates(8)
    told(before, Limit(dimension="images", limit=60))
    after = Rates(MANY)
    after.recall(before.about(NOW - 50), NOW - 50)
    assert 58 <= calls(after, 59) <= 65
    told(after, Limit(dimension="images", limit=6000))
    known = after.about(NOW)[0]["images_per_minute"]
    assert known["learnt"] == 6000  # type: ignore[index, call-overload]


@pytest.mark.parametrize(
    "junk", [None, "x", [1], [{}], [{"lane": "a/b", "images_per_minute": "?", "concurrency": None}]]
)
def test_junk_is_nothing_to_remember(junk: object) -> None:
    """The file was written by an older version, or by somebody else."""
    rates = Rates(MANY)
    rates.recall(junk, NOW)
    assert rates.wait(LANE, 1, NOW) == 0


def test_the_first_call_of_a_lane_goes_ahead() -> None:
    """One no is enough: the others follow when it has had its time, or when the lane has worked."""
    rates = Rates(8)
    rates.ahead = 0.25
    first = begin(rates, 10.0)
    assert rates.wait(first.lane, 1, 10.0) == 0.25
    assert rates.wait(first.lane, 1, 10.25) == 0
    rates.heard(first, (), 10.1, glad=True)
    assert rates.wait(first.lane, 1, 10.1) == 0
