"""Whether any program on this machine, smbd included, has a file open for writing: asked of the kernel.

fcntl(2), "Leases": a read lease is granted only while nobody has the file open for writing. It is
given back at once. A writer that opens the file in between makes the kernel signal us, SIGIO by
default, which would end the process: SIGURG is chosen instead, which does nothing unless handled.
"""

from __future__ import annotations

import errno
import fcntl
import signal
from enum import Enum


class Writers(Enum):
    NONE = "none"  # a lease was granted: nobody here has it open for writing
    SOME = "some"
    UNKNOWN = "unknown"  # no lease can be had: another owner's file without CAP_LEASE, or a share


def writers_of(fd: int) -> Writers:
    """Ask for a file that is open for reading; about 15 µs. Raises nothing."""
    try:
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return Writers.SOME if error.errno == errno.EAGAIN else Writers.UNKNOWN
    return Writers.NONE
