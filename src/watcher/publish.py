"""From outcomes to results: fresh while a job runs, final at its end; then its original is archived.

Everything here can be done again without harm: a crash in the middle of it repeats it.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from watcher.core.errors import DiskError, InboxError
from watcher.core.jobs import JobState, Picture, RowState
from watcher.core.links import PublicLinks
from watcher.core.log import Log
from watcher.core.report import (
    COVERS,
    failed_csv,
    gallery_html,
    job_json,
    json_text,
    overview_html,
    refused_note,
    results_csv,
    results_jsonl,
    status_note,
    wants_workbook,
)
from watcher.core.results import JobResult, RowResult
from watcher.inbox import (
    InboxFolder,
    archive,
    bring_along,
    find_archived,
    find_claimed,
    sweep_notes,
    write_note,
    write_reason,
)
from watcher.ledger import Ledger
from watcher.outbox import Outbox, Thumbnails, Workbooks

_FRESH = 2.0  # seconds between two publications of a running job, at least
_SHARE = 10  # a publication that takes long comes at most every tenth of the time
_AGAIN = 30.0  # seconds until a publication that a disk refused is tried again
_BROKEN = 300.0  # seconds until one is tried again that met a fault of our own
_SWEEP = 3600.0  # seconds between two looks for notes that are a day old
_OVERVIEW = 10.0  # seconds between two overviews of one outbox, at least
_OVERVIEW_JOBS = 200
_THUMBNAILS = 20  # missing ones that are made again in one publication of a running job
_FEW = 500  # rows that are read once and held while all files of a job are made of them


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
        inputs: Path,
        workbooks: Workbooks,
        results_xlsx: Callable[[str], str],
        keeps_inputs: Callable[[str], bool],
        clock: Callable[[], float],
        month: Callable[[], str],
        version: str,
        links: Callable[[], PublicLinks],
        paused: Callable[[str], str],
        log: Log,
    ) -> None:
        """`inputs`: a folder for each job's pictures. `links`: makes `result_urls`. `results_xlsx`: that
        setting of an inbox. `keeps_inputs`: whether its rows may be asked again once they are done.
        `paused`: why nothing of an inbox moves now, "" when it does.
        `clock`: seconds since the epoch.
        """
        self._ledger = ledger
        self._shelves = shelves
        self._inputs = inputs
        self._workbooks = workbooks
        self._results_xlsx = results_xlsx
        self._keeps_inputs = keeps_inputs
        self._clock = clock
        self._month = month
        self._version = version
        self._links = links
        self._paused = paused
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
        loop = asyncio.get_running_loop()
        try:
            over = await loop.run_in_executor(shelf.thread, self._write, shelf, job_id)
        except (DiskError, InboxError) as error:
            self._log.warning("results.refused", job=job_id, what=error.what, what_to_do=error.hint)
            again = _AGAIN
        except Exception:  # noqa: BLE001 - the border of one publication: it stops no other
            self._log.exception("results.broken", job=job_id)
            again = _BROKEN
        gap = self._gap[job_id] = max(_FRESH, _SHARE * (self._now() - began))
        if again:
            self._due[job_id] = self._now() + max(again, gap)
            return
        if over:
            self._gap.pop(job_id)
        self._stale[shelf.outbox.root] = shelf
        self._shown.set()

    def _write(self, shelf: Shelf, job_id: str) -> bool:
        """Everything people see of a job, as it is now; True when that is final."""
        job = self._ledger.views.job(job_id)
        if job is None:
            return True
        if job.state is JobState.RUNNING:
            job = replace(job, paused=job.paused or self._paused(job.inbox))
        over = job.state is not JobState.RUNNING
        if not over:  # first: why it waits may be that its results cannot be written
            self._write_note(shelf, job)
        if not job.problem:
            self._write_results(shelf.outbox, job)
        if over and job.published_at is not None:  # a person chose among its pictures since
            return True
        if over:
            self._archive(shelf, job)
            self._write_note(shelf, job)
            self._ledger.jobs.published(job_id, now=self._clock())
            if job.is_settled and not self._keeps_inputs(job.inbox):
                shutil.rmtree(self._inputs / job_id, ignore_errors=True)
            self._log.info("job.published", job=job_id, state=job.state, rows=job.rows)
        return over

    def _write_note(self, shelf: Shelf, job: JobResult) -> None:
        note = status_note(job, self._clock(), outbox=str(shelf.outbox.root))
        write_note(shelf.folder, job.path, note)

    def _write_results(self, outbox: Outbox, job: JobResult) -> None:
        rows, links = self._rows_of(job), self._links()
        put = partial(outbox.write_text, job.folder, more=True)
        comma = ";" if job.delimiter == ";" else ","  # what spreadsheets split a .csv at
        outbox.prepare(job.folder)
        put("results.csv", results_csv(job, rows(), delimiter=comma, links=links))
        if job.state is not JobState.RUNNING:
            put("results.jsonl", results_jsonl(job, rows(), links=links))
            self._write_failed(outbox, job, failed_csv(job, rows(), delimiter=comma, links=links))
        most = _THUMBNAILS if job.state is JobState.RUNNING else job.pictures
        workbook = wants_workbook(job, self._results_xlsx(job.inbox))
        thumbnail = Thumbnails(outbox, job.folder, most=most).of
        page = gallery_html(job, rows, now=self._clock(), thumbnail=thumbnail, workbook=workbook)
        put("index.html", page)
        if workbook:
            self._workbooks.write(outbox, job, rows(), now=self._clock(), links=links)
        put("job.json", [json_text(job_json(job, version=self._version))], more=False)

    def _rows_of(self, job: JobResult) -> Callable[[], Iterable[RowResult]]:
        """Every row in row order, as often as it is asked; memory does not grow with their number."""
        read = partial(self._ledger.views.rows, job.id)
        if job.rows > _FEW:
            return read
        held = tuple(read())
        return lambda: held

    @staticmethod
    def _write_failed(outbox: Outbox, job: JobResult, lines: Iterator[str]) -> None:
        """`failed.csv` where rows failed; none lies about where all is well, also after a second run."""
        if job.counts.get(RowState.FAILED, 0) or job.counts.get(RowState.PARTIAL, 0):
            outbox.write_text(job.folder, "failed.csv", lines, more=True)
        else:
            outbox.remove(job.folder, "failed.csv")

    def _archive(self, shelf: Shelf, job: JobResult) -> None:
        """The original goes to its archive; one that cannot be read takes the reason along."""
        claimed = find_claimed(shelf.folder, job.id)
        if claimed is not None:
            if job.problem:
                reason = refused_note(job.name, job.problem.what, job.problem.hint)
                write_reason(claimed, reason)
            where: Literal["done", "failed"] = "done"
            if job.state is JobState.FAILED:
                where = "failed"
            archive(claimed, where=where, month=self._month(), job=job.id)
        companions = self._ledger.companions.to_archive(job.id)
        if companions and (archived := find_archived(shelf.folder, job.id)):
            bring_along(shelf.folder, archived, companions)
        self._ledger.claims.archived(job.id)

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
