"""What is kept no longer goes, and nothing else: archives, inputs, lines of the ledger, its empty pages."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.edges.inbox_room import Clock, Room
from tests.edges.ledger_room import (
    NOW,
    Notes,
    accept,
    begin,
    new_row,
    open_items,
    settle,
    settlement,
)

from watcher.core.errors import InboxError
from watcher.core.jobs import RowState
from watcher.daemon.retention import Retention
from watcher.ledger import Ledger, schema
from watcher.settings import Inbox, Settings

DAY = 86_400.0
RULES = {"keep_done_days": 10, "keep_failed_days": 20, "reuse_days": 0}


class Stage:
    """One inbox with its archives, its ledger, and a daemon's retention over both."""

    def __init__(self, base: Path) -> None:
        self.room = Room(base)
        self.ledger = Ledger(base / "state")
        self.inputs = base / "inputs"
        self.clock = Clock()
        self.clock.now = NOW
        self.settings = Settings(inboxes={"products": Inbox(**RULES)})  # type: ignore[arg-type]
        self.retention = Retention(
            settings=lambda: self.settings,
            ledger=self.ledger,
            folders={"products": self.room.folder},
            inputs=self.inputs,
            clock=self.clock,
            sleep=asyncio.sleep,
            log=Notes(),
        )

    def job(self, job_id: str, *, rows: int = 2, well: bool = True, ended: float = NOW) -> None:
        """One that is over and archived, with the pictures of its rows still kept."""
        accept(self.ledger, job_id, rows, inbox="products")
        state = RowState.DONE if well else RowState.FAILED
        mine = [one for one in open_items(self.ledger) if one.job_id == job_id]
        for one in mine:
            self.ledger.items.settle(one, begin(self.ledger, one), settlement(state), now=ended)
        self.ledger.jobs.published(job_id, ended_at=ended, now=ended)
        self.ledger.claims.archived(job_id)
        self.archive("done" if well else "failed", job_id, ended)
        (self.inputs / job_id).mkdir(parents=True)
        (self.inputs / job_id / "mug.png").write_bytes(b"a mug")

    def unusable(self, job_id: str, rows: int) -> None:
        """A large one of which nothing was ever asked for."""
        accept(self.ledger, job_id, [new_row(at + 1, usable=False) for at in range(rows)])
        self.ledger.jobs.published(job_id, ended_at=NOW, now=NOW)

    def archive(self, where: str, job_id: str, changed: float) -> Path:
        folder = self.room.path / where / "2026-09" / job_id
        folder.mkdir(parents=True)
        (folder / "drop.csv").write_text("prompt\na kite\n")
        os.utime(folder, (changed, changed))
        return folder

    def after(self, days: float) -> None:
        self.clock.now = NOW + days * DAY
        self.retention.look("products")

    def left(self) -> set[str]:
        return {path.name for path in self.room.path.glob("*/*/*")}

    def known(self) -> set[str]:
        return {job.id for job in self.ledger.views.jobs()}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    made.ledger.close()


def test_done_and_failed_are_kept_for_their_days(stage: Stage) -> None:
    """Each goes after its own days, from the archive, from the ledger, and with its pictures."""
    stage.job("good")
    stage.job("bad", well=False)
    stage.after(9.9)
    assert (stage.left(), stage.known()) == ({"good", "bad"}, {"good", "bad"})
    stage.after(10.1)
    assert (stage.left(), stage.known()) == ({"bad"}, {"bad"})
    assert {path.name for path in stage.inputs.iterdir()} == {"bad"}
    stage.after(20.1)
    assert (stage.left(), stage.known()) == (set(), set())
    assert list(stage.inputs.iterdir()) == []
    assert not (stage.room.path / "done" / "2026-09").exists()


def test_nothing_of_a_job_is_left_in_any_table(stage: Stage) -> None:
    """Tables that come later too: whatever names a job is asked for it."""
    stage.unusable("large", 5_001)
    stage.job("good")
    stage.job("other", ended=NOW + 20 * DAY)
    stage.after(21)
    database = stage.ledger._database
    with database.read() as view:
        for name, table in schema.metadata.tables.items():
            if "job_id" in table.c:
                found = view.execute(text(f"SELECT DISTINCT job_id FROM {name}"))  # noqa: S608 - names of ours
                assert {line[0] for line in found} <= {"other"}, name


