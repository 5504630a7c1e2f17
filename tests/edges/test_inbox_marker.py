"""The marker, the permissions and the lock of an inbox."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from tests.edges.inbox_room import NOBODY, Room, as_nobody, open_to_all

from watcher.core.errors import DiskError, InboxError
from watcher.inbox.marker import InboxLock, closed_folders, prepare
from watcher.inbox.put import put
from watcher.inbox.watch import Watch


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def test_a_new_inbox_gets_its_marker(room: Room) -> None:
    """The first visit writes the marker, later ones read it; the probe of permissions leaves nothing behind."""
    assert (room.path / ".image-watcher" / "inbox.id").read_text() == "id-1\n"
    assert prepare(room.folder, known=True, new_id="id-2") == "id-1"
    assert prepare(room.folder, known=False, new_id="id-2") == "id-1"
    ours = {file.name for file in (room.path / ".image-watcher").iterdir()}
    assert ours == {"inbox.id", "claimed"}
    assert {file.name for file in room.path.iterdir()} == {".image-watcher"}


def test_a_known_inbox_without_marker_is_offline(room: Room) -> None:
    """An unmounted share looks like an empty inbox: nothing is made there, and the words say what to do."""
    room.path.rename(room.base / "away")
    room.path.mkdir()
    with pytest.raises(InboxError) as caught:
        prepare(room.folder, known=True, new_id="id-2")
    assert "products is offline" in caught.value.what
    assert f"touch {room.path}/.image-watcher/inbox.id" in caught.value.hint
    assert list(room.path.iterdir()) == []


def test_the_hint_works(room: Room) -> None:
    """The command that the words give makes a folder that was made anew an inbox again."""
    room.path.rename(room.base / "away")
    room.path.mkdir()
    with pytest.raises(InboxError) as caught:
        prepare(room.folder, known=True, new_id="id-2")
    subprocess.run(["sh", "-c", caught.value.hint.split("run: ")[1]], check=True)
    assert prepare(room.folder, known=True, new_id="id-2") == ""
    assert room.look().online


def test_no_folder_at_all(room: Room) -> None:
    """A path that is not there, or is a file, is told as it is."""
    room.path.rename(room.base / "away")
    with pytest.raises(InboxError):
        prepare(room.folder, known=False, new_id="x")
    room.path.touch()
    with pytest.raises(InboxError):
        prepare(room.folder, known=False, new_id="x")


def test_a_link_in_place_of_our_folder(room: Room) -> None:
    """Where somebody put a link in the place of `.image-watcher`, nothing is read or written through it."""
    outside = room.base / "outside"
    outside.mkdir()
    (outside / "lock").write_text("a secret")
    lock, clock = InboxLock(room.folder), room.clock
    watch = Watch(room.folder, wake=lambda: None, moved=print, clock=clock, warn=print)
    watch.start()
    (room.path / ".image-watcher").rename(room.base / "was")
    (room.path / ".image-watcher").symlink_to(outside)
    for reaching in (partial(prepare, room.folder, known=False, new_id="x"), lock.acquire):
        with pytest.raises(InboxError):
            reaching()
    assert lock.holder() == ""
    watch.check()
    watch.stop()
    assert [(file.name, file.read_text()) for file in outside.iterdir()] == [("lock", "a secret")]


def test_a_link_in_place_of_a_done_marker(room: Room) -> None:
    """What we drop ourselves brings its marker; a link that has the marker's name is left as it is."""
    folder = replace(room.folder, require_done_marker="{name}.done")
    (room.path / "a.csv.done").symlink_to(room.base / "nothing")
    content = room.base / "content"
    content.write_text("prompt\na cat\n")
    assert put(folder, b"a.csv", content)
    assert put(folder, b"b.csv", content)
    assert (room.path / "b.csv.done").is_file()
    assert not (room.base / "nothing").exists()


def test_permissions_are_proved() -> None:
    """An inbox that this service may not write to is told at start, with the commands that help."""
    with as_nobody() as base:
        room = Room(base)
        open_to_all(room)
        room.path.chmod(0o755)
        os.seteuid(NOBODY)
        with pytest.raises(InboxError) as caught:
            prepare(room.folder, known=True, new_id="x")
        assert "user 65534" in caught.value.what
        assert f"chmod g+rwxs {room.path}" in caught.value.hint


def test_closed_folders_are_listed() -> None:
    """Each sub-folder that cannot be read or emptied is named, with the command; open ones are not."""
    with as_nobody() as base:
        room = Room(base)
        for name in ("open", "closed", "shut"):
            (room.path / name).mkdir()
        open_to_all(room)
        (room.path / "closed").chmod(0o755)
        (room.path / "shut").chmod(0o700)
        os.seteuid(NOBODY)
        found = closed_folders(room.folder)
        assert len(found) == 2
        assert all("chmod g+rwxs" in line for line in found)
        assert any(str(room.path / "shut") in line for line in found)


def test_one_daemon_an_inbox(room: Room) -> None:
    """Of two daemons one gets the lock; the other can say who has it, and gets it when that one stops."""
    one, two = InboxLock(room.folder), InboxLock(room.folder)
    assert one.acquire()
    assert one.acquire()
    assert not two.acquire()
    assert two.holder() == f"{os.uname().nodename}, process {os.getpid()}"
    one.release()
    assert two.acquire()
    two.release()


def test_a_killed_daemon_gives_the_lock_back(room: Room) -> None:
    """The kernel takes the lock from a process that was killed: nobody has to remove a file."""
    code = (
        "import sys; from pathlib import Path; from dataclasses import replace\n"
        "from tests.edges.inbox_room import PLAIN; from watcher.inbox.marker import InboxLock\n"
        "lock = InboxLock(replace(PLAIN, path=Path(sys.argv[1])))\n"
        "print(lock.acquire(), flush=True); sys.stdin.read()\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", code, str(room.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"True\n"
        lock = InboxLock(room.folder)
        assert not lock.acquire()
        other.kill()
        other.wait()
        assert lock.acquire()
        lock.release()


def test_the_lock_of_a_replaced_inbox_is_worth_nothing(room: Room) -> None:
    """Where the inbox was replaced under us the lock is taken anew, on the one that is there."""
    lock = InboxLock(room.folder)
    assert lock.acquire()
    room.path.rename(room.base / "old")
    room.path.mkdir()
    prepare(room.folder, known=False, new_id="id-2")
    other = InboxLock(room.folder)
    assert other.acquire()
    assert not lock.acquire()
    other.release()
    assert lock.acquire()
    lock.release()


def test_a_lock_in_an_inbox_that_is_away(room: Room) -> None:
    """No lock can be had where the inbox is not, and that is said."""
    room.path.rename(room.base / "away")
    with pytest.raises((InboxError, DiskError)):
        InboxLock(room.folder).acquire()
