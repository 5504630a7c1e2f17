"""Figures over all jobs: what is open, what was asked and paid, how fast it goes. For pages and monitoring."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Integer, func, select

from watcher.core.jobs import OPEN_STATES, JobState, Problem, RowState
from watcher.ledger import schema
from watcher.ledger.codec import load_problem, to_usd
from watcher.ledger.database import Database

_jobs, _rows = schema.jobs, schema.rows
_attempts, _pictures = schema.attempts, schema.pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Since the ledger began. `attempts` by outcome; `possibly_charged`: paid, perhaps, for nothing."""

    jobs: Mapping[str, int] = field(default_factory=dict)
    attempts: Mapping[str, int] = field(default_factory=dict)
    pictures: int = 0
    cost_usd: Decimal = Decimal(0)
    possibly_charged: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What was asked since some moment: attempts that were answered, and what is known of their cost."""

    answered: int = 0
    pictures: int = 0
    cost_usd: Decimal = Decimal(0)


class Figures:
    """Reading only; safe beside a running daemon."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def totals(self) -> Totals:
        counted = select(
            _attempts.c.outcome, func.count(), func.sum(_attempts.c.cost),
            func.sum(_attempts.c.paid_maybe, type_=Integer),
        ).group_by(_attempts.c.outcome)  # fmt: skip
        states = select(_jobs.c.state, func.count()).where(_jobs.c.accepted_at.is_not(None))
        with self._database.read() as view:
            asked = view.execute(counted).all()
            jobs: dict[str, int] = dict(view.execute(states.group_by(_jobs.c.state)).all())
            pictures = view.scalar(select(func.count()).select_from(_pictures))
        return Totals(
            jobs=jobs,
            attempts={outcome: count for outcome, count, _, _ in asked},
            pictures=pictures or 0,
            cost_usd=to_usd(sum(cost or 0 for _, _, cost, _ in asked)) or Decimal(0),
            possibly_charged=sum(maybe or 0 for _, _, _, maybe in asked),
        )

    def open_rows(self) -> Mapping[RowState, int]:
        """Rows of running jobs that are not over, by state."""
        query = (
            select(_rows.c.state, func.count())
            .join(_jobs, _jobs.c.id == _rows.c.job_id)
            .where(_jobs.c.state == JobState.RUNNING, _jobs.c.accepted_at.is_not(None))
            .where(_rows.c.state.in_(OPEN_STATES))
            .group_by(_rows.c.state)
        )
        with self._database.read() as view:
            return {RowState(state): count for state, count in view.execute(query)}

    def pace(self, since: float) -> Pace:
        """Of everything that was asked since then (seconds since the epoch)."""
        with self._database.read() as view:
            first = _first_since(view, since)
            query = select(func.count(), func.sum(_attempts.c.n), func.sum(_attempts.c.cost)).where(
                _attempts.c.id >= first, _attempts.c.outcome == "answered"
            )
            answered, pictures, cost = view.execute(query).one()
        return Pace(
            answered=answered, pictures=pictures or 0, cost_usd=to_usd(cost or 0) or Decimal(0)
        )

    def newest_ended(self, most: int) -> list[tuple[str, float | None]]:
        """The newest jobs that are over, and when their results were out: once they are, nothing of them changes."""
        over = (_jobs.c.state != JobState.RUNNING) & _jobs.c.accepted_at.is_not(None)
        query = select(_jobs.c.id, _jobs.c.published_at).where(over)
        with self._database.read() as view:
            found = view.execute(query.order_by(_jobs.c.id.desc()).limit(most))
            return [(job_id, published_at) for job_id, published_at in found]

    def troubles(self, job_id: str, most: int = 3) -> list[tuple[Problem, int]]:
        """Why rows of a job failed, the most frequent first, with how many rows did."""
        failed = _rows.c.state.in_((RowState.FAILED, RowState.PARTIAL))
        query = (
            select(_rows.c.problem, func.count())
            .where(_rows.c.job_id == job_id, failed, _rows.c.problem.is_not(None))
            .group_by(_rows.c.problem)
            .order_by(func.count().desc())
            .limit(most)
        )
        with self._database.read() as view:
            return list(_problems(view.execute(query)))

    def newest_pictures(self, job_id: str, most: int) -> list[tuple[str, str]]:
        """File, relative to the job's folder, and format; of the last rows that have any."""
        mine = select(_pictures.c.file, _pictures.c.format).where(_pictures.c.job_id == job_id)
        query = mine.order_by(_pictures.c.number.desc(), _pictures.c.index).limit(most)
        with self._database.read() as view:
            return [(file, made) for file, made in view.execute(query)]


def _problems(found: Iterable[Any]) -> Iterator[tuple[Problem, int]]:
    for text, count in found:
        if (problem := load_problem(text)) is not None:
            yield problem, count


def _first_since(view: Connection, since: float) -> int:
    """The first attempt that was begun then or later. Ids grow with time, so halving finds it without an index."""
    low, high = 0, (view.scalar(select(func.max(_attempts.c.id))) or 0) + 1
    while low < high:
        middle = (low + high) // 2
        query = select(_attempts.c.id, _attempts.c.started_at).where(_attempts.c.id >= middle)
        found = view.execute(query.order_by(_attempts.c.id).limit(1)).first()
        if found is None or found.started_at >= since:
            high = middle
        else:
            low = found.id + 1
    return low