def test_what_is_not_over_stays(stage: Stage) -> None:
    """A job that runs, one that is not published, one that runs again: none is touched, nor its archive."""
    accept(stage.ledger, "runs", 2)
    stage.archive("failed", "runs", NOW)
    stage.job("again", well=False)
    assert stage.ledger.jobs.run_again("again")
    accept(stage.ledger, "unpublished", 1)
    (last,) = (one for one in open_items(stage.ledger) if one.job_id == "unpublished")
    settle(stage.ledger, last, RowState.DONE)
    stage.after(400)
    assert stage.known() == {"runs", "again", "unpublished"}
    assert stage.left() == {"runs", "again"}


def test_a_job_is_known_for_as_long_as_its_pictures_may_be_used_again(stage: Stage) -> None:
    """reuse_days holds the lines of the ledger, not the drop in the archive."""
    rules = Inbox(**{**RULES, "reuse_days": 60})  # type: ignore[arg-type]
    stage.settings = Settings(inboxes={"products": rules})
    stage.job("good")
    stage.after(30)
    assert (stage.left(), stage.known()) == (set(), {"good"})
    stage.after(61)
    assert stage.known() == set()


def test_kept_for_no_day_it_is_known_for_two(stage: Stage) -> None:
    """What was spent today counts on the ledger, whatever is kept."""
    rules = Inbox(keep_done_days=0, keep_failed_days=0, reuse_days=0)
    stage.settings = Settings(inboxes={"products": rules})
    stage.job("good")
    stage.after(0.1)
    assert (stage.left(), stage.known()) == (set(), {"good"})
    stage.after(2.1)
    assert stage.known() == set()


def test_what_the_ledger_does_not_know_goes_by_its_own_time(stage: Stage) -> None:
    """Archives from before the ledger was lost are kept for their days too, and no longer."""
    stage.archive("done", "old", NOW - 11 * DAY)
    stage.archive("done", "young", NOW - 9 * DAY)
    stage.archive("failed", "older", NOW - 19 * DAY)
    stage.after(0)
    assert stage.left() == {"young", "older"}


def test_only_what_is_archived_goes(stage: Stage) -> None:
    """Other folders, other names and links to elsewhere stay, whatever their age."""
    elsewhere = stage.room.base / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine.txt").write_text("mine")
    shelf = stage.room.path / "done"
    (shelf / "notes").mkdir(parents=True)
    (shelf / "notes" / "mine").mkdir()
    (shelf / "2026-08").mkdir()
    (shelf / "2026-08" / "link").symlink_to(elsewhere)
    (shelf / "2026-07").symlink_to(elsewhere)
    inner = stage.archive("done", "old", NOW - 11 * DAY)
    (inner / "out").symlink_to(elsewhere)
    os.utime(inner, (NOW - 11 * DAY,) * 2)
    stage.after(400)
    assert not inner.exists()
    assert (elsewhere / "mine.txt").read_text() == "mine"
    assert (shelf / "notes" / "mine").is_dir()
    assert (shelf / "2026-08" / "link").is_symlink()


def test_an_inbox_that_is_away_is_left_alone(stage: Stage) -> None:
    """An unmounted share is not an archive that has been emptied, nor one to empty."""
    stage.job("good")
    (stage.room.path / ".image-watcher" / "inbox.id").unlink()
    with pytest.raises(InboxError):
        stage.after(30)
    assert stage.left() == {"good"}


def test_the_room_goes_back_to_the_disk(stage: Stage) -> None:
    """The database shrinks when much of it is forgotten."""
    file = stage.room.base / "state" / "ledger.sqlite3"
    for number in range(3):
        stage.unusable(f"job-{number}", 3_000)
    large = _pages(file)
    stage.after(30)
    assert _pages(file) < large / 4


def _pages(file: Path) -> int:
    with closing(sqlite3.connect(file)) as view:
        return int(view.execute("PRAGMA page_count").fetchone()[0])
