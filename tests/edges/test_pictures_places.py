"""Where pictures that rows name are found: inside the drop, beside it, in the asset folders; and nowhere else."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.edges.inbox_room import Room, as_nobody, open_to_all

from watcher.core.errors import DropError, InboxError
from watcher.inbox import PictureAbsent, PicturePlaces, keep_picture, sha256_in

SECRET = b"a file of somebody else"


@pytest.fixture
def room(tmp_path: Path) -> Room:
    (tmp_path / "secret.png").write_bytes(SECRET)
    return Room(tmp_path)


def places(
    room: Room, drop: str = "list.csv", *assets: Path, inside: dict[str, bytes] | None = None
) -> PicturePlaces:
    held = inside or {}
    return PicturePlaces(folder=room.folder, drop=drop.encode(), assets=assets, inside=held.get)


def put(folder: Path, name: str, content: bytes = b"picture") -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def test_inside_wins_over_beside_and_beside_over_assets(room: Room, tmp_path: Path) -> None:
    """The order of the contract."""
    assets = tmp_path / "assets"
    put(assets, "a.png", b"asset")
    where = places(room, "list.csv", assets)
    assert (where.find("a.png").content, where.find("a.png").path) == (b"asset", b"")
    put(room.path, "a.png", b"beside")
    assert (where.find("a.png").content, where.find("a.png").path) == (b"beside", b"a.png")
    packed = places(room, "list.csv", assets, inside={"a.png": b"inside"})
    assert (packed.find("a.png").content, packed.find("a.png").path) == (b"inside", b"")


def test_beside_means_the_drops_own_folder(room: Room) -> None:
    """A drop in a sub-folder names what lies there, also deeper; not what lies in another one."""
    put(room.path, "may/photos/a.png")
    put(room.path, "june/b.png")
    where = places(room, "may/list.csv")
    assert where.find("photos/a.png").path == b"may/photos/a.png"
    assert where.find("photos\\a.png").path == b"may/photos/a.png"
    with pytest.raises(PictureAbsent):
        where.find("b.png")


def test_again_and_urgent_are_ways_to_drop(room: Room) -> None:
    """Who moves only the table there leaves its pictures where they are."""
    put(room.path, "may/a.png", b"above")
    assert places(room, "may/again/list.csv").find("a.png").path == b"may/a.png"
    put(room.path, "may/again/a.png", b"beside")
    assert places(room, "may/again/list.csv").find("a.png").content == b"beside"
    with pytest.raises(PictureAbsent):
        places(room, "may/other/list.csv").find("a.png")


def test_several_asset_folders_are_looked_through_in_order(room: Room, tmp_path: Path) -> None:
    """A folder that is not there is no fault: the picture may come with it."""
    second = tmp_path / "second"
    put(second, "logos/x.png", b"x")
    assert places(room, "list.csv", tmp_path / "gone", second).find("logos/x.png").content == b"x"


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_accents_are_found_however_they_are_written(room: Room, form: str) -> None:
    """A Mac writes é as two characters, and a table as one."""
    put(room.path, unicodedata.normalize(form, "café.png"))  # type: ignore[arg-type]
    assert places(room).find("café.png").content == b"picture"


LEADING_OUT = [
    "../secret.png",
    "sub/../../secret.png",
    "/etc/passwd",
    "\\\\server\\share\\a.png",
    "C:\\pictures\\a.png",
    "C:a.png",
    "file:///etc/passwd",
    "~/a.png",
    ".image-watcher/inbox.id",
    "./.image-watcher/inbox.id",
    "done/2026-11/x/a.png",
    "a\0.png",
    "",
    ".",
    "..",
    "folder/",
    "\ud800.png",
]


@pytest.mark.parametrize("reference", LEADING_OUT)
def test_no_reference_leads_out(room: Room, reference: str) -> None:
    """Refused in words, at once: there is nothing to wait for."""
    with pytest.raises(DropError) as raised:
        places(room, "list.csv", room.base).find(reference)
    assert raised.value.hint
    assert places(room, "list.csv", room.base).has(reference)


def test_no_link_is_followed(room: Room) -> None:
    """Neither a picture that is a link, nor one below a folder that is."""
    (room.path / "a.png").symlink_to(room.base / "secret.png")
    (room.path / "sub").symlink_to(room.base)
    for reference in ("a.png", "sub/secret.png"):
        with pytest.raises(DropError):
            places(room).find(reference)


def test_only_plain_files_are_read(room: Room) -> None:
    """A pipe would hang, a folder is none, a second name of a file of ours may be a secret."""
    os.mkfifo(room.path / "pipe.png")
    (room.path / "folder.png").mkdir()
    os.link(room.base / "secret.png", room.path / "second.png")
    for reference in ("pipe.png", "folder.png", "second.png"):
        with pytest.raises(DropError):
            places(room).find(reference)


def test_a_picture_that_is_being_written_is_not_there_yet(room: Room) -> None:
    """Held open for writing, or empty: absent, as if it had not come."""
    file = put(room.path, "a.png")
    where = places(room)
    with file.open("ab"):
        assert not where.has("a.png")
        with pytest.raises(PictureAbsent):
            where.find("a.png")
    assert where.has("a.png")
    put(room.path, "b.png", b"")
    assert not where.has("b.png")
    with pytest.raises(PictureAbsent):
        where.find("b.png")
    assert not where.has("never.png")
    with pytest.raises(PictureAbsent):
        where.find("x" * 5000 + ".png")


def test_a_picture_larger_than_the_inbox_takes_is_refused(room: Room) -> None:
    """By its size, before it is read."""
    with put(room.path, "a.png").open("r+b") as file:
        file.truncate(10**9)
    with pytest.raises(DropError, match=r"1,000\.0 MB"):
        places(room).find("a.png")


def test_one_that_may_not_be_read_is_told(room: Room) -> None:
    """With who we are; the inbox itself is well."""
    del room
    with as_nobody() as base:
        own = Room(base)
        put(own.path, "a.png").chmod(0)
        open_to_all(own)
        (own.path / "a.png").chmod(0)
        os.seteuid(65534)
        with pytest.raises(DropError, match="may not be read"):
            places(own).find("a.png")


def test_an_inbox_that_is_away_is_not_an_empty_one(room: Room) -> None:
    """No row fails because a share is not mounted."""
    room.path.rename(room.base / "away")
    with pytest.raises(InboxError):
        places(room).find("a.png")
    room.path.mkdir()
    with pytest.raises(InboxError):
        places(room).find("a.png")


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    reference=st.one_of(
        st.text(max_size=40),
        st.lists(st.sampled_from(["..", ".", "", "sub", "secret.png", "a.png", "~", "C:"])).map(
            "/".join
        ),
    )
)
def test_never_anything_from_outside(room: Room, reference: str) -> None:
    """Whatever a row names: its own folders' files, or one of our errors; never the neighbour's."""
    put(room.path, "sub/a.png", b"own")
    try:
        content = places(room, "list.csv").find(reference).content
    except (DropError, PictureAbsent):
        return
    assert content != SECRET


def test_a_kept_copy_is_whole_and_written_once(tmp_path: Path) -> None:
    """A name that exists has the same bytes, and is left alone."""
    keep_picture(b"bytes", tmp_path / "1.png")
    before = (tmp_path / "1.png").stat().st_mtime_ns
    keep_picture(b"bytes", tmp_path / "1.png")
    assert (tmp_path / "1.png").read_bytes() == b"bytes"
    assert (tmp_path / "1.png").stat().st_mtime_ns == before
    assert [path.name for path in tmp_path.iterdir()] == ["1.png"]


def test_the_hash_of_what_lies_there_now(room: Room) -> None:
    """None where nothing can be read: it went along with an earlier drop."""
    put(room.path, "a.png", b"")
    assert sha256_in(room.folder, b"a.png") == (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )
    assert sha256_in(room.folder, b"b.png") is None
