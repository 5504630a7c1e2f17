"""When jobs are published: soon after they change, at once when they end, again where a disk refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from watcher.core.errors import DiskError, InboxError
from watcher.core.jobs import Picture
from watcher.core.log import Log
from watcher.core.report import COVERS, overview_html
from watcher.core.results import JobResult
from watcher.inbox import sweep_notes
from watcher.ledger import Ledger
from watcher.publish.results import Results
from watcher.publish.shelf import Shelf

_FRESH = 2.0  # seconds between two publications of a running job, at least
_SHARE = 10  # a publication that takes long comes at most every tenth of the time
_LONGEST = 300.0  # … and at least this often: one that hung for hours says nothing of the next
_LATE = 60.0  # seconds after which a publication that is not over yet counts as one that hangs
_AGAIN = 30.0  # seconds until a publication that a disk refused is tried again
_BROKEN = 300.0  # seconds until one is tried again that met a fault of our own
_SWEEP = 3600.0  # seconds between two looks for notes that are a day old
_OVERVIEW = 10.0  # seconds between two overviews of one outbox, at least
_OVERVIEW_JOBS = 200


class Publisher:
    """Publishes jobs that changed. `touch` and `finish` may be called at any time, on the loop."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        shelves: Mapping[str, Shelf],
        results: Results,
        clock: Callable[[], float],
        log: Log,
    ) -> None:
        """`clock`: seconds since the epoch."""
        self._ledger = ledger
        self._shelves = shelves
        self._results = results
        self._clock = clock
        self._log = log
        self._now = asyncio.get_running_loop().time  # wall clocks jump
        self._due: dict[str, float] = {}
        # One line for each inbox, worked by one task: a share that hangs stops its own inbox only,
        # and 100,000 jobs that end at once are 100,000 names, not tasks.
        self._lines: dict[str, asyncio.Queue[str]] = {name: asyncio.Queue() for name in shelves}
        self._lined: set[str] = set()
        self._known: dict[str, str] = {}  # by job: its inbox, until it is lined up
        self._gap: dict[str, float] = {}
        self._stale: dict[
            Path, Shelf
        ] = {}  # by outbox: the shelf through which to write its overview
        self._shown = asyncio.Event()
        self._news = asyncio.Event()

    def touch(self, job_id: str) -> None:
        """Something of this job changed: publish it soon."""
        wait = self._gap.get(job_id, _FRESH)
        self._due.setdefault(job_id, self._now() + wait)
        self._news.set()

    def finish(self, job_id: str, inbox: str = "") -> None:
        """The job ended, or is to be told of at once. `inbox`: whose it is, where that is known."""
        self._due[job_id] = self._now()
        if inbox:
            self._known[job_id] = inbox
        self._news.set()

    async def run(self) -> None:
        """Publish until cancelled; what a crash left unpublished comes first."""
        with suppress(DiskError):  # while it stops
            for job_id in await self._ledger.insist(self._ledger.views.unpublished):
                self.finish(job_id)
        async with asyncio.TaskGroup() as tasks:
            for shelf in self._shelves.values():
                tasks.create_task(self._sweep(shelf))
            tasks.create_task(self._overviews(tasks))
            for inbox, line in self._lines.items():
                tasks.create_task(self._work_off(self._shelves[inbox], line))
            while True:
                self._news.clear()
                for job_id in self._take_due():
                    await self._line_up(job_id)
                await self._until_due()

    async def flush(self) -> None:
        """Publish what is still waiting for its time, once: the daemon stops, `run` has been cancelled."""
        waiting: dict[str, list[str]] = {name: [] for name in self._shelves}
        for job_id in (*self._lined, *self._due):
            inbox = await self._ledger.call(self._ledger.views.inbox, job_id)
            waiting.get(inbox, []).append(job_id)
        await asyncio.gather(
            *(self._flush(self._shelves[name], jobs) for name, jobs in waiting.items())
        )

    async def _flush(self, shelf: Shelf, jobs: Iterable[str]) -> None:
        for job_id in jobs:
            await self._publish(shelf, job_id)
        if self._stale.pop(shelf.outbox.root, None):
            await self._overview(shelf)

    def _take_due(self) -> list[str]:
        now = self._now()
        due = [job for job, at in self._due.items() if at <= now and job not in self._lined]
        for job_id in due:
            del self._due[job_id]
        return due

    async def _line_up(self, job_id: str) -> None:
        inbox = self._known.pop(job_id, "")
        try:
            inbox = inbox or await self._ledger.insist(self._ledger.views.inbox, job_id)
        except DiskError:  # while it stops
            self._due[job_id] = self._now() + _AGAIN
        if inbox in self._lines:  # else it was taken out of the settings
            self._lined.add(job_id)
            self._lines[inbox].put_nowait(job_id)

    async def _work_off(self, shelf: Shelf, line: asyncio.Queue[str]) -> None:
        """One publication of an inbox at a time; what changes meanwhile is due after it."""
        while True:
            job_id = await line.get()
            await self._publish(shelf, job_id)
            self._lined.discard(job_id)
            if job_id in self._due:
                self._news.set()

    async def _until_due(self) -> None:
        waiting = (at for job, at in self._due.items() if job not in self._lined)
        soonest = min(waiting, default=None)
        wait = None if soonest is None else max(soonest - self._now(), 0.01)
        try:
            async with asyncio.timeout(wait):
                await self._news.wait()
        except TimeoutError:
            return

    async def _publish(self, shelf: Shelf, job_id: str) -> None:
        began, again, over = self._now(), 0.0, False
        try:
            over = await self._write(shelf, job_id)
        except (DiskError, InboxError) as error:
            self._log.warning("results.refused", job=job_id, what=error.what, what_to_do=error.hint)
            again = _AGAIN
        except Exception:  # noqa: BLE001 - the border of one publication: it stops no other
            self._log.exception("results.broken", job=job_id)
            again = _BROKEN
        took = self._now() - began
        gap = self._gap[job_id] = min(max(_FRESH, _SHARE * took), _LONGEST)
        if again:
            self._due[job_id] = self._now() + max(again, gap)
            return
        if over:
            self._gap.pop(job_id)
        self._stale[shelf.outbox.root] = shelf
        self._shown.set()

    async def _write(self, shelf: Shelf, job_id: str) -> bool:
        telling = asyncio.create_task(self._tell_late(shelf))
        try:
            write = partial(self._results.write, shelf, job_id)
            return await asyncio.get_running_loop().run_in_executor(shelf.thread, write)
        finally:
            telling.cancel()

    async def _tell_late(self, shelf: Shelf) -> None:
        """While an outbox hangs in the middle of a publication, notes still say what is."""
        note = partial(self._results.note_open, shelf)
        while True:
            await asyncio.sleep(_LATE)
            try:
                await asyncio.get_running_loop().run_in_executor(shelf.spare, note)
            except (DiskError, InboxError):
                continue  # the inbox tells of itself
            except Exception:  # noqa: BLE001 - as of a publication
                self._log.exception("notes.broken", inbox=shelf.folder.name)

    async def _overviews(self, tasks: asyncio.TaskGroup) -> None:
        """After jobs were shown, not more often than people look."""
        while True:
            await self._shown.wait()
            self._shown.clear()
            stale, self._stale = self._stale, {}
            for shelf in stale.values():
                tasks.create_task(self._overview(shelf))
            await asyncio.sleep(_OVERVIEW)

    async def _overview(self, shelf: Shelf) -> None:
        """`index.html` over all jobs of an outbox."""
        views, root = self._ledger.views, shelf.outbox.root
        inboxes = [name for name, one in self._shelves.items() if one.outbox.root == root]

        def covers(job: JobResult) -> list[Picture]:
            return views.first_pictures(job.id, COVERS)

        def write() -> None:
            jobs = views.jobs(inboxes=inboxes, most=_OVERVIEW_JOBS)
            mine = [job for job in jobs if not job.problem]
            cut = len(jobs) == _OVERVIEW_JOBS
            page = overview_html(mine, now=self._clock(), covers=covers, cut=cut)
            shelf.outbox.write_text("", "index.html", page)

        try:
            await asyncio.get_running_loop().run_in_executor(shelf.thread, write)
        except DiskError as error:
            self._log.warning("results.refused", what=error.what, what_to_do=error.hint)
        except Exception:  # noqa: BLE001 - the border of this task: an overview stops no results
            self._log.exception("overview.broken", outbox=str(shelf.outbox.root))

    async def _sweep(self, shelf: Shelf) -> None:
        """Notes are gone after a day."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                sweep = lambda: sweep_notes(shelf.folder, now=self._clock())  # noqa: E731
                await loop.run_in_executor(shelf.thread, sweep)
            except (DiskError, InboxError) as error:
                self._log.warning("notes.kept", what=error.what, what_to_do=error.hint)
            await asyncio.sleep(_SWEEP)
