"""On what kind of file system a folder lies: on shares, no event comes from the other side."""

from __future__ import annotations

import os
import re
from pathlib import Path

from watcher.inbox.values import InboxFolder

_MOUNTS = Path("/proc/self/mountinfo")
_NETWORK = frozenset(
    (
        *("9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "glusterfs", "gpfs", "lustre"),
        *("ncpfs", "nfs", "nfs4", "ocfs2", "prl_fs", "smb2", "smb3", "smbfs", "vboxsf", "virtiofs"),
        "vmhgfs",
    )
)


def kind_of(path: Path, mountinfo: str | None = None) -> str:
    """The file system's type as the kernel names it ("ext4", "nfs4", "fuse.sshfs"); "" when it is unknown.

    Format: proc_pid_mountinfo(5). Raises nothing: without /proc the answer is "".
    """
    target = os.path.realpath(path)
    best, kind = "", ""
    for point, found in _mounts(_read() if mountinfo is None else mountinfo):
        # Not shorter, not only longer: of two mounts on one point the later one is on top.
        if len(point) >= len(best) and _contains(point, target):
            best, kind = point, found
    return kind


def is_network(kind: str) -> bool:
    """Whether others may change files behind this kernel's back: no events, no leases that mean anything."""
    return kind in _NETWORK or kind.partition(".")[0] in {"fuse", "fuseblk"}


def settle_time(folder: InboxFolder, mountinfo: str | None = None) -> float:
    """Seconds in which a file may not change before it counts as whole: more of them on a share, where
    pauses of the network look like the end of an upload.
    """
    network = is_network(kind_of(folder.path, mountinfo))
    return folder.settle_on_network if network else folder.settle


def _mounts(mountinfo: str) -> list[tuple[str, str]]:
    found = []
    for line in mountinfo.splitlines():
        before, separator, after = line.partition(" - ")
        fields = before.split(" ")
        if separator and len(fields) > 4:  # noqa: PLR2004 - the mount point is the fifth field
            found.append((_unescaped(fields[4]), after.split(" ")[0]))
    return found


def _contains(point: str, target: str) -> bool:
    return target == point or target.startswith(point.rstrip("/") + "/")


def _unescaped(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), field)


def _read() -> str:
    try:
        return _MOUNTS.read_text("utf-8", "surrogateescape")
    except OSError:
        return ""
