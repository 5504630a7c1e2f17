"""Parameters that a server was found not to take: by account and model, for a week, so that they are not sent."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, insert, select

from watcher.core.jobs import LaneKey
from watcher.ledger import schema
from watcher.ledger.database import Database

KEPT = 7 * 86400.0  # seconds; servers change, so it is tried again then
_FRESH = 60.0
_refused = schema.refused_parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedParameter:
    """`value` "": whatever it says; else only with that value. `until`: seconds since the epoch."""

    account: str
    model: str
    parameter: str
    value: str = ""
    until: float


class RefusedParameters:
    """The table of refused parameters."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: tuple[RefusedParameter, ...] = ()
        self._read_at: float | None = None

    def learn(self, lane: LaneKey, parameter: str, *, value: str = "", now: float) -> None:
        key = {"account": lane.account, "model": lane.model, "parameter": parameter, "value": value}
        with self._database.write() as tx:
            tx.execute(delete(_refused).where(_refused.c.until <= now))
            tx.execute(delete(_refused).filter_by(**key))
            tx.execute(insert(_refused).values(**key, until=now + KEPT))
        self._read_at = None

    def of(self, lane: LaneKey, *, now: float) -> tuple[RefusedParameter, ...]:
        """What this server does not take for this model. It is asked before each call: read once a minute."""
        if self._read_at is None or not 0 <= now - self._read_at < _FRESH:
            self._known, self._read_at = self.all(now=now), now
        mine = (lane.account, lane.model)
        return tuple(
            one for one in self._known if one.until > now and (one.account, one.model) == mine
        )

    def all(self, *, now: float) -> tuple[RefusedParameter, ...]:
        query = select(_refused).where(_refused.c.until > now).order_by(*_refused.primary_key)
        with self._database.read() as view:
            return tuple(RefusedParameter(**line) for line in view.execute(query).mappings())
