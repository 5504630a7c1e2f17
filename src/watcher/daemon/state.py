"""The state folder: one daemon at a time, and what it tells of itself to commands beside it."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from watcher.core.errors import LedgerError
from watcher.core.jobs import Json


class StateBusy(LedgerError):  # noqa: N818 - a state, not a fault
    """Another daemon works with this state folder."""


class StateLock:
    """Held as long as this process lives; the kernel gives it back, whatever the end."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "lock"
        self._file: int | None = None

    def acquire(self) -> None:
        """Raises StateBusy, naming the holder."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(file, 64).decode(errors="replace").strip()
            os.close(file)
            raise StateBusy(
                f"Another image-watcher (process {holder}) works with {self._path.parent}.",
                "Stop that one first, or give this one a state_dir of its own.",
            ) from None
        os.ftruncate(file, 0)
        os.write(file, str(os.getpid()).encode())
        self._file = file

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


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
