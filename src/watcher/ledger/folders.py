"""Inboxes and outboxes that were served before: one that has lost its marker since is away, not empty."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

from sqlalchemy import delete, exists, insert, select

from watcher.ledger import schema
from watcher.ledger.database import Database

FolderKind: TypeAlias = Literal["inbox", "outbox"]

_meta = schema.meta


class Folders:
    """The table of meta, as far as folders go."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def known(self, kind: FolderKind, path: Path) -> str | None:
        """Its id; None: it was never here."""
        key = f"{kind}:{path}"
        with self._database.read() as view:
            found: str | None = view.scalar(select(_meta.c.value).where(_meta.c.key == key))
        return found

    def has(self, kind: FolderKind) -> bool:
        """Whether any is known."""
        of_kind = _meta.c.key.startswith(f"{kind}:", autoescape=True)
        with self._database.read() as view:
            return bool(view.scalar(select(exists().where(of_kind))))

    def remember(self, kind: FolderKind, path: Path, id_: str) -> None:
        key = f"{kind}:{path}"
        with self._database.write() as tx:
            tx.execute(delete(_meta).where(_meta.c.key == key))
            tx.execute(insert(_meta).values(key=key, value=id_))
