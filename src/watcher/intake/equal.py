"""Equal drops are taken one after the other: the second must find the job of the first."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class EqualDrops:
    """A lock for every content that is being taken, and none for any other."""

    def __init__(self) -> None:
        self._taken: dict[str, tuple[threading.Lock, int]] = {}
        self._guard = threading.Lock()

    @contextmanager
    def one_at_a_time(self, sha256: str) -> Iterator[None]:
        """Hold this content; whoever brings the same waits."""
        with self._guard:
            lock, waiting = self._taken.get(sha256, (threading.Lock(), 0))
            self._taken[sha256] = (lock, waiting + 1)
        try:
            with lock:
                yield
        finally:
            with self._guard:
                lock, waiting = self._taken.pop(sha256)
                if waiting > 1:
                    self._taken[sha256] = (lock, waiting - 1)
