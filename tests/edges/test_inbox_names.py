"""Names: what is ignored, where a folder lies, how names are shown, cut and numbered."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.edges.inbox_room import PLAIN

from watcher.inbox import beneath, mounts
from watcher.inbox.ignore import built_in, ignorer
from watcher.inbox.notes import note_path
from watcher.inbox.values import printable

LEFT_BEHIND = [
    "~$orders.xlsx",
    ".~lock.orders.csv#",
    ".DS_Store",
    "._orders.csv",
    "Thumbs.db",
    "THUMBS.DB",
    "Desktop.ini",
    "orders.csv.part",
    "orders.csv.CRDOWNLOAD",
    "orders.tmp",
    ".goutputstream-AB12CD",
    "@eaDir",
    "#recycle",
    "$RECYCLE.BIN",
    "System Volume Information",
    ".orders.csv.Xq81Za",
    ".syncthing.orders.csv.tmp",
    "~syncthing~orders.csv.tmp",
    ".nfs000000000012ab",
    ".smbdelete0001",
    "orders.csv~",
    "#orders.csv#",
    ".orders.csv.swp",
    "4913",
    "orders.csv.filepart",
    "orders.csv.lftp",
    ".pureftpd-upload.5c6.15.1ab",
    "orders.csv.ocpart",
    "__MACOSX",
    "Icon\r",
    "lost+found",
    "orders.csv.STATUS.txt",
    "orders.csv.status.txt",
]
WANTED = [
    "orders.csv",
    "Icons.csv",
    "iconic.json",
    "a~b.csv",
    "part.csv",
    "tmp.csv",
    "#1 sale.csv",
    "$5 offers.csv",
    "@home.csv",
    "~.csv",
    "STATUS.txt",
    "orders.sync-conflict.csv",
]


@pytest.mark.parametrize("name", LEFT_BEHIND)
def test_droppings_are_ignored(name: str) -> None:
    """What systems, editors, browsers and sync tools leave behind is never a drop, in any case of letters."""
    assert ignorer(())(name)


@pytest.mark.parametrize("name", WANTED)
def test_wanted_names_are_kept(name: str) -> None:
    """No name that a person would choose is ignored."""
    assert not ignorer(())(name)


def test_own_patterns_add_to_the_list() -> None:
    """An inbox's own patterns count besides the built-in ones, without case and alike in NFC and NFD."""
    ignored = ignorer(("draft-*", unicodedata.normalize("NFC", "entwürfe*")))
    assert ignored("Draft-1.csv")
    assert ignored(unicodedata.normalize("NFD", "Entwürfe.csv"))
    assert ignored("x.tmp")
    assert not ignored("orders.csv")


def test_the_list_has_no_doubles() -> None:
    """The list is data: no pattern stands twice, none is empty or a comment."""
    patterns = [pattern.lower() for pattern in built_in()]
    assert len(set(patterns)) == len(patterns)
    assert all(pattern and not pattern.startswith("# ") for pattern in patterns)


MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:40 / /srv/share rw - cifs //server/share rw
31 22 0:41 / /srv/share/local rw - xfs /dev/vdb rw
32 22 0:42 / /mnt/with\\040space rw - nfs4 server:/x rw
33 22 0:43 / /mnt/fuse rw - fuse.sshfs host: rw
34 22 0:44 / /mnt/twice rw - nfs4 server:/y rw
35 34 0:45 / /mnt/twice rw - tmpfs tmpfs rw
not a mount line
"""


@pytest.mark.parametrize(
    ("path", "kind", "network"),
    [
        ("/srv/other", "ext4", False),
        ("/srv/share", "cifs", True),
        ("/srv/share/in", "cifs", True),
        ("/srv/shareholders", "ext4", False),
        ("/srv/share/local/in", "xfs", False),
        ("/mnt/with space/in", "nfs4", True),
        ("/mnt/fuse/in", "fuse.sshfs", True),
        ("/mnt/twice/in", "tmpfs", False),
    ],
)
def test_kind_of_mount(path: str, kind: str, network: bool) -> None:  # noqa: FBT001
    """A folder lies on the mount whose point is nearest above it; of two on one point, on the later."""
    assert mounts.kind_of(Path(path), MOUNTS) == kind
    assert mounts.is_network(kind) is network


def test_what_is_whole_takes_longer_on_a_share() -> None:
    """The settle time is that of the kind of mount that the inbox lies on."""
    for path, seconds in (("/srv/share/in", 10.0), ("/srv/share/local/in", 2.0)):
        folder = replace(PLAIN, path=Path(path), settle=2.0, settle_on_network=10.0)
        assert mounts.settle_time(folder, MOUNTS) == seconds


@pytest.mark.parametrize(
    "kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse", "fuseblk", "vboxsf", "virtiofs"]
)
def test_shares_are_polled(kind: str) -> None:
    """On each kind of file system that others may write to unseen, events are not relied upon."""
    assert mounts.is_network(kind)


def test_this_machine(tmp_path: Path) -> None:
    """The kernel's own table is read: a folder here lies on something."""
    assert mounts.kind_of(tmp_path) != ""


def test_printable() -> None:
    """A name is shown without moving a cursor, hiding a direction or failing on what is no text."""
    assert printable("Möbel 1.csv".encode()) == "Möbel 1.csv"
    assert printable(b"a\nb\x1b[2J.csv") == "a\\nb\\x1b[2J.csv"
    assert printable(b"caf\xe9.csv") == "caf\\xe9.csv"
    assert printable("a\u202efdp.csv".encode()) == "a\\u202efdp.csv"


@given(st.binary(max_size=300))
def test_printable_always_is(name: bytes) -> None:
    """Whatever bytes a name has, it is shown on one line, in characters that can be encoded."""
    shown = printable(name)
    assert shown.encode("utf-8").decode("utf-8") == shown
    assert shown.isprintable()


@given(st.binary(min_size=1, max_size=255), st.integers(2, 9999))
def test_numbered_names_fit(name: bytes, count: int) -> None:
    """A numbered name is never longer than a file system takes, and never the same for two numbers."""
    one, two = beneath.numbered(name, count), beneath.numbered(name, count + 1)
    assert 0 < len(one) <= 255
    assert one != two


def test_numbered() -> None:
    """The number stands before the extension, as people know it."""
    assert beneath.numbered(b"x.csv", 1) == b"x.csv"
    assert beneath.numbered(b"x.csv", 2) == b"x (2).csv"
    assert beneath.numbered(b".hidden", 3) == b".hidden (3)"
    long = ("ü" * 125).encode() + b".csv"
    assert beneath.numbered(long, 2).decode("utf-8").endswith(" (2).csv")


@given(
    st.binary(min_size=1, max_size=255).filter(lambda name: b"/" not in name and b"\0" not in name)
)
def test_notes_fit(name: bytes) -> None:
    """The note of a drop of any name has a name that the file system takes, in the drop's own folder."""
    path = note_path(b"client/" + name)
    assert path.startswith(b"client/")
    assert len(path.removeprefix(b"client/")) <= 255
    assert path.endswith(b".STATUS.txt")


def test_notes_of_long_names_are_told_apart() -> None:
    """Two names that differ only where they are cut have two notes."""
    one, two = b"a" * 250 + b"1.csv", b"a" * 250 + b"2.csv"
    assert note_path(one) != note_path(two)


@pytest.mark.parametrize("path", [b"/etc/passwd", b"../x", b"a/../../x", b"a\0b"])
def test_paths_that_lead_out(path: bytes) -> None:
    """A path that is absolute, climbs or has a NUL is never walked."""
    with pytest.raises(ValueError, match=r"."):
        beneath.parts(path)
