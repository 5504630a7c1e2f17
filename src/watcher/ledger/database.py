"""The database behind the ledger: SQLite in the state folder, WAL, every commit on disk before it returns."""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import DatabaseError, OperationalError

from watcher.core.errors import DiskError, LedgerError
from watcher.ledger.versions import Upgraded, make_fit

_BUSY_WORDS = ("database is locked", "database is busy", "database table is locked")
_DISK_WORDS = ("disk is full", "disk i/o error", "readonly database", "unable to open database")


@dataclass(slots=True, eq=False)
class _Share:
    """One thread's part of a transaction that several share."""

    act: Callable[[Connection], object]
    done: bool = False
    error: BaseException | None = None


class Database:
    """Transactions of one process. Writers wait for each other here, not in SQLite's busy loop."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.upgraded: Upgraded | None = None
        self._engine = create_engine(
            f"sqlite:///{file}", connect_args={"timeout": 30, "check_same_thread": False}
        )
        event.listen(self._engine, "connect", _set_pragmas)
        event.listen(self._engine, "begin", _begin)
        self._writing = threading.Lock()
        self._writer: Connection | None = None  # kept: fetching one took longer than most writes
        self._waiting: deque[_Share] = deque()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction, durable when it is left. Raises DiskError where the disk refuses it."""
        with self._writing, self._transaction() as tx:
            yield tx

    def together(self, act: Callable[[Connection], object]) -> None:
        """As `write`, in one commit with all who wait for one now: a commit is a turn of the disk.

        An `act` that raises spoils it for nobody else; it may be called a second time then.
        """
        mine = _Share(act)
        self._waiting.append(mine)
        with self._writing:
            if not mine.done:  # else somebody has taken it along
                self._commit([self._waiting.popleft() for _ in range(len(self._waiting))])
        if mine.error is not None:
            raise mine.error

    def _commit(self, shares: Sequence[_Share]) -> None:
        error = None
        try:
            with self._transaction() as tx:
                for share in shares:
                    share.act(tx)
        except BaseException as raised:  # noqa: BLE001 - raised again by the thread whose share it is
            error = raised
        if error is not None and len(shares) > 1:
            for share in shares:
                self._commit([share])
            return
        for share in shares:
            share.error, share.done = error, True

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with _in_words(self.file):
            if self._writer is None or self._writer.invalidated:
                self._writer = self._engine.connect()
            with self._writer.begin():
                yield self._writer

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view; never waits for writers (WAL)."""
        with _in_words(self.file), self._engine.connect() as view:
            view.execution_options(read_only=True)
            yield view

    def rebuild(self) -> None:
        """Write the file anew, so that its empty pages can be given back from now on; not where it has no room."""
        with closing(sqlite3.connect(self.file)) as alone, suppress(sqlite3.OperationalError):
            alone.execute("PRAGMA auto_vacuum=INCREMENTAL")
            alone.execute("VACUUM")

    def close(self) -> None:
        with self._writing:
            if self._writer is not None:
                self._writer.close()
        self._engine.dispose()


def open_database(folder: Path, *, upgrade: bool = False) -> Database:
    """Open, or create, `ledger.sqlite3` in the state folder.

    `upgrade`: one of an older version is copied and brought up; only who holds the state folder may.
    Raises LedgerError for a damaged database or one of another version: never starts empty over it.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = Database(folder / "ledger.sqlite3")
    try:
        with must_be_whole(database.file), database.write() as tx:
            database.upgraded = make_fit(tx, database.file, upgrade=upgrade)
        if database.upgraded:
            database.rebuild()
    except BaseException:
        database.close()
        raise
    return database


@contextmanager
def must_be_whole(file: Path) -> Iterator[None]:
    """Raises LedgerError in place of what SQLite says of a file that is damaged, or no database."""
    try:
        yield
    except DatabaseError as error:
        raise LedgerError(
            f"The database {file} cannot be read: {error.orig}.",
            "Keep it aside and restore a copy; the drops that were not finished are still in the inboxes.",
        ) from None


def _set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # BEGIN is ours, see _begin
    for pragma in (
        "auto_vacuum=INCREMENTAL",  # first: it counts for files that are made now, see retention
        "journal_mode=WAL",
        "synchronous=FULL",  # a commit is on disk when it returns; NORMAL lost paid pictures
        "foreign_keys=ON",
        "journal_size_limit=67108864",
        "cache_size=-4000",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    # IMMEDIATE: a transaction that reads first and writes later must not fail half-way.
    read_only = connection.get_execution_options().get("read_only", False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


@contextmanager
def _in_words(file: Path) -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        words = str(error.orig).lower()
        if any(word in words for word in _DISK_WORDS):
            raise DiskError(
                f"The database {file} cannot be written: {error.orig}.",
                "Make room on that disk, or make it writable; the work goes on by itself.",
            ) from None
        if any(word in words for word in _BUSY_WORDS):
            raise DiskError(
                f"The database {file} is held by another program: {error.orig}.",
                "Nothing to do, unless it lasts: then look who has it open; it is tried again by itself.",
            ) from None
        raise
