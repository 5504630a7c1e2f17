"""Forgetting: jobs that nobody asks about any more leave the ledger, and their room goes back to the disk."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Table, delete, func, select

from watcher.core.jobs import JobState
from watcher.ledger import schema
from watcher.ledger.database import Database

_CHUNK_ROWS = 2_000  # rows a transaction: others write in between
_PAGES = 1_000  # pages given back in one transaction
_jobs, _rows = schema.jobs, schema.rows


class Retention:
    """What the ledger forgets, in small steps. Outboxes are not its matter."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ended(self, inbox: str, *, well: bool, before: float, most: int = 100) -> list[str]:
        """Jobs of an inbox that ended and were published before a time; `well`: all rows done, or not so."""
        states = (
            [JobState.DONE] if well else [JobState.PARTIAL, JobState.FAILED, JobState.CANCELLED]
        )
        query = select(_jobs.c.id).where(
            _jobs.c.inbox == inbox,
            _jobs.c.state.in_(states),
            _jobs.c.ended_at < before,
            _jobs.c.published_at < before,
        )
        with self._database.read() as view:
            return list(view.scalars(query.order_by(_jobs.c.id).limit(most)))

    def inboxes(self) -> list[str]:
        """Every inbox that a job came from."""
        with self._database.read() as view:
            return list(view.scalars(select(_jobs.c.inbox).distinct().order_by(_jobs.c.inbox)))

    def ended_at(self, job_ids: Sequence[str]) -> dict[str, float | None]:
        """When jobs ended; None: not yet, or it runs again. Jobs that are not known are left out."""
        query = select(_jobs.c.id, _jobs.c.state, _jobs.c.ended_at).where(_jobs.c.id.in_(job_ids))
        with self._database.read() as view:
            return {
                line.id: None if line.state == JobState.RUNNING else line.ended_at
                for line in view.execute(query)
            }

    def forget(self, job_id: str) -> None:
        """Every line about a job that is over. One that runs again meanwhile is left as it is."""
        with self._database.read() as view:
            last = view.scalar(select(func.max(_rows.c.number)).where(_rows.c.job_id == job_id))
        for first in range(0, last or 0, _CHUNK_ROWS):
            with self._database.write() as tx:
                if not tx.scalar(select(func.count()).where(self._is_over(job_id))):
                    return
                for table in _about("job_id", "number"):
                    span = table.c.number.between(first, first + _CHUNK_ROWS)
                    tx.execute(delete(table).where(table.c.job_id == job_id, span))
        with self._database.write() as tx:
            if tx.execute(delete(_jobs).where(self._is_over(job_id))).rowcount:
                for table in _about("job_id"):
                    tx.execute(delete(table).where(table.c.job_id == job_id))

    def give_back(self) -> bool:
        """Return some empty pages to the disk; True: there may be more."""
        with self._database.write() as tx:
            spare = tx.exec_driver_sql("PRAGMA freelist_count").scalar() or 0
            # By the driver itself: each page is a step of its own, in a result without columns.
            cursor = tx.connection.cursor()
            cursor.execute(f"PRAGMA incremental_vacuum({_PAGES})")
            cursor.fetchall()
            cursor.close()
            left = tx.exec_driver_sql("PRAGMA freelist_count").scalar() or 0
        return 0 < left < spare

    @staticmethod
    def _is_over(job_id: str):  # type: ignore[no-untyped-def]  # noqa: ANN205 - an SQL expression
        return (_jobs.c.id == job_id) & (_jobs.c.state != JobState.RUNNING)


def _about(*columns: str) -> list[Table]:
    """Every table with these columns, so that none is forgotten that comes later."""
    tables = schema.metadata.tables.values()
    return [table for table in tables if all(name in table.c for name in columns)]
