"""Databases of other versions: brought up after a copy, brought down by order, refused when too new."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from tests.edges.ledger_room import accept, begin, open_items, picture, settle, settlement
from tests.edges.old_ledger import ledger_of_0_1, migrated, shape

from watcher import __version__
from watcher.core.errors import DiskError, LedgerError
from watcher.core.jobs import RowState
from watcher.ledger import Ledger, migrations
from watcher.ledger.backups import check_database, copy_database
from watcher.ledger.database import Database, open_database
from watcher.ledger.versions import make_fit, make_older, tables_of


def _downgrade(file: Path, to: str) -> Path | None:
    database = Database(file)
    try:
        with database.write() as tx:
            done = make_older(tx, file, to)
    finally:
        database.close()
    return done.backup if done else None


def _jobs(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as view:
        return [str(line[0]) for line in view.execute("SELECT id FROM jobs")]


def test_an_older_database_is_brought_up_with_all_its_jobs(tmp_path: Path) -> None:
    """After an upgrade of the program everything is still there, and a copy of what was before besides."""
    ledger_of_0_1(tmp_path)
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as old, old:
        old.execute(
            "INSERT INTO jobs (id, inbox, name, path, folder, sha256, rules, state, paused, cancelled,"
            " priority, columns, encoding, delimiter, notes, settings, created_at, accepted_at)"
            " VALUES ('a', 'main', 'a.csv', x'61', 'a--a', '', '', 'done', 0, 0,"
            " 1, '[]', '', '', '[]', '{}', 1.0, 1.0)"
        )
    ledger = Ledger(tmp_path, upgrade=True)
    done = ledger.upgraded
    assert done is not None
    assert ledger.views.job("a") is not None
    ledger.close()
    assert (done.before.program, done.before.revision) == ("0.1.0", "0001")
    assert done.backup.name.startswith("ledger-0.1.0-0001-")
    assert _jobs(done.backup) == ["a"]
    check_database(done.backup)


def test_it_is_brought_up_once(tmp_path: Path) -> None:
    """The next start finds nothing to do, and makes no further copy."""
    ledger_of_0_1(tmp_path)
    Ledger(tmp_path, upgrade=True).close()
    copies = sorted(tmp_path.glob("ledger-*"))
    ledger = Ledger(tmp_path, upgrade=True)
    ledger.close()
    assert (ledger.upgraded, sorted(tmp_path.glob("ledger-*"))) == (None, copies)


def test_commands_beside_a_daemon_change_no_tables(tmp_path: Path) -> None:
    """An older daemon may be at work: only who holds the state folder brings its database up."""
    file = ledger_of_0_1(tmp_path)
    before = shape(file)
    with pytest.raises(LedgerError, match=r"0\.1\.0"):
        Ledger(tmp_path)
    assert shape(file) == before


def test_an_upgrade_that_fails_leaves_what_was(tmp_path: Path) -> None:
    """All of it is one transaction: a database is of the one version or of the other."""
    file = ledger_of_0_1(tmp_path)
    with closing(sqlite3.connect(file)) as old, old:
        old.execute("CREATE TABLE schedules (in_the_way)")
    before = shape(file)
    with pytest.raises((LedgerError, OperationalError)):
        Ledger(tmp_path, upgrade=True)
    assert shape(file) == before
    with closing(sqlite3.connect(file)) as old:
        assert old.execute("SELECT value FROM meta WHERE key = 'schema'").fetchall() == [("1",)]


def test_no_copy_no_upgrade(tmp_path: Path) -> None:
    """Where the copy cannot be written nothing is changed, and the sentence says so."""
    file = ledger_of_0_1(tmp_path)
    before = shape(file)
    (tmp_path / "ledger-0.1.0-0001-19700101T000000Z.sqlite3.part").mkdir()
    database = Database(file)
    with pytest.raises(DiskError, match="cannot be copied"), database.write() as tx:
        make_fit(tx, file, upgrade=True, clock=lambda: 0.0)
    database.close()
    assert shape(file) == before


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    """It is never written to; the sentence names the version that made it, and the way back."""
    database = open_database(tmp_path)
    with database.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        tx.execute(text("UPDATE meta SET value = '7.5.1' WHERE key = 'program'"))
    database.close()
    for upgrade in (False, True):
        with pytest.raises(LedgerError, match=r"image-watcher 7\.5\.1, which is newer") as refused:
            Ledger(tmp_path, upgrade=upgrade)
        assert f"database downgrade {__version__}" in refused.value.hint


def test_back_to_an_older_version(tmp_path: Path) -> None:
    """Brought down by order it is what 0.1 made, with a copy of the newer; and it can be brought up again."""
    ledger = Ledger(tmp_path)
    accept(ledger, "a", 3)
    ledger.close()
    file = tmp_path / "ledger.sqlite3"
    newest = shape(file)
    backup = _downgrade(file, "0.1.0")
    assert backup is not None
    assert shape(backup) == newest
    assert _jobs(file) == ["a"]
    with closing(sqlite3.connect(file)) as old:
        names = {line[0] for line in old.execute("SELECT name FROM sqlite_master")}
        assert old.execute("SELECT value FROM meta WHERE key = 'schema'").fetchall() == [("1",)]
    assert not names & {"alembic_version", "schedules"}
    Ledger(tmp_path, upgrade=True).close()
    assert shape(file) == newest


def test_back_to_a_version_that_judges_nothing(tmp_path: Path) -> None:
    """Rows whose pictures were being judged are done, and so are their jobs: nobody pays for more pictures."""
    ledger = Ledger(tmp_path)
    for job, rows in (("judged", 1), ("failed", 2), ("goes on", 2)):
        accept(ledger, job, rows)
    judged = settlement(RowState.WAITING, outcome="answered", pictures=(picture(),), judging=True)
    for one in open_items(ledger):
        if one.number == 1:
            ledger.items.settle(one, begin(ledger, one), judged, now=0.0)
        elif one.job_id == "failed":
            settle(ledger, one, RowState.FAILED)
    ledger.close()
    file = tmp_path / "ledger.sqlite3"
    _downgrade(file, "0.1.0")
    with closing(sqlite3.connect(file)) as old:
        rows_now = old.execute("SELECT job_id, number, state, problem FROM rows").fetchall()
        jobs = dict(old.execute("SELECT id, state FROM jobs WHERE state = 'running' OR ended_at"))
    assert {line for line in rows_now if line[1] == 1} == {
        (job, 1, "done", None) for job in ("judged", "failed", "goes on")
    }
    assert ("goes on", 2, "queued", None) in rows_now
    assert jobs == {"judged": "done", "failed": "partial", "goes on": "running"}


def test_there_is_no_way_to_a_version_that_never_was(tmp_path: Path) -> None:
    """A typing mistake changes nothing."""
    Ledger(tmp_path).close()
    for wrong in ("0.0.1", "old", "", "0.1.x"):
        with pytest.raises(LedgerError, match="no tables of version"):
            _downgrade(tmp_path / "ledger.sqlite3", wrong)
    assert _downgrade(tmp_path / "ledger.sqlite3", migrations.HEAD) is None


def test_somebody_elses_database_is_refused(tmp_path: Path) -> None:
    """A database that lies under our name and is not ours stays as it is."""
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as other, other:
        other.execute("CREATE TABLE songs (name)")
    with pytest.raises(LedgerError, match="not one of image-watcher"):
        Ledger(tmp_path, upgrade=True)


def test_a_copy_is_whole_while_others_write(tmp_path: Path) -> None:
    """What is copied is the state of one moment; a transaction is in it as a whole or not at all."""
    ledger = Ledger(tmp_path)
    accept(ledger, "a", 500)
    copy = copy_database(tmp_path / "ledger.sqlite3", tmp_path / "copy.sqlite3")
    accept(ledger, "b", 500)
    ledger.close()
    check_database(copy)
    assert _jobs(copy) == ["a"]
    assert list(tmp_path.glob("copy*")) == [copy]


def test_damage_is_found_by_reading_all(tmp_path: Path) -> None:
    """A page that was overwritten is told of, and what to do."""
    ledger = Ledger(tmp_path)
    accept(ledger, "a", 2000)
    ledger.close()
    file = copy_database(tmp_path / "ledger.sqlite3", tmp_path / "copy.sqlite3")
    with file.open("r+b") as raw:
        raw.seek(file.stat().st_size // 2)
        raw.write(b"\xff" * 8192)
    with pytest.raises(LedgerError, match="is damaged"):
        check_database(file)


def test_alembic_agrees_on_the_head(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The newest migration on paper is the one that new databases are marked with."""
    with caplog.at_level(logging.WARNING):
        database = Database(migrated(tmp_path))
    with database.read() as view:
        found = view.scalar(text("SELECT version_num FROM alembic_version"))
    database.close()
    names = (path.stem for path in Path(migrations.__file__).parent.glob("versions/tables_*.py"))
    assert (found, max(names)) == (migrations.HEAD, f"tables_{migrations.HEAD}")
    database = open_database(tmp_path / "new")
    with database.read() as view:
        tables = tables_of(view)
    database.close()
    assert tables is not None
    assert tables.revision == found
