"""The database as a file that an operator looks after: whose tables it has, up, down, copies."""

from __future__ import annotations

from pathlib import Path

from watcher.core.errors import LedgerError
from watcher.ledger.backups import check_database, copy_database, spare_share
from watcher.ledger.database import Database, must_be_whole, open_database
from watcher.ledger.versions import Tables, Upgraded, make_older, must_be_known, tables_of

__all__ = [
    "check_database",
    "copy_database",
    "database_file",
    "downgrade",
    "expect_known",
    "spare_share",
    "tables",
    "upgrade",
]


def database_file(state_dir: Path) -> Path:
    """Raises LedgerError where there is none yet."""
    file = state_dir / "ledger.sqlite3"
    if not file.exists():
        raise LedgerError(
            f"There is no ledger in {state_dir} yet.",
            "Start the daemon first (image-watcher run), or name the right settings with --config.",
        )
    return file


def tables(state_dir: Path) -> Tables:
    """Whose tables it has. Raises LedgerError where they are not ours."""
    database = Database(database_file(state_dir))
    try:
        with must_be_whole(database.file), database.read() as view:
            found = tables_of(view)
    finally:
        database.close()
    if found is None:
        raise LedgerError(
            f"The database in {state_dir} is empty.", "Start the daemon: it fills it."
        )
    return found


def expect_known(state_dir: Path) -> None:
    """Raises LedgerError where a newer version made it."""
    must_be_known(tables(state_dir), database_file(state_dir))


def upgrade(state_dir: Path) -> Upgraded | None:
    """To our tables; None: they are so already. The state folder must be held."""
    database_file(state_dir)
    database = open_database(state_dir, upgrade=True)
    database.close()
    return database.upgraded


def downgrade(state_dir: Path, to: str) -> Upgraded | None:
    """To the tables of an earlier version of the program. The state folder must be held."""
    database = Database(database_file(state_dir))
    try:
        with must_be_whole(database.file), database.write() as tx:
            return make_older(tx, database.file, to)
    finally:
        database.close()
