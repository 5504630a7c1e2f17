"""What people order about jobs while they run: pause, resume, cancel, whose turn is first.

An order is a change in the ledger; the daemon sees it before its next call, and again after each.
"""

from __future__ import annotations

from sqlalchemy import update

from watcher.core.jobs import JobState, RowState
from watcher.ledger import schema
from watcher.ledger.database import Database
from watcher.ledger.jobs import end_if_over

_jobs, _rows = schema.jobs, schema.rows


class Orders:
    """Each returns whether there was such a job to take the order."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def pause(self, job_id: str) -> bool:
        """No new calls for this job; those in flight finish."""
        return self._change(job_id, paused=True)

    def resume(self, job_id: str) -> bool:
        return self._change(job_id, paused=False)

    def prioritise(self, job_id: str, priority: int) -> bool:
        """0 is first."""
        return self._change(job_id, priority=priority)

    def cancel(self, job_id: str, *, now: float) -> bool:
        """Rows that were not asked for yet never are; what is in flight is paid for, and kept."""
        with self._database.write() as tx:
            mine = (_jobs.c.id == job_id) & (_jobs.c.state == JobState.RUNNING)
            found = tx.execute(update(_jobs).where(mine).values(cancelled=True, paused=False))
            if not found.rowcount:
                return False
            waiting = _rows.c.state.in_((RowState.QUEUED, RowState.WAITING))
            tx.execute(
                update(_rows)
                .where(_rows.c.job_id == job_id, waiting)
                .values(state=RowState.CANCELLED, due_at=None, ended_at=now)
            )
            end_if_over(tx, job_id, now)
            return True

    def _change(self, job_id: str, **values: object) -> bool:
        mine = (_jobs.c.id == job_id) & (_jobs.c.state == JobState.RUNNING)
        with self._database.write() as tx:
            return bool(tx.execute(update(_jobs).where(mine).values(**values)).rowcount)
