"""Looking into a real folder with a clock that the test turns."""

from __future__ import annotations

import os
import socket
import tempfile
from contextlib import chdir
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.edges.inbox_room import NOBODY, ODD_NAMES, PLAIN, Room, as_nobody, open_to_all

from watcher.inbox.marker import prepare
from watcher.inbox.scan import AT_ONCE
from watcher.inbox.values import Drop, Sighting


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def codes(sighting: Sighting) -> dict[bytes, str]:
    return {waiting.drop.path: waiting.code for waiting in sighting.waiting}


def test_a_drop_is_ready_when_it_settled(room: Room) -> None:
    """A file is named ready once it stayed as it is for the settle time, not before; the look says when."""
    room.drop("a.csv")
    first = room.look()
    assert first.ready == ()
    assert first.settling
    assert first.next_look == 2.0
    assert room.ready(1.9) == []
    assert room.ready(0.1) == [b"a.csv"]


def test_the_drop_says_what_it_is(room: Room) -> None:
    """A drop carries its inbox, its path in bytes, its size and its signature."""
    file = room.drop("a.csv", "12345")
    room.look()
    [drop] = room.look(2).ready
    stat = file.stat()
    signature = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
    assert drop == Drop(
        inbox="products", path=b"a.csv", size=5, signature=signature, again=False, urgent=False
    )
    assert drop.name == "a.csv"


def test_whatever_changes_begins_anew(room: Room) -> None:
    """A file that changed at any look has to stay as it is for the whole settle time again."""
    file = room.drop("a.csv")
    room.look()
    room.clock.now += 1.5
    file.write_text("prompt\na cat\na dog\n")
    assert room.ready() == []
    assert room.ready(1.9) == []
    assert room.ready(0.2) == [b"a.csv"]


def test_an_old_mtime_proves_nothing(room: Room) -> None:
    """Copies from Windows keep the old time: a file of 1970 settles like any other, and one of 2090 too."""
    for name, when in (("old.csv", 0), ("new.csv", 3_800_000_000)):
        os.utime(room.drop(name), (when, when))
    assert room.ready() == []
    assert sorted(room.ready(2)) == [b"new.csv", b"old.csv"]


def test_a_file_that_is_open_for_writing_waits(room: Room) -> None:
    """An upload that stands still for minutes is not taken while its program has it open."""
    with (room.path / "a.csv").open("w") as file:
        file.write("prompt\n")
        file.flush()
        room.look()
        sighting = room.look(300)
        assert sighting.ready == ()
        assert codes(sighting) == {b"a.csv": "writing"}
        assert sighting.settling
        assert sighting.next_look == 1.0
        file.write("a cat\n")
    assert room.ready(1) == []
    assert room.ready(2) == [b"a.csv"]


def test_a_closed_file_that_stood_long_enough_is_ready(room: Room) -> None:
    """Once the program closes a file that had settled meanwhile, the next look names it ready."""
    with (room.path / "a.csv").open("w") as file:
        file.write("prompt\na cat\n")
        file.flush()
        room.look()
        assert room.ready(10) == []
    assert room.ready(1) == [b"a.csv"]


def test_readers_do_not_matter(room: Room) -> None:
    """A program that only reads the drop, a virus scanner say, holds nothing up."""
    file = room.drop("a.csv")
    room.look()
    with file.open():
        assert room.ready(2) == [b"a.csv"]


def test_a_file_renamed_in_is_quick(room: Room) -> None:
    """What an event says was renamed in, and nobody has open, is ready after half a second."""
    (room.base / "a.csv").write_text("prompt\na cat\n")
    (room.base / "a.csv").rename(room.path / "a.csv")
    room.scanner.hint_moved(b"a.csv")
    assert room.look().next_look == 0.5
    assert room.ready(0.5) == [b"a.csv"]


def test_a_file_renamed_in_while_open_waits(room: Room) -> None:
    """A file that was renamed in while its writer still has it open is not taken, event or not."""
    with (room.base / "a.csv").open("w") as file:
        file.write("prompt\n")
        file.flush()
        (room.base / "a.csv").rename(room.path / "a.csv")
        room.scanner.hint_moved(b"a.csv")
        room.look()
        assert codes(room.look(5)) == {b"a.csv": "writing"}


