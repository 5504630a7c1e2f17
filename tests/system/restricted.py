"""Runs a command as under systemd's RestrictSUIDSGID=: nobody may set a set-user or set-group bit.

python restricted.py COMMAND…
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys

_FCHMOD = {"x86_64": 91, "aarch64": 52}[platform.machine()]
_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2  # prctl(2)
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06  # bpf(4)
_NUMBER_AT, _MODE_AT = 0, 24  # of a system call, and of its second argument: seccomp(2)
_SET_BITS, _ALLOW = 0o6000, 0x7FFF0000
_REFUSE = 0x00050000 | errno.EPERM
_RULES = (
    (_LOAD, 0, 0, _NUMBER_AT),
    (_EQUAL, 0, 3, _FCHMOD),
    (_LOAD, 0, 0, _MODE_AT),
    (_ANY_BIT, 0, 1, _SET_BITS),
    (_RETURN, 0, 0, _REFUSE),
    (_RETURN, 0, 0, _ALLOW),
)


def restrict() -> None:
    """This process and all that it starts, from now on."""
    rules = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *rule) for rule in _RULES))
    program = struct.pack("HxxxxxxP", len(_RULES), ctypes.addressof(rules))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or prctl(_SECCOMP, _FILTER, program, 0, 0):
        raise OSError(ctypes.get_errno(), "the filter is not taken")


if __name__ == "__main__":
    restrict()
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - a command of our own tests
