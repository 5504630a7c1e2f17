"""Schedules as `status` shows them: when they run next, what became of the last run."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from rich.text import Text

from watcher.daemon.schedules import times_of
from watcher.ledger import Ledger
from watcher.settings import Schedule, Settings


def as_json(settings: Settings, ledger: Ledger, now: float) -> list[dict[str, object]]:
    """`next_run`, `last_run`: with the schedule's own offset; `problem`: why a run is not dropped yet."""
    known = ledger.schedules.all()
    found: list[dict[str, object]] = []
    for schedule in settings.schedules:
        one = known.get(schedule.name)
        found.append(
            {
                "name": schedule.name,
                "inbox": schedule.inbox,
                "next_run": _shown(schedule, times_of(schedule).next_after(now)),
                "last_run": _shown(schedule, one.run_at) if one else None,
                "last_drop": one.path.decode(errors="replace") if one and one.path else None,
                "problem": one.problem.what if one and one.problem else None,
                "hint": one.problem.hint if one and one.problem else None,
            }
        )
    return found


def lines(settings: Settings, ledger: Ledger, now: float) -> list[Text]:
    shown = []
    for one in as_json(settings, ledger, now):
        last = f", last {one['last_run']}" if one["last_run"] else ""
        shown.append(Text(f"schedule {one['name']}: next {one['next_run']}{last}"))
        if one["problem"]:
            shown.append(Text(f"  {one['problem']} {one['hint'] or ''}".rstrip(), style="yellow"))
    return shown


def _shown(schedule: Schedule, time: float | None) -> str | None:
    if time is None:
        return None
    zone = ZoneInfo(schedule.timezone)
    return datetime.fromtimestamp(time, UTC).astimezone(zone).isoformat(timespec="minutes")
