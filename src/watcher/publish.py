"""From outcomes to results: fresh while a job runs, final at its end; then its original is archived.

Everything here can be done again without harm: a crash in the middle of it repeats it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Literal

from watcher.core.errors import DiskError, InboxError
from watcher.core.jobs import JobState, RowState
from watcher.core.log import Log
from watcher.core.report import (
    failed_csv,
    gallery_html,
    job_json,
    json_text,
    overview_html,
    refused_note,
    results_csv,
    results_jsonl,
    status_note,
)
from watcher.core.results import JobResult, RowResult
from watcher.inbox import InboxFolder, archive, find_claimed, sweep_notes, write_note
from watcher.ledger import Ledger
from watcher.outbox import Outbox

_FRESH = 2.0  # seconds between two publications of a running job, at least
_SHARE = 10  # a publication that takes long comes at most every tenth of the time
_AGAIN = 30.0  # seconds until a publication that a disk refused is tried again
_SWEEP = 3600.0  # seconds between two looks for notes that are a day old
_OVERVIEW = 10.0  # seconds between two overviews of one outbox, at least
_OVERVIEW_JOBS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """Where the results of one inbox go, and the thread that may hang there without holding up others."""

    folder: InboxFolder
    outbox: Outbox
    thread: Executor


class Publisher:
    """Publishes jobs that changed. `touch` and `finish` may be called at any time, on the loop."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        shelves: Mapping[str, Shelf],
        clock: Callable[[], float],
        month: Callable[[], str],
        version: str,
        public_url: str,
        paused: Callable[[], str],
        log: Log,
        on_published: Callable[[str], None],
    ) -> None:
        """`paused`: why nothing moves now, "" when it does. `on_published` hears of each final one."""
        self._ledger = ledger
        self._shelves = shelves
        self._clock = clock
        self._month = month
        self._version = version
        self._public_url = public_url
        self._paused = paused
        self._log = log
        self._on_published = on_published
        self._due: dict[str, float] = {}
        self._writing: set[str] = set()
        self._gap: dict[str, float] = {}
        self._inboxes: dict[str, str] = {}
        self._overview_due: dict[str, float] = {}
        self._news = asyncio.Event()

    def touch(self, job_id: str) -> None:
        """Something of this job changed: publish it soon."""
        wait = self._gap.get(job_id, _FRESH)
        self._due.setdefault(job_id, self._clock() + wait)
        self._news.set()

    def finish(self, job_id: str) -> None:
        """The job ended, or is to be told of at once."""
        self._due[job_id] = self._clock()
        self._news.set()

    async def run(self) -> None:
        """Publish until cancelled; what a crash left unpublished comes first."""
        for job_id in await self._ledger.call(self._ledger.views.unpublished):
            self.finish(job_id)
        async with asyncio.TaskGroup() as publications:
            publications.create_task(self._sweep())
            while True:
                self._news.clear()
                for job_id in self._take_due():
                    publications.create_task(self._publish_alone(job_id))
                await self._until_due()

    async def flush(self) -> None:
        """Publish what is still waiting for its time: the daemon stops."""
        for job_id in list(self._due):
            await self._publish(job_id)
        self._due.clear()

    def _take_due(self) -> list[str]:
        now = self._clock()
        due = [job for job, at in self._due.items() if at <= now and job not in self._writing]
        for job_id in due:
            del self._due[job_id]
        self._writing.update(due)
        return due

    async def _until_due(self) -> None:
        waiting = (at for job, at in self._due.items() if job not in self._writing)
        soonest = min(waiting, default=None)
        wait = None if soonest is None else max(soonest - self._clock(), 0.01)
        try:
            async with asyncio.timeout(wait):
                await self._news.wait()
        except TimeoutError:
            return

    async def _publish_alone(self, job_id: str) -> None:
        """One publication of a job at a time; what changes meanwhile is due after it."""
        try:
            await self._publish(job_id)
        finally:
            self._writing.discard(job_id)
            self._news.set()

    async def _publish(self, job_id: str) -> None:
        inbox = await self._inbox(job_id)
        shelf = self._shelves.get(inbox)
        if shelf is None:
            return  # its inbox was taken out of the settings
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            over = await loop.run_in_executor(shelf.thread, self._write, shelf, job_id)
        except (DiskError, InboxError) as error:
            self._log.warning("results.refused", job=job_id, what=error.what, what_to_do=error.hint)
            self._due[job_id] = self._clock() + _AGAIN
            return
        self._gap[job_id] = max(_FRESH, _SHARE * (loop.time() - began))
        if over:
            self._due.pop(job_id, None)
            self._gap.pop(job_id, None)
            self._inboxes.pop(job_id, None)
            self._on_published(job_id)
            await self._overview(shelf)

    async def _inbox(self, job_id: str) -> str:
        if job_id not in self._inboxes:
            job = await self._ledger.call(self._ledger.views.job, job_id)
            self._inboxes[job_id] = job.inbox if job else ""
        return self._inboxes[job_id]

    def _write(self, shelf: Shelf, job_id: str) -> bool:
        """Everything people see of a job, as it is now; True when that is final."""
        job = self._ledger.views.job(job_id)
        if job is None:
            return True
        if job.state is JobState.RUNNING:
            job = replace(job, paused=job.paused or self._paused())
        if not job.problem:
            self._write_results(shelf.outbox, job)
        over = job.state is not JobState.RUNNING
        if over:
            self._archive(shelf, job)
        note = status_note(job, self._clock(), outbox=str(shelf.outbox.root))
        write_note(shelf.folder, self._ledger.views.path(job_id), note)
        if over:
            self._ledger.jobs.published(job_id, now=self._clock())
            self._log.info("job.published", job=job_id, state=job.state, rows=job.rows)
        return over

    def _write_results(self, outbox: Outbox, job: JobResult) -> None:
        def rows() -> Iterator[RowResult]:
            return self._ledger.views.rows(job.id)

        url, put = self._public_url, outbox.write_text
        comma = job.delimiter or ","
        outbox.prepare(job.folder)
        put(job.folder, "results.csv", results_csv(job, rows(), delimiter=comma, public_url=url))
        if job.state is not JobState.RUNNING:
            put(job.folder, "results.jsonl", results_jsonl(job, rows(), public_url=url))
            self._write_failed(
                outbox, job, failed_csv(job, rows(), delimiter=comma, public_url=url)
            )
        put(job.folder, "index.html", gallery_html(job, rows, now=self._clock()))
        put(job.folder, "job.json", [json_text(job_json(job, version=self._version))])

    @staticmethod
    def _write_failed(outbox: Outbox, job: JobResult, lines: Iterator[str]) -> None:
        """`failed.csv` where rows failed; none lies about where all is well, also after a second run."""
        if job.counts.get(RowState.FAILED, 0) or job.counts.get(RowState.PARTIAL, 0):
            outbox.write_text(job.folder, "failed.csv", lines)
        else:
            outbox.remove(job.folder, "failed.csv")

    def _archive(self, shelf: Shelf, job: JobResult) -> None:
        """The original goes to its archive; one that cannot be read takes the reason along."""
        claimed = find_claimed(shelf.folder, job.id)
        if claimed is not None:
            shelf_name: Literal["done", "failed"]
            shelf_name = "failed" if job.state is JobState.FAILED else "done"
            path = archive(claimed, where=shelf_name, month=self._month(), job=job.id)
            if job.problem:
                reason = refused_note(job.name, job.problem.what, job.problem.hint)
                Outbox(shelf.folder.path / path.parent).write_text(
                    "", f"{claimed.name[:200]}.error.txt", [reason]
                )
        self._ledger.claims.archived(job.id)

    async def _overview(self, shelf: Shelf) -> None:
        """`index.html` over all jobs of an outbox, not more often than people look."""
        root = str(shelf.outbox.root)
        wait = self._overview_due.get(root, 0.0) - self._clock()
        if wait > _OVERVIEW:
            return  # one is about to be written
        self._overview_due[root] = self._clock() + max(wait, 0.0) + _OVERVIEW
        if wait > 0:
            self._overview_due[root] += _OVERVIEW
            await asyncio.sleep(wait)
        inboxes = {
            name for name, one in self._shelves.items() if one.outbox.root == shelf.outbox.root
        }

        def write() -> None:
            jobs = self._ledger.views.jobs(most=_OVERVIEW_JOBS)
            mine = [job for job in jobs if job.inbox in inboxes and not job.problem]
            shelf.outbox.write_text("", "index.html", overview_html(mine, now=self._clock()))

        try:
            await asyncio.get_running_loop().run_in_executor(shelf.thread, write)
        except DiskError as error:
            self._log.warning("results.refused", what=error.what, what_to_do=error.hint)

    async def _sweep(self) -> None:
        """Notes are gone after a day."""
        loop = asyncio.get_running_loop()
        while True:
            for shelf in self._shelves.values():
                try:
                    sweep = lambda shelf=shelf: sweep_notes(shelf.folder, now=self._clock())  # noqa: E731
                    await loop.run_in_executor(shelf.thread, sweep)
                except (DiskError, InboxError) as error:
                    self._log.warning("notes.kept", what=error.what, what_to_do=error.hint)
            await asyncio.sleep(_SWEEP)
