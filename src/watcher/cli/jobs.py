"""`image-watcher jobs` and `show JOB`: what was dropped, what became of it, which rows failed and why."""

from __future__ import annotations

import json
import shlex
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from watcher import __version__
from watcher.cli.common import AsJson, Config, Job, load_settings, open_ledger
from watcher.cli.status import JobsTable, as_they_wait, state_of
from watcher.core.errors import WatcherError
from watcher.core.jobs import JobState, RowState
from watcher.core.report import job_json
from watcher.core.results import JobResult, RowResult
from watcher.ledger import Ledger
from watcher.settings import Settings

_TOLD = (RowState.FAILED, RowState.PARTIAL, RowState.WAITING)
_MOST_ROWS = 20
_LONGEST = 60  # characters of a prompt that identify its row


def jobs(
    config: Config = None,
    state: Annotated[
        list[JobState] | None,
        typer.Option(
            "--state", help="Only jobs in this state; may be repeated.", show_default=False
        ),
    ] = None,
    inbox: Annotated[
        str | None, typer.Option("--inbox", help="Only jobs of this inbox.", show_default=False)
    ] = None,
    most: Annotated[int, typer.Option("--most", help="How many at most.", min=1)] = 50,
    as_json: AsJson = False,
) -> None:
    """List jobs, the newest first. Works beside a running daemon, or without one.

    Exit codes: 0; 74 there is no ledger yet.
    """
    settings = load_settings(config).settings
    with open_ledger(settings) as ledger:
        found = ledger.views.jobs(states=state or (), most=most if inbox is None else 10**6)
    shown = [job for job in found if inbox in (None, job.inbox)][:most]
    if as_json:
        typer.echo(json.dumps([job_json(job, version=__version__) for job in shown], indent=2))
    elif shown:
        Console().print(JobsTable(as_they_wait(settings, shown)))
    else:
        typer.echo("There are no such jobs.")


def show(job: Job, config: Config = None, as_json: AsJson = False) -> None:
    """Show one job: where its results are, what it cost, which rows failed or wait, and why.

    Exit codes: 0; 1 there is no such job; 74 there is no ledger yet.
    """
    settings = load_settings(config).settings
    with open_ledger(settings) as ledger:
        found = ledger.views.job(job)
        if found is None:
            raise WatcherError(f"There is no job {job}.", "`image-watcher jobs` names them.")
        told = _told_rows(ledger, job)
    if as_json:
        rows = [_row_json(row) for row in told]
        about = {**job_json(found, version=__version__), "results": str(_folder(settings, found))}
        typer.echo(json.dumps({**about, "rows_to_look_at": rows}, indent=2))
    else:
        [found] = as_they_wait(settings, [found])
        Console().print(_page(settings, found, told, time.time()))


def _told_rows(ledger: Ledger, job: str) -> list[RowResult]:
    return [row for row in ledger.views.rows(job) if row.state in _TOLD]


def _folder(settings: Settings, job: JobResult) -> Path | str:
    """Where its results are; the inbox may have left the settings since."""
    inbox = settings.inboxes.get(job.inbox)
    return f"{inbox.outbox.rstrip('/')}/{job.folder}" if inbox else job.folder


def _page(settings: Settings, job: JobResult, told: list[RowResult], now: float) -> RenderableType:
    facts = Table(box=None, pad_edge=False, show_header=False)
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    for name, value in _facts(settings, job).items():
        facts.add_row(Text(name, style="bold"), value if isinstance(value, Text) else Text(value))
    parts: list[RenderableType] = [facts]
    parts += [Text(f"Row {row.number}: {_why(row, now)}") for row in told[:_MOST_ROWS]]
    if len(told) > _MOST_ROWS:
        parts.append(Text(f"… and {len(told) - _MOST_ROWS} more, in results.csv."))
    if job.state is not JobState.RUNNING and job.counts.get(RowState.FAILED):
        parts.append(Text(f"Once more, for those alone: image-watcher retry {shlex.quote(job.id)}"))
    return Group(*parts)


def _facts(settings: Settings, job: JobResult) -> dict[str, str | Text]:
    facts: dict[str, str | Text] = {
        "job": job.id,
        "drop": job.name,
        "inbox": job.inbox,
        "state": state_of(job),
        "results": str(_folder(settings, job)),
        "accepted": _local(job.created_at),
        "rows": ", ".join(f"{count} {state}" for state, count in job.counts.items()) or "none",
        "pictures": str(job.pictures),
        "cost": _cost(job),
    }
    if job.ended_at is not None:
        facts["ended"] = f"{_local(job.ended_at)}, after {job.ended_at - job.created_at:,.0f} s"
    if job.paused:
        facts["paused"] = Text(job.paused, style="yellow")
    if job.problem:
        facts["problem"] = Text(f"{job.problem.what} {job.problem.hint}".strip(), style="red")
    if job.notes:
        facts["notes"] = "\n".join(job.notes)
    return facts


def _cost(job: JobResult) -> str:
    cost = "not known" if job.cost_usd is None else f"${job.cost_usd:.2f}"
    parts = [cost]
    if job.estimate_usd is not None:
        parts.append(f"estimated ${job.estimate_usd:.2f}")
    if job.unpriced:
        parts.append(f"{job.unpriced} calls of unknown price")
    if job.possibly_charged:
        parts.append(f"{job.possibly_charged} calls possibly charged without an answer")
    return ", ".join(parts)


def _why(row: RowResult, now: float) -> str:
    what = f"{row.problem.what} {row.problem.hint}".strip() if row.problem else str(row.state)
    waits = f" Again in {max(0, round(row.due_at - now))} s." if row.due_at else ""
    prompt = row.prompt if len(row.prompt) <= _LONGEST else f"{row.prompt[:_LONGEST]}…"
    return f"{row.state}. {what}{waits}" + (f" ({prompt})" if prompt else "")


def _row_json(row: RowResult) -> dict[str, object]:
    return {
        "number": row.number,
        "state": row.state,
        "code": row.problem.code if row.problem else None,
        "what": row.problem.what if row.problem else None,
        "hint": row.problem.hint if row.problem else None,
        "due_at": row.due_at,
        "attempts": len(row.attempts),
    }


def _local(time: float) -> str:
    return datetime.fromtimestamp(time).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
