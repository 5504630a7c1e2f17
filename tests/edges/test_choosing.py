"""Pictures that people move to `redo` are asked for again, also where that cannot be done at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.edges.ledger_room import (
    NOW,
    Notes,
    accept,
    begin,
    new_row,
    picture,
    settlement,
    take,
)
from tests.planning_rows import RULES

from watcher.choosing import Chooser, Redoing, RedoRules
from watcher.core.catalogue import Catalogue
from watcher.core.jobs import RowState
from watcher.ledger import Ledger
from watcher.outbox import Outbox

LOOKS = 5  # more than a folder is listed for after it changed


class Desk:
    """An inbox with one job of one row, two pictures wanted, and a chooser that waits for no note."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.outbox = Outbox(folder / "outbox")
        self.limit = 3
        self.log = Notes()
        self.open()
        accept(self.ledger, "job", [new_row(1, n=2)])

    def open(self) -> None:
        self.ledger = Ledger(self.folder / "state")
        redoing = Redoing(
            ledger=self.ledger,
            inputs=self.folder / "inputs",
            catalogue=Catalogue.shipped(),
            clock=lambda: NOW,
        )
        self.chooser = Chooser(
            inbox="products",
            outbox=self.outbox,
            ledger=self.ledger,
            redoing=redoing,
            rules=lambda: RedoRules(limit=self.limit, how="again", grace=0.0, rows=RULES),
            on_change=lambda *_: None,
            clock=lambda: NOW,
            log=self.log,
        )

    def restart(self) -> None:
        self.ledger.close()
        self.open()

    def look(self, times: int = LOOKS) -> list[str]:
        """The jobs of which something changed."""
        return [job for _ in range(times) for job in self.chooser.look(everywhere=True)]

    @property
    def job(self) -> Path:
        (one,) = self.ledger.choices.folders("products")
        return self.outbox.root / one.folder

    def deliver(self, state: RowState, index: int) -> None:
        """The next picture of the row, which is in that state then."""
        (slice_,) = take(self.ledger)
        (item,) = self.ledger.items.open_items(slice_)
        paid = settlement(state, outcome="answered", pictures=(picture(index),), problem=None)
        self.ledger.items.settle(item, begin(self.ledger, item), paid, now=NOW)
        self.ledger.items.release(slice_, due_at=NOW, now=NOW)
        self.outbox.prepare(self.job.name)
        (self.job / "images" / f"1-{index}.png").write_bytes(b"picture")

    def move(self, name: str, where: str) -> None:
        (self.job / "images" / name).rename(self.job / where / name)

    @property
    def is_asked_again(self) -> bool:
        chosen = self.ledger.choices.pictures("job")["1-1.png"]
        return chosen.asked_again


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
    assert not desk.is_asked_again
    desk.deliver(RowState.DONE, 2)
    assert desk.look() == ["job"]
    assert desk.is_asked_again


def test_a_restart_forgets_nobody_who_waits(desk: Desk) -> None:
    """What was moved before it is asked for after it."""
    desk.deliver(RowState.WAITING, 1)
    desk.move("1-1.png", "redo")
    desk.look()
    desk.restart()
    desk.deliver(RowState.DONE, 2)
    desk.look()
    assert desk.is_asked_again


def test_a_limit_that_is_raised_is_asked_to_at_once(desk: Desk) -> None:
    """A picture that was refused for it is asked for; its refusal is told once."""
    desk.limit = 0
    desk.deliver(RowState.WAITING, 1)
    desk.deliver(RowState.DONE, 2)
    desk.move("1-1.png", "redo")
    desk.look()
    assert "redo_limit is 0" in (desk.job / "redo" / "1-1.png.STATUS.txt").read_text()
    assert desk.log.events.count("redo.refused") == 1
    desk.limit = 1
    desk.look()
    assert desk.is_asked_again


def test_what_is_moved_while_nobody_looks_is_seen(desk: Desk) -> None:
    """A job that was calm for long, and is moved in while the daemon is down."""
    desk.deliver(RowState.WAITING, 1)
    desk.deliver(RowState.DONE, 2)
    assert desk.look() == []
    desk.move("1-1.png", "approved")
    desk.restart()
    assert desk.look() == ["job"]
    assert desk.ledger.choices.pictures("job")["1-1.png"].choice == "approved"
