"""Which tables a database has, whose they are, and how it comes to have ours: never without a copy first."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, delete, insert, inspect, select, text

from watcher import __version__
from watcher.core.errors import LedgerError
from watcher.ledger import migrations, schema
from watcher.ledger.backups import copy_database

_meta = schema.meta
_BEFORE_ALEMBIC = "0001"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The tables of a database: their revision, and the version of the program that made them."""

    revision: str
    program: str

    @property
    def known(self) -> bool:
        return self.revision in migrations.FIRST_PROGRAM

    @property
    def current(self) -> bool:
        return self.revision == migrations.HEAD


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgraded:
    """From whose tables to ours, and where the copy of what was before lies."""

    before: Tables
    backup: Path


def tables_of(tx: Connection) -> Tables | None:
    """None: there are none yet. Raises LedgerError where they are not ours."""
    names = set(inspect(tx).get_table_names())
    if not names:
        return None
    if "meta" not in names:
        raise LedgerError("This database is not one of image-watcher.", "Name another state_dir.")
    told: dict[str, str] = dict(tx.execute(select(_meta.c.key, _meta.c.value)).all())
    if "alembic_version" not in names:
        return Tables(revision=f"{int(told['schema']):04}", program="0.1.0")
    revision = tx.scalar(text("SELECT version_num FROM alembic_version"))
    return Tables(revision=str(revision), program=told.get("program", "another version"))


def make_fit(
    tx: Connection, file: Path, *, upgrade: bool, clock: Callable[[], float] = time.time
) -> Upgraded | None:
    """New tables where there are none; those of an older version brought up, after a copy of them.

    Raises LedgerError where they are newer, or older and `upgrade` is not allowed.
    """
    found = tables_of(tx)
    if found is None:
        _create(tx)
        return None
    if found.current:
        return None
    must_be_known(found, file)
    if not upgrade:
        raise LedgerError(
            f"The database {file} was made by image-watcher {found.program}; this is {__version__}.",
            "Start this version's daemon, which brings it up to date, or stop the daemon and run: image-watcher database upgrade",
        )
    backup = copy_database(file, backup_name(file, found, clock()))
    _mark_old(tx, found)
    migrations.upgrade(tx)
    _sign(tx, migrations.HEAD, __version__)
    return Upgraded(before=found, backup=backup)


def make_older(
    tx: Connection, file: Path, to: str, *, clock: Callable[[], float] = time.time
) -> Upgraded | None:
    """The tables that the program `to` ("0.1", "0.1.0" or a revision) works with, after a copy.

    None: they are so already. Raises LedgerError where there is no such version.
    """
    revision = migrations.revision_of(to)
    found = tables_of(tx)
    if revision is None or found is None:
        known = ", ".join(migrations.FIRST_PROGRAM.values())
        raise LedgerError(f"There are no tables of version {to}.", f"Name one of: {known}.")
    must_be_known(found, file)
    if found.revision <= revision:
        return None
    backup = copy_database(file, backup_name(file, found, clock()))
    migrations.downgrade(tx, revision)
    _sign(tx, revision, migrations.FIRST_PROGRAM[revision])
    return Upgraded(before=found, backup=backup)


def backup_name(file: Path, tables: Tables, now: float) -> Path:
    """Beside the database, named with the version that made it, its tables and the time (UTC)."""
    when = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    return file.with_name(f"{file.stem}-{tables.program}-{tables.revision}-{when}{file.suffix}")


def _create(tx: Connection) -> None:
    schema.metadata.create_all(tx)
    _mark_old(tx, Tables(revision=migrations.HEAD, program=__version__))
    _sign(tx, migrations.HEAD, __version__)


def _mark_old(tx: Connection, tables: Tables) -> None:
    """Write down, where Alembic looks, which tables these are."""
    tx.execute(
        text(
            "CREATE TABLE IF NOT EXISTS alembic_version ("
            "version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
        )
    )
    if not tx.scalar(text("SELECT count(*) FROM alembic_version")):
        mark = text("INSERT INTO alembic_version VALUES (:revision)")
        tx.execute(mark, {"revision": tables.revision})


def _sign(tx: Connection, revision: str, program: str) -> None:
    """Whose tables these are; `schema` is what the program 0.1 looks at, before it writes."""
    for key, value in (("schema", str(int(revision))), ("program", program)):
        tx.execute(delete(_meta).where(_meta.c.key == key))
        tx.execute(insert(_meta).values(key=key, value=value))
    if revision == _BEFORE_ALEMBIC:
        tx.execute(text("DROP TABLE alembic_version"))


def must_be_known(found: Tables, file: Path) -> None:
    """Raises LedgerError, naming the version that made it."""
    if not found.known:
        raise LedgerError(
            f"The database {file} was made by image-watcher {found.program}, which is newer than this one ({__version__}).",
            f"Install {found.program} or newer. To go back for good, run there first: image-watcher database downgrade {__version__}",
        )
