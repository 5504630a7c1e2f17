"""What people order about jobs while they run: pause, resume, cancel, whose turn is first.

An order is a change in the ledger; the daemon sees it before its next call, and again after each.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, delete, exists, func, insert, select, update

from watcher.core.jobs import JobState, OpenItem, Problem, RowState
from watcher.ledger import schema
from watcher.ledger.codec import dump_problem
from watcher.ledger.database import Database
from watcher.ledger.jobs import cancelled_values, end_if_over

_jobs, _rows, _paused = schema.jobs, schema.rows, schema.paused

# Of a job whose rows may be asked for.
GOES_ON = (
    ~_jobs.c.paused,
    ~_jobs.c.cancelled,
    _jobs.c.hold.is_(None),
    _jobs.c.inbox.not_in(select(_paused.c.inbox)),
)


class Orders:
    """Each returns whether there was such a job to take the order."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def pause(self, job_id: str) -> bool:
        """No new calls for this job; those in flight finish."""
        return self._change(job_id, paused=True)

    def resume(self, job_id: str) -> bool:
        return self._change(job_id, paused=False)

    def goes_on(self, job_id: str) -> bool:
        """Whether it is neither paused, held nor cancelled."""
        with self._database.read() as view:
            return bool(view.scalar(select(exists().where(_jobs.c.id == job_id, *GOES_ON))))

    def hold(self, item: OpenItem, problem: Problem, *, until: float | None) -> bool:
        """No new calls for the item's job, until then (seconds since the epoch) or until somebody approves;
        not where that was done since the item was read.
        """
        as_read = _jobs.c.approved == item.approved
        return self._change(item.job_id, as_read, hold=dump_problem(problem), hold_until=until)

    def approve(self, job_id: str) -> bool:
        """It may cost more than its budget, and waits for nobody any more."""
        return self._change(job_id, hold=None, hold_until=None, approved=True)

    def release_held(self, *, now: float, budgets: bool = False) -> bool:
        """Let go on what waited until now; `budgets`: and what any budget holds, since budgets have changed."""
        due = _jobs.c.hold_until <= now
        if budgets:
            due |= func.json_extract(_jobs.c.hold, "$.code").like("budget%")
        with self._database.write() as tx:
            found = update(_jobs).where(_jobs.c.hold.is_not(None), due)
            return bool(tx.execute(found.values(hold=None, hold_until=None)).rowcount)

    def pause_inbox(self, inbox: str, *, now: float) -> None:
        """No new calls for any job of this inbox; drops are taken in and wait."""
        with self._database.write() as tx:
            tx.execute(insert(_paused).prefix_with("OR IGNORE").values(inbox=inbox, since=now))

    def resume_inbox(self, inbox: str) -> bool:
        """Whether it was paused."""
        with self._database.write() as tx:
            return bool(tx.execute(delete(_paused).where(_paused.c.inbox == inbox)).rowcount)

    def prioritise(self, job_id: str, priority: int) -> bool:
        """0 is first."""
        return self._change(job_id, priority=priority)

    def cancel(self, job_id: str, *, now: float) -> bool:
        """Rows that were not asked for yet never are; what is in flight is paid for, and kept."""
        with self._database.write() as tx:
            mine = (_jobs.c.id == job_id) & (_jobs.c.state == JobState.RUNNING)
            found = tx.execute(
                update(_jobs).where(mine).values(cancelled=True, paused=False, hold=None)
            )
            if not found.rowcount:
                return False
            waiting = _rows.c.state.in_((RowState.QUEUED, RowState.WAITING))
            tx.execute(
                update(_rows)
                .where(_rows.c.job_id == job_id, waiting)
                .values(**cancelled_values(now))
            )
            end_if_over(tx, job_id, now)
            return True

    def _change(self, job_id: str, *where: ColumnElement[bool], **values: object) -> bool:
        mine = (_jobs.c.id == job_id) & (_jobs.c.state == JobState.RUNNING)
        with self._database.write() as tx:
            return bool(tx.execute(update(_jobs).where(mine, *where).values(**values)).rowcount)
