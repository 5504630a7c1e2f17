"""Runs inside the service's sandbox, before it starts: what it needs works, what it must not do is refused.

Writes what is not so into the state folder, one line each.
"""

import ctypes
import fcntl
import mmap
import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

INBOX, OUTBOX, STATE = map(
    Path, ("/srv/image-watcher/inbox", "/srv/image-watcher/outbox", "/var/lib/image-watcher")
)
CLOSED = ("/etc", "/etc/image-watcher", "/usr", "/opt/image-watcher", "/var/lib", "/srv", "/")
libc = ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: object) -> None:
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)


def write(path: Path) -> None:
    path.write_text("x")
    path.unlink()


def run_from(folder: Path) -> None:
    program = folder / "probe.sh"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o770)
    try:
        subprocess.run([program], check=True)
    finally:
        program.unlink()


def lease() -> None:
    path = INBOX / "probe.csv"
    path.write_text("x")
    with path.open() as file:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    path.unlink()


def set_user_bit() -> None:
    path = STATE / "probe-bit"
    path.write_text("x")
    try:
        path.chmod(0o4755)
    finally:
        path.unlink()


NEEDED: dict[str, Callable[[], object]] = {
    "write into the inbox": lambda: write(INBOX / "probe.tmp"),
    "write into the outbox": lambda: write(OUTBOX / "probe.tmp"),
    "write into the state": lambda: write(STATE / "probe.tmp"),
    "make a temporary file": lambda: tempfile.TemporaryFile().close(),
    "read the credential": lambda: Path(os.environ["CREDENTIALS_DIRECTORY"], "api-key").read_text(),
    "take a lease": lease,
    "open a socket": lambda: socket.socket(socket.AF_INET).close(),
    "read zones": lambda: Path("/usr/share").stat(),
}
REFUSED: dict[str, Callable[[], object]] = {
    **{f"write into {place}": partial(write, Path(place, "probe.tmp")) for place in CLOSED},
    "read its key's own file": lambda: Path("/etc/image-watcher/api-key").read_text(),
    "look into /root": lambda: list(Path("/root/trial").iterdir()),
    "run a program of the inbox": lambda: run_from(INBOX),
    "run a program of the state": lambda: run_from(STATE),
    "make memory that can be run": lambda: mmap.mmap(
        -1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
    ),
    "set the set-user bit": set_user_bit,
    "become root": lambda: os.setuid(0),
    "make a namespace": lambda: call("unshare", 0x10000000),
    "mount": lambda: call("mount", b"none", b"/tmp", b"tmpfs", 0, None),
    "set the hostname": lambda: call("sethostname", b"x", 1),
    "set the clock": lambda: call("stime", ctypes.byref(ctypes.c_long(1))),
    "see packets": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    "speak netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "trace a process": lambda: call("ptrace", 16, os.getppid(), 0, 0),
    "change what it is run as": lambda: call("personality", 0x0400000),
    "run before all others": lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)),
    "write into the kernel": lambda: Path("/proc/sys/kernel/core_pattern").write_text("x"),
    "read the kernel's log": lambda: os.open("/dev/kmsg", os.O_RDONLY),
    "signal root's processes": lambda: os.kill(1, signal.SIGCONT),
}


def works(act: Callable[[], object]) -> bool:
    try:
        act()
    except (OSError, AttributeError, subprocess.SubprocessError):
        return False
    return True


wrong = [f"cannot {name}" for name, act in NEEDED.items() if not works(act)]
wrong += [f"can {name}" for name, act in REFUSED.items() if works(act)]
(STATE / "probe.txt").write_text("\n".join(wrong))