def test_written_after_the_rename_settles_in_full(room: Room) -> None:
    """A file that changes after it was renamed in gets no short cut."""
    file = room.drop("a.csv")
    room.scanner.hint_moved(b"a.csv")
    room.look()
    file.write_text("more")
    room.look()
    assert room.ready(1.9) == []
    assert room.ready(0.2) == [b"a.csv"]


def test_without_a_lease_it_takes_longer() -> None:
    """Where the kernel gives no lease (another owner's file), the longer settle time counts."""
    with as_nobody() as base:
        room = Room(base)
        room.drop("a.csv")
        open_to_all(room)
        os.seteuid(NOBODY)
        room.look()
        assert room.ready(4.9) == []
        assert room.ready(0.1) == [b"a.csv"]


def test_unreadable_files_are_told() -> None:
    """A file that this service may not read waits, with the command that helps; then it is taken."""
    with as_nobody() as base:
        room = Room(base)
        file = room.drop("a.csv")
        open_to_all(room)
        file.chmod(0)
        os.seteuid(NOBODY)
        room.look()
        sighting = room.look(5)
        assert codes(sighting) == {b"a.csv": "unreadable"}
        assert f"chmod g+r -- {file}" in sighting.waiting[0].hint
        os.seteuid(0)
        file.chmod(0o644)
        os.seteuid(NOBODY)
        room.look(1)
        assert room.ready(5) == [b"a.csv"]


def test_mode_000_for_root(room: Room) -> None:
    """Mode 000 neither crashes nor blocks: root reads it, others are told."""
    room.drop("a.csv").chmod(0)
    room.look()
    sighting = room.look(2)
    root = os.geteuid() == 0
    assert [drop.path for drop in sighting.ready] == ([b"a.csv"] if root else [])
    assert codes(sighting) == ({} if root else {b"a.csv": "unreadable"})


def test_a_closed_folder_is_unknown_not_empty() -> None:
    """A sub-folder that may not be read is told; what was seen in it is not forgotten."""
    with as_nobody() as base:
        room = Room(base)
        room.drop("sub/a.csv")
        open_to_all(room)
        os.seteuid(NOBODY)
        room.look()
        os.seteuid(0)
        (room.path / "sub").chmod(0)
        os.seteuid(NOBODY)
        sighting = room.look(1)
        assert codes(sighting) == {b"sub": "closed"}
        assert sighting.waiting[0].final
        assert sighting.next_look is None
        os.seteuid(0)
        (room.path / "sub").chmod(0o755)
        os.seteuid(NOBODY)
        assert room.ready(4) == [b"sub/a.csv"]


def test_empty_files_get_their_grace(tmp_path: Path) -> None:
    """0 bytes may be an upload that has not begun: it waits for a minute, then it is handed over to be refused."""
    room = Room(tmp_path, replace(PLAIN, empty_grace=60))
    room.drop("a.csv", "")
    room.look()
    assert codes(room.look(30)) == {b"a.csv": "empty"}
    assert room.ready(30) == [b"a.csv"]


def test_done_markers(tmp_path: Path) -> None:
    """Where a marker is asked for, a drop waits for its own, in its own folder; markers are no drops."""
    room = Room(tmp_path, replace(PLAIN, require_done_marker="{name}.done"))
    room.drop("a.csv")
    room.drop("sub/a.csv")
    room.look()
    sighting = room.look(30)
    assert codes(sighting) == {b"a.csv": "marker", b"sub/a.csv": "marker"}
    assert "a.csv.done" in sighting.waiting[0].reason
    assert not sighting.settling
    room.drop("a.csv.done", "")
    assert room.ready() == [b"a.csv"]
    sighting = room.look(60)
    assert sighting.unknown == ()


def test_one_marker_for_a_folder(tmp_path: Path) -> None:
    """A marker without {name} lets everything in its folder through."""
    room = Room(tmp_path, replace(PLAIN, require_done_marker="READY"))
    room.drop("a.csv")
    room.look()
    assert room.ready(30) == []
    room.drop("READY", "")
    assert room.ready() == [b"a.csv"]


