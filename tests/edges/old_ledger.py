"""Databases of versions that were: made by the migrations alone, as those programs left them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from sqlalchemy import create_engine
from sqlalchemy.schema import SchemaItem

from watcher.ledger import migrations, schema
from watcher.ledger.database import Database, open_database
from watcher.ledger.versions import make_older

Shape = dict[str, tuple[set[tuple[str, str, int, int]], set[str], bool]]


def ledger_of_0_1(folder: Path) -> Path:
    """A database as 0.1 leaves it: its tables, and no word of Alembic."""
    database = open_database(folder)
    with database.write() as tx:
        make_older(tx, database.file, "0.1", clock=lambda: 0.0)
    database.close()
    return database.file


def shape(file: Path) -> Shape:
    """Columns (name, type, NOT NULL, place in the key), indexes and WITHOUT ROWID of every table."""
    found: Shape = {}
    with closing(sqlite3.connect(file)) as view:
        for name, sql in view.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'"):
            if name.startswith("sqlite_") or name == "alembic_version":
                continue
            columns = {
                (line[1], line[2], line[3], line[5])
                for line in view.execute(f"PRAGMA table_info({name})")
            }
            indexes = view.execute(
                "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql NOT NULL",
                [name],
            )
            found[name] = (columns, {line[0] for line in indexes}, "WITHOUT ROWID" in sql)
    return found


def migrated(folder: Path) -> Path:
    """An empty file brought up by every migration in turn."""
    folder.mkdir(parents=True, exist_ok=True)
    database = Database(folder / "ledger.sqlite3")
    with database.write() as tx:
        migrations.upgrade(tx)
    database.close()
    return database.file


def missing_lines(file: Path) -> str:
    """What Alembic would write to bring a migrated database to `schema`; "" when nothing is missing."""

    def ours(_item: SchemaItem, name: str | None, *_: object) -> bool:
        return name != "alembic_version"

    engine = create_engine(f"sqlite:///{file}")
    try:
        with engine.connect() as view:
            context = MigrationContext.configure(view, opts={"include_object": ours})
            found = produce_migrations(context, schema.metadata).upgrade_ops
    finally:
        engine.dispose()
    return render_python_code(found) if found and not found.is_empty() else ""
