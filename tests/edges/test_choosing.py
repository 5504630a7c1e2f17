"""Pictures that people move to `redo` are asked for again, also where that cannot be done at once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.edges.ledger_room import (
    NOW,
    Notes,
    accept,
    begin,
    new_row,
    picture,
    settle,
    settlement,
    take,
)
from tests.planning_rows import RULES

from watcher.choosing import Chooser, Redoing, RedoRules
from watcher.core.catalogue import Catalogue
from watcher.core.errors import WatcherError
from watcher.core.jobs import RowState
from watcher.ledger import Ledger
from watcher.outbox import Outbox

LOOKS = 5  # more than a folder is listed for after it changed


class Desk:
    """An inbox with one job of one row, two pictures wanted, and a chooser that waits for no note."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.outbox = Outbox(folder / "outbox")
        self.limit, self.grace, self.now = 3, 0.0, 0.0
        self.log = Notes()
        self.open()
        accept(self.ledger, "job", [new_row(1, n=2)])

    def open(self) -> None:
        self.ledger = Ledger(self.folder / "state")
        self.redoing = Redoing(
            ledger=self.ledger,
            inputs=self.folder / "inputs",
            catalogue=Catalogue.shipped(),
            clock=lambda: NOW,
        )
        self.chooser = Chooser(
            inbox="products",
            outbox=self.outbox,
            ledger=self.ledger,
            redoing=self.redoing,
            rules=lambda: self.rules,
            on_change=lambda *_: None,
            clock=lambda: NOW,
            monotonic=lambda: self.now,
            log=self.log,
        )

    @property
    def rules(self) -> RedoRules:
        return RedoRules(limit=self.limit, how="again", grace=self.grace, rows=RULES)

    def restart(self) -> None:
        self.ledger.close()
        self.open()

    def look(self, times: int = LOOKS) -> list[str]:
        """The jobs of which something changed."""
        return [job for _ in range(times) for job in self.chooser.look(everywhere=True)]

    @property
    def job(self) -> Path:
        return self.outbox.root / "drop--job"

    def deliver(self, state: RowState, index: int, *, saved: bool = False) -> None:
        """The next picture of the row, which is in that state then."""
        (slice_,) = take(self.ledger)
        (item,) = self.ledger.items.open_items(slice_)
        paid = settlement(state, outcome="answered", pictures=(picture(index),), problem=None)
        self.ledger.items.settle(item, begin(self.ledger, item), paid, now=NOW)
        self.ledger.items.release(slice_, due_at=NOW, now=NOW)
        if not saved:
            self.save(index)

    def save(self, index: int) -> None:
        """A picture is in the outbox; the ledger does not know it yet."""
        self.outbox.prepare(self.job.name)
        (self.job / "images" / f"1-{index}.png").write_bytes(b"picture")

    def move(self, name: str, where: str) -> None:
        (self.job / "images" / name).rename(self.job / where / name)

    def is_asked_again(self, name: str = "1-1.png") -> bool:
        return self.ledger.choices.pictures("job")[name].asked_again

    def choice(self, name: str) -> str:
        return self.ledger.choices.pictures("job")[name].choice

    def told(self, name: str) -> str:
        """What is said beside a picture in redo."""
        return (self.job / "redo" / f"{name}.STATUS.txt").read_text()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    (tmp_path / "outbox").mkdir()
    made = Desk(tmp_path)
    yield made
    made.ledger.close()


def test_a_picture_of_a_row_that_is_still_open_waits_for_its_end(desk: Desk) -> None:
    """However long that takes, and after a restart, the row is asked again once it is over."""
    desk.deliver(RowState.WAITING, 1)
    desk.move("1-1.png", "redo")
    assert desk.look() == ["job"]
    assert not desk.is_asked_again()
    desk.deliver(RowState.DONE, 2)
    assert desk.look() == ["job"]
    assert desk.is_asked_again()


def test_a_restart_forgets_nobody_who_waits(desk: Desk) -> None:
    """What was moved before it is asked for after it."""
    desk.deliver(RowState.WAITING, 1)
    desk.move("1-1.png", "redo")
    desk.look()
    desk.restart()
    desk.deliver(RowState.DONE, 2)
    desk.look()
    assert desk.is_asked_again()


def test_a_limit_that_is_raised_is_asked_to_at_once(desk: Desk) -> None:
    """A picture that was refused for it is asked for; its refusal is told once."""
    desk.limit = 0
    desk.deliver(RowState.WAITING, 1)
    desk.deliver(RowState.DONE, 2)
    desk.move("1-1.png", "redo")
    desk.look()
    assert "redo_limit is 0" in desk.told("1-1.png")
    assert desk.log.events.count("redo.refused") == 1
    desk.limit = 1
    desk.look()
    assert desk.is_asked_again()
    assert not (desk.job / "redo" / "1-1.png.STATUS.txt").exists()


