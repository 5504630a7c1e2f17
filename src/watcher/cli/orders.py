"""`pause`, `resume`, `cancel`, `retry`, `priority`, `approve`: orders about jobs, inboxes and lanes, given
through the ledger; a daemon beside this command takes them within seconds.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from watcher.cli.common import AsJson, Config, Job, load_settings, open_ledger
from watcher.core.errors import WatcherError
from watcher.core.jobs import JobState, Problem
from watcher.core.results import JobResult
from watcher.ledger import AT_ONCE, HaltedLane, Ledger

PRIORITIES = {"urgent": 0, "high": 1, "normal": 2, "low": 3}
FOR_EVER = 1e12  # seconds since the epoch: a lane that was paused by hand is not probed
_BY_HAND = Problem(
    code="paused",
    what="This lane was paused by hand.",
    hint="Go on with: image-watcher resume LANE",
)

Target = Annotated[
    str,
    typer.Argument(
        help="A job, an inbox or a lane, as `image-watcher status` names it.", show_default=False
    ),
]


def pause(target: Target, config: Config = None, as_json: AsJson = False) -> None:
    """Start no new calls for a job, an inbox or a lane; those in flight finish. `resume` lets it go on.

    An inbox that is paused still takes drops in; they wait. A lane is a provider and key, or one of
    its models.
    """
    inboxes = load_settings(config).settings.inboxes

    def order(ledger: Ledger) -> str:
        if target in inboxes:
            ledger.orders.pause_inbox(target, now=time.time())
            return f"Paused the inbox {target}: drops are taken in and wait. Go on with: image-watcher resume {target}"
        if ledger.lanes.seen(target) or _halted(ledger, target):
            ledger.lanes.halt(
                HaltedLane(key=target, problem=_BY_HAND, since=time.time(), probe_at=FOR_EVER)
            )
            return f"Paused the lane {target}. Go on with: image-watcher resume {target}"
        one = _running(ledger, target)
        ledger.orders.pause(one.id)
        return f"Paused {_named(one)}: calls in flight finish, no new ones start. Go on with: image-watcher resume {one.id}"

    _order(config, order, as_json=as_json)


def resume(target: Target, config: Config = None, as_json: AsJson = False) -> None:
    """Let a paused job, inbox or lane go on; a lane that is halted is probed at once."""
    inboxes = load_settings(config).settings.inboxes

    def order(ledger: Ledger) -> str:
        if target in inboxes:
            was = ledger.orders.resume_inbox(target)
            return f"The inbox {target} goes on." if was else f"The inbox {target} was not paused."
        if (lane := _halted(ledger, target)) is not None:
            return _open(ledger, lane)
        one = _running(ledger, target)
        if one.hold is not None:
            raise WatcherError(f"{_named(one)} waits: {one.hold.what}", one.hold.hint)
        ledger.orders.resume(one.id)
        return f"{_named(one)} goes on."

    _order(config, order, as_json=as_json)


def approve(job: Job, config: Config = None, as_json: AsJson = False) -> None:
    """Let a job go on that waits for a person, because of what it costs; it may go beyond its own budget.

    Budgets of a day still hold.
    """

    def order(ledger: Ledger) -> str:
        one = _running(ledger, job)
        ledger.orders.approve(one.id)
        return f"Approved {_named(one)}: it goes on."

    _order(config, order, as_json=as_json)


def cancel(job: Job, config: Config = None, as_json: AsJson = False) -> None:
    """Ask for nothing more of a job. What is in flight is paid for and kept; results are written."""

    def order(ledger: Ledger) -> str:
        one = _running(ledger, job)
        ledger.orders.cancel(one.id, now=time.time())
        return f"Cancelled {_named(one)}: what is in flight is kept, nothing more is asked for."

    _order(config, order, as_json=as_json)


def retry(job: Job, config: Config = None, as_json: AsJson = False) -> None:
    """Run the failed rows of a job that is over once more; what is done is not paid again."""

    def order(ledger: Ledger) -> str:
        one = _job(ledger, job)
        if one.state is JobState.RUNNING:
            raise WatcherError(f"{_named(one)} is still running.", "Wait until it is over.")
        again = ledger.jobs.run_again(one.id)
        if not again:
            hint = (
                "Rows that could not be read or planned: correct them in failed.csv and drop that."
            )
            raise WatcherError(f"{_named(one)} has no row that can be asked for again.", hint)
        return f"{again} rows of {_named(one)} run again."

    _order(config, order, as_json=as_json)


def priority(
    job: Job,
    how: Annotated[str, typer.Argument(help="urgent, high, normal or low.", show_default=False)],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Say whose turn comes first."""

    def order(ledger: Ledger) -> str:
        if how not in PRIORITIES:
            hint = f"Say one of: {', '.join(PRIORITIES)}."
            raise WatcherError(f"There is no priority {how}.", hint)
        one = _running(ledger, job)
        ledger.orders.prioritise(one.id, PRIORITIES[how])
        return f"{_named(one)} is {how} now."

    _order(config, order, as_json=as_json)


def _order(config: Path | None, order: Callable[[Ledger], str], *, as_json: bool) -> None:
    with open_ledger(load_settings(config).settings) as ledger:
        told = order(ledger)
    typer.echo(json.dumps({"told": told}) if as_json else told)


def _halted(ledger: Ledger, key: str) -> HaltedLane | None:
    return next((lane for lane in ledger.lanes.halted() if lane.key == key), None)


def _open(ledger: Ledger, lane: HaltedLane) -> str:
    if lane.problem.code == _BY_HAND.code:
        ledger.lanes.reopen(lane.key)
        return f"The lane {lane.key} goes on."
    ledger.lanes.halt(replace(lane, probe_at=AT_ONCE))
    return f"The lane {lane.key} is probed at once; it goes on where that works."


def _job(ledger: Ledger, job: str) -> JobResult:
    found = ledger.views.job(job)
    if found is None:
        raise WatcherError(
            f"There is no job {job}.", "`image-watcher status` names jobs, inboxes and lanes."
        )
    return found


def _running(ledger: Ledger, job: str) -> JobResult:
    one = _job(ledger, job)
    if one.state is not JobState.RUNNING:
        raise WatcherError(
            f"{_named(one)} is over ({one.state}).", "There is nothing to order any more."
        )
    return one


def _named(job: JobResult) -> str:
    return f"job {job.id} ({job.name})"