def test_again_and_urgent(room: Room) -> None:
    """`again/` and `urgent/` at the top of the inbox, also in each other, mark their drops; urgent ones come first."""
    for name in ("a.csv", "again/b.csv", "Urgent/again/c.csv", "client/urgent/d.csv"):
        room.drop(name)
    room.look()
    found = {drop.path: (drop.again, drop.urgent) for drop in room.look(2).ready}
    assert found == {
        b"Urgent/again/c.csv": (True, True),
        b"a.csv": (False, False),
        b"again/b.csv": (True, False),
        b"client/urgent/d.csv": (False, False),
    }
    assert next(iter(found)) == b"Urgent/again/c.csv"


def test_first_come_first_named(room: Room) -> None:
    """Drops are named in the order in which they came, whatever they are called."""
    names = [f"{name}.csv" for name in ("z", "m", "a", "q")]
    for number, name in enumerate(names):
        file = room.drop(name)
        while (
            number and file.stat().st_ctime_ns <= (room.path / names[number - 1]).stat().st_ctime_ns
        ):
            file.touch()
    room.look()
    assert room.ready(2) == [name.encode() for name in names]


def test_ours_is_left_alone(room: Room) -> None:
    """The archives, our own folder and the notes are never drops; folders of those names further down are."""
    for name in ("done/2026-11/j/a.csv", "failed/a.csv", ".image-watcher/claimed/x/a.csv"):
        room.drop(name)
    room.drop("a.csv.STATUS.txt")
    room.drop("client/done/b.csv")
    room.look()
    sighting = room.look(60)
    assert [drop.path for drop in sighting.ready] == [b"client/done/b.csv"]
    assert sighting.unknown == ()
    assert set(sighting.folders) == {b"", b"client", b"client/done"}


def test_ignored_names_are_not_mentioned(room: Room) -> None:
    """Droppings are neither taken nor reported, and folders of such names are not entered."""
    for name in ("~$a.csv", ".hidden.csv", "a.csv.part", "@eaDir/a.csv", "#recycle/b.csv"):
        room.drop(name)
    room.look()
    sighting = room.look(60)
    assert (sighting.ready, sighting.waiting, sighting.unknown) == ((), (), ())


def test_flat_inboxes(tmp_path: Path) -> None:
    """An inbox that is not recursive looks into again/ and urgent/ only."""
    room = Room(tmp_path, replace(PLAIN, recursive=False))
    for name in ("a.csv", "sub/b.csv", "again/c.csv", "urgent/d.csv", "urgent/again/e.csv"):
        room.drop(name)
    room.look()
    assert sorted(room.ready(2)) == [
        b"a.csv",
        b"again/c.csv",
        b"urgent/again/e.csv",
        b"urgent/d.csv",
    ]


def test_unknown_kinds_are_named_once(room: Room) -> None:
    """A file of no known kind stays where it is and is named by one look, after it lay there a while."""
    room.drop("offer.docx")
    room.drop("noextension")
    assert room.look().unknown == ()
    sighting = room.look(10)
    assert set(sighting.unknown) == {b"offer.docx", b"noextension"}
    assert room.look(1).unknown == ()
    assert (room.path / "offer.docx").exists()


def test_short_lived_names_are_not_mentioned(room: Room) -> None:
    """A name that a program makes and takes away within seconds is not reported."""
    file = room.drop("sedXq81Za")
    room.look()
    file.unlink()
    room.look(1)
    assert room.look(60).unknown == ()


def test_a_name_that_becomes_a_folder(room: Room) -> None:
    """Where a reported file gives way to a folder of its name, the drops in that folder are found."""
    file = room.drop("client")
    room.look()
    assert len(room.look(10).unknown) == 1
    file.unlink()
    room.drop("client/a.csv")
    room.look()
    assert room.ready(2) == [b"client/a.csv"]


def test_what_is_no_file(room: Room) -> None:
    """Links, pipes, sockets and folders with a drop's name are told at once and left alone; nothing hangs."""
    target = room.base / "target.csv"
    target.write_text("prompt\nsecret\n")
    (room.path / "link.csv").symlink_to(target)
    (room.path / "dangling.csv").symlink_to(room.base / "nowhere")
    os.mkfifo(room.path / "pipe.csv")
    (room.path / "folder.csv").mkdir()
    room.drop("folder.csv/inside.csv")
    with socket.socket(socket.AF_UNIX) as unix, chdir(room.path):
        unix.bind("socket.csv")  # a socket's path is short
    sighting = room.look()
    assert codes(sighting) == {
        b"link.csv": "link",
        b"dangling.csv": "link",
        b"pipe.csv": "special",
        b"socket.csv": "special",
        b"folder.csv": "folder",
    }
    assert all(waiting.final for waiting in sighting.waiting)
    assert room.ready(60) == [b"folder.csv/inside.csv"]


