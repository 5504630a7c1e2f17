"""The state folder in one file and back: whole, checked before anything is changed, finished after a crash."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import threading
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.edges.ledger_room import accept, begin, open_items

from watcher import __version__
from watcher.core.errors import DiskError, LedgerError
from watcher.daemon.backup import back_up, finish_restore, restore
from watcher.ledger import Ledger
from watcher.ledger.database import Database

WHEN = "20261121T030000Z"


def _state(folder: Path, *jobs: str) -> Path:
    """A state folder with these jobs, an answer that waits, a picture that a row names."""
    ledger = Ledger(folder)
    for job in jobs:
        accept(ledger, job, 3)
    ledger.close()
    (folder / "replies").mkdir()
    (folder / "replies/7.reply").write_bytes(b"paid for")
    (folder / "replies/8.part").write_bytes(b"half")
    (folder / "inputs" / jobs[0]).mkdir(parents=True)
    (folder / "inputs" / jobs[0] / "mug.png").write_bytes(b"a mug")
    (folder / "lock").touch()
    return folder


def _jobs(state: Path) -> set[str]:
    ledger = Ledger(state)
    found = {job.id for job in ledger.views.jobs()}
    ledger.close()
    return found


@pytest.mark.parametrize("name", ["all.backup", "all.tar.gz"])
def test_there_and_back(tmp_path: Path, name: str) -> None:
    """What was backed up is there again, answers and pictures too, and what was there since is kept aside."""
    state, file = _state(tmp_path / "state", "a"), tmp_path / name
    size = back_up(state, file, when="now")
    assert (file.stat().st_size, file.stat().st_mode & 0o777) == (size, 0o600)
    ledger = Ledger(state)
    accept(ledger, "b", 2)
    ledger.close()
    (state / "replies/7.reply").unlink()
    aside = restore(state, file, when=WHEN)
    assert (_jobs(state), _jobs(aside)) == ({"a"}, {"a", "b"})
    assert (state / "replies/7.reply").read_bytes() == b"paid for"
    assert (state / "inputs/a/mug.png").read_bytes() == b"a mug"
    assert {path.name for path in state.iterdir()} == {
        "lock", "ledger.sqlite3", "replies", "inputs", aside.name
    }  # fmt: skip
    assert [path.name for path in (state / "replies").iterdir()] == ["7.reply"]


def test_onto_a_new_machine(tmp_path: Path) -> None:
    """Where there is no state folder yet, a backup makes one."""
    file = tmp_path / "all.backup"
    back_up(_state(tmp_path / "state", "a"), file, when="now")
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    restore(fresh, file, when=WHEN)
    assert _jobs(fresh) == {"a"}


def test_a_backup_is_never_written_over_another(tmp_path: Path) -> None:
    """A file that is there stays as it is, and no trace of the attempt is left."""
    state, file = _state(tmp_path / "state", "a"), tmp_path / "all.backup"
    file.write_text("the last good one")
    with pytest.raises(LedgerError, match="is there already"):
        back_up(state, file, when="now")
    assert file.read_text() == "the last good one"
    with pytest.raises(DiskError):
        back_up(state, tmp_path / "nowhere" / "all.backup", when="now")
    assert [path.name for path in state.iterdir() if path.name.startswith("backing-up")] == []


def test_every_answer_fits_its_ledger(tmp_path: Path) -> None:
    """While calls begin and end, the ledger of a backup never knows of a call as unanswered whose answer
    had arrived, nor as answered one whose answer is not in the ledger."""
    state = tmp_path / "state"
    ledger = Ledger(state)
    accept(ledger, "a", 2000)
    replies = state / "replies"
    replies.mkdir()
    todo = iter(open_items(ledger, now=2e9))
    stop = threading.Event()

    def work() -> None:
        for one in todo:
            attempt = begin(ledger, one)
            (replies / f"{attempt}.reply").write_bytes(b"an answer")
            database = ledger._database
            with database.write() as tx:
                tx.execute(
                    text("UPDATE attempts SET outcome = 'answered' WHERE id = :id"), {"id": attempt}
                )
            (replies / f"{attempt}.reply").unlink()
            if stop.is_set():
                return

    worker = threading.Thread(target=work)
    worker.start()
    for turn in range(5):
        back_up(state, tmp_path / f"{turn}.backup", when="now")
    stop.set()
    worker.join()
    ledger.close()
    for turn in range(5):
        fresh = tmp_path / f"fresh-{turn}"
        fresh.mkdir()
        restore(fresh, tmp_path / f"{turn}.backup", when=WHEN)
        database = Database(fresh / "ledger.sqlite3")
        with database.read() as view:
            sent = set(view.scalars(text("SELECT id FROM attempts WHERE outcome = 'sent'")))
            newest = view.scalar(text("SELECT max(id) FROM attempts")) or 0
        database.close()
        answers = {int(file.stem) for file in (fresh / "replies").iterdir()}
        assert len(sent) <= 1
        assert all(number <= newest for number in answers)
        assert len(answers) <= 2


def _tampered(file: Path, into: Path, **changes: bytes) -> Path:
    with tarfile.open(file) as old, tarfile.open(into, "w") as new:
        for member in old:
            content = old.extractfile(member)
            assert content is not None
            data = changes.pop(member.name.replace(".", "_").replace("/", "_"), content.read())
            member.size = len(data)
            new.addfile(member, io.BytesIO(data))
        for name, data in changes.items():
            extra = tarfile.TarInfo(name)
            extra.size = len(data)
            new.addfile(extra, io.BytesIO(data))
    return into


def test_what_is_no_backup_changes_nothing(tmp_path: Path) -> None:
    """A file of another kind, one cut off, one tampered with, one that leads out: refused in a sentence."""
    state, good = _state(tmp_path / "state", "a"), tmp_path / "good.backup"
    back_up(state, good, when="now")
    text_file, cut = tmp_path / "text", tmp_path / "cut"
    text_file.write_text("no backup at all")
    cut.write_bytes(good.read_bytes()[:20_000])
    wrong = [
        tmp_path / "missing",
        text_file,
        cut,
        _tampered(good, tmp_path / "reply", replies_7_reply=b"another answer"),
        _tampered(good, tmp_path / "out", **{"../../out.txt": b"x"}),
        _tampered(good, tmp_path / "above", **{"replies/../../../out.txt": b"x"}),
        _tampered(good, tmp_path / "more", **{"replies/9.reply": b"x"}),
        _tampered(good, tmp_path / "about", backup_json=b"{}"),
    ]
    before = {path: path.stat().st_ino for path in state.rglob("*")}
    for file in wrong:
        with pytest.raises(LedgerError):
            restore(state, file, when=WHEN)
    assert {path: path.stat().st_ino for path in state.rglob("*")} == before
    assert not (tmp_path / "out.txt").exists()


def test_a_backup_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    """It would be refused by the daemon; so it is before anything is changed."""
    state, file = _state(tmp_path / "state", "a"), tmp_path / "newer.backup"
    database = Database(state / "ledger.sqlite3")
    with database.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        tx.execute(text("UPDATE meta SET value = '7.5.1' WHERE key = 'program'"))
    database.close()
    back_up(state, file, when="now")
    fresh = _state(tmp_path / "fresh", "b")
    with pytest.raises(
        LedgerError, match=rf"7\.5\.1, which is newer than this one \({__version__}"
    ):
        restore(fresh, file, when=WHEN)
    assert _jobs(fresh) == {"b"}


@pytest.mark.parametrize("moved", [0, 1, 2, 3])
def test_a_restore_that_was_cut_off_is_finished(tmp_path: Path, moved: int) -> None:
    """Whatever was moved when the machine died, the next start ends with the backup, and the old aside."""
    state, file = _state(tmp_path / "state", "b"), tmp_path / "all.backup"
    back_up(_state(tmp_path / "other", "a"), file, when="now")
    coming, aside = state / f"restoring-{WHEN}", state / f"before-restore-{WHEN}"
    coming.mkdir()
    subprocess.run(["tar", "-xf", file, "-C", coming], check=True)
    (coming / "backup.json").unlink()
    aside.mkdir()
    for name in ["inputs", "ledger.sqlite3", "replies"][:moved]:
        (state / name).rename(aside / name)
        (coming / name).rename(state / name)
    finish_restore(state)
    assert (_jobs(state), _jobs(aside)) == ({"a"}, {"b"})
    finish_restore(state)
    assert _jobs(state) == {"a"}
    assert json.dumps(sorted(path.name for path in state.glob("restoring*"))) == "[]"
