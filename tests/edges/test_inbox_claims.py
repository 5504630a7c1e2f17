"""Taking drops, putting them back, archiving them: real renames in a real folder."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from tests.edges.inbox_room import NOBODY, ODD_NAMES, PLAIN, Room, as_nobody, open_to_all

from watcher.core.errors import InboxError
from watcher.inbox.archive import archive, bring_along
from watcher.inbox.claims import claim, claimed_ids, find_claimed, unclaim
from watcher.inbox.values import DropGone, DropStuck


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def test_a_claim_is_a_rename(room: Room) -> None:
    """A claimed drop is the same file, in our folder, under its own name; nothing else is left of it."""
    drop = room.seen("a.csv")
    claimed = claim(room.folder, drop, "c1")
    assert room.files() == {".image-watcher/claimed/c1/a.csv"}
    assert claimed.file.stat().st_ino == drop.signature[1]
    assert claimed.signature[:4] == drop.signature[:4]
    assert (claimed.claim_id, claimed.path, claimed.name) == ("c1", b"a.csv", "a.csv")


def test_a_claim_keeps_the_path(room: Room) -> None:
    """Where a drop lay is kept with it, so that even without the database it is known."""
    claim(room.folder, room.seen("again/client/a.csv"), "c1")
    assert claimed_ids(room.folder) == [("c1", b"again/client/a.csv")]


def test_odd_names_are_claimed(room: Room) -> None:
    """Whatever its name, a drop is claimed, put back and archived byte for byte."""
    for number, name in enumerate(ODD_NAMES):
        (room.path / os.fsdecode(name)).write_text(str(number))
    room.look()
    for drop in room.look(2).ready:
        claimed = claim(room.folder, drop, "c1")
        assert unclaim(claimed) == drop.path
        room.look()
        [again] = [seen for seen in room.look(2).ready if seen.path == drop.path]
        archive(claim(room.folder, again, "c1"), where="done", month="2026-11", job="j1")
    archived = {
        os.fsencode(file.name) for file in (room.path / "done").rglob("*") if file.is_file()
    }
    assert archived == set(ODD_NAMES)


def test_what_vanished_is_gone(room: Room) -> None:
    """A drop that is not there any more takes nothing and leaves nothing behind."""
    drop = room.seen("sub/a.csv")
    (room.path / "sub" / "a.csv").unlink()
    with pytest.raises(DropGone):
        claim(room.folder, drop, "c1")
    (room.path / "sub").rmdir()
    with pytest.raises(DropGone):
        claim(room.folder, drop, "c1")
    assert list((room.path / ".image-watcher" / "claimed").iterdir()) == []


def test_what_changed_is_gone(room: Room) -> None:
    """A drop that was written to, or replaced, since it was seen is not taken."""
    drop = room.seen("a.csv")
    room.drop("a.csv", "prompt\nlonger than before\n")
    with pytest.raises(DropGone):
        claim(room.folder, drop, "c1")
    assert room.files() == {"a.csv"}


def test_what_became_a_link_is_gone(room: Room) -> None:
    """A link that takes the place of a drop, or of its folder, is neither taken nor followed."""
    drop = room.seen("sub/a.csv")
    secret = room.base / "secret"
    secret.mkdir()
    (secret / "a.csv").write_text("key")
    (room.path / "sub").rename(room.base / "was")
    (room.path / "sub").symlink_to(secret)
    with pytest.raises(DropGone):
        claim(room.folder, drop, "c1")
    assert (secret / "a.csv").read_text() == "key"


def test_two_claims_cannot_both_win(room: Room) -> None:
    """Of two who saw the same drop, one gets it; the other is told that it is gone."""
    drop = room.seen("a.csv")
    claim(room.folder, drop, "c1")
    with pytest.raises(DropGone):
        claim(room.folder, drop, "c2")
    assert claimed_ids(room.folder) == [("c1", b"a.csv")]


def test_claim_ids_are_used_once(room: Room) -> None:
    """Nothing is put into a claim that has something in it; one that a crash left empty is used."""
    claim(room.folder, room.seen("a.csv"), "c1")
    drop = room.seen("b.csv")
    with pytest.raises(ValueError, match="c1"):
        claim(room.folder, drop, "c1")
    assert room.files() == {".image-watcher/claimed/c1/a.csv", "b.csv"}
    (room.path / ".image-watcher" / "claimed" / "c2").mkdir()
    assert claim(room.folder, drop, "c2").path == b"b.csv"


def test_a_folder_we_may_not_empty(room: Room) -> None:
    """A drop that may not be moved is stuck, with the command that helps; the inbox itself goes on."""
    with as_nobody() as base:
        room = Room(base)
        room.drop("sub/a.csv")
        open_to_all(room)
        (room.path / "sub").chmod(0o755)
        os.seteuid(NOBODY)
        room.look()
        [drop] = room.look(5).ready
        with pytest.raises(DropStuck) as caught:
            claim(room.folder, drop, "c1")
        assert f"chmod g+rwxs {room.path / 'sub'}" in caught.value.hint
        assert room.files() == {"sub/a.csv"}


def test_an_inbox_that_is_away(room: Room) -> None:
    """Without the marker nothing is claimed, put back or listed: away is not empty."""
    drop = room.seen("a.csv")
    claimed = claim(room.folder, room.seen("b.csv"), "c1")
    (room.path / ".image-watcher" / "inbox.id").unlink()
    with pytest.raises(InboxError):
        claim(room.folder, drop, "c2")
    with pytest.raises(InboxError):
        unclaim(claimed)
    with pytest.raises(InboxError):
        claimed_ids(room.folder)
    room.path.rename(room.base / "away")
    with pytest.raises(InboxError):
        find_claimed(room.folder, "c1")


@pytest.mark.parametrize("bad", ["", ".", "..", "a/b", "../x", "-x", "a b", "x" * 200])
def test_claim_ids_are_names(room: Room, bad: str) -> None:
    """An id that could lead elsewhere is refused before anything is touched."""
    drop = room.seen("a.csv")
    with pytest.raises(ValueError, match=r".*"):
        claim(room.folder, drop, bad)
    assert room.files() == {"a.csv"}


def test_unclaim_puts_back(room: Room) -> None:
    """A claim that is given up lies where it lay, and its claim is gone."""
    claimed = claim(room.folder, room.seen("sub/a.csv"), "c1")
    assert unclaim(claimed) == b"sub/a.csv"
    assert room.files() == {"sub/a.csv"}
    assert list((room.path / ".image-watcher" / "claimed").iterdir()) == []
    with pytest.raises(DropGone):
        unclaim(claimed)


def test_unclaim_overwrites_nothing(room: Room) -> None:
    """Where a new drop has the name by now, the one put back lies beside it, numbered."""
    claimed = claim(room.folder, room.seen("a.csv", "first"), "c1")
    room.drop("a.csv", "second")
    assert unclaim(claimed) == b"a (2).csv"
    assert (room.path / "a.csv").read_text() == "second"
    assert (room.path / "a (2).csv").read_text() == "first"


def test_unclaim_without_its_folder(room: Room) -> None:
    """Where its folder was removed meanwhile, a drop goes back to the inbox itself."""
    claimed = claim(room.folder, room.seen("sub/a.csv"), "c1")
    (room.path / "sub").rmdir()
    assert unclaim(claimed) == b"a.csv"
    assert room.files() == {"a.csv"}


def test_done_markers_travel(tmp_path: Path) -> None:
    """A drop's own marker is claimed, put back and archived with it, and is never taken for the drop."""
    room = Room(tmp_path, replace(PLAIN, require_done_marker="{name}.a"))
    room.drop("b.csv.a", "")
    drop = room.seen("b.csv")
    claimed = claim(room.folder, drop, "c1")
    assert room.files() == {f".image-watcher/claimed/c1/{name}" for name in ("b.csv", "b.csv.a")}
    assert claimed_ids(room.folder) == [("c1", b"b.csv")]
    unclaim(claimed)
    assert room.files() == {"b.csv", "b.csv.a"}


