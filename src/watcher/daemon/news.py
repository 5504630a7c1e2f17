"""What has happened, and who is to know: the engine of what may be worked on, the publisher of what to tell."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from watcher.engines import LocalEngine
from watcher.ledger import Ledger
from watcher.publish import Publisher
from watcher.renditions import Renderer
from watcher.scheduler import Scheduler

_TOGETHER = 0.02  # seconds in which drops become jobs that are told of together


class News:
    """Belongs to one event loop; `accepted` and `from_thread` may be called by any thread."""

    engine: LocalEngine
    publisher: Publisher
    scheduler: Scheduler
    renderers: Sequence[Renderer] = ()

    def __init__(self, ledger: Ledger) -> None:
        """The rooms that are told are set once they are built; nothing happens before."""
        self._ledger = ledger
        self._loop = asyncio.get_running_loop()
        self._accepted: deque[tuple[str, str]] = deque()
        self._telling = False

    def accepted(self, job: str, inbox: str) -> None:
        """A drop became a job, or repeats one: to be worked and told of, in a moment. For any thread."""
        self._accepted.append((job, inbox))
        if not self._telling:
            self._telling = True
            self.from_thread(self._loop.call_later, _TOGETHER, self._take_accepted)

    def changed(self, job: str, over: bool) -> None:  # noqa: FBT001 - the scheduler's callback
        """A row of the job has its outcome; `over`: it was the last."""
        for one in self.renderers:
            one.wake()
        if over:
            self.publisher.finish(job)
        else:
            self.publisher.touch(job)

    def held(self, job: str) -> None:
        """A job waits for money, or for a person."""
        self.publisher.touch(job)

    def lanes_changed(self) -> None:
        """Everybody whose job waits is told why, and when it goes on."""
        for job in self._ledger.views.unpublished():
            self.publisher.touch(job)
        self.engine.submit()

    async def look_for_orders(self) -> None:
        """Commands beside this process may have changed the ledger: work and publish what they left."""
        paused, opened = self.scheduler.follow(await self._ledger.call(self._ledger.lanes.halted))
        if opened:
            await self._ledger.call(self._ledger.items.wake)
        if paused or opened:
            self.lanes_changed()
        await self.scheduler.look_at_priorities()
        self.engine.submit()
        for job in await self._ledger.call(self._ledger.views.ended_unpublished):
            self.publisher.finish(job)

    def from_thread(self, act: Callable[..., object], *args: object) -> None:
        """Have something done on the loop."""
        with suppress(RuntimeError):  # the loop is closed: what happened is in the ledger
            self._loop.call_soon_threadsafe(act, *args)

    def _take_accepted(self) -> None:
        self._telling = False  # before it looks: what comes from here on brings another look
        while self._accepted:
            self.publisher.finish(*self._accepted.popleft())
        self.engine.submit()
