"""When schedules run: through daylight saving, restarts, sleep and wrong clocks, never twice and none forgotten."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.core.schedule import LATE, CronError, Timetable

DAY = 86_400.0
# Each with two changes of the clock in the days that are simulated.
CHANGES = {
    "Europe/Paris": ("2026-03-29", "2026-10-25"),
    "America/New_York": ("2026-03-08", "2026-11-01"),
    "America/St_Johns": ("2026-03-08", "2026-11-01"),
    "Australia/Lord_Howe": ("2026-04-05", "2026-10-04"),  # by half an hour
    "America/Havana": ("2026-03-08", "2026-11-01"),  # at midnight
    "Asia/Beirut": ("2026-03-29", "2026-10-25"),  # at midnight, back into the day before
    "Africa/Casablanca": ("2026-02-15", "2026-03-22"),  # the other way round
    "Pacific/Chatham": ("2026-04-05", "2026-09-27"),
    "Asia/Kolkata": ("2026-03-29", "2026-10-25"),  # never
    "UTC": ("2026-03-29", "2026-10-25"),
}
FIXED = ["0 6 * * *", "30 2 * * *", "0,30 1,2,3 * * *", "15 0 * * *", "59 23 * * *", "0 2 * * SUN"]
BY_THE_WALL = ["* * * * *", "*/15 * * * *", "0 * * * *", "*/20 2 * * *", "*/30 0-3 * * *"]


def _at(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def _shown(time: float, zone: str) -> str:
    return datetime.fromtimestamp(time, ZoneInfo(zone)).strftime("%a %H:%M")


def _simulated(
    table: Timetable, start: float, end: float, *, step: float, restart_every: int = 7
) -> list[float]:
    """What a daemon drops that looks every `step` seconds, and remembers nothing but what is in the ledger."""
    found, decided_until, now, looks = [], start, start, 0
    while now < end:
        now += step
        looks += 1
        decision = table.decide("run_once", decided_until, now)
        if looks % restart_every:  # else it died before it could write anything down
            decided_until = decision.decided_until
            if decision.run is not None:
                found.append(decision.run)
    return found


def _wall_minutes(zone: str, start: float, end: float) -> list[tuple[float, str]]:
    return [
        (float(time), _shown(time, zone))
        for time in range(int(start) + 60, int(end) + 1, 60)
    ]  # fmt: skip


@pytest.mark.parametrize("change", [0, 1])
@pytest.mark.parametrize("zone", CHANGES)
@pytest.mark.parametrize("cron", FIXED)
def test_a_fixed_time_runs_once_a_day_through_a_change_of_the_clock(
    zone: str, change: int, cron: str
) -> None:
    """72 hours around it, in looks of some seconds, with restarts: each day each time once, none in between."""
    middle = _at(f"{CHANGES[zone][change]} 12:00", zone)
    start, end = middle - 1.5 * DAY, middle + 1.5 * DAY
    found = _simulated(Timetable(cron, ZoneInfo(zone)), start, end, step=53)
    assert found == sorted(set(found))
    minutes, hours = cron.split()[:2]
    times = {f"{int(h):02}:{int(m):02}" for h in hours.split(",") for m in minutes.split(",")}
    seen: dict[str, int] = {}
    for time, shown in _wall_minutes(zone, start, end):
        if shown[4:] in times and (cron[-3:] != "SUN" or shown[:3] == "Sun"):
            key = datetime.fromtimestamp(time, ZoneInfo(zone)).strftime("%F %H:%M")
            seen.setdefault(key, int(time))
    regular = {float(time) for time in seen.values()}
    gaps = [time for time in found if time not in regular]
    assert regular <= set(found)
    assert len(gaps) <= 1  # what the clock skipped runs at the end of the gap
    for time in gaps:
        assert datetime.fromtimestamp(time, ZoneInfo(zone)).utcoffset() != datetime.fromtimestamp(
            time - 60, ZoneInfo(zone)
        ).utcoffset()  # fmt: skip


@pytest.mark.parametrize("change", [0, 1])
@pytest.mark.parametrize("zone", CHANGES)
@pytest.mark.parametrize("cron", BY_THE_WALL)
def test_a_star_runs_as_often_as_the_clock_shows_it(zone: str, change: int, cron: str) -> None:
    """26 hours in looks of some seconds: every minute of real time whose reading is meant has its run."""
    middle = _at(f"{CHANGES[zone][change]} 03:00", zone)
    start, end = middle - 0.55 * DAY, middle + 0.55 * DAY
    found = _simulated(Timetable(cron, ZoneInfo(zone)), start, end, step=19, restart_every=3)
    field, hours = cron.split()[:2]
    step = 1 if field == "*" else int(field.partition("/")[2] or 60)
    allowed = range(24) if hours == "*" else range(int(hours[0]), int(hours[-1]) + 1)
    expected = [
        time
        for time, shown in _wall_minutes(zone, start, end)
        if int(shown[4:6]) in allowed and int(shown[7:9]) % step == 0
    ]
    assert found == expected


def test_what_the_clock_skips_and_what_it_shows_twice() -> None:
    """02:30 in Paris: at 03:00 on the day without it, and the first of the two on the day with both."""
    table = Timetable("30 2 * * *", ZoneInfo("Europe/Paris"))
    skipped = table.next_after(_at("2026-03-28 12:00"))
    twice = table.next_after(_at("2026-10-24 12:00"))
    assert skipped == _at("2026-03-29 01:00")
    assert twice == _at("2026-10-25 00:30")
    assert table.next_after(twice) == _at("2026-10-26 01:30")


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([*FIXED, "*/15 * * * *", "0 * * * *"]),
    st.sampled_from(list(CHANGES)),
    st.floats(_at("2026-01-01"), _at("2026-12-31")),
    st.floats(60, 3 * DAY),
    st.floats(0, 1),
)
def test_where_it_is_cut_makes_no_difference(
    cron: str, zone: str, start: float, length: float, cut: float
) -> None:
    """The runs of a time are those of its two parts, wherever a restart parts it."""
    table = Timetable(cron, ZoneInfo(zone))

    def runs(after: float, until: float) -> list[float]:
        found = []
        while (run := table.next_after(after)) is not None and run <= until:
            found.append(run)
            after = run
        return found

    middle = start + cut * length
    whole = runs(start, start + length)
    assert whole == runs(start, middle) + runs(middle, start + length)
    assert table.newest(start, start + length) == (whole[-1] if whole else None)


def test_after_a_long_sleep_it_runs_once() -> None:
    """A machine that was off or suspended for weeks drops one file for all the runs it missed."""
    table = Timetable("0 * * * *", UTC)
    start = _at("2026-05-01 00:30")
    decision = table.decide("run_once", start, start + 30 * DAY)
    assert decision.run == _at("2026-05-31 00:00")
    assert decision.missed
    assert table.decide("run_once", decision.decided_until, start + 30 * DAY + 1).run is None


def test_missed_runs_may_be_left_out() -> None:
    """skip: what is more than a minute late does not run, and the next one does."""
    table = Timetable("0 6 * * *", UTC)
    six = _at("2026-05-02 06:00")
    late = table.decide("skip", six - DAY, six + LATE + 1)
    assert (late.run, late.missed, late.decided_until) == (None, True, six)
    in_time = table.decide("skip", six - DAY, six + LATE)
    assert (in_time.run, in_time.missed) == (six, False)
    assert table.decide("skip", late.decided_until, six + DAY).run == six + DAY


def test_a_clock_that_is_set_back_repeats_nothing() -> None:
    """What ran at six does not run again when it becomes six for the second time."""
    table = Timetable("*/10 * * * *", UTC)
    decided = _at("2026-05-02 06:00")
    for minutes in range(120):
        now = decided - 3600 + minutes * 60
        decision = table.decide("run_once", decided, now)
        assert (decision.run is None) == (now < decided + 600)
        if decision.run is not None:
            break


def test_a_clock_that_was_wrong_for_years_holds_up_nothing() -> None:
    """A machine that woke up in 2038 and learns the time goes on by the time that it learns."""
    table = Timetable("0 6 * * *", UTC)
    now = _at("2026-05-02 05:00")
    decision = table.decide("run_once", _at("2038-01-01"), now)
    assert (decision.run, decision.decided_until) == (None, now)
    assert table.decide("run_once", decision.decided_until, now + 3600).run == now + 3600


def test_a_clock_that_leaps_ahead_runs_once() -> None:
    """Five hours at once are five runs missed: one is made up for."""
    table = Timetable("0 * * * *", UTC)
    start = _at("2026-05-02 05:30")
    decision = table.decide("run_once", start, start + 5 * 3600)
    assert (decision.run, decision.missed) == (_at("2026-05-02 10:00"), True)


@pytest.mark.parametrize(
    ("cron", "after", "expected"),
    [
        ("0 0 29 2 *", "2026-03-01", "2028-02-29"),
        ("0 0 L * *", "2026-02-01", "2026-02-28"),
        ("0 0 * * 5L", "2026-05-01", "2026-05-29"),
        ("0 0 13 * 5", "2026-05-01", "2026-05-08"),  # either of the two
        ("0 0 * * MON#2", "2026-05-01", "2026-05-11"),
        ("0 0 1 1 *", "2026-05-01", "2027-01-01"),
    ],
)
def test_days_that_come_seldom(cron: str, after: str, expected: str) -> None:
    """Leap days, last days, n-th weekdays, and days of month or week."""
    assert Timetable(cron, UTC).next_after(_at(after)) == _at(expected)


@pytest.mark.parametrize(
    "cron", ["", "* * * *", "60 * * * *", "0 0 30 2 *", "a b c d e", "*/0 * * * *"]
)
def test_what_is_no_cron(cron: str) -> None:
    """Fields that cannot be read are refused; so is a day that never comes."""
    with pytest.raises(CronError):
        Timetable(cron, UTC)


def test_a_year_is_looked_through_quickly() -> None:
    """Runs of a whole year, minute by minute or once, are decided in one look, not one by one."""
    for cron in ("* * * * *", "0 0 29 2 *"):
        table = Timetable(cron, ZoneInfo("Europe/Paris"))
        until = _at("2029-01-01 00:00")
        newest = table.newest(_at("2026-01-01"), until)
        assert newest is not None
        assert until - newest < timedelta(days=310).total_seconds()