def test_what_is_moved_while_nobody_looks_is_seen(desk: Desk) -> None:
    """A job that was calm for long, and is moved in while the daemon is down."""
    desk.deliver(RowState.WAITING, 1)
    desk.deliver(RowState.DONE, 2)
    assert desk.look() == []
    desk.move("1-1.png", "approved")
    desk.restart()
    assert desk.look() == ["job"]
    assert desk.choice("1-1.png") == "approved"


def test_two_pictures_of_one_row_are_asked_for_one_after_the_other(desk: Desk) -> None:
    """The second waits until the row is over once more; nothing is said against it."""
    desk.deliver(RowState.WAITING, 1)
    desk.deliver(RowState.DONE, 2)
    desk.move("1-1.png", "redo")
    desk.move("1-2.png", "redo")
    desk.look()
    assert (desk.is_asked_again("1-1.png"), desk.is_asked_again("1-2.png")) == (True, False)
    desk.deliver(RowState.DONE, 3)
    desk.look()
    assert desk.is_asked_again("1-2.png")
    assert desk.log.events.count("redo.refused") == 0


@pytest.mark.parametrize("where", ["approved", "redo"])
def test_what_is_moved_before_the_ledger_knows_it(desk: Desk, where: str) -> None:
    """A picture lies in the outbox some time before its row is settled, hours where the outbox is full."""
    desk.deliver(RowState.WAITING, 1)
    desk.save(2)
    desk.move("1-2.png", where)
    assert desk.look() == []
    desk.deliver(RowState.DONE, 2, saved=True)
    desk.look()
    assert (desk.choice("1-2.png"), desk.is_asked_again("1-2.png")) == (where, where == "redo")


def test_what_is_wrong_with_one_job_hides_no_other(desk: Desk) -> None:
    """A folder stands where the refusal is to be written; the older job is looked at all the same."""
    desk.limit = 0
    desk.deliver(RowState.WAITING, 1)
    desk.deliver(RowState.DONE, 2)
    accept(desk.ledger, "newer job", 1)
    (item,) = (one for slice_ in take(desk.ledger) for one in desk.ledger.items.open_items(slice_))
    settle(desk.ledger, item, RowState.DONE)
    newer = desk.outbox.root / "drop--newer job"
    desk.outbox.prepare(newer.name)
    (newer / "redo" / "1-1.png").write_bytes(b"picture")
    (newer / "redo" / "1-1.png.STATUS.txt").mkdir()
    desk.move("1-2.png", "approved")
    desk.look()
    assert desk.choice("1-2.png") == "approved"
    assert "choices.unseen" in desk.log.events


def test_the_time_for_a_note_begins_anew(desk: Desk) -> None:
    """A picture that was moved back is not asked for at once when it is moved to redo again."""
    desk.grace = 60.0
    desk.deliver(RowState.WAITING, 1)
    desk.deliver(RowState.DONE, 2)
    desk.move("1-1.png", "redo")
    desk.look(1)
    (desk.job / "redo" / "1-1.png").rename(desk.job / "images" / "1-1.png")
    desk.look()
    desk.now = 3600.0
    desk.move("1-1.png", "redo")
    desk.look()
    assert not desk.is_asked_again("1-1.png")
    desk.now = 3661.0
    desk.look(1)
    assert desk.is_asked_again("1-1.png")


def test_a_picture_of_a_row_that_was_cancelled_is_told_of(desk: Desk) -> None:
    """It cannot be asked for again, and that is said beside it."""
    desk.deliver(RowState.WAITING, 1)
    desk.ledger.orders.cancel("job", now=NOW)
    desk.move("1-1.png", "redo")
    desk.look()
    assert "Row 1 was cancelled." in desk.told("1-1.png")


def test_nobody_asks_twice_for_the_same_picture(desk: Desk) -> None:
    """What a command asked for, and got, between a look and its order is not paid again."""
    desk.deliver(RowState.WAITING, 1)
    desk.deliver(RowState.DONE, 2)
    before = desk.ledger.choices.pictures("job")["1-1.png"]
    asked = partial(desk.redoing.redo, desk.outbox, "job", 1, desk.rules, picture=before, note="")
    asked()
    desk.deliver(RowState.DONE, 3)
    with pytest.raises(WatcherError):
        asked()
    assert not take(desk.ledger)
