"""Jobs: accepted with all their rows or not at all, ended when their last row is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from functools import cache
from itertools import islice

from sqlalchemy import (
    Connection,
    Dialect,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.sql.schema import ScalarElementColumnDefault

from watcher.core.errors import LedgerError
from watcher.core.jobs import OPEN_STATES, JobState, Json, Problem, RowState
from watcher.ledger import schema
from watcher.ledger.codec import dump, dump_problem, to_micro
from watcher.ledger.database import Database

SLICE_ROWS = 50
_CHUNK_ROWS = 2_000  # rows a transaction while a large drop comes in: others write in between

_jobs, _rows, _slices = schema.jobs, schema.rows, schema.slices

# Built once: every drop is looked up.
_EARLIER = (
    select(_jobs)
    .where(
        _jobs.c.sha256 == bindparam("same"),
        _jobs.c.inbox == bindparam("in"),
        _jobs.c.rules == bindparam("by"),
        _jobs.c.accepted_at.is_not(None),
    )
    .order_by(_jobs.c.id.desc())
)
_QUEUED, _FAILED = RowState.QUEUED.value, RowState.FAILED.value


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A drop that is about to become a job. `rules` fingerprints what its inbox says about rows."""

    id: str
    inbox: str
    name: str
    path: bytes
    folder: str
    sha256: str
    rules: str
    settings: Mapping[str, Json]
    created_at: float
    priority: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRow:
    """One row on its way in: an `item` as JSON text, or the `problem` that it has instead."""

    number: int
    values: Sequence[Json]
    item: str | None
    stem: str = ""
    problem: Problem | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """What reading the drop to its end has shown. `hold`: why a person is to look at it first."""

    columns: Sequence[str]
    encoding: str = ""
    delimiter: str = ""
    notes: Sequence[str] = ()
    estimate_usd: Decimal | None = None
    problem: Problem | None = None
    hold: Problem | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """An earlier job of the same bytes under the same rules."""

    id: str
    state: JobState
    folder: str
    failed: int = 0

    @property
    def reusable(self) -> bool:
        """False: nothing of it was ever asked for, so that reading the drop anew costs nothing."""
        return self.state is not JobState.FAILED or self.failed > 0


