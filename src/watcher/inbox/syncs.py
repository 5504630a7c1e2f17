"""Names in a folder survive a power cut once the folder is synced; who asks at the same time shares one sync.

Drops are claimed side by side, and all of them come out of the same folder into the same one.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from watcher.inbox.values import Identity

_NO_SUCH_CALL = (errno.EINVAL, errno.EOPNOTSUPP, errno.EBADF)


@dataclass(slots=True)
class _Turn:
    """How often a folder's sync was asked for, and how many of these a sync has served since."""

    asked: int = 0
    served: int = 0
    waiting: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


_turns: dict[Identity, _Turn] = {}
_guard = threading.Lock()


def sync(folder: int) -> None:
    """All names in an open folder are on disk: synced by us, or by another thread that began after we asked.

    Shares that know no such call are left at that. Raises OSError.
    """
    status = os.fstat(folder)
    with _turn_of((status.st_dev, status.st_ino)) as (turn, mine), turn.lock:
        if turn.served < mine:
            served = turn.asked  # whoever asks from here on may have changed something since
            _sync(folder)
            turn.served = served


@contextmanager
def _turn_of(identity: Identity) -> Iterator[tuple[_Turn, int]]:
    """The turn of a folder, remembered while somebody waits for it, and which asking is ours."""
    with _guard:
        turn = _turns.setdefault(identity, _Turn())
        turn.asked += 1
        turn.waiting += 1
        mine = turn.asked
    try:
        yield turn, mine
    finally:
        with _guard:
            turn.waiting -= 1
            if not turn.waiting:
                del _turns[identity]


def _sync(folder: int) -> None:
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in _NO_SUCH_CALL:
            raise
