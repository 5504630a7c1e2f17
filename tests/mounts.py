"""Small real file systems for tests, in a mount namespace that nobody else sees; root only."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.system.house import wait_for

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


def mount_folder(place: Path, folder: Path) -> None:
    """What lies in `folder` at `place`."""
    for path in (place, folder):
        path.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "--bind", folder, place], check=True)


def unmount(place: Path) -> None:
    subprocess.run(["umount", "--lazy", place], check=True)


def remount(place: Path, options: str) -> None:
    """Change the size, or `ro` and `rw`, of what is mounted at `place`."""
    subprocess.run(["mount", "-o", f"remount,{options}", str(place)], check=True)


def mount_thin(place: Path, under: Path, size: str) -> None:
    """A disk of 128 MiB at `place` with only `size` below it, at `under`: beyond that, writing and syncing fail."""
    mount_small(under, size)
    mount_image(place, _new_image(under / "image"), "continue")


def mount_fragile(place: Path, image: Path) -> Callable[[], None]:
    """A disk of 128 MiB at `place`, kept in `image`, and what makes it read-only for ever, as an error on it does."""
    mount_image(place, _new_image(image), "remount-ro")
    found = subprocess.run(["findmnt", "-no", "SOURCE", place], check=True, capture_output=True)
    error = Path("/sys/fs/ext4") / Path(found.stdout.decode().strip()).name / "trigger_fs_error"

    def breaks() -> None:
        error.write_text("x")

    return breaks


def mount_image(place: Path, image: Path, errors: str = "continue") -> None:
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-o", f"loop,errors={errors}", image, place], check=True)


@contextmanager
def frozen(place: Path) -> Iterator[None]:
    """A disk on which every writing hangs, as on a share that went away without a word."""
    subprocess.run(["fsfreeze", "--freeze", place], check=True)
    try:
        yield
    finally:
        subprocess.run(["fsfreeze", "--unfreeze", place], check=True)


@dataclass(frozen=True, kw_only=True)
class Share:
    """What another process serves; when that stands still, whoever touches the share waits."""

    server: subprocess.Popen[bytes]

    def hang(self) -> None:
        """A process whose request the server has in hand cannot end until it answers, nor be killed: that is how
        the kernel's FUSE is made.
        """
        self.server.send_signal(signal.SIGSTOP)

    def answer(self) -> None:
        self.server.send_signal(signal.SIGCONT)

    @contextmanager
    def hanging(self) -> Iterator[None]:
        self.hang()
        try:
            yield
        finally:
            self.answer()


@contextmanager
def share(place: Path, folder: Path) -> Iterator[Share]:
    """What lies in `folder` at `place`, as on a share."""
    if shutil.which("bindfs") is None:
        pytest.skip("there is no bindfs")
    for path in (place, folder):
        path.mkdir(parents=True, exist_ok=True)
    server = subprocess.Popen(["bindfs", "-f", folder, place])
    made = Share(server=server)
    try:
        wait_for(place.is_mount, 30, "the share is there")
        yield made
    finally:
        made.answer()
        unmount(place)
        server.wait(30)


def mount_disk(place: Path, image: Path) -> None:
    """A disk of 128 MiB at `place`, kept in `image`."""
    mount_image(place, _new_image(image))


def _new_image(image: Path) -> Path:
    if not (Path("/dev/loop-control").exists() and shutil.which("mkfs.ext4")):
        pytest.skip("there are no loop devices, or no mkfs.ext4 (e2fsprogs)")
    with image.open("wb") as file:
        file.truncate(128 * 2**20)
    plain = ["-q", "-m", "0", "-O", "^has_journal", "-E", "lazy_itable_init=1"]
    subprocess.run(["mkfs.ext4", *plain, image], check=True)
    return image
