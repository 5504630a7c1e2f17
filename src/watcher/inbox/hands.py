"""A few threads that take drops over side by side, so that a slow one holds up no other.

Daemon threads: one that hangs on a dead share must not keep the process from ending.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count as numbers
from queue import Empty, PriorityQueue, SimpleQueue
from typing import Generic, TypeVar

from watcher.inbox.values import Drop

T = TypeVar("T")
_FEW = 4  # a quarter of what lay before them


class Hands(Generic[T]):
    """`take` is called with each drop in one of `count` threads, urgent ones first; `wanting` when few are left
    to take up, and when none is.

    All methods are for one thread.
    """

    def __init__(
        self, take: Callable[[Drop], T], *, count: int, wanting: Callable[[], None]
    ) -> None:
        self._take = take
        self._count = count
        self._wanting = wanting
        self._todo: PriorityQueue[tuple[bool, int, Drop | None]] = PriorityQueue()
        self._numbers = numbers()
        self._done: SimpleQueue[tuple[Drop, T | None]] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._held = 0
        self._few = 0
        self._asked = False

    def give(self, drop: Drop) -> None:
        self._held += 1
        self._todo.put((not drop.urgent, next(self._numbers), drop))
        self._few, self._asked = self._todo.qsize() // _FEW, False
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        if len(self._threads) < min(self._count, self._held):
            thread = threading.Thread(target=self._work, name=f"hand of {drop.inbox}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def want_more(self) -> bool:
        """Whether few of the drops that were given are left to take up: looking for others takes a while.

        Also when a fault ended every hand: what is given next brings new ones.
        """
        left = self._todo.qsize()
        return left <= self._few or not any(thread.is_alive() for thread in self._threads)

    def collect(self, *, wait: bool = False) -> Iterator[tuple[Drop, T | None]]:
        """What was taken, and what came of it: None where `take` raised, which its thread has reported.

        `wait`: until everything that was given is done.
        """
        with suppress(Empty):
            while self._held:
                result = self._done.get(block=wait)
                self._held -= 1
                yield result

    def stop(self) -> list[Drop]:
        """Finish what is in hand; returns, when all hands are empty, what was not taken up. Collect the rest."""
        left = []
        with suppress(Empty):
            while drop := self._todo.get_nowait()[-1]:
                left.append(drop)
        self._held -= len(left)
        for _ in self._threads:
            self._todo.put((True, next(self._numbers), None))
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        self._todo = PriorityQueue()  # one that a fault had ended took no word to end
        return left

    def _work(self) -> None:
        while (drop := self._todo.get()[-1]) is not None:
            result: T | None = None
            try:
                result = self._take(drop)
            finally:  # also when it raises: then this thread ends with a traceback, and the drop is let go
                self._done.put((drop, result))
            if self._todo.empty() or (self.want_more() and not self._asked):
                self._asked = True
                self._wanting()
