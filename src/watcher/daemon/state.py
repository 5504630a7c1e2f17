"""The state folder: one daemon at a time, and what it tells of itself to commands beside it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from watcher.core.errors import LedgerError
from watcher.core.jobs import Json
from watcher.logs import is_journal

_TRIES, _TRY_AGAIN = 5, 0.02  # and seconds between them


class StateBusy(LedgerError):  # noqa: N818 - a state, not a fault
    """Another daemon works with this state folder."""


class StateLock:
    """Held as long as this process lives; the kernel gives it back, whatever the end."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "lock"
        self._file: int | None = None

    def acquire(self) -> None:
        """Raises StateBusy, naming the holder, or LedgerError where there can be no such folder."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LedgerError(
                f"The state folder {self._path.parent} cannot be used ({error.strerror}).",
                "Look at its path and rights, or name another one with state_dir.",
            ) from None
        if not _locked(file):
            holder = os.read(file, 64).decode(errors="replace").strip()
            os.close(file)
            raise StateBusy(
                f"Another image-watcher (process {holder}) works with {self._path.parent}.",
                "Stop that one first, or give this one a state_dir of its own.",
            )
        os.ftruncate(file, 0)
        os.write(file, str(os.getpid()).encode())
        self._file = file

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _locked(file: int) -> bool:
    """Tried for a moment: `is_running` of a command holds the lock for as long as it looks."""
    for _ in range(_TRIES):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_TRY_AGAIN)
        else:
            return True
    return False


def clear_replies(replies: Path, wanted: Collection[int]) -> None:
    """At start: replies of attempts that are settled, or that the ledger (a new one?) knows nothing of.

    One of these under the number of a new attempt would be taken for its answer.
    """
    for file in replies.iterdir():
        number = file.name.partition(".")[0]
        if not (number.isdecimal() and int(number) in wanted):
            with suppress(OSError):
                file.unlink()


def clear_snapshots(blobs: Path) -> None:
    """At start: the copies of drops that were being read when the process died, one folder a claim."""
    for left in blobs.iterdir():
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)


def clear_inputs(inputs: Path, is_needed: Callable[[str], bool]) -> None:
    """At start: the pictures of jobs that ask for nothing more, one folder a job."""
    for left in inputs.iterdir():
        if not is_needed(left.name):
            shutil.rmtree(left, ignore_errors=True)


def clear_folder(folder: Path) -> None:
    """At start: what is only made on the way to something else, and made anew."""
    shutil.rmtree(folder, ignore_errors=True)


def log_place() -> str:
    """Where our standard error goes: a file's path, `journal:UNIT`, or "" where nobody can read it again."""
    try:
        target = Path("/proc/self/fd/2").resolve()
        if target.is_file():
            return str(target)
        if is_journal(2, os.environ):
            units = Path("/proc/self/cgroup").read_text("utf-8").strip().split("/")
            return next((f"journal:{unit}" for unit in units[::-1] if ".service" in unit), "")
    except OSError:
        pass
    return ""


def is_running(state_dir: Path) -> bool:
    """Whether a daemon works with this state folder now."""
    try:
        file = os.open(state_dir / "lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def write_about(state_dir: Path, about: Mapping[str, Json]) -> None:
    """What the daemon tells of itself; never half written."""
    part = state_dir / "daemon.json.part"
    part.write_text(json.dumps(about), encoding="utf-8")
    part.replace(state_dir / "daemon.json")


def read_about(state_dir: Path) -> dict[str, Any]:
    """What the daemon last told of itself; nothing where there is none."""
    try:
        about = json.loads((state_dir / "daemon.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return about if isinstance(about, dict) else {}
