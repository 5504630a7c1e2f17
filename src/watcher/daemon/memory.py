"""How this process holds memory: large blocks go back to the system as soon as they are free."""

from __future__ import annotations

import ctypes
from contextlib import suppress

_M_MMAP_THRESHOLD = -3  # malloc.h
_LARGE = 1 << 20  # bytes


def give_back_large_blocks() -> None:
    """For the whole process; without effect where the C library is not glibc.

    Its threshold for what it maps by itself grows with use. Pictures and answers of some megabytes
    then stay in the heap of every thread that ever held one: 156 MB at the peak instead of 110
    (100 pictures of 1.5 MB, five calls at a time), for 6 ms less of the processor's time a picture.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE)
