"""When a job's `results.xlsx` is written: at its end, and while it runs only as often as it costs little."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from watcher.core.jobs import JobState
from watcher.core.links import NO_LINKS, PublicLinks
from watcher.core.report import sheet_columns, sheet_rows, summary_lines
from watcher.core.results import JobResult, RowResult
from watcher.outbox.files import Outbox

NAME = "results.xlsx"
_MOST_SHOWN = 5_000  # rows with thumbnails and links: as many as the gallery shows
_SOONEST = 15.0  # seconds between two of them
_SHARE = 50  # and at least as many times as long as the last one took: 2 % of the time


class Workbooks:
    """`write` is for one thread a job. Each workbook is made in `folder`, on this machine's own disk, then
    put in place as a whole.
    """

    def __init__(
        self, folder: Path, *, monotonic: Callable[[], float], most_shown: int = _MOST_SHOWN
    ) -> None:
        self._folder = folder
        self._most_shown = most_shown
        self._monotonic = monotonic
        self._due: dict[str, float] = {}

    def write(
        self,
        outbox: Outbox,
        job: JobResult,
        rows: Iterable[RowResult],
        *,
        now: float,
        links: PublicLinks = NO_LINKS,
    ) -> None:
        """Nothing where it is too soon. `now`: seconds since the epoch. Raises DiskError."""
        began = self._monotonic()
        over = job.state is not JobState.RUNNING
        if not over and began < self._due.get(job.id, 0.0):
            return
        # Loaded with the first workbook: 3 MB that most daemons never need.
        from watcher.outbox.workbook import Contents, write_workbook  # noqa: PLC0415

        place = self._folder / job.id
        contents = Contents(
            columns=sheet_columns(job),
            rows=sheet_rows(job, rows, links=links),
            summary=summary_lines(job, now, most=self._most_shown),
            most_shown=self._most_shown,
        )
        write_workbook(place / NAME, contents, read=lambda name: outbox.read(job.folder, name))
        outbox.write_file(job.folder, NAME, place / NAME)
        self._due[job.id] = began + max(_SOONEST, _SHARE * (self._monotonic() - began))
        if over:
            self._due.pop(job.id)
            shutil.rmtree(place, ignore_errors=True)