def test_archive(room: Room) -> None:
    """The original lies under done/<month>/<job>/ with the folders it had, and the way there is told."""
    claimed = claim(room.folder, room.seen("client/a.csv"), "c1")
    where = archive(claimed, where="done", month="2026-11", job="j1")
    assert where == Path("done/2026-11/j1/client/a.csv")
    assert room.files() == {str(where)}
    with pytest.raises(DropGone):
        archive(claimed, where="done", month="2026-11", job="j1")


def test_a_thousand_drops_of_one_name(room: Room) -> None:
    """Drops of one name, one after the other, all under one job's name, overwrite nothing."""
    count = 120
    for number in range(count):
        claimed = claim(room.folder, room.seen("a.csv", f"prompt\n{number}\n"), "c1")
        archive(claimed, where="done", month="2026-11", job="j1")
    contents = {file.read_text() for file in (room.path / "done").rglob("a.csv")}
    assert contents == {f"prompt\n{number}\n" for number in range(count)}


def test_people_may_look_into_the_archive(room: Room) -> None:
    """What we make follows the mode of the inbox, so that the share's people can use it; claims they cannot touch."""
    room.path.chmod(0o2770)
    claimed = claim(room.folder, room.seen("sub/a.csv"), "c1")
    assert stat.S_IMODE((room.path / ".image-watcher").stat().st_mode) == 0o700
    archive(claimed, where="failed", month="2026-11", job="j1")
    for made in ("failed", "failed/2026-11", "failed/2026-11/j1", "failed/2026-11/j1/sub"):
        assert stat.S_IMODE((room.path / made).stat().st_mode) == 0o2770


