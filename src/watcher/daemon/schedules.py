"""Drops by the clock: what is due is copied into its inbox, once, and the ledger knows of it first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from watcher.core.errors import InboxError, WatcherError
from watcher.core.jobs import Problem
from watcher.core.log import Log
from watcher.core.naming import safe_stem
from watcher.core.schedule import Timetable, timetable
from watcher.daemon.each import Each
from watcher.inbox import AGAIN, InboxFolder, lies, put
from watcher.ledger import Ledger, Scheduled
from watcher.settings import Schedule, Settings

_LOOK = 1.0  # seconds between two looks at the clock
_AFTER_REFUSAL = 30.0  # seconds until a drop that was refused is tried again


class Schedules:
    """A side of the daemon. `folders`: the inboxes that are served, by name; `clock`: seconds since the epoch."""

    def __init__(
        self,
        *,
        settings: Callable[[], Settings],
        ledger: Ledger,
        folders: Mapping[str, InboxFolder],
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        log: Log,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._folders = folders
        self._clock = clock
        self._sleep = sleep
        self._log = log
        self._each = Each("schedule", self.look, log)
        self._known: dict[str, dict[str, Scheduled]] = {}
        self._not_before: dict[str, float] = {}  # by inbox
        self._waits: dict[str, float] = {}  # by schedule

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                self._each.start({schedule.inbox for schedule in self._settings().schedules})
                await self._sleep(_LOOK)
        finally:
            await self._each.end()

    def look(self, inbox: str) -> None:
        """Drop what is due in an inbox now. Raises DiskError where the ledger's disk refuses."""
        now = self._clock()
        if 0 < self._not_before.get(inbox, 0.0) - now < _AFTER_REFUSAL:
            return
        try:
            known = self._known.get(inbox) or self._ledger.schedules.all()
            self._known[inbox] = known
            for schedule in self._settings().schedules:
                if schedule.inbox == inbox:
                    self._look_at(schedule, known)
        except BaseException:
            self._known.pop(inbox, None)  # what the ledger has of it is not known
            self._not_before[inbox] = now + _AFTER_REFUSAL
            raise

    def _look_at(self, schedule: Schedule, known: dict[str, Scheduled]) -> None:
        now, name, rule = self._clock(), schedule.name, f"{schedule.cron} {schedule.timezone}"
        found = known.get(name)
        if found is None or found.rule != rule:
            self._ledger.schedules.begin(name, rule=rule, now=now)
            found = known[name] = Scheduled(name=name, rule=rule, decided_until=now)
        known[name] = found = self._decide(schedule, found, now)
        waits = 0 < self._waits.get(name, 0.0) - now < _AFTER_REFUSAL
        if found.intended and not waits:
            known[name] = self._drop(schedule, found, now)

    def _decide(self, schedule: Schedule, found: Scheduled, now: float) -> Scheduled:
        decision = times_of(schedule).decide(schedule.missed, found.decided_until, now)
        until = decision.decided_until
        if until == found.decided_until:
            return found
        if decision.missed:
            self._log.warning(
                "schedule.missed", schedule=schedule.name, makes_up=decision.run is not None
            )
        if decision.run is None:
            self._ledger.schedules.decide(schedule.name, until)
            return replace(found, decided_until=until)
        path = drop_path(schedule, decision.run)
        self._ledger.schedules.intend(schedule.name, run_at=decision.run, path=path, until=until)
        return replace(
            found, decided_until=until, run_at=decision.run, path=path, state="intended", problem=None
        )  # fmt: skip

    def _drop(self, schedule: Schedule, found: Scheduled, now: float) -> Scheduled:
        path = found.path or b""
        try:
            self._put(schedule, path)
        except (WatcherError, OSError) as error:
            self._waits[schedule.name] = now + _AFTER_REFUSAL
            problem = _problem(error, schedule)
            if found.problem != problem:
                self._ledger.schedules.refused(schedule.name, problem)
                self._log.warning("schedule.refused", schedule=schedule.name, inbox=schedule.inbox,
                                  what=problem.what, what_to_do=problem.hint)  # fmt: skip
            return replace(found, problem=problem)
        self._ledger.schedules.dropped(schedule.name)
        self._log.info("schedule.dropped", schedule=schedule.name, inbox=schedule.inbox,
                       file=path.decode(errors="replace"))  # fmt: skip
        return replace(found, state="dropped", problem=None)

    def _put(self, schedule: Schedule, path: bytes) -> None:
        """Once: what a crash left half done is in the inbox, was claimed, or is still to be dropped."""
        folder = self._folders.get(schedule.inbox)
        if folder is None:
            raise InboxError(
                f"The inbox {schedule.inbox} is not served.", "Enable it, and restart the daemon."
            )
        # In this order: a drop that is claimed meanwhile is written down before it leaves the inbox.
        if not lies(folder, path) and not self._ledger.schedules.is_claimed(schedule.inbox, path):
            put(folder, path, schedule.file)


def times_of(schedule: Schedule) -> Timetable:
    return timetable(schedule.cron, ZoneInfo(schedule.timezone))


def drop_path(schedule: Schedule, run: float) -> bytes:
    """`again/<name>-2026-11-21T0600+0100.csv`: no two runs have the same, and each is worked anew."""
    when = datetime.fromtimestamp(run, UTC).astimezone(ZoneInfo(schedule.timezone))
    stem = safe_stem(schedule.name, fallback="schedule")
    name = f"{stem}-{when:%Y-%m-%dT%H%M%z}{schedule.file.suffix.lower()}"
    return f"{AGAIN}/{name}".encode()


def _problem(error: WatcherError | OSError, schedule: Schedule) -> Problem:
    if isinstance(error, WatcherError):
        return Problem(code=error.code, what=error.what, hint=error.hint)
    return Problem(
        code="schedule_file",
        what=f"{Path(error.filename or schedule.file)} cannot be read: {error.strerror}.",
        hint="Put the file there, or let this service read it; it is tried again every half minute.",
    )