def test_a_link_to_a_folder_is_not_followed(room: Room) -> None:
    """A linked folder may lead anywhere: nothing in it is a drop."""
    outside = room.base / "outside"
    outside.mkdir()
    (outside / "a.csv").write_text("prompt\n")
    (room.path / "sub").symlink_to(outside)
    room.look()
    assert room.ready(60) == []


def test_folders_below_folders_without_end(room: Room) -> None:
    """Beyond 32 of them nothing is looked into, and the first that is not is told."""
    room.drop("d/" * 33 + "a.csv")
    room.drop("d/" * 34 + "b.csv")
    assert codes(room.look()) == {b"/".join([b"d"] * 34): "deep"}
    assert room.ready(2) == [b"d/" * 33 + b"a.csv"]


def test_second_names_of_our_own_files(room: Room) -> None:
    """A hard link to a file of root or of this service may be somebody's try to read it: it is left alone."""
    secret = room.base / "secret"
    secret.write_text("prompt\nkey\n")
    (room.path / "a.csv").hardlink_to(secret)
    assert codes(room.look()) == {b"a.csv": "hardlink"}
    assert room.ready(60) == []
    secret.unlink()
    room.look()
    assert room.ready(2) == [b"a.csv"]


def test_odd_names(room: Room) -> None:
    """Names of 255 bytes, not UTF-8, composed and decomposed, with newlines or quotes: all are drops, byte for byte."""
    for name in ODD_NAMES:
        (room.path / os.fsdecode(name)).write_text("prompt\n")
    room.look()
    assert sorted(room.ready(2)) == sorted(ODD_NAMES)


NAMES = st.binary(min_size=1, max_size=40).filter(
    lambda name: not {0, 47} & set(name) and not name.startswith(b".") and name != b"~"
)


@settings(max_examples=40, deadline=None)
@given(st.sets(NAMES.map(lambda name: b"x" + name + b".csv"), max_size=8))
def test_any_name_is_named_once(names: set[bytes]) -> None:
    """Every drop is accounted for once, whatever its name."""
    with tempfile.TemporaryDirectory() as base:
        room = Room(Path(base))
        for name in names:
            (room.path / os.fsdecode(name)).write_text("prompt\n")
        room.look()
        assert sorted(room.ready(2)) == sorted(names)


def test_folders_moved_in_whole(room: Room) -> None:
    """A folder that is moved in with files in it, and more still coming, gives all of them."""
    outside = room.base / "outside"
    (outside / "deep" / "er").mkdir(parents=True)
    for name in ("a.csv", "deep/b.csv", "deep/er/c.csv"):
        (outside / name).write_text("prompt\n")
    outside.rename(room.path / "batch")
    room.look()
    room.drop("batch/deep/late.csv")
    found = room.ready(2)
    assert sorted(found) == [b"batch/a.csv", b"batch/deep/b.csv", b"batch/deep/er/c.csv"]
    assert b"batch/deep/late.csv" in room.ready(2)


def test_no_marker_means_offline(room: Room) -> None:
    """An inbox without its marker is offline: nothing is said about what lies there, and the words say what to do."""
    room.drop("a.csv")
    room.look()
    (room.path / ".image-watcher" / "inbox.id").unlink()
    sighting = room.look(2)
    assert (sighting.online, sighting.ready) == (False, ())
    assert "offline" in sighting.trouble
    assert "Mount the share again" in sighting.hint


def test_a_share_that_comes_back_replays_nothing(room: Room) -> None:
    """While the share is away its drops are neither lost nor taken; back again, each is named once."""
    room.drop("a.csv")
    room.look()
    away = room.base / "away"
    room.path.rename(away)
    assert not room.look(60).online
    room.path.mkdir()
    assert not room.look(60).online
    room.path.rmdir()
    away.rename(room.path)
    assert room.ready() == [b"a.csv"]


