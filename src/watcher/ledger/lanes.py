"""Lanes that are halted, with why and when they are probed next. An open lane has no line."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, exists, insert, or_, select

from watcher.core.jobs import OUTBOX, Problem
from watcher.ledger import schema
from watcher.ledger.codec import dump_problem, load_problem
from watcher.ledger.database import Database

AT_ONCE = 0.0  # the `probe_at` by which somebody orders a probe

_lanes = schema.lanes


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltedLane:
    """`probe_at`: when one call may try again, in seconds since the epoch; `probes`: how many did."""

    key: str
    problem: Problem
    since: float
    probe_at: float
    probes: int = 0

    @property
    def outbox(self) -> str:
        """The outbox that is halted; "" where it is a provider or a model."""
        return self.key.removeprefix(OUTBOX) if self.key.startswith(OUTBOX) else ""


class Lanes:
    """The table of lanes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def halt(self, lane: HaltedLane) -> None:
        with self._database.write() as tx:
            tx.execute(delete(_lanes).where(_lanes.c.key == lane.key))
            tx.execute(
                insert(_lanes).values(
                    key=lane.key, problem=dump_problem(lane.problem), since=lane.since,
                    probe_at=lane.probe_at, probes=lane.probes,
                )
            )  # fmt: skip

    def reopen(self, key: str) -> None:
        with self._database.write() as tx:
            tx.execute(delete(_lanes).where(_lanes.c.key == key))

    def seen(self, key: str) -> bool:
        """Whether there was ever a call on this lane, or on a model of this account."""
        lane = schema.attempts.c.lane
        mine = or_(lane == key, lane.startswith(f"{key}/", autoescape=True))
        with self._database.read() as view:
            return bool(view.scalar(select(exists().where(mine))))

    def halted(self) -> tuple[HaltedLane, ...]:
        with self._database.read() as view:
            return tuple(
                HaltedLane(
                    key=line.key,
                    problem=load_problem(line.problem) or Problem(code="unknown", what="unknown"),
                    since=line.since,
                    probe_at=line.probe_at,
                    probes=line.probes,
                )
                for line in view.execute(select(_lanes).order_by(_lanes.c.since))
            )
