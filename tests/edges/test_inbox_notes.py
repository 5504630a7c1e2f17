"""The notes beside drops."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from tests.edges.inbox_room import NOBODY, ODD_NAMES, Room, as_nobody, open_to_all

from watcher.core.errors import InboxError
from watcher.inbox.notes import note_path, remove_note, sweep_notes, write_note


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def test_a_note_stands_beside_its_drop(room: Room) -> None:
    """The note has the drop's name, holds the text in UTF-8, and is replaced by the next one."""
    room.drop("client/a.csv")
    assert write_note(room.folder, b"client/a.csv", "waiting\n")
    assert write_note(room.folder, b"client/a.csv", "accepted: 12 rows – ça va\n")
    note = room.path / "client" / "a.csv.STATUS.txt"
    assert note.read_text("utf-8") == "accepted: 12 rows – ça va\n"
    assert room.files() == {"client/a.csv", "client/a.csv.STATUS.txt"}
    remove_note(room.folder, b"client/a.csv")
    remove_note(room.folder, b"client/a.csv")
    assert room.files() == {"client/a.csv"}


def test_notes_for_odd_names(room: Room) -> None:
    """Every name gets its note, also one of 255 bytes or one that is no text."""
    for name in ODD_NAMES:
        assert write_note(room.folder, name, "waiting")
        assert (room.path / os.fsdecode(note_path(name))).read_text() == "waiting"
        remove_note(room.folder, name)
    assert room.files() == set()


def test_the_mode_follows_the_folder(room: Room) -> None:
    """People of the share can read and remove a note."""
    (room.path / "sub").mkdir()
    (room.path / "sub").chmod(0o2775)
    write_note(room.folder, b"sub/a.csv", "x")
    assert stat.S_IMODE((room.path / "sub" / "a.csv.STATUS.txt").stat().st_mode) == 0o664


def test_nowhere_to_put_a_note(room: Room) -> None:
    """Where the folder is gone, is a link, or the note's name is a folder's, there is no note and no harm."""
    outside = room.base / "outside"
    outside.mkdir()
    (room.path / "link").symlink_to(outside)
    (room.path / "a.csv.STATUS.txt").mkdir()
    (room.path / "a.csv.STATUS.txt" / "x").touch()
    for path in (b"gone/a.csv", b"link/a.csv", b"a.csv"):
        assert not write_note(room.folder, path, "x")
        remove_note(room.folder, path)
    assert list(outside.iterdir()) == []
    assert room.files() == {"a.csv.STATUS.txt/x"}


def test_a_folder_that_is_closed_to_us(room: Room) -> None:
    """A sub-folder that we may not write to holds up nothing: there is no note in it."""
    with as_nobody() as base:
        room = Room(base)
        room.drop("sub/a.csv")
        open_to_all(room)
        (room.path / "sub").chmod(0o755)
        os.seteuid(NOBODY)
        assert not write_note(room.folder, b"sub/a.csv", "x")
        assert write_note(room.folder, b"b.csv", "x")


def test_a_link_in_the_notes_place(room: Room) -> None:
    """A link with the note's name is replaced, never written through."""
    target = room.base / "target"
    target.write_text("precious")
    (room.path / "a.csv.STATUS.txt").symlink_to(target)
    assert write_note(room.folder, b"a.csv", "x")
    assert target.read_text() == "precious"


def test_an_inbox_that_is_away(room: Room) -> None:
    """No note is written where the inbox is not."""
    room.path.rename(room.base / "away")
    with pytest.raises(InboxError):
        write_note(room.folder, b"a.csv", "x")


def test_old_notes_are_swept(room: Room) -> None:
    """A day after it was written a note goes; not where its drop still lies, not a young one, nothing else."""
    for name in ("old.csv", "client/old.csv", "lies.csv", "young.csv"):
        room.drop(name)
        write_note(room.folder, name.encode(), "x")
    room.drop("done/2026-11/j1/x.STATUS.txt")
    (room.path / ".image-watcher" / "note-left").touch()
    now = (room.path / "old.csv").stat().st_mtime + 90_000
    for file in room.path.rglob("*.STATUS.txt"):
        os.utime(file, (now - 86_401, now - 86_401))
    os.utime(room.path / "young.csv.STATUS.txt", (now - 60, now - 60))
    for name in ("old.csv", "client/old.csv", "young.csv"):
        (room.path / name).unlink()
    assert sweep_notes(room.folder, now=now) == 2
    assert room.files() == {
        "lies.csv",
        "lies.csv.STATUS.txt",
        "young.csv.STATUS.txt",
        "done/2026-11/j1/x.STATUS.txt",
    }
