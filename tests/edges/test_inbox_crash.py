"""Death at every step of taking a drop, and what is found afterwards."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.edges.inbox_room import PLAIN, Room

from watcher.inbox.archive import archive
from watcher.inbox.claims import Claimed, claim, claimed_ids, fetch_marker, find_claimed, unclaim
from watcher.inbox.scan import Scanner
from watcher.inbox.snapshot import snapshot
from watcher.inbox.values import InboxFolder

CONTENT = "prompt\n" + "a cat\n" * 15_000  # too large to be copied into memory
SHA256 = hashlib.sha256(CONTENT.encode()).hexdigest()
STEPS = frozenset(
    {"open", "os.mkdir", "os.rename", "os.rmdir", "os.remove", "os.chmod", "os.scandir"}
)
DIED = 9


@pytest.fixture
def base() -> Iterator[Path]:
    """In memory where there is such a place: each death needs an inbox of its own."""
    memory = Path("/dev/shm")  # noqa: S108 - a mount point, not a file
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


def dies_at(step: int, work: Callable[[], object]) -> bool:
    """Do `work` in a process that ends, without a word, before its `step`-th call to the file system."""
    child = os.fork()
    if child == 0:
        left = step

        def count(event: str, _arguments: tuple[object, ...]) -> None:
            nonlocal left
            if event in STEPS:
                left -= 1
                if left == 0:
                    os._exit(DIED)

        sys.addaudithook(count)
        try:
            work()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == DIED


def take(room: Room, blobs: Path, claim_id: str) -> None:
    """The whole way of a drop through this room."""
    room.look()
    for drop in room.look(60).ready:
        finish(claim(room.folder, drop, claim_id), blobs)


def finish(claimed: Claimed, blobs: Path) -> None:
    snapshot(claimed, blobs)
    archive(claimed, where="done", month="2026-11", job="j1")


def restart(room: Room, blobs: Path) -> None:
    """What a start does: finish the claims that lie there, then look."""
    room.scanner = Scanner(room.folder, clock=room.clock)
    for claim_id, _path in claimed_ids(room.folder):
        claimed = find_claimed(room.folder, claim_id)
        assert claimed is not None
        fetch_marker(claimed)
        finish(claimed, blobs)
    take(room, blobs, "c9")


def copies(room: Room) -> int:
    """How many files of the inbox hold the drop; none may hold less."""
    found = [room.path / file for file in room.files()]
    assert all(file.read_text() == CONTENT for file in found)
    return len(found)


def rooms(base: Path, folder: InboxFolder = PLAIN) -> Iterator[tuple[int, Room, Path]]:
    """One inbox with one drop for each step."""
    for step in range(1, 500):
        place = base / str(step)
        (place / "blobs").mkdir(parents=True)
        room = Room(place, folder)
        room.drop("client/a.csv", CONTENT)
        yield step, room, place / "blobs"


def test_death_at_every_step(base: Path) -> None:
    """Wherever the process dies the drop is there once, whole; the next start takes it, once, and leaves nothing over."""
    deaths = 0
    for step, room, blobs in rooms(base):
        died = dies_at(step, lambda: take(room, blobs, "c1"))  # noqa: B023
        assert copies(room) == 1
        restart(room, blobs)
        assert copies(room) == 1
        assert (room.path / "done" / "2026-11" / "j1" / "client" / "a.csv").exists()
        assert [file.name for file in blobs.iterdir()] == [SHA256]
        assert list((room.path / ".image-watcher" / "claimed").iterdir()) == []
        if not died:
            break
        deaths += 1
    assert deaths > 30


def test_death_while_recovering(base: Path) -> None:
    """A start that dies as well, at any step, after a death right after the claim, changes nothing."""
    deaths = 0
    for step, room, blobs in rooms(base):
        claim(room.folder, room.seen("client/a.csv", CONTENT), "c1")
        died = dies_at(step, lambda: restart(room, blobs))  # noqa: B023
        assert copies(room) == 1
        restart(room, blobs)
        assert copies(room) == 1
        assert [file.name for file in blobs.iterdir()] == [SHA256]
        if not died:
            break
        deaths += 1
    assert deaths > 20


@pytest.mark.parametrize("back", [False, True])
def test_death_with_a_done_marker(base: Path, back: bool) -> None:  # noqa: FBT001
    """A drop's own marker goes where its drop goes, wherever the process dies: on the way in, or on the way back."""
    deaths = 0
    for step, room, blobs in rooms(base, replace(PLAIN, require_done_marker="{name}.done")):
        room.drop("client/a.csv.done", "")
        drop = room.seen("client/a.csv", CONTENT)
        claimed = claim(room.folder, drop, "c1") if back else None
        work = (lambda: unclaim(claimed)) if claimed else (lambda: claim(room.folder, drop, "c1"))  # noqa: B023
        died = dies_at(step, work)
        restart(room, blobs)
        job = "done/2026-11/j1/client"
        assert room.files() == {f"{job}/a.csv", f"{job}/a.csv.done"}
        if not died:
            break
        deaths += 1
    assert deaths > 5


def test_death_while_putting_back(base: Path) -> None:
    """A drop that is being put back is claimed or back, never both, never neither."""
    deaths = 0
    for step, room, blobs in rooms(base):
        claimed = claim(room.folder, room.seen("client/a.csv", CONTENT), "c1")
        died = dies_at(step, lambda: unclaim(claimed))  # noqa: B023
        assert copies(room) == 1
        restart(room, blobs)
        assert copies(room) == 1
        if not died:
            break
        deaths += 1
    assert deaths > 5
