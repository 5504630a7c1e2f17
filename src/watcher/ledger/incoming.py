"""The rows of one drop on their way in. Few of them cost one commit, with their job; many are written as they come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from itertools import chain, groupby, islice

from sqlalchemy import Connection, bindparam, insert, update

from watcher.core.jobs import JobState
from watcher.ledger import schema
from watcher.ledger.codec import dump
from watcher.ledger.database import Database
from watcher.ledger.jobs import (
    SLICE_ROWS,
    Acceptance,
    Jobs,
    NewJob,
    NewRow,
    acceptance_values,
    insert_rows,
)

_FEW = 500  # rows that are held until their job is accepted

_NAMES = tuple(field.name for field in fields(NewJob))
# Built once: building a statement takes longer than running it.
_JOB, _SLICES = insert(schema.jobs), insert(schema.slices)
_CLAIM = (
    update(schema.claims)
    .where(schema.claims.c.id == bindparam("claim"))
    .values(state="accepted", job_id=bindparam("job"))
)


class Incoming:
    """One job until it is accepted; not visible before, and gone after a crash. For one thread."""

    def __init__(self, database: Database, jobs: Jobs, job: NewJob) -> None:
        self._database = database
        self._jobs = jobs
        self._job = job
        self._held: list[NewRow] = []
        self._begun = False

    def add(self, rows: Iterable[NewRow]) -> None:
        """All rows, in order, once; memory does not grow with their number."""
        coming = iter(rows)
        self._held = list(islice(coming, _FEW))
        further = next(coming, None)
        if further is None:
            return
        self._begun = True
        self._jobs.begin(self._job)
        self._jobs.add_rows(self._job.id, chain(self._held, (further,), coming))
        self._held = []

    def accept(self, acceptance: Acceptance, *, claim_id: str, now: float) -> None:
        """From here it cannot be lost: the job becomes visible, whole, in one transaction. Raises LedgerError."""
        if self._begun:
            self._jobs.accept(self._job.id, acceptance, claim_id=claim_id, now=now)
            return
        job = _job_line(self._job, acceptance, self._held, now)

        def write(tx: Connection) -> None:
            tx.execute(_JOB, job)
            if self._held:
                insert_rows(tx, self._job.id, self._held)
                tx.execute(_SLICES, _slice_lines(self._job.id, self._held))
            tx.execute(_CLAIM, {"claim": claim_id, "job": self._job.id})

        self._database.together(write)

    def forget(self) -> None:
        """Its drop cannot be read to the end, or not now."""
        self._jobs.forget(self._job.id)


def _job_line(
    job: NewJob, acceptance: Acceptance, rows: Sequence[NewRow], now: float
) -> Mapping[str, object]:
    is_open = any(row.item is not None for row in rows)
    return {
        **{name: getattr(job, name) for name in _NAMES},
        "settings": dump(job.settings),
        **acceptance_values(acceptance, now),
        "state": JobState.RUNNING if is_open else JobState.FAILED,
        "ended_at": None if is_open else now,
    }


def _slice_lines(job_id: str, rows: Sequence[NewRow]) -> list[dict[str, object]]:
    """As `jobs` cuts them in SQL: one in which nothing is to be asked for has ended already."""
    lines: list[dict[str, object]] = []
    for ordinal, group in groupby(rows, key=lambda row: (row.number - 1) // SLICE_ROWS):
        members = list(group)
        queued = any(row.item is not None for row in members)
        lines.append(
            {"job_id": job_id, "ordinal": ordinal, "first": members[0].number,
             "last": members[-1].number, "state": "queued" if queued else "ended"}
        )  # fmt: skip
    return lines
