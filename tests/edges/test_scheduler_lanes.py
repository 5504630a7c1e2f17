"""Lanes: halted for all at once, probed by one call at a time, reopened for all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.edges.inbox_room import Clock

from watcher.core.jobs import LaneKey, Problem, Scope
from watcher.ledger import HaltedLane
from watcher.scheduler import LaneHalted, Lanes

ACCOUNT = "api.example#1"
LANE = LaneKey(account=ACCOUNT, model="m")
SISTER = LaneKey(account=ACCOUNT, model="other")
NO_MONEY = Problem(code="insufficient_quota", what="There is no money left.")
NO_ROOM = Problem(code="disk_full", what="The disk is full.")
AWAY = Problem(code="connection", what="The server cannot be reached.")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lanes(clock: Clock) -> Lanes:
    return Lanes((), clock=clock)


def refused_until(lanes: Lanes, lane: LaneKey) -> float | None:
    """When to look again; None where a call may pass."""
    try:
        lanes.admit(lane)
    except LaneHalted as halted:
        return halted.probe_at
    return None


def test_an_open_lane_lets_everybody_pass(lanes: Lanes) -> None:
    """Nothing halted: every call passes, and none of them is a probe."""
    assert [lanes.admit(LANE) for _ in range(3)] == [False] * 3


def test_a_provider_that_halts_halts_all_its_models(lanes: Lanes, clock: Clock) -> None:
    """No money for one model is no money for the others."""
    lanes.halt(LANE, NO_MONEY, "provider")
    due = clock.now + 300
    assert (refused_until(lanes, LANE), refused_until(lanes, SISTER)) == (due, due)


def test_a_model_that_halts_leaves_the_others_open(lanes: Lanes, clock: Clock) -> None:
    """A model that is gone stops its own rows only."""
    lanes.halt(LANE, NO_MONEY, "model")
    assert (refused_until(lanes, LANE), refused_until(lanes, SISTER)) == (clock.now + 300, None)


def test_an_outbox_that_halts_leaves_others_open(lanes: Lanes, clock: Clock) -> None:
    """A full disk stops the rows whose pictures go there, whatever their model; the same lane is open to others."""
    here, there = (replace(LANE, outbox=path) for path in ("/srv/a", "/srv/b"))
    lanes.halt(here, NO_ROOM, "outbox")
    assert refused_until(lanes, replace(SISTER, outbox="/srv/a")) == clock.now + 5
    assert (refused_until(lanes, there), refused_until(lanes, LANE)) == (None, None)
    assert [lane.outbox for lane in lanes.halted_for(ACCOUNT, "/srv/a")] == ["/srv/a"]
    assert lanes.halted_for(ACCOUNT, "/srv/b") == ()
    with pytest.raises(LaneHalted) as halted:
        lanes.admit(here)
    assert halted.value.is_for_all
    assert lanes.only({ACCOUNT}, {"/srv/a"}) == ()  # also after a start
    assert lanes.passed(here, kept=False) == ()  # a refused row puts nothing there
    clock.now += 5
    assert lanes.admit(here)
    assert lanes.passed(there) == ()
    assert lanes.passed(here) == ("outbox:/srv/a",)
    assert lanes.halted == ()


def test_one_call_probes_and_the_others_leave_it_alone(lanes: Lanes, clock: Clock) -> None:
    """When the probe is due one call passes; until it has ended the others are told to come back in a
    while, and not at once: else they would do nothing but ask."""
    lanes.halt(LANE, NO_MONEY, "provider")
    clock.now += 300
    assert lanes.admit(LANE)
    later = refused_until(lanes, SISTER)
    assert later is not None
    assert later > clock.now


def test_a_probe_that_passes_reopens_for_all(lanes: Lanes, clock: Clock) -> None:
    """One good answer opens provider and model, and says which were shut."""
    lanes.halt(LANE, NO_MONEY, "provider")
    lanes.halt(LANE, NO_MONEY, "model")
    clock.now += 300
    lanes.admit(LANE)
    assert set(lanes.passed(LANE)) == {ACCOUNT, str(LANE)}
    assert (lanes.halted, refused_until(lanes, LANE)) == ((), None)


def test_probes_that_fail_come_less_and_less_often(lanes: Lanes, clock: Clock) -> None:
    """After 5 minutes, 15 minutes, then each hour: who waits for money looks, and does not knock."""
    waits = []
    for _ in range(5):
        halted, _ = lanes.halt(LANE, NO_MONEY, "provider")
        waits.append(halted.probe_at - clock.now)
        clock.now = halted.probe_at
        lanes.admit(LANE)
    assert waits == [300, 900, 3600, 3600, 3600]


def test_a_server_that_is_away_is_looked_for_soon(lanes: Lanes, clock: Clock) -> None:
    """Nobody has to do anything about an outage: it is probed within seconds."""
    halted, fresh = lanes.halt(LANE, AWAY, "provider")
    assert (halted.probe_at - clock.now, fresh) == (5, True)


def test_calls_that_were_in_flight_count_as_no_probe(lanes: Lanes, clock: Clock) -> None:
    """Ten calls in flight meet the same no: that is one halt, not ten steps up the ladder."""
    for _ in range(10):
        halted, _ = lanes.halt(LANE, NO_MONEY, "provider")
    assert (halted.probe_at, halted.probes) == (clock.now + 300, 0)


def test_a_probe_that_was_not_sent_lets_the_next_one_probe(lanes: Lanes, clock: Clock) -> None:
    """Sent away before its call, paused or cancelled: the lane is not shut for ever."""
    lanes.halt(LANE, NO_MONEY, "provider")
    clock.now += 300
    assert lanes.admit(LANE)
    lanes.unprobed(LANE)
    assert lanes.admit(SISTER)


@pytest.mark.parametrize("scope", ["provider", "model"])
def test_a_probe_of_both_leaves_neither_waiting_for_ever(
    lanes: Lanes, clock: Clock, scope: Scope
) -> None:
    """One call probes provider and model, and says no for one of them: both are probed again later."""
    lanes.halt(LANE, NO_MONEY, "provider")
    lanes.halt(LANE, NO_MONEY, "model")
    clock.now += 300
    assert lanes.admit(LANE)
    lanes.halt(LANE, NO_MONEY, scope)
    assert (refused_until(lanes, LANE), refused_until(lanes, SISTER)) == (clock.now + 900,) * 2
    clock.now += 900
    assert lanes.admit(LANE)


def test_a_probe_of_the_provider_may_find_its_own_model_gone(lanes: Lanes, clock: Clock) -> None:
    """That model is halted, and the provider is probed again, by rows of another one too."""
    lanes.halt(LANE, NO_MONEY, "provider")
    clock.now += 300
    assert lanes.admit(LANE)
    lanes.halt(LANE, NO_MONEY, "model")
    clock.now += 900
    assert lanes.admit(SISTER)


def test_a_probe_from_before_a_reload_puts_nothing_off(lanes: Lanes, clock: Clock) -> None:
    """Somebody paid and reloaded while it was under way: the next one is let go at once all the same."""
    lanes.halt(LANE, NO_MONEY, "provider")
    clock.now += 300
    lanes.admit(LANE)
    lanes.probe_now()
    halted, _ = lanes.halt(LANE, NO_MONEY, "provider")
    assert halted.probe_at == clock.now
    assert lanes.admit(LANE)


def test_a_probe_that_tells_nothing_is_followed_by_another(lanes: Lanes, clock: Clock) -> None:
    """It was told to wait, or its end is not known: still halted, probed again later."""
    lanes.halt(LANE, NO_MONEY, "provider")
    clock.now += 300
    lanes.admit(LANE)
    lanes.undecided(LANE)
    due = refused_until(lanes, LANE)
    assert due == clock.now + 900
    clock.now = due or 0
    assert lanes.admit(LANE)


def test_lanes_halted_before_a_start_are_probed_at_once(clock: Clock) -> None:
    """Whoever restarts the service has mended something: it looks, once, without waiting."""
    left = HaltedLane(
        key=ACCOUNT, problem=NO_MONEY, since=clock.now - 900, probe_at=clock.now + 3600, probes=7
    )
    lanes = Lanes([left], clock=clock)
    assert not lanes.is_shut()
    assert lanes.admit(LANE)
    assert refused_until(lanes, SISTER) is not None


def test_settings_that_were_reloaded_are_tried_at_once(lanes: Lanes, clock: Clock) -> None:
    """After a reload every halted lane is probed, and its ladder begins anew."""
    for _ in range(3):
        halted, _ = lanes.halt(LANE, NO_MONEY, "provider")
        clock.now = halted.probe_at
        lanes.admit(LANE)
        lanes.undecided(LANE)
    lanes.probe_now()
    assert lanes.admit(LANE)
    halted, _ = lanes.halt(LANE, NO_MONEY, "provider")
    assert halted.probe_at == clock.now + 900


def test_a_key_that_was_replaced_halts_nothing(lanes: Lanes) -> None:
    """What was halted under another key is forgotten, and named so that the ledger forgets it too."""
    lanes.halt(LANE, NO_MONEY, "provider")
    lanes.halt(LaneKey(account="api.example", model="m"), NO_MONEY, "model")
    assert lanes.only({ACCOUNT}) == ("api.example/m",)
    assert [lane.key for lane in lanes.halted] == [ACCOUNT]


def test_shut_means_probed_in_vain(lanes: Lanes, clock: Clock) -> None:
    """While a probe is due or under way there is hope; after it failed there is none until the next."""
    lanes.halt(LANE, NO_MONEY, "provider")
    assert lanes.is_shut()
    clock.now += 300
    assert not lanes.is_shut()
    lanes.admit(LANE)
    lanes.halt(LANE, NO_MONEY, "provider")
    assert lanes.is_shut()


def test_many_rows_that_failed_in_a_row_are_an_outage(lanes: Lanes) -> None:
    """One row that fails is that row; one after the other is the server; a good answer forgets it."""
    for _ in range(9):
        assert not lanes.failing(LANE)
        lanes.exhausted(LANE)
    assert (lanes.failing(LANE), lanes.failing(SISTER)) == (True, False)
    lanes.passed(LANE)
    assert not lanes.failing(LANE)
