"""Outboxes as a start finds them: new, known, moved, away, or of a version that made no markers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from tests.edges.ledger_room import Notes, accept, open_items, settle

from watcher.core.errors import DiskError
from watcher.core.jobs import RowState
from watcher.daemon.outboxes import Outboxes, outbox_away
from watcher.ledger import Ledger

INBOX = "products"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path / "state")
    yield made
    made.close()


@pytest.fixture
def start(ledger: Ledger) -> Callable[[], Outboxes]:
    ids = (f"id-{number}" for number in count(1))
    return lambda: Outboxes(ledger, new_id=lambda: next(ids), log=Notes())


def with_a_picture(ledger: Ledger) -> str:
    """A job that has one; returns its folder."""
    accept(ledger, "job", 1)
    (item,) = open_items(ledger)
    settle(ledger, item, RowState.DONE)
    ((_, folder),) = ledger.choices.folders(INBOX)
    return folder


def test_a_new_one_is_made_once(tmp_path: Path, start: Callable[[], Outboxes]) -> None:
    """Two inboxes share it; a later start knows it, and makes nothing where it is not."""
    path = tmp_path / "outbox"
    outboxes = start()
    assert outboxes.of("a", path) is outboxes.of("b", path)
    assert start().of("a", path).is_here()
    path.rename(tmp_path / "away")
    assert not start().of("a", path).is_here()
    assert not path.exists()


def test_another_folder_in_the_settings_is_a_new_one(
    tmp_path: Path, ledger: Ledger, start: Callable[[], Outboxes]
) -> None:
    """An inbox with jobs gets another outbox: it is made, though nothing of these jobs is there."""
    first = start().of(INBOX, tmp_path / "first")
    first.prepare(with_a_picture(ledger))
    assert start().of(INBOX, tmp_path / "second").is_here()


@pytest.mark.parametrize("there", [True, False], ids=["mounted", "not mounted"])
def test_one_of_a_version_that_made_no_markers(
    tmp_path: Path, ledger: Ledger, start: Callable[[], Outboxes], *, there: bool
) -> None:
    """The first start with markers finds its jobs there, or takes it for away and marks nothing."""
    path = tmp_path / "outbox"
    path.mkdir()
    folder = with_a_picture(ledger)
    if there:
        (path / folder).mkdir()
    outbox = start().of(INBOX, path)
    assert outbox.is_here() is there
    assert (path / ".image-watcher.id").exists() is there


def test_a_look_from_beside(tmp_path: Path, ledger: Ledger, start: Callable[[], Outboxes]) -> None:
    """`check` says why a known outbox is away, and says nothing of one that is new."""
    path = tmp_path / "outbox"
    assert outbox_away(path, ledger) is None
    start().of(INBOX, path)
    assert outbox_away(path, ledger) is None
    (path / ".image-watcher.id").unlink()
    away = outbox_away(path, ledger)
    assert isinstance(away, DiskError)
    assert "but not the marker" in away.what
