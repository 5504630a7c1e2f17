"""What was spent: by day, job, inbox or model, from the attempts."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from sqlalchemy import ColumnElement, Integer, and_, case, func, or_, select

from watcher.core.budgets import Money
from watcher.ledger import schema
from watcher.ledger.codec import to_usd
from watcher.ledger.database import Database

By = Literal["day", "model", "inbox", "job", "lane"]

_attempts, _jobs, _rows = schema.attempts, schema.jobs, schema.rows

# The rule of core.budgets.charged: what is known, else what was reserved where it may be charged.
_may_be_charged = or_(_attempts.c.outcome.in_(("answered", "sent")), _attempts.c.paid_maybe)
_charged = func.coalesce(
    _attempts.c.cost, case((_may_be_charged, _attempts.c.reserved), else_=0), type_=Integer
)
_unknown = and_(_attempts.c.outcome == "answered", _attempts.c.cost.is_(None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One line of the costs. `usd`: what is known; `maybe_usd`: what calls without an end may have
    cost on top, at most, as estimated; `unpriced`: answered calls of unknown cost.
    """

    name: str
    calls: int
    images: int
    usd: Decimal
    maybe_usd: Decimal
    possibly_charged: int
    unpriced: int
    saved_usd: Decimal = Decimal(0)
    reused: int = 0


class Costs:
    """Reading only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def spent(self, *, since: float = 0.0, inbox: str = "", job: str = "") -> Money:
        """What counts against a budget, of attempts that began at `since` (seconds since the epoch) or later."""
        images = func.sum(case((_may_be_charged, _attempts.c.n), else_=0), type_=Integer)
        query = select(func.sum(_charged, type_=Integer), images).where(
            _attempts.c.started_at >= since
        )
        if job:
            query = query.where(_attempts.c.job_id == job)
        if inbox:
            query = query.join(_jobs, _jobs.c.id == _attempts.c.job_id)
            query = query.where(_jobs.c.inbox == inbox)
        with self._database.read() as view:
            usd, count = view.execute(query).one()
        return Money(usd=to_usd(usd or 0), images=count or 0)

    def by(self, by: By, *, since: float = 0.0) -> list[Cost]:
        """Sums in the order of their names, over attempts that began, and rows that were reused, since then."""
        name = _name(by, _attempts.c.model, _attempts.c.lane, _attempts.c.started_at)
        counted = (
            func.count().label("calls"),
            func.sum(case((_attempts.c.outcome == "answered", _attempts.c.n), else_=0)),
            func.coalesce(func.sum(_attempts.c.cost), 0),
            func.coalesce(
                func.sum(
                    case((and_(_attempts.c.paid_maybe, _attempts.c.cost.is_(None)), _attempts.c.reserved))
                ),
                0,
            ),
            func.sum(case((_attempts.c.paid_maybe, 1), else_=0)),
            func.sum(case((_unknown, 1), else_=0)),
        )  # fmt: skip
        query = select(name, *counted).join(_jobs, _jobs.c.id == _attempts.c.job_id)
        query = query.where(_attempts.c.started_at >= since).group_by(name).order_by(name)
        reused = self._reused(by, since)
        with self._database.read() as view:
            lines = view.execute(query).all()
        found = {
            line[0]: Cost(
                name=line[0], calls=line[1], images=line[2], usd=to_usd(line[3]) or Decimal(0),
                maybe_usd=to_usd(line[4]) or Decimal(0), possibly_charged=line[5], unpriced=line[6],
                saved_usd=reused.get(line[0], (0, Decimal(0)))[1],
                reused=reused.get(line[0], (0, Decimal(0)))[0],
            )
            for line in lines
        }  # fmt: skip
        for missing in reused.keys() - found.keys():
            count, saved = reused[missing]
            found[missing] = Cost(
                name=missing, calls=0, images=0, usd=Decimal(0), maybe_usd=Decimal(0),
                possibly_charged=0, unpriced=0, saved_usd=saved, reused=count,
            )  # fmt: skip
        return [found[key] for key in sorted(found)]

    def _reused(self, by: By, since: float) -> dict[str, tuple[int, Decimal]]:
        model = func.json_extract(_rows.c.item, "$.model")
        name = _name(by, model, model, _rows.c.ended_at)  # no lane was asked
        query = (
            select(name, func.count(), func.sum(_rows.c.saved))
            .join(_jobs, _jobs.c.id == _rows.c.job_id)
            .where(_rows.c.source == "cache", _rows.c.ended_at >= since)
            .group_by(name)
        )
        with self._database.read() as view:
            return {
                line[0]: (line[1], to_usd(line[2] or 0) or Decimal(0))
                for line in view.execute(query)
            }


def _name(
    by: By, model: ColumnElement[str], lane: ColumnElement[str], at: ColumnElement[float | None]
) -> ColumnElement[str]:
    """What a line stands for; days are those of this machine's time zone."""
    names: dict[By, ColumnElement[str]] = {
        "day": func.strftime("%Y-%m-%d", at, "unixepoch", "localtime"),
        "model": model,
        "inbox": _jobs.c.inbox,
        "job": _jobs.c.id,
        "lane": lane,
    }
    return names[by]
