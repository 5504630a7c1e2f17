"""What people were told, and the letters to them that no service has taken yet."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, or_, select

from watcher.core.alerting import Letter, Message, Told
from watcher.core.jobs import OPEN_STATES, JobState, Problem, RowState
from watcher.ledger import schema
from watcher.ledger.codec import load_problem
from watcher.ledger.database import Database

_told, _letters = schema.alerts_told, schema.letters
_jobs, _rows = schema.jobs, schema.rows
_JOB = "job:"
_MOST_JOBS = 1000  # that are looked at together
_REMEMBERED = 40 * 86400.0  # seconds that it is remembered what was told of something that is over


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedJob:
    """A job that ended with errors, and what was told of it before, in an earlier run of its rows."""

    id: str
    told: Told | None


class Alerts:
    """The tables of what was told and of letters."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def told(self) -> list[Told]:
        """Of everything but single jobs."""
        query = select(_told).where(_told.c.place.not_like(f"{_JOB}%"))
        with self._database.read() as view:
            return [_as_told(line) for line in view.execute(query)]

    def ended_jobs(self, *, since: float) -> list[EndedJob]:
        """Jobs that were published after `since` with errors of which nobody was told, some hundred at most."""
        mine = (_told.c.place == _JOB + _jobs.c.id) & (_told.c.reason == "over")
        query = (
            select(_jobs.c.id.label("job_id"), _told)
            .join_from(_jobs, _told, mine, isouter=True)
            .where(_jobs.c.published_at > since)
            .where(_jobs.c.state.in_([JobState.FAILED, JobState.PARTIAL]))
            .where(or_(_told.c.since.is_(None), _told.c.since != _jobs.c.ended_at))
            .order_by(_jobs.c.published_at)
            .limit(_MOST_JOBS)
        )
        with self._database.read() as view:
            return [
                EndedJob(id=line.job_id, told=_as_told(line) if line.place else None)
                for line in view.execute(query)
            ]

    def failures(self, job_id: str, *, most: int) -> list[tuple[int, Problem | None]]:
        """The first rows that failed or got fewer pictures, by their numbers, and why."""
        bad = _rows.c.state.in_([RowState.FAILED, RowState.PARTIAL])
        query = select(_rows.c.number, _rows.c.problem).where(_rows.c.job_id == job_id, bad)
        with self._database.read() as view:
            found = view.execute(query.order_by(_rows.c.number).limit(most)).all()
        return [(number, load_problem(problem)) for number, problem in found]

    def held_jobs(self) -> list[tuple[str, str, Problem]]:
        """Jobs that wait for a budget or a person: id, inbox and why."""
        query = select(_jobs.c.id, _jobs.c.inbox, _jobs.c.hold).where(
            _jobs.c.state == JobState.RUNNING,
            _jobs.c.accepted_at.is_not(None),
            _jobs.c.hold.is_not(None),
        )
        with self._database.read() as view:
            found = view.execute(query.order_by(_jobs.c.id).limit(_MOST_JOBS)).all()
        return [(job, inbox, hold) for job, inbox, text in found if (hold := load_problem(text))]

    def waiting(self, inboxes: Collection[str]) -> tuple[int, int]:
        """How many jobs of these inboxes are running, and how many rows of theirs are not final."""
        query = (
            select(func.count(_rows.c.job_id.distinct()), func.count())
            .join(_jobs, _jobs.c.id == _rows.c.job_id)
            .where(_jobs.c.state == JobState.RUNNING, _jobs.c.accepted_at.is_not(None))
            .where(_jobs.c.inbox.in_(inboxes), _rows.c.state.in_(OPEN_STATES))
        )
        with self._database.read() as view:
            jobs, rows = view.execute(query).one()
        return jobs, rows

    def tell(
        self, told: Sequence[Told], letters: Sequence[Letter], *, now: float
    ) -> tuple[Letter, ...]:
        """Remember both in one transaction; the letters come back with their ids."""
        with self._database.write() as tx:
            for one in told:
                same = (_told.c.place == one.place) & (_told.c.reason == one.reason)
                tx.execute(delete(_told).where(same))
            if told:
                tx.execute(insert(_told), [asdict(one) for one in told])
            old = _told.c.at < now - _REMEMBERED
            tx.execute(delete(_told).where(old, _told.c.open.is_(False)))
            return tuple(replace(one, id=_add(tx, one)) for one in letters)

    def letters(self) -> list[Letter]:
        """Those that no service has taken, oldest first."""
        with self._database.read() as view:
            return [
                _as_letter(line) for line in view.execute(select(_letters).order_by(_letters.c.id))
            ]

    def done(self, letter_id: int) -> None:
        """Taken, or given up."""
        with self._database.write() as tx:
            tx.execute(delete(_letters).where(_letters.c.id == letter_id))


def _add(tx: Connection, letter: Letter) -> int:
    values = {"to": letter.to, "written_at": letter.written_at, **asdict(letter.message)}
    found = tx.scalar(insert(_letters).values(values).returning(_letters.c.id))
    return int(found or 0)


def _as_told(line: Row[Any]) -> Told:
    return Told(
        place=line.place, reason=line.reason, occasion=line.occasion, since=line.since,
        at=line.at, inbox=line.inbox, all_clear=line.all_clear, open=line.open,
    )  # fmt: skip


def _as_letter(line: Row[Any]) -> Letter:
    message = Message(title=line.title, body=line.body, bad=line.bad)
    return Letter(id=line.id, to=line.to, message=message, written_at=line.written_at)
