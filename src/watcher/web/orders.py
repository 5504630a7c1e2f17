"""Orders about one job, given from the page or by a program: they go through the ledger, as all do."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from watcher.core.jobs import JobState
from watcher.core.results import JobResult
from watcher.ledger import Ledger
from watcher.web.problems import Refused, not_found
from watcher.web.values import Behind


def give(behind: Behind, job_id: str, order: str) -> JobResult:
    """The job after the order. Raises Refused where there is no such job, or it cannot take the order."""
    job = find(behind.ledger, job_id)
    if job is None and behind.ledger.posts.find(job_id):
        what = f"Job {job_id} was not taken from its inbox yet."
        raise Refused(409, "not_taken", what, "Give the order in some seconds.")
    if job is None:
        raise not_found(f"There is no job {job_id}.", "The status page names them.")
    _ORDERS[order](behind, job)
    return behind.ledger.views.job(job.id) or job


def find(ledger: Ledger, job_id: str) -> JobResult | None:
    """A job by its id, or by that of a drop that repeated it."""
    job = ledger.views.job(job_id)
    if job is None and (claim := ledger.claims.find(job_id)) and claim.job_id:
        job = ledger.views.job(claim.job_id)
    return job


def _pause(behind: Behind, job: JobResult) -> None:
    _require_running(job, taken=behind.ledger.orders.pause(job.id))


def _resume(behind: Behind, job: JobResult) -> None:
    _require_running(job, taken=behind.ledger.orders.resume(job.id))


def _approve(behind: Behind, job: JobResult) -> None:
    _require_running(job, taken=behind.ledger.orders.approve(job.id))


def _cancel(behind: Behind, job: JobResult) -> None:
    _require_running(job, taken=behind.ledger.orders.cancel(job.id, now=behind.clock()))


def _retry(behind: Behind, job: JobResult) -> None:
    if job.state is JobState.RUNNING:
        raise Refused(409, "still_running", f"Job {job.id} still runs.", "Wait until it is over.")
    if not behind.ledger.jobs.run_again(job.id):
        what = f"Job {job.id} has no row that can be asked for again."
        hint = "Rows that could not be read: correct them in failed.csv and drop that."
        raise Refused(409, "nothing_failed", what, hint)


def _require_running(job: JobResult, *, taken: bool) -> None:
    if not taken:
        hint = "There is nothing to order any more."
        raise Refused(409, "over", f"Job {job.id} is over ({job.state}).", hint)


_ORDERS: Mapping[str, Callable[[Behind, JobResult], None]] = {
    "pause": _pause,
    "resume": _resume,
    "approve": _approve,
    "cancel": _cancel,
    "retry": _retry,
}
ORDERS = tuple(_ORDERS)
TOLD = {
    "pause": "Paused: calls in flight finish, no new ones start.",
    "resume": "The job goes on.",
    "approve": "Approved: the job goes on, and may cost more than its budget.",
    "cancel": "Cancelled: what is in flight is kept, nothing more is asked for.",
    "retry": "The failed rows run again.",
}
