"""Claims: a drop is written down before it is renamed, so that no crash can lose or double it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import insert, select, update

from watcher.ledger import schema
from watcher.ledger.database import Database

_table = schema.claims
_INTEND = insert(_table).values(state="intended")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """`path` is relative to the inbox. `job_id`: the job that it became, or repeats."""

    id: str
    inbox: str
    path: bytes
    state: str
    job_id: str | None
    created_at: float
    deaths: int


class Claims:
    """The table of claims."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def intend(self, claim_id: str, *, inbox: str, path: bytes, now: float) -> None:
        values = {"id": claim_id, "inbox": inbox, "path": path, "created_at": now}
        self._database.together(lambda tx: tx.execute(_INTEND, values))

    def drop(self, claim_id: str) -> None:
        """The rename did not happen, or was undone: the file is its owner's again."""
        with self._database.write() as tx:
            tx.execute(_table.delete().where(_table.c.id == claim_id))

    def conclude(self, claim_id: str, *, job_id: str) -> None:
        """It was the repeat of an earlier job: what is left is to archive it."""
        with self._database.write() as tx:
            tx.execute(
                update(_table)
                .where(_table.c.id == claim_id)
                .values(state="accepted", job_id=job_id)
            )

    def archived(self, claim_id: str) -> None:
        with self._database.write() as tx:
            tx.execute(update(_table).where(_table.c.id == claim_id).values(state="archived"))

    @contextmanager
    def taken_up(self, claim_id: str) -> Iterator[int]:
        """Around taking up what an earlier process left: how many died of that before.

        This death is noted in advance, and all of them are forgotten where nobody dies.
        """
        mine = _table.c.id == claim_id
        with self._database.write() as tx:
            deaths = tx.scalar(select(_table.c.deaths).where(mine)) or 0
            tx.execute(update(_table).where(mine).values(deaths=deaths + 1))
        try:
            yield deaths
        finally:
            with self._database.write() as tx:
                tx.execute(update(_table).where(mine).values(deaths=0))

    def survived(self) -> None:
        """The process ends in order: what it was taking up did not end it, however often that is repeated."""
        with self._database.write() as tx:
            tx.execute(update(_table).where(_table.c.deaths > 0).values(deaths=0))

    def open(self, inbox: str | None = None) -> Iterator[Claim]:
        """Every claim whose original is not in its archive yet."""
        query = select(_table).where(_table.c.state.in_(("intended", "accepted")))
        if inbox is not None:
            query = query.where(_table.c.inbox == inbox)
        with self._database.read() as view:
            found = view.execute(query).mappings().all()
        return (Claim(**line) for line in found)

    def find(self, claim_id: str) -> Claim | None:
        with self._database.read() as view:
            line = view.execute(select(_table).where(_table.c.id == claim_id)).mappings().first()
        return None if line is None else Claim(**line)
