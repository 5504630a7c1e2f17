"""`image-watcher status`: what runs, what waits and why, where results are."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.table import Table
from rich.text import Text

from watcher.cli import schedules
from watcher.core.jobs import JobState, RowState
from watcher.core.report.times import counted
from watcher.core.results import JobResult
from watcher.daemon import is_running, read_about
from watcher.ledger import HaltedLane, Ledger
from watcher.settings import Settings

_MOST_JOBS = 20
_TABLE = 72  # columns that the table of jobs needs
_EVERY = 1.0  # seconds between two looks of --watch
COLOURS = {
    JobState.RUNNING: "cyan",
    JobState.DONE: "green",
    JobState.PARTIAL: "yellow",
    JobState.FAILED: "red",
    JobState.CANCELLED: "dim",
}


def as_json(settings: Settings, ledger: Ledger) -> dict[str, object]:
    """The same as the page, for programs."""
    return {
        "running": is_running(settings.state_dir),
        "daemon": read_about(settings.state_dir),
        "lanes": [
            {"lane": lane.key, "state": "halted", "code": lane.problem.code,
             "what": lane.problem.what, "hint": lane.problem.hint, "since": lane.since,
             "probe_at": lane.probe_at}
            for lane in ledger.lanes.halted()
        ],
        "schedules": schedules.as_json(settings, ledger, time.time()),
        "refused_parameters": [asdict(one) for one in ledger.refused.all(now=time.time())],
        "jobs": [_job_json(job) for job in ledger.views.jobs(most=_MOST_JOBS)],
    }  # fmt: skip


def page(settings: Settings, ledger: Ledger, now: float) -> RenderableType:
    """The status as a person reads it."""
    jobs = ledger.views.jobs(most=_MOST_JOBS)
    parts: list[RenderableType] = [_daemon(settings), _inboxes(settings)]
    parts += schedules.lines(settings, ledger, now)
    parts += [_lane(lane, now) for lane in ledger.lanes.halted()]
    parts += [_held(job) for job in jobs if is_held(job)]
    parts += _rates(settings)
    parts += _retiring(settings)
    table = JobsTable(as_they_wait(settings, jobs))
    parts.append(table if jobs else Text("No jobs yet: drop a file into an inbox."))
    return Group(*parts)


def watch(settings: Settings, ledger: Ledger, console: Console) -> None:
    """The page, fresh every second, until interrupted."""
    with Live(page(settings, ledger, time.time()), console=console, auto_refresh=False) as live:
        while True:
            time.sleep(_EVERY)
            live.update(page(settings, ledger, time.time()), refresh=True)


def _daemon(settings: Settings) -> Text:
    if is_running(settings.state_dir):
        told = read_about(settings.state_dir)
        words = (
            f"The daemon is running; {counted(int(told.get('in_flight', 0)), 'call')} in flight."
        )
        if told.get("page"):
            words += f" Its page: {told['page']}"
        text = Text(words, style="green")
        return (
            text.append(f"\n{told['page_trouble']}", "yellow") if told.get("page_trouble") else text
        )
    return Text("The daemon is not running. Start it with: image-watcher run", style="yellow")


def _inboxes(settings: Settings) -> RenderableType:
    told = read_about(settings.state_dir).get("inboxes", {})
    running = is_running(settings.state_dir)
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in ("name", "path", "state"):
        table.add_column(overflow="fold")
    for name, inbox in settings.inboxes.items():
        state = told.get(name, {}) if running else {}
        words = " ".join(str(state.get(key) or "") for key in ("state", "mode")).strip()
        table.add_row(Text(f"inbox {name}"), Text(str(inbox.path)), Text(words))
        if state.get("what"):
            table.add_row("", Text(f"{state['what']} {state.get('hint', '')}", style="yellow"), "")
    return table


def _lane(lane: HaltedLane, now: float) -> Text:
    wait = max(0, round(lane.probe_at - now))
    words = f"Paused: {lane.problem.what} {lane.problem.hint} Tried again in {wait} s. ({lane.key})"
    return Text(words, style="yellow")


def is_held(job: JobResult) -> bool:
    """Something of it is open, and does not move before somebody, or midnight, lets it."""
    return job.state is JobState.RUNNING and bool(job.paused)


def as_they_wait(settings: Settings, jobs: Iterable[JobResult]) -> list[JobResult]:
    """With those as paused for whose inbox nothing is asked for now, whatever that waits for."""
    told = (
        read_about(settings.state_dir).get("inboxes", {}) if is_running(settings.state_dir) else {}
    )
    waits = {name: str(one.get("waits", "")) for name, one in told.items()}
    return [
        replace(job, paused=job.paused or waits.get(job.inbox, ""))
        if job.state is JobState.RUNNING
        else job
        for job in jobs
    ]


def _held(job: JobResult) -> Text:
    return Text(f"Paused, {job.name}: {job.paused} ({job.id})", style="yellow")


def state_of(job: JobResult) -> Text:
    """In a word, and its colour."""
    return Text("paused", "yellow") if is_held(job) else Text(job.state, COLOURS[job.state])


def _rates(settings: Settings) -> list[Text]:
    """How fast each lane is asked, and what holds it back."""
    told = read_about(settings.state_dir).get("rates", ()) if is_running(settings.state_dir) else ()
    return [Text(_rate(one), style="dim") for one in told]


def _rate(told: Mapping[str, Any]) -> str:
    model = str(told["lane"]).partition("/")[2]
    rates = ", ".join(_minute(kind, told[f"{kind}_per_minute"]) for kind in ("images", "requests"))
    return f"{model}: {rates} in the last minute; up to {told['concurrency']} calls at a time."


def _minute(kind: str, told: Mapping[str, Any]) -> str:
    limits = {"as set": told["set"], "as learnt": told["learnt"]}
    known = {why: limit for why, limit in limits.items() if limit is not None}
    why = min(known, key=lambda one: float(known[one]), default="")
    return counted(int(told["used"]), kind.removesuffix("s")) + (
        f" (at most {round(float(known[why]), 1):,.10g}, {why})" if why else ""
    )


def _retiring(settings: Settings) -> list[Text]:
    """Models in use that are gone or about to go, as the daemon last saw it."""
    told = read_about(settings.state_dir).get("retiring_models", ())
    running = is_running(settings.state_dir)
    return [Text(f"{one['what']} {one['hint']}", style="yellow") for one in told if running]


@dataclass(frozen=True, slots=True)
class JobsTable:
    """A table; on a terminal too narrow for it two lines a job, since a number that is folded is another one."""

    jobs: Sequence[JobResult]

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        yield from [_table(self.jobs)] if options.max_width >= _TABLE else map(_lines, self.jobs)


def _lines(job: JobResult) -> Text:
    failed = job.counts.get(RowState.FAILED, 0)
    facts = [f"{job.ended}/{job.rows}", f"{failed} failed" if failed else "", _cost(job)]
    about = Text(f"{job.id}  ").append_text(state_of(job)).append("  ")
    about.append("  ".join(filter(None, facts)))
    return about.append(f"\n  {job.name}" + (f": {job.problem.what}" if job.problem else ""))


def _cost(job: JobResult) -> str:
    return "" if job.cost_usd is None else f"${job.cost_usd:.2f}"


def _table(jobs: Sequence[JobResult]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("job", "drop", "state", "rows", "failed", "cost", "results"):
        # What is too long is folded, but the id, which people copy.
        table.add_column(
            heading,
            justify="right" if heading in ("rows", "failed", "cost") else "left",
            no_wrap=heading == "job",
            overflow="fold",
        )
    for job in jobs:
        table.add_row(
            job.id,
            Text(job.name),
            state_of(job),
            f"{job.ended}/{job.rows}",
            str(job.counts.get(RowState.FAILED, 0) or ""),
            _cost(job),
            Text(job.problem.what if job.problem else job.folder),
        )
    return table


def _job_json(job: JobResult) -> dict[str, object]:
    return {
        "id": job.id,
        "inbox": job.inbox,
        "name": job.name,
        "state": job.state,
        "folder": job.folder,
        "rows": job.rows,
        "counts": {state.value: job.counts.get(state, 0) for state in RowState},
        "cost_usd": None if job.cost_usd is None else float(job.cost_usd),
        "problem": job.problem.what if job.problem else None,
    }