@pytest.mark.parametrize("month", ["2026", "2026-11/..", "../../x", "2026-1"])
def test_months_are_months(room: Room, month: str) -> None:
    """Nothing but a year and a month becomes a folder of the archive."""
    claimed = claim(room.folder, room.seen("a.csv"), "c1")
    with pytest.raises(ValueError, match=r".*"):
        archive(claimed, where="done", month=month, job="j1")


def test_an_archive_that_is_a_link(room: Room) -> None:
    """Where somebody made `done` a link, nothing is moved through it; the drop stays claimed."""
    outside = room.base / "outside"
    outside.mkdir()
    claimed = claim(room.folder, room.seen("a.csv"), "c1")
    (room.path / "done").symlink_to(outside)
    with pytest.raises(InboxError) as caught:
        archive(claimed, where="done", month="2026-11", job="j1")
    assert f"{room.path}/done, is no folder" in caught.value.what
    assert list(outside.iterdir()) == []
    assert claimed.file.exists()
    (room.path / "done").rename(room.path / "a link of mine")
    archive(claimed, where="done", month="2026-11", job="j1")
    assert room.files() == {"done/2026-11/j1/a.csv"}


def test_pictures_travel_with_their_drop(room: Room) -> None:
    """Pictures that a drop named beside it are moved into its archive; others, and what is no file, stay."""
    claimed = claim(room.folder, room.seen("client/a.csv"), "c1")
    for name in ("client/img/1.png", "client/2.png", "client/other.png"):
        room.drop(name, "picture")
    (room.path / "client" / "link.png").symlink_to(room.base)
    where = archive(claimed, where="done", month="2026-11", job="j1")
    named = [b"client/img/1.png", b"client/2.png", b"client/link.png", b"client/gone.png", b"../x"]
    assert bring_along(room.folder, where, named) == (b"client/img/1.png", b"client/2.png")
    job = "done/2026-11/j1/client"
    assert room.files() == {
        f"{job}/a.csv",
        f"{job}/img/1.png",
        f"{job}/2.png",
        "client/other.png",
    }


def test_recovery_sees_what_a_crash_left(room: Room) -> None:
    """After a restart every claim is found with its path and signature; empty ones are cleared away."""
    claimed = claim(room.folder, room.seen("client/a.csv"), "c2")
    claim(room.folder, room.seen("b.csv"), "c1")
    (room.path / ".image-watcher" / "claimed" / "c3" / "sub").mkdir(parents=True)
    assert claimed_ids(room.folder) == [("c1", b"b.csv"), ("c2", b"client/a.csv")]
    assert not (room.path / ".image-watcher" / "claimed" / "c3").exists()
    assert find_claimed(room.folder, "c2") == claimed
    assert find_claimed(room.folder, "c3") is None
    assert find_claimed(room.folder, "../claimed/c2") is None
