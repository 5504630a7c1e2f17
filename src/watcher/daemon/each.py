"""One thread an inbox for what is done now and then, so that a share that hangs holds up no other, and no end."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable

from watcher.core.errors import WatcherError
from watcher.core.log import Log

_LAST = 3.0  # seconds that threads get to end


class Each:
    """`act` is called with the name of an inbox; threads that hang are left behind when the process ends."""

    def __init__(self, what: str, act: Callable[[str], None], log: Log) -> None:
        """`what` is done: the first word of the log's events."""
        self._what = what
        self._act = act
        self._log = log
        self._threads: dict[str, threading.Thread] = {}
        self._ending = False

    def start(self, names: Iterable[str]) -> None:
        """Begin with each of them, but those that are still at it since last time."""
        for name in names:
            if name not in self._threads or not self._threads[name].is_alive():
                thread = threading.Thread(
                    target=self._run, args=[name], name=f"{self._what}-{name}", daemon=True
                )
                self._threads[name] = thread
                thread.start()

    async def end(self) -> None:
        """Wait a moment for what has begun."""
        self._ending = True
        until = time.monotonic() + _LAST
        for thread in self._threads.values():
            await asyncio.to_thread(thread.join, max(0.0, until - time.monotonic()))

    @property
    def ending(self) -> bool:
        return self._ending

    def _run(self, name: str) -> None:
        try:
            self._act(name)
        except WatcherError as error:
            self._log.warning(
                f"{self._what}.refused", inbox=name, what=error.what, what_to_do=error.hint
            )
        except Exception:  # noqa: BLE001 - the border of a thread
            if not self._ending:  # else it is the ledger, closed under it
                self._log.exception(f"{self._what}.broken", inbox=name)
