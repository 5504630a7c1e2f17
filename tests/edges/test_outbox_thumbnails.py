"""Thumbnails: made with the picture, made again where they are gone, and never worth a row."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.core.report_values import picture
from tests.gallery_room import Room, drawing

from watcher.core.jobs import Picture
from watcher.outbox import Thumbnails


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path / "outbox")


def thumbnails(room: Room, most: int = 9) -> Thumbnails:
    return Thumbnails(room.outbox, room.folder, most=most)


def file_of(room: Room, one: Picture) -> Path:
    return room.page.parent / "thumbnails" / Path(one.file).with_suffix(".webp").name


def test_a_thumbnail_is_there_with_its_picture(room: Room) -> None:
    """Nothing is left to do for the gallery; it stays below 25 kB."""
    kept = room.keep("mug-1", drawing("A mug"))
    assert thumbnails(room, most=0).of(kept) == "thumbnails/mug-1.webp"
    assert 0 < file_of(room, kept).stat().st_size < 25_000


def test_one_that_is_gone_is_made_again(room: Room) -> None:
    """What a crash or a person took away is there for the next gallery, the same as before."""
    kept = room.keep("mug-1", drawing("A mug"))
    before = file_of(room, kept).read_bytes()
    file_of(room, kept).unlink()
    assert thumbnails(room).of(kept) == "thumbnails/mug-1.webp"
    assert file_of(room, kept).read_bytes() == before


def test_only_some_are_made_at_once(room: Room) -> None:
    """A running job's page does not wait for thousands of them: the others come with the next ones."""
    kept = [room.keep(f"mug-{number}", drawing(f"Mug {number}")) for number in range(1, 5)]
    for one in kept:
        file_of(room, one).unlink()
    for expected in (2, 0):
        asked = thumbnails(room, most=2)
        assert list(map(asked.of, kept)).count("") == expected


def test_one_that_cannot_be_made_is_none(room: Room) -> None:
    """The picture is gone, broken, or a link elsewhere: the gallery does without, and nothing raises."""
    (room.page.parent / "images/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n, not really")
    (room.page.parent / "images/link.png").symlink_to("/etc/hostname")
    for name in ("gone", "broken", "link"):
        assert thumbnails(room).of(picture(f"images/{name}.png")) == ""
    assert list((room.page.parent / "thumbnails").iterdir()) == []


def test_a_thumbnail_that_cannot_be_written_fails_no_row(room: Room) -> None:
    """The picture that was paid for is kept, also where its thumbnail finds no place."""
    folder = room.page.parent / "thumbnails"
    folder.rmdir()
    folder.write_text("in the way")
    kept = room.keep("mug-1", drawing("A mug"))
    assert (room.page.parent / kept.file).stat().st_size == kept.bytes
    assert thumbnails(room).of(kept) == ""


def test_a_drawing_stands_for_itself(room: Room) -> None:
    """SVG needs no thumbnail, unless it is so large that it is better named than shown."""
    asked = thumbnails(room)
    assert asked.of(picture("images/a.svg", format="svg", bytes=900)) == "images/a.svg"
    assert asked.of(picture("images/a.svg", format="svg", bytes=9_000_000)) == ""
