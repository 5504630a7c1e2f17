"""Inboxes that were served before: one that has lost its marker since is away, not empty."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import delete, insert, select

from watcher.ledger import schema
from watcher.ledger.database import Database

_meta = schema.meta


class Inboxes:
    """The table of meta, as far as inboxes go."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def known(self, path: Path) -> bool:
        with self._database.read() as view:
            return view.scalar(select(_meta.c.value).where(_meta.c.key == _key(path))) is not None

    def remember(self, path: Path, inbox_id: str) -> None:
        with self._database.write() as tx:
            tx.execute(delete(_meta).where(_meta.c.key == _key(path)))
            tx.execute(insert(_meta).values(key=_key(path), value=inbox_id))


def _key(path: Path) -> str:
    return f"inbox:{path}"
