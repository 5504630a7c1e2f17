"""When a schedule runs: cron fields in a time zone, and what is due now. The clock is handed in.

As Debian's cron takes daylight saving (cron(8), "Daylight Saving Time"): a fixed time of day runs once
on every day that it is meant for, at the end of the gap where the clock skips it, and the first time where
the clock shows it twice; what is given with a star (`*/15 * * * *`, `0 * * * *`) runs by the clock
on the wall, as often as that shows it. Times are seconds since the epoch.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Literal

from cronsim import CronSim, CronSimError

Missed = Literal["run_once", "skip"]

LATE = 60.0  # seconds after which a run counts as missed
_CLOCK_WAS_WRONG = 86_400.0  # seconds: a clock that is set back by more showed no time to go by
_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
_YEARS = 50  # after which there is no next run: the rarest days come every 40 years
_FIELDS = 5
_KEPT = 4  # days
_SHIFT = 7_200  # seconds that a zone is at most set back at once


class CronError(ValueError):
    """The fields cannot be read, or name no day that comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do now. `run`: the time of the run to drop, if any; `missed`: whether others are left out.

    `decided_until`: no run up to here is ever to be looked at again.
    """

    run: float | None
    missed: bool
    decided_until: float


class Timetable:
    """Every run of one cron line in one time zone."""

    def __init__(self, cron: str, zone: tzinfo) -> None:
        """`cron`: minute, hour, day of month, month, day of week. Raises CronError."""
        if len(cron.split()) != _FIELDS:
            raise CronError("not five fields")
        try:
            self._fields = CronSim(cron, datetime(2000, 1, 1, tzinfo=UTC))
        except CronSimError as error:
            raise CronError(str(error)) from None
        minute, hour = self._fields.parts[1:3]
        self._by_the_wall = minute.startswith("*") or hour.startswith("*")
        self._zone = zone
        self._known: dict[date, list[float]] = {}

    def next_after(self, time: float) -> float | None:
        """The first run later than `time`; None where there is none within fifty years."""
        for day in self._days(time, time + _YEARS * 366 * 86_400):
            runs = self._runs_of(day)
            if (at := bisect_right(runs, time)) < len(runs):
                return runs[at]
        return None

    def newest(self, after: float, until: float) -> float | None:
        """The last run in (after, until]."""
        for day in reversed(list(self._days(after, until))):
            runs = self._runs_of(day)
            if (at := bisect_right(runs, until)) and runs[at - 1] > after:
                return runs[at - 1]
        return None

    def decide(self, missed: Missed, decided_until: float, now: float) -> Decision:
        """Of all runs since `decided_until` the newest is due, where it is not missed or missed ones run.

        A clock that is set back repeats nothing, unless by more than a day: then it was wrong before.
        """
        if decided_until > now + _CLOCK_WAS_WRONG:
            return Decision(run=None, missed=False, decided_until=now)
        newest = self.newest(decided_until, now)
        if newest is None:
            return Decision(run=None, missed=False, decided_until=decided_until)
        late = now - newest > LATE
        earlier = self.next_after(decided_until) != newest
        run = None if late and missed == "skip" else newest
        return Decision(run=run, missed=earlier or run is None, decided_until=newest)

    def _days(self, start: float, end: float) -> Iterator[date]:
        """The days, by the zone's calendar, on which a run in that time may be, one more at each end."""
        day = datetime.fromtimestamp(start, self._zone).date() - _DAY
        last = datetime.fromtimestamp(end, self._zone).date() + _DAY
        while day <= last:
            if day.month in self._fields.months and self._fields.match_day(day):
                yield day
            day += _DAY

    def _runs_of(self, day: date) -> list[float]:
        """In order; those of the last few days that were asked for are kept."""
        if day not in self._known:
            runs = self._on_the_wall(day) if self._by_the_wall else self._at_fixed_times(day)
            self._known = {**dict(list(self._known.items())[-_KEPT:]), day: runs}
        return self._known[day]

    def _at_fixed_times(self, day: date) -> list[float]:
        times = (
            datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001 - of no zone yet
            for hour in self._fields.hours
            for minute in self._fields.minutes
        )
        return sorted({_first_at(time, self._zone) for time in times})

    def _on_the_wall(self, day: date) -> list[float]:
        """Every minute of real time in which the clock shows a time that is meant."""
        start = datetime(day.year, day.month, day.day, tzinfo=self._zone).timestamp()
        found = []
        for time in range(int(start) - _SHIFT, int(start) + 86_400 + 2 * _SHIFT, 60):
            shown = datetime.fromtimestamp(time, self._zone)
            meant = shown.hour in self._fields.hours and shown.minute in self._fields.minutes
            if meant and shown.date() == day:
                found.append(float(time))
        return found


@lru_cache(maxsize=256)
def timetable(cron: str, zone: tzinfo) -> Timetable:
    """As `Timetable`, each read once."""
    return Timetable(cron, zone)


def _first_at(time: datetime, zone: tzinfo) -> float:
    """When a clock first shows `time`, or what comes right after it where it is skipped."""
    while True:
        shown = time.replace(tzinfo=zone)
        if shown.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == time:
            return shown.timestamp()
        time += _MINUTE
