"""Copies of the database, made while others write: whole, as of one moment, and on disk when it returns."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from watcher.core.errors import DiskError, LedgerError

_WAIT = 30.0  # seconds that a writer is waited for
_PAGES = 4096  # pages copied at once: others may write in between


def copy_database(file: Path, into: Path, *, meanwhile: Callable[[], None] | None = None) -> Path:
    """A consistent copy of a database at `into`, which appears whole. Raises DiskError.

    `meanwhile` is called at the very moment that the copy shows, with all who write held off.
    """
    part = into.with_name(f"{into.name}.part")
    try:
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(part)) as target:
            if meanwhile is not None:
                _at_one_moment(file, source, meanwhile)
            source.backup(target, pages=_PAGES)
            target.execute("PRAGMA journal_mode=DELETE")  # one file, that stands for itself
        _sync(part)
        part.rename(into)
        _sync(into.parent)
    except (OSError, sqlite3.Error) as error:
        with suppress(OSError):
            part.unlink()
        raise DiskError(
            f"The database {file} cannot be copied to {into}: {error}.",
            "Make room on that disk, or make it writable, then try again.",
        ) from None
    return into


def _at_one_moment(file: Path, source: sqlite3.Connection, act: Callable[[], None]) -> None:
    """Begin to read with `source`, and `act`, while nobody can write; what is read stays as it is then."""
    source.isolation_level = None
    with closing(sqlite3.connect(file, timeout=_WAIT, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        act()
        writer.execute("ROLLBACK")


def check_database(file: Path) -> None:
    """Read all of it. Raises LedgerError where it is damaged, or no database."""
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as view:
            found = [str(line[0]) for line in view.execute("PRAGMA integrity_check(5)")]
    except sqlite3.Error as error:
        found = [str(error)]
    if found != ["ok"]:
        raise LedgerError(
            f"The database {file} is damaged: {'; '.join(found)}.",
            "Restore a backup: image-watcher restore FILE. Drops that were not finished are still in the inboxes.",
        )


def spare_share(file: Path) -> float:
    """The share of its pages that hold nothing, 0 to 1."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as view:
        spare = view.execute("PRAGMA freelist_count").fetchone()[0]
        return float(spare / max(1, view.execute("PRAGMA page_count").fetchone()[0]))


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