class Jobs:
    """The tables of jobs, rows and slices, as far as whole jobs go."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, job: NewJob) -> None:
        """Note a job whose rows are about to come in; invisible until `accept`."""
        values = asdict(job) | {"settings": dump(job.settings)}
        with self._database.write() as tx:
            _forget(tx, job.id)
            tx.execute(
                insert(_jobs).values(**values, state=JobState.RUNNING, columns="[]", notes="[]")
            )

    def add_rows(self, job_id: str, rows: Iterable[NewRow]) -> int:
        """Write rows in order, some thousand a transaction; memory does not grow with their number."""
        coming = iter(rows)
        count = 0
        while chunk := list(islice(coming, _CHUNK_ROWS)):
            with self._database.write() as tx:
                insert_rows(tx, job_id, chunk)
            count += len(chunk)
        return count

    def accept(self, job_id: str, acceptance: Acceptance, *, claim_id: str, now: float) -> None:
        """From here it cannot be lost: the job becomes visible, whole, in one transaction.

        Raises LedgerError where `begin` was not called, or undone since: then nothing changes.
        """
        with self._database.write() as tx:
            _make_slices(tx, job_id)
            found = tx.execute(
                update(_jobs)
                .where(_jobs.c.id == job_id, _jobs.c.accepted_at.is_(None))
                .values(**acceptance_values(acceptance, now))
            )
            if not found.rowcount:
                raise LedgerError(
                    f"The rows of the job {job_id} are no longer in the database.",
                    "Nothing to do: its drop is taken anew at the next start.",
                )
            end_if_over(tx, job_id, now)
            tx.execute(
                update(schema.claims)
                .where(schema.claims.c.id == claim_id)
                .values(state="accepted", job_id=job_id)
            )

    def forget(self, job_id: str) -> None:
        """Undo `begin`: its drop could not be read to the end."""
        with self._database.write() as tx:
            _forget(tx, job_id)

    def earlier(self, *, sha256: str, inbox: str, rules: str) -> Earlier | None:
        """The newest visible job of the same bytes under the same rules."""
        same = {"same": sha256, "in": inbox, "by": rules}
        with self._database.read() as view:
            line = view.execute(_EARLIER, same).first()
            if line is None:
                return None
            failed = view.scalar(select(func.count()).where(_can_run_again(line.id)))
        state = JobState(line.state)
        return Earlier(id=line.id, state=state, folder=line.folder, failed=failed or 0)

    def run_again(self, job_id: str) -> int:
        """Queue the failed rows of an ended job once more; returns how many."""
        with self._database.write() as tx:
            again = tx.execute(
                update(_rows)
                .where(_can_run_again(job_id))
                .values(state=RowState.QUEUED, problem=None, due_at=None, tries=0, doubts=0,
                        asked_again=False, since=None, ended_at=None)
            ).rowcount  # fmt: skip
            if again:
                wake_slices(tx, job_id)
                reopen(tx, job_id)
        return again

    def published(self, job_id: str, *, ended_at: float | None, now: float) -> None:
        """Its final results are in the outbox; not so when it runs again, or ended again, meanwhile."""
        over = (_jobs.c.id == job_id) & (_jobs.c.state != JobState.RUNNING)
        over &= _jobs.c.ended_at.is_not_distinct_from(ended_at)
        with self._database.write() as tx:
            tx.execute(update(_jobs).where(over).values(published_at=now))

    def clear_unaccepted(self) -> None:
        """At start: jobs whose rows were still coming in when the process died."""
        with self._database.write() as tx:
            left = select(_jobs.c.id).where(_jobs.c.accepted_at.is_(None))
            for job_id in tx.scalars(left).all():
                _forget(tx, job_id)
            known = select(_jobs.c.id)
            tx.execute(delete(schema.companions).where(schema.companions.c.job_id.not_in(known)))


def end_if_over(tx: Connection, job_id: str, now: float) -> bool:
    """Give the job its final state once no row of it is open; True when it ended just now."""
    open_row = exists().where(_rows.c.job_id == job_id, _rows.c.state.in_(OPEN_STATES))
    if tx.scalar(select(open_row)):
        return False
    counted = select(_rows.c.state, func.count()).where(_rows.c.job_id == job_id)
    counts: dict[str, int] = dict(tx.execute(counted.group_by(_rows.c.state)).all())
    ended = {"state": _final_state(counts), "ended_at": now}
    tx.execute(update(_jobs).where(_jobs.c.id == job_id).values(**ended))
    return True


def _final_state(counts: Mapping[str, int]) -> JobState:
    if RowState.CANCELLED in counts:
        return JobState.CANCELLED
    good = counts.get(RowState.DONE, 0)
    some = good + counts.get(RowState.PARTIAL, 0)
    if good and good == sum(counts.values()):
        return JobState.DONE
    if some:
        return JobState.PARTIAL
    return JobState.FAILED


def cancelled_values(now: float) -> dict[str, object]:
    """The columns of an open row whose job is cancelled: one that has its pictures is done without a verdict."""
    state = case((_rows.c.judging, RowState.DONE.value), else_=RowState.CANCELLED.value)
    problem = case((_rows.c.judging, None), else_=_rows.c.problem)
    return {"state": state, "problem": problem, "judging": False, "due_at": None, "ended_at": now}


def acceptance_values(acceptance: Acceptance, now: float) -> dict[str, object]:
    """The columns of a job that its acceptance fills."""
    return {
        "columns": dump(list(acceptance.columns)),
        "encoding": acceptance.encoding,
        "delimiter": acceptance.delimiter,
        "notes": dump(list(acceptance.notes)),
        "estimate": to_micro(acceptance.estimate_usd),
        "problem": dump_problem(acceptance.problem),
        "hold": dump_problem(acceptance.hold),
        "accepted_at": now,
    }


def insert_rows(tx: Connection, job_id: str, rows: Sequence[NewRow]) -> None:
    """Rows as they come in: an item is queued, a problem has failed. The hottest lines of the intake:
    what differs by row is bound by place, the rest stands in the statement.
    """
    lines = [
        (
            job_id,
            row.number,
            _QUEUED if row.item is not None else _FAILED,
            dump(row.values),
            row.item,
            row.stem,
            dump_problem(row.problem),
        )
        for row in rows
    ]
    tx.exec_driver_sql(_insert_rows(tx.dialect), lines)


@cache
def _insert_rows(dialect: Dialect) -> str:
    """INSERT with the dialect's own placeholders, in the order of `insert_rows`, defaults written out."""
    filled = ("job_id", "number", "state", "values", "item", "stem", "problem")
    named = bool(dialect.paramstyle in {"format", "pyformat"})
    values = dict.fromkeys(filled, "%s" if named else "?")
    for column in _rows.columns:
        if isinstance(column.default, ScalarElementColumnDefault) and column.name not in values:
            default = literal(column.default.arg, column.type)
            plain = default.compile(dialect=dialect, compile_kwargs={"literal_binds": True})
            values[column.name] = str(plain)
    names = ", ".join(map(dialect.identifier_preparer.quote, values))
    return f"INSERT INTO rows ({names}) VALUES ({', '.join(values.values())})"  # noqa: S608 - names of ours


