"""`pause`, `resume`, `cancel`, `retry`, `priority`: orders about one job, given through the ledger."""

from __future__ import annotations

import time

from watcher.core.errors import WatcherError
from watcher.core.jobs import JobState
from watcher.core.results import JobResult
from watcher.ledger import Ledger

PRIORITIES = {"urgent": 0, "high": 1, "normal": 2, "low": 3}


def pause(ledger: Ledger, job: str) -> str:
    """Each returns what happened, in a sentence. Raises WatcherError where it cannot."""
    one = _running(ledger, job)
    ledger.orders.pause(one.id)
    return f"Paused {_named(one)}: calls in flight finish, no new ones start. Go on with: image-watcher resume {one.id}"


def resume(ledger: Ledger, job: str) -> str:
    one = _running(ledger, job)
    ledger.orders.resume(one.id)
    return f"{_named(one)} goes on."


def cancel(ledger: Ledger, job: str) -> str:
    one = _running(ledger, job)
    ledger.orders.cancel(one.id, now=time.time())
    return f"Cancelled {_named(one)}: what is in flight is kept, nothing more is asked for."


def retry(ledger: Ledger, job: str) -> str:
    """Queue the failed rows of a job that is over once more."""
    one = _job(ledger, job)
    if one.state is JobState.RUNNING:
        raise WatcherError(f"{_named(one)} is still running.", "Wait until it is over.")
    again = ledger.jobs.run_again(one.id)
    if not again:
        hint = "Rows that could not be read or planned: correct them in failed.csv and drop that."
        raise WatcherError(f"{_named(one)} has no row that can be asked for again.", hint)
    return f"{again} rows of {_named(one)} run again."


def priority(ledger: Ledger, job: str, how: str) -> str:
    if how not in PRIORITIES:
        raise WatcherError(f"There is no priority {how}.", f"Say one of: {', '.join(PRIORITIES)}.")
    one = _running(ledger, job)
    ledger.orders.prioritise(one.id, PRIORITIES[how])
    return f"{_named(one)} is {how} now."


def _job(ledger: Ledger, job: str) -> JobResult:
    found = ledger.views.job(job)
    if found is None:
        raise WatcherError(f"There is no job {job}.", "`image-watcher status` names them.")
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
