"""The state folder: one daemon at a time, what it tells of itself, and what a start clears away."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from watcher.daemon.state import (
    StateBusy,
    StateLock,
    clear_replies,
    clear_snapshots,
    is_running,
    read_about,
    write_about,
)

HOLD = """
import sys, time
from pathlib import Path
from watcher.daemon.state import StateLock
StateLock(Path(sys.argv[1])).acquire()
print("held", flush=True)
time.sleep(60)
"""


def holder(state: Path) -> subprocess.Popen[str]:
    """Another process that holds the lock."""
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(state)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    return child


def test_one_daemon_at_a_time(tmp_path: Path) -> None:
    """A second one is refused in words that name the first, and changes nothing."""
    with holder(tmp_path) as child:
        try:
            with pytest.raises(StateBusy, match=f"process {child.pid}"):
                StateLock(tmp_path).acquire()
            assert is_running(tmp_path)
        finally:
            child.kill()


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    """After kill -9 the next start is not held up."""
    with holder(tmp_path) as child:
        child.send_signal(signal.SIGKILL)
    lock = StateLock(tmp_path)
    lock.acquire()
    lock.release()


def test_a_released_lock_is_free(tmp_path: Path) -> None:
    """A daemon that stopped is not running."""
    lock = StateLock(tmp_path / "new" / "state")
    lock.acquire()
    assert is_running(tmp_path / "new" / "state")
    lock.release()
    assert not is_running(tmp_path / "new" / "state")


def test_nothing_runs_where_nothing_ever_ran(tmp_path: Path) -> None:
    """Looking makes no folder and no file."""
    assert not is_running(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


def test_a_look_by_a_command_keeps_no_daemon_from_starting(tmp_path: Path) -> None:
    """`status` holds the lock for as long as it looks: a start waits for that moment."""
    looking = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(looking, fcntl.LOCK_SH)
    looked = threading.Timer(0.03, os.close, [looking])
    looked.start()
    lock = StateLock(tmp_path)
    lock.acquire()
    looked.join()
    lock.release()


def test_what_is_told_is_read(tmp_path: Path) -> None:
    """What the daemon tells of itself appears whole."""
    write_about(tmp_path, {"version": "0.1.0", "in_flight": 3})
    assert read_about(tmp_path) == {"version": "0.1.0", "in_flight": 3}
    assert [file.name for file in tmp_path.iterdir()] == ["daemon.json"]


@pytest.mark.parametrize("content", [None, b"", b"{", b"[1]", b"\xff"])
def test_what_cannot_be_read_tells_nothing(tmp_path: Path, content: bytes | None) -> None:
    """A missing or damaged file is as good as none."""
    if content is not None:
        (tmp_path / "daemon.json").write_bytes(content)
    assert read_about(tmp_path) == {}


def test_replies_that_nobody_waits_for_are_cleared_at_a_start(tmp_path: Path) -> None:
    """Paid answers of open attempts stay; those of settled ones, or of a lost ledger, are never taken
    for the answers of new attempts."""
    for name in ("7.reply", "7.0.picture", "8.reply", "17.reply", "7.reply.part", ".room-1"):
        (tmp_path / name).touch()
    clear_replies(tmp_path, {7})
    assert {file.name for file in tmp_path.iterdir()} == {"7.reply", "7.0.picture", "7.reply.part"}


def test_copies_of_drops_are_cleared_at_a_start(tmp_path: Path) -> None:
    """Copies that were being read when the process died are gone; what is no folder of ours stays."""
    (tmp_path / "id1").mkdir()
    (tmp_path / "id1" / "blob").touch()
    (tmp_path / "file").touch()
    clear_snapshots(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
