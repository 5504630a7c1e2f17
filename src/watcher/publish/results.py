"""Everything people see of one job: note, results, gallery, archive.

All of it can be done again without harm: a crash in the middle repeats it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from watcher.core.jobs import JobState, RowState
from watcher.core.links import PublicLinks
from watcher.core.log import Log
from watcher.core.report import (
    failed_csv,
    gallery_html,
    job_json,
    json_text,
    refused_note,
    results_csv,
    results_jsonl,
    status_note,
    wants_workbook,
)
from watcher.core.results import JobResult, RowResult
from watcher.inbox import (
    archive,
    bring_along,
    find_archived,
    find_claimed,
    write_note,
    write_reason,
)
from watcher.ledger import Ledger
from watcher.outbox import Outbox, Thumbnails, Workbooks
from watcher.publish.shelf import Shelf

_THUMBNAILS = 20  # missing ones that are made again in one publication of a running job
_NOTED = 200  # jobs whose notes are written while their results cannot be
_FEW = 500  # rows that are read once and held while all files of a job are made of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """`inputs`: a folder for each job's pictures. `links`: makes `result_urls`. `results_xlsx`: that
    setting of an inbox. `keeps_inputs`: whether its rows may be asked again once they are done.
    `paused`: why nothing of an inbox moves now, "" when it does. `clock`: seconds since the epoch.
    """

    ledger: Ledger
    inputs: Path
    workbooks: Workbooks
    results_xlsx: Callable[[str], str]
    keeps_inputs: Callable[[str], bool]
    clock: Callable[[], float]
    month: Callable[[], str]
    version: str
    links: Callable[[], PublicLinks]
    paused: Callable[[str], str]
    log: Log

    def write(self, shelf: Shelf, job_id: str) -> bool:
        """All of a job, as it is now; True when that is final. Raises DiskError or InboxError."""
        job = self._noted(shelf, job_id)
        if job is None:
            return True
        over = job.state is not JobState.RUNNING
        if not job.problem:
            self._write_results(shelf.outbox, job)
        if over and job.published_at is not None:  # a person chose among its pictures since
            return True
        return over and self._end(shelf, job)

    def _end(self, shelf: Shelf, job: JobResult) -> bool:
        """All is out; False where the job runs again, or ended again, meanwhile: then not all of it is."""
        self._archive(shelf, job)
        with shelf.noting:
            now = self.ledger.views.job(job.id)
            if now is None or (now.state, now.ended_at) != (job.state, job.ended_at):
                return False
            self._write_note(shelf, job)
            self.ledger.jobs.published(job.id, ended_at=job.ended_at, now=self.clock())
        if job.is_settled and not self.keeps_inputs(job.inbox):
            shutil.rmtree(self.inputs / job.id, ignore_errors=True)
        self.log.info("job.published", job=job.id, state=job.state, rows=job.rows)
        return True

    def note_open(self, shelf: Shelf) -> None:
        """What is not published yet is told of in its notes alone. Raises DiskError or InboxError."""
        for job_id in self.ledger.views.unpublished([shelf.folder.name])[-_NOTED:]:
            with shelf.noting:
                job = self.ledger.views.job(job_id)
                if job is not None and job.published_at is None:
                    self._write_note(shelf, self._as_open(job))

    def _noted(self, shelf: Shelf, job_id: str) -> JobResult | None:
        """A job as it is now. While it runs its note comes first: what it waits for may be its outbox."""
        job = self.ledger.views.job(job_id)
        if job is None or job.state is not JobState.RUNNING:
            return job
        job = self._as_open(job)
        self._write_note(shelf, job)
        return job

    def _as_open(self, job: JobResult) -> JobResult:
        """Why it waits, too; also where all rows are over and only its results are not out yet."""
        paused = job.paused or self.paused(job.inbox)
        return replace(job, state=JobState.RUNNING, paused=paused)

    def _write_note(self, shelf: Shelf, job: JobResult) -> None:
        note = status_note(job, self.clock(), outbox=str(shelf.outbox.root))
        write_note(shelf.folder, job.path, note)

    def _write_results(self, outbox: Outbox, job: JobResult) -> None:
        rows, links = self._rows_of(job), self.links()
        put = partial(outbox.write_text, job.folder, more=True)
        comma = ";" if job.delimiter == ";" else ","  # what spreadsheets split a .csv at
        outbox.prepare(job.folder)
        put("results.csv", results_csv(job, rows(), delimiter=comma, links=links))
        if job.state is not JobState.RUNNING:
            put("results.jsonl", results_jsonl(job, rows(), links=links))
            self._write_failed(outbox, job, failed_csv(job, rows(), delimiter=comma, links=links))
        most = _THUMBNAILS if job.state is JobState.RUNNING else job.pictures
        workbook = wants_workbook(job, self.results_xlsx(job.inbox))
        thumbnail = Thumbnails(outbox, job.folder, most=most).of
        page = gallery_html(job, rows, now=self.clock(), thumbnail=thumbnail, workbook=workbook)
        put("index.html", page)
        if workbook:
            self.workbooks.write(outbox, job, rows(), now=self.clock(), links=links)
        put("job.json", [json_text(job_json(job, version=self.version))], more=False)

    def _rows_of(self, job: JobResult) -> Callable[[], Iterable[RowResult]]:
        """Every row in row order, as often as it is asked; memory does not grow with their number."""
        read = partial(self.ledger.views.rows, job.id)
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
            archive(claimed, where=where, month=self.month(), job=job.id)
        companions = self.ledger.companions.to_archive(job.id)
        if companions and (archived := find_archived(shelf.folder, job.id)):
            bring_along(shelf.folder, archived, companions)
        self.ledger.claims.archived(job.id)
