"""Swapping files and folders for links while they are looked at, taken and noted."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import pytest
from tests.edges.inbox_room import Room, bytes_of

from watcher.core.errors import DropError, WatcherError
from watcher.inbox.archive import archive, bring_along
from watcher.inbox.beneath import open_beneath
from watcher.inbox.claims import claim, unclaim
from watcher.inbox.notes import write_note
from watcher.inbox.seen import drop_of
from watcher.inbox.snapshot import snapshot
from watcher.inbox.values import Drop, signature_of

SECRET = "the key"
SECONDS = 0.5


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


@pytest.fixture
def secret(room: Room) -> Path:
    """A folder outside the inbox, with files under the names that are asked for."""
    folder = room.base / "secret"
    folder.mkdir()
    for name in ("a.csv", "1.png"):
        (folder / name).write_text(SECRET)
    return folder


@contextmanager
def meanwhile(work: Callable[[], None]) -> Iterator[None]:
    """Do `work` over and over in another process, at its full speed."""
    child = os.fork()
    if child == 0:
        try:
            while True:
                with suppress(OSError):
                    work()
        finally:
            os._exit(1)
    try:
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def rounds(enough: Callable[[], bool] = lambda: True) -> Iterator[int]:
    """As many tries as there is time for: thousands; and on, on a busy machine, until it is `enough`."""
    until = time.monotonic() + SECONDS
    for number in count(1):
        late = time.monotonic() - until
        if late > 30 * SECONDS or (late > 0 and enough()):
            return
        yield number


def tree(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in folder.iterdir()}


def swap_folder(room: Room, secret: Path) -> Callable[[], None]:
    """`sub` is a folder, then a link to the secret one, then a folder …"""
    real, link, name = room.base / "real", room.base / "link", room.path / "sub"
    real.mkdir()
    link.symlink_to(secret)

    def swap() -> None:
        (real / "a.csv").write_text("prompt\n")
        real.rename(name)
        name.rename(real)
        link.rename(name)
        name.rename(link)

    return swap


def swap_file(room: Room, secret: Path) -> Callable[[], None]:
    """`sub/a.csv` is a file, then a link to the secret one, then a file …"""
    (room.path / "sub").mkdir()
    real, link, name = room.base / "real", room.base / "link", room.path / "sub" / "a.csv"
    link.symlink_to(secret / "a.csv")

    def swap() -> None:
        real.write_text("prompt\n")
        real.rename(name)
        link.rename(name)
        name.rename(link)

    return swap


def drop_as_it_is(room: Room, path: bytes) -> Drop | None:
    """What a look would name ready at this moment, without the wait."""
    try:
        found = os.stat(room.path / os.fsdecode(path))  # noqa: PTH116 - follows links, as a fooled look would
    except OSError:
        return None
    return drop_of(room.folder, path, signature_of(found))


@pytest.mark.parametrize("swapper", [swap_folder, swap_file])
def test_taking_while_it_is_swapped(
    room: Room, secret: Path, swapper: Callable[[Room, Path], Callable[[], None]]
) -> None:
    """However a drop or its folder is swapped for a link, nothing outside the inbox is read, moved or written."""
    before = tree(secret)
    read: list[str] = []
    number = 0
    with meanwhile(swapper(room, secret)):
        for number in rounds():
            drop = drop_as_it_is(room, b"sub/a.csv")
            with suppress(WatcherError):
                write_note(room.folder, b"sub/a.csv", "waiting")
            with suppress(WatcherError):
                claimed = claim(room.folder, drop, f"c{number}") if drop else None
                if claimed:
                    read.append(bytes_of(snapshot(claimed, room.base)).decode())
                    archive(claimed, where="done", month="2026-11", job=f"j{number}")
    assert SECRET not in read
    assert tree(secret) == before


def test_looking_while_it_is_swapped(room: Room, secret: Path) -> None:
    """A look never names a file that lies outside, and never fails, whatever is swapped under it."""
    outside = {file.stat().st_ino for file in secret.iterdir()}
    with meanwhile(swap_folder(room, secret)):
        for _ in rounds():
            sighting = room.look(60)
            assert sighting.online
            assert not {drop.signature[1] for drop in sighting.ready} & outside


def test_what_is_claimed_is_what_was_seen(room: Room) -> None:
    """A drop that is replaced by another between the look and the rename is put back, not taken for it."""
    one, two, name = room.base / "one", room.base / "two", room.path / "a.csv"
    one.write_text("one")
    two.write_text("two")

    def swap() -> None:
        one.rename(name)
        name.rename(one)
        two.rename(name)
        name.rename(two)

    taken = 0
    with meanwhile(swap):
        for number in rounds():
            drop = drop_as_it_is(room, b"a.csv")
            with suppress(WatcherError):
                claimed = claim(room.folder, drop, f"c{number}") if drop else None
                if claimed and drop:
                    assert claimed.file.stat().st_ino == drop.signature[1]
                    taken += 1
                    unclaim(claimed)
            for lost in room.path.glob("a*.csv"):  # put back while the other one lay there
                with suppress(OSError):
                    lost.rename(one if lost.read_text() == "one" else two)


@pytest.mark.parametrize("swapper", [swap_folder, swap_file])
def test_reading_pictures_while_they_are_swapped(
    room: Room, secret: Path, swapper: Callable[[Room, Path], Callable[[], None]]
) -> None:
    """A picture beside a drop is read from the inbox or not at all, and none but those of the inbox are moved."""
    before = tree(secret)
    read: list[str] = []
    with meanwhile(swapper(room, secret)):
        for number in rounds(lambda: bool(read)):
            with suppress(OSError, DropError):
                fd = open_beneath(room.path, b"sub/a.csv")
                read.append(os.read(fd, 100).decode())
                os.close(fd)
            with suppress(WatcherError):
                bring_along(room.folder, Path(f"done/2026-11/j{number}/a.csv"), [b"sub/a.csv"])
    assert read
    assert set(read) <= {"prompt\n", ""}
    assert tree(secret) == before


def test_what_is_refused_beside_a_drop(room: Room, secret: Path) -> None:
    """Links, pipes, folders and paths that lead out are refused in words, at once; what is not there yet is not."""
    (room.path / "link.png").symlink_to(secret / "1.png")
    (room.path / "linked").symlink_to(secret)
    os.mkfifo(room.path / "pipe.png")
    (room.path / "folder.png").mkdir()
    for path in (
        b"link.png",
        b"linked/1.png",
        b"pipe.png",
        b"folder.png",
        b"../secret/1.png",
        b"/etc/passwd",
        b"",
    ):
        with pytest.raises(DropError) as caught:
            open_beneath(room.path, path)
        assert "was refused" in caught.value.what
    with pytest.raises(FileNotFoundError):
        open_beneath(room.path, b"later.png")
    room.drop("img/1.png", "picture")
    fd = open_beneath(room.path, b"img/1.png")
    assert os.read(fd, 100) == b"picture"
    os.close(fd)
