"""Pictures that lie beside a drop and travel with it: which rows name them, and what was in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from sqlalchemy import exists, insert, select

from watcher.core.jobs import JobState, RowState
from watcher.ledger import schema
from watcher.ledger.database import Database

_jobs, _rows, _table = schema.jobs, schema.rows, schema.companions
_NOT_WELL = (RowState.FAILED, RowState.PARTIAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Companion:
    """A picture that the row `number` names. `path` is relative to the inbox, `sha256` (hex) of all bytes."""

    number: int
    path: bytes
    sha256: str


class Companions:
    """The table of companions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, job_id: str, companions: Iterable[Companion]) -> None:
        """Note them; one that is noted already stays as it is."""
        lines = [{"job_id": job_id, **asdict(one)} for one in companions]
        if lines:
            with self._database.write() as tx:
                tx.execute(insert(_table).prefix_with("OR IGNORE"), lines)

    def contents(self, job_id: str) -> list[tuple[bytes, str]]:
        """Path and SHA-256 of every companion of a job, each once."""
        query = select(_table.c.path, _table.c.sha256).where(_table.c.job_id == job_id).distinct()
        with self._database.read() as view:
            return [(path, sha256) for path, sha256 in view.execute(query)]

    def to_archive(self, job_id: str, *, also_failed: bool = False) -> list[bytes]:
        """Those that nobody needs in the inbox any more.

        A picture that another open job names stays, and so does one of a row that did not end well:
        `failed.csv` is dropped beside it. `also_failed`: not so.
        """
        other = _table.alias()
        needed = exists().where(
            other.c.path == _table.c.path,
            other.c.job_id == _jobs.c.id,
            _jobs.c.state == JobState.RUNNING,
            _jobs.c.inbox == select(_jobs.c.inbox).where(_jobs.c.id == job_id).scalar_subquery(),
            other.c.job_id != job_id,
        )
        mine = _table.alias()
        failed = exists().where(
            mine.c.job_id == job_id,
            mine.c.path == _table.c.path,
            _rows.c.job_id == job_id,
            _rows.c.number == mine.c.number,
            _rows.c.state.in_(_NOT_WELL),
        )
        query = select(_table.c.path).where(_table.c.job_id == job_id, ~needed).distinct()
        if not also_failed:
            query = query.where(~failed)
        with self._database.read() as view:
            return list(view.scalars(query.order_by(_table.c.path)))

    def named(self, inbox: str) -> set[bytes]:
        """The paths that open jobs of an inbox name."""
        query = (
            select(_table.c.path)
            .join(_jobs, _jobs.c.id == _table.c.job_id)
            .where(_jobs.c.inbox == inbox, _jobs.c.state == JobState.RUNNING)
        )
        with self._database.read() as view:
            return set(view.scalars(query.distinct()))
