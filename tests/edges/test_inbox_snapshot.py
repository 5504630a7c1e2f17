"""Copying a claimed drop while hashing it, and noticing everybody who writes to it."""

from __future__ import annotations

import errno
import hashlib
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.edges.inbox_room import Room, bytes_of

from watcher.core.errors import DiskError, DropError
from watcher.inbox.claims import claim, unclaim
from watcher.inbox.disk import free_bytes, reserve_bytes
from watcher.inbox.lease import Writers, writers_of
from watcher.inbox.snapshot import snapshot
from watcher.inbox.values import DropBusy, DropGone
from watcher.inbox.words import worded

LARGE = "a row of many\n" * 10_000


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


@pytest.fixture
def blobs(tmp_path: Path) -> Path:
    folder = tmp_path / "blobs"
    folder.mkdir()
    return folder


def test_a_snapshot_is_named_by_its_content(room: Room, blobs: Path) -> None:
    """The copy is whole and is named by the SHA-256 of its bytes; the claimed file stays as it is."""
    content = "prompt\n" + "a cat\n" * 150_000
    claimed = claim(room.folder, room.seen("a.csv", content), "c1")
    copy = snapshot(claimed, blobs)
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    assert (copy.path, copy.sha256, copy.size) == (blobs / sha256, sha256, len(content))
    assert bytes_of(copy) == content.encode()
    assert claimed.file.read_text() == content


@settings(max_examples=25, deadline=None)
@given(st.builds(bytes.__mul__, st.binary(max_size=5000), st.sampled_from((1, 50, 500))))
def test_a_snapshot_always_has_the_bytes(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    """Whatever a drop holds, its snapshot holds the same."""
    room = Room(tmp_path_factory.mktemp("room"))
    (room.path / "a.csv").write_bytes(content)
    room.look()
    [drop] = room.look(60).ready
    copy = snapshot(claim(room.folder, drop, "c1"), room.base)
    assert bytes_of(copy) == content


def test_the_same_content_is_kept_once(room: Room, blobs: Path) -> None:
    """Two drops of the same bytes have one blob, and no half copy is left."""
    one = snapshot(claim(room.folder, room.seen("a.csv", LARGE), "c1"), blobs)
    two = snapshot(claim(room.folder, room.seen("b.csv", LARGE), "c2"), blobs)
    assert one == two
    assert list(blobs.iterdir()) == [one.path]


def test_a_half_copy_is_written_anew(room: Room, blobs: Path) -> None:
    """What a crash left of a copy is not trusted."""
    (blobs / "c1.part").write_bytes(b"x" * 200_000)
    copy = snapshot(claim(room.folder, room.seen("a.csv", LARGE), "c1"), blobs)
    assert bytes_of(copy) == LARGE.encode()
    assert list(blobs.iterdir()) == [copy.path]


def test_a_writer_is_noticed(room: Room, blobs: Path) -> None:
    """A program that opened the drop before it was claimed, and has not closed it, keeps it from being read."""
    drop = room.seen("a.csv")
    with (room.path / "a.csv").open("r+"):
        claimed = claim(room.folder, drop, "c1")
        with pytest.raises(DropBusy):
            snapshot(claimed, blobs)
        assert unclaim(claimed) == b"a.csv"
    assert list(blobs.iterdir()) == []


def test_what_was_written_after_the_claim_is_noticed(room: Room, blobs: Path) -> None:
    """A rename is no lock: what an open handle wrote into the claimed file is seen by its signature."""
    drop = room.seen("a.csv")
    with (room.path / "a.csv").open("a") as file:
        claimed = claim(room.folder, drop, "c1")
        file.write("one more row\n")
    with pytest.raises(DropBusy):
        snapshot(claimed, blobs)


def test_a_claim_that_is_not_there(room: Room, blobs: Path) -> None:
    """A claimed file that somebody took away is gone; one that became a link is not followed."""
    claimed = claim(room.folder, room.seen("a.csv"), "c1")
    claimed.file.unlink()
    with pytest.raises(DropGone):
        snapshot(claimed, blobs)
    claimed.file.symlink_to(room.base / "blobs")
    with pytest.raises(DropGone):
        snapshot(claimed, blobs)


def test_too_large(room: Room, blobs: Path) -> None:
    """A drop over the inbox's limit is refused in words before a byte of it is read."""
    (room.path / "a.csv").write_bytes(b"")
    os.truncate(room.path / "a.csv", 20 * 10**9)  # sparse: as large as it says, and empty
    room.look()
    [drop] = room.look(2).ready
    with pytest.raises(DropError) as caught:
        snapshot(claim(room.folder, drop, "c1"), blobs)
    assert caught.value.code == "file_too_large"
    assert "a.csv has 20,000.0 MB; this inbox takes files of up to 1.0 MB." in str(caught.value)
    assert list(blobs.iterdir()) == []


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Writing fails beyond `size` bytes, as it does where a quota ends."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_copy_that_cannot_be_written(room: Room, blobs: Path) -> None:
    """Where the copy cannot be written the disk is to blame, the claim stays, and later it works."""
    claimed = claim(room.folder, room.seen("a.csv", "x" * 100_000), "c1")
    with files_of_at_most(10_000), pytest.raises(DiskError):
        snapshot(claimed, blobs)
    assert snapshot(claimed, blobs).size == 100_000
    assert len(list(blobs.iterdir())) == 1


def test_no_room_is_a_disk_error() -> None:
    """Full, over quota, read-only and broken are a disk's troubles, which pass; the words say so."""
    for code in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO):
        error = worded("/srv/inbox", OSError(code, "x"))
        assert isinstance(error, DiskError)
        assert "/srv/inbox" in error.what
        assert "goes on by itself" in error.hint


def test_leases(tmp_path: Path) -> None:
    """A writer anywhere on the machine is seen; asking leaves no trace, and the next writer is not held up."""
    file = tmp_path / "a"
    file.write_text("x")
    fd = os.open(file, os.O_RDONLY)
    try:
        assert writers_of(fd) is Writers.NONE
        with file.open("r+"):
            assert writers_of(fd) is Writers.SOME
        assert writers_of(fd) is Writers.NONE
    finally:
        os.close(fd)
    os.close(os.open(file, os.O_WRONLY | os.O_NONBLOCK))  # EWOULDBLOCK, were the lease still held
    fd = os.open("/proc/self/status", os.O_RDONLY)
    try:
        assert writers_of(fd) in {Writers.UNKNOWN, Writers.NONE}
    finally:
        os.close(fd)


def test_room_on_the_disk(tmp_path: Path) -> None:
    """Free space is what this service may write; the reserve is 2 GiB or 5 %, whichever is more."""
    found = os.statvfs(tmp_path)
    total = found.f_blocks * found.f_frsize
    assert 0 <= free_bytes(tmp_path) <= total
    assert reserve_bytes(tmp_path) == max(2 * 2**30, int(total * 0.05))
    assert reserve_bytes(tmp_path, least=7, share=0.0) == 7