def test_a_replaced_root_is_a_new_folder(room: Room) -> None:
    """A root that is replaced by another prepared one is seen to be another, and its drops settle anew."""
    room.drop("a.csv")
    before = room.look().folders[b""]
    room.path.rename(room.base / "old")
    room.path.mkdir()
    prepare(room.folder, known=False, new_id="id-2")
    room.drop("a.csv")
    sighting = room.look(2)
    assert sighting.ready == ()
    assert sighting.folders[b""] != before
    assert room.ready(2) == [b"a.csv"]


def test_put_off(room: Room) -> None:
    """A drop that was handed over is not named again before its time, also when it was claimed and put back."""
    file = room.drop("a.csv")
    room.look()
    [drop] = room.look(2).ready
    room.scanner.put_off(drop, 30)
    assert room.ready(10) == []
    file.rename(room.base / "aside")
    room.look()
    (room.base / "aside").rename(file)
    room.look()
    assert room.ready(15) == []
    assert room.ready(5) == [b"a.csv"]


def test_a_new_file_of_that_name_is_not_put_off(room: Room) -> None:
    """Another file under the name of one that was just taken is a drop of its own, at its own time."""
    file = room.drop("a.csv")
    room.look()
    [drop] = room.look(2).ready
    room.scanner.put_off(drop, float("inf"))
    file.rename(room.base / "taken")
    room.drop("a.csv", "prompt\nanother\n")
    room.look()
    [again] = room.look(2).ready
    assert again.signature[1] != drop.signature[1]


def test_a_file_that_never_settles_is_told(room: Room) -> None:
    """After a minute of changes the look says so; nothing gives up."""
    file = room.drop("a.csv")
    room.look()
    for number in range(70):
        file.write_text("x" * (number + 1))
        sighting = room.look(1)
    assert codes(sighting) == {b"a.csv": "changing"}
    assert room.ready(2) == [b"a.csv"]


def test_a_file_that_is_replaced_all_the_time_is_told(room: Room) -> None:
    """Whole new files under one name, each before the one before had settled: told after a minute as well."""
    for number in range(70):
        room.drop("new.part", f"prompt\n{number}\n").rename(room.path / "a.csv")
        sighting = room.look(1)
    assert codes(sighting) == {b"a.csv": "changing"}
    [drop] = room.look(2).ready
    room.scanner.put_off(drop, float("inf"))
    room.drop("new.part", "prompt\nthe next\n").rename(room.path / "a.csv")
    assert codes(room.look(1)) == {}  # a drop of its own, after one that was taken


def test_many_drops_come_in_portions(room: Room) -> None:
    """A look names a bounded number of drops and says that there are more; every one is named once."""
    count = AT_ONCE + 150
    for number in range(count):
        room.drop(f"{number}.csv")
    room.look()
    found: list[bytes] = []
    sighting = room.look(2)
    assert len(sighting.ready) == AT_ONCE
    assert sighting.more
    while sighting.ready:
        found += [drop.path for drop in sighting.ready]
        for drop in sighting.ready:
            room.scanner.put_off(drop, 60)
        sighting = room.look()
    assert not sighting.more
    assert len(found) == count
    assert len(set(found)) == count


def test_what_is_named_while_hands_are_full(room: Room) -> None:
    """Asked for large drops alone, a look names these and the urgent ones; the small ones are there for the next."""
    for name in ("small.csv", "urgent/small.csv"):
        room.drop(name)
    room.drop("large.csv", "prompt\n" * 100)
    room.look()
    sighting = room.look(2, least=100)
    assert [drop.path for drop in sighting.ready] == [b"urgent/small.csv", b"large.csv"]
    assert not sighting.more
    assert b"small.csv" in {drop.path for drop in room.look().ready}


def test_what_waits_is_told_by_every_look(room: Room) -> None:
    """Also by one that names large drops alone: else it would be told anew each time."""
    with room.drop("a.csv").open("a") as file:
        room.look()
        for _ in range(5):
            assert codes(room.look(2)) == codes(room.look(2, least=100)) == {b"a.csv": "writing"}
        file.write("")


def test_reasons_are_sentences(room: Room) -> None:
    """Each reason names the drop and each hint says what to do, without a code name."""
    os.mkfifo(room.path / "pipe.csv")
    [waiting] = room.look().waiting
    assert waiting.reason == "pipe.csv is not a plain file, and is left alone."
    assert waiting.hint == "Drop a file."
