"""Outboxes as a start finds them: new, known, moved, away, or of a version that made no markers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Protocol

import pytest
from tests.edges.ledger_room import Notes, accept, open_items, settle

from watcher.core.errors import DiskError
from watcher.core.jobs import RowState
from watcher.daemon.outboxes import Outboxes, outbox_away
from watcher.ledger import Ledger


class Start(Protocol):
    """A start with an outbox for each inbox."""

    def __call__(self, **paths: Path) -> Outboxes: ...


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path / "state")
    yield made
    made.close()


@pytest.fixture
def start(ledger: Ledger) -> Start:
    ids = (f"id-{number}" for number in count(1))

    def start(**paths: Path) -> Outboxes:
        return Outboxes(paths, ledger, new_id=lambda: next(ids), log=Notes())

    return start


def with_a_picture(ledger: Ledger) -> str:
    """A job that has one; returns its folder."""
    accept(ledger, "job", 1)
    (item,) = open_items(ledger)
    settle(ledger, item, RowState.DONE)
    (one,) = ledger.choices.folders("products")
    return one.folder


def test_a_new_one_is_made_once(tmp_path: Path, start: Start) -> None:
    """Two inboxes share it; a later start knows it, and makes nothing where it is not."""
    path = tmp_path / "outbox"
    outboxes = start(a=path, b=path)
    assert outboxes.of("a") is outboxes.of("b")
    assert start(a=path).of("a").is_here()
    path.rename(tmp_path / "away")
    assert not start(a=path).of("a").is_here()
    assert not path.exists()


def test_another_folder_in_the_settings_is_a_new_one(
    tmp_path: Path, ledger: Ledger, start: Start
) -> None:
    """An inbox with jobs gets another outbox: it is made, though nothing of these jobs is there."""
    first = start(products=tmp_path / "first").of("products")
    first.prepare(with_a_picture(ledger))
    assert start(products=tmp_path / "second").of("products").is_here()


@pytest.mark.parametrize("there", [True, False], ids=["mounted", "not mounted"])
def test_one_of_a_version_that_made_no_markers(
    tmp_path: Path, ledger: Ledger, start: Start, *, there: bool
) -> None:
    """The first start with markers finds its jobs there, or takes it for away and marks nothing, nor does the next."""
    path = tmp_path / "outbox"
    path.mkdir()
    folder = with_a_picture(ledger)
    if there:
        (path / folder).mkdir()
    for _ in range(2):
        outboxes = start(other=path, products=path, more=tmp_path / "more")
        assert outboxes.of("more").is_here()
        assert outboxes.of("other").is_here() is there
    assert (path / ".image-watcher.id").exists() is there


def test_a_look_from_beside(tmp_path: Path, ledger: Ledger, start: Start) -> None:
    """`check` says why a known outbox is away, and says nothing of one that is new."""
    path = tmp_path / "outbox"
    assert outbox_away(path, ledger) is None
    start(a=path).of("a")
    assert outbox_away(path, ledger) is None
    marker = path / ".image-watcher.id"
    for change, why in (
        (lambda: marker.write_text("another\n"), "has the marker of another one"),
        (marker.unlink, "but not the marker"),
        (marker.mkdir, "no file in place of its marker"),
        (lambda: path.rename(tmp_path / "away"), "is not there"),
    ):
        change()
        away = outbox_away(path, ledger)
        assert isinstance(away, DiskError)
        assert why in away.what
