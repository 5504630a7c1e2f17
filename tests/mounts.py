"""Small real file systems for tests, in a mount namespace that nobody else sees; root only."""

from __future__ import annotations

import ctypes
import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

_CLONE_FS, _CLONE_NEWNS = 0x200, 0x20000  # linux/sched.h


def in_own_mounts(body: Callable[[], None]) -> None:
    """Run `body`, and the processes that it starts, where its mounts are its own; they end with it."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    outcome: list[BaseException | None] = []

    def run() -> None:
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.unshare(_CLONE_FS | _CLONE_NEWNS) != 0:
                pytest.skip(f"no mount namespace to be had: {os.strerror(ctypes.get_errno())}")
            subprocess.run(["mount", "--make-rprivate", "/"], check=True)
            body()
        except BaseException as error:  # noqa: BLE001 - raised again in the test's own thread
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    for error in outcome:
        if error is not None:
            raise error


def mount_small(place: Path, size: str) -> None:
    """A file system in memory of `size` ("8m") at `place`."""
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "small", str(place)], check=True
    )


def remount(place: Path, options: str) -> None:
    """Change the size, or `ro` and `rw`, of what is mounted at `place`."""
    subprocess.run(["mount", "-o", f"remount,{options}", str(place)], check=True)