def _make_slices(tx: Connection, job_id: str) -> None:
    """Cut the rows into slices; one in which nothing is to be asked for has ended already."""
    ordinal = (_rows.c.number - 1) // SLICE_ROWS
    queued = func.sum(_rows.c.state == RowState.QUEUED)
    cut = (
        select(ordinal, func.min(_rows.c.number), func.max(_rows.c.number), queued)
        .where(_rows.c.job_id == job_id)
        .group_by(ordinal)
    )
    lines = [
        {"job_id": job_id, "ordinal": int(place), "first": first, "last": last,
         "state": "queued" if open_rows else "ended"}
        for place, first, last, open_rows in tx.execute(cut)
    ]  # fmt: skip
    if lines:
        tx.execute(insert(_slices), lines)


def reopen(tx: Connection, job_id: str) -> None:
    """An ended job runs once more, and is published at its end again."""
    values = {"state": JobState.RUNNING, "ended_at": None, "published_at": None, "cancelled": False}
    tx.execute(update(_jobs).where(_jobs.c.id == job_id).values(**values))


def wake_slices(tx: Connection, job_id: str) -> None:
    """Those that have ended and in which a row is queued again are due."""
    queued_row = exists().where(
        _rows.c.job_id == job_id,
        _rows.c.state == RowState.QUEUED,
        _rows.c.number.between(_slices.c.first, _slices.c.last),
    )
    tx.execute(
        update(_slices)
        .where(_slices.c.job_id == job_id, _slices.c.state == "ended", queued_row)
        .values(state="queued", due_at=0.0)
    )


def _can_run_again(job_id: str):  # type: ignore[no-untyped-def]  # noqa: ANN202 - an SQL expression
    failed = or_(_rows.c.state == RowState.FAILED, _rows.c.state == RowState.PARTIAL)
    return and_(_rows.c.job_id == job_id, failed, _rows.c.item.is_not(None))


def _forget(tx: Connection, job_id: str) -> None:
    """A job that was accepted is never forgotten."""
    accepted = exists().where(_jobs.c.id == job_id, _jobs.c.accepted_at.is_not(None))
    if tx.scalar(select(accepted)):
        return
    for table in (_rows, _slices, schema.companions):
        tx.execute(delete(table).where(table.c.job_id == job_id))
    tx.execute(delete(_jobs).where(_jobs.c.id == job_id))
