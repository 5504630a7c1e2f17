"""What the clock drops: up to when runs are decided, and the newest run, written down before it is dropped."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, exists, insert, select, update

from watcher.core.jobs import Problem
from watcher.ledger import schema
from watcher.ledger.codec import dump_problem, load_problem
from watcher.ledger.database import Database

_table, _claims = schema.schedules, schema.claims


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """One schedule as it stands. `rule`: its cron and zone; `path`: the newest run's drop, in its inbox.

    `intended`: that drop may not be in the inbox yet; `problem`: why not.
    """

    name: str
    rule: str
    decided_until: float
    run_at: float | None = None
    path: bytes | None = None
    state: str = "dropped"
    problem: Problem | None = None

    @property
    def intended(self) -> bool:
        return self.state == "intended"


class Schedules:
    """The table of schedules."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> dict[str, Scheduled]:
        with self._database.read() as view:
            lines = view.execute(select(_table)).mappings().all()
        return {
            line["name"]: Scheduled(**{**line, "problem": load_problem(line["problem"])})
            for line in lines
        }

    def begin(self, name: str, *, rule: str, now: float) -> None:
        """A schedule that is new, or says something else than before: its runs count from now."""
        with self._database.write() as tx:
            tx.execute(delete(_table).where(_table.c.name == name))
            tx.execute(insert(_table).values(name=name, rule=rule, decided_until=now))

    def decide(self, name: str, until: float) -> None:
        """No run up to then is to be dropped any more."""
        self._change(name, decided_until=until)

    def intend(self, name: str, *, run_at: float, path: bytes, until: float) -> None:
        """From here the run is dropped once, whatever happens."""
        self._change(
            name, decided_until=until, run_at=run_at, path=path, state="intended", problem=None
        )

    def dropped(self, name: str) -> None:
        self._change(name, state="dropped", problem=None)

    def refused(self, name: str, problem: Problem) -> None:
        """It could not be dropped yet."""
        self._change(name, problem=dump_problem(problem))

    def is_claimed(self, inbox: str, path: bytes) -> bool:
        """Whether a drop of that path was taken, ever."""
        taken = exists().where(_claims.c.inbox == inbox, _claims.c.path == path)
        with self._database.read() as view:
            return bool(view.scalar(select(taken)))

    def _change(self, name: str, **values: object) -> None:
        with self._database.write() as tx:
            tx.execute(update(_table).where(_table.c.name == name).values(**values))
