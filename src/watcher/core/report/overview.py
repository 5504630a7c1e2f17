"""`index.html` of the outbox: every job with its state and first pictures, linked to its gallery."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from watcher.core.jobs import JobState, Picture
from watcher.core.report.gallery import thumbnail_of
from watcher.core.report.head import head
from watcher.core.report.page import page, relative, shown
from watcher.core.report.times import iso
from watcher.core.results import JobResult

_LONG = 200  # characters
_REFRESH, _QUIET = 15, 60  # seconds: while a job runs, and while none does
COVERS = 4


def overview_html(
    jobs: Iterable[JobResult],
    *,
    now: float,
    covers: Callable[[JobResult], Iterable[Picture]] = lambda _: (),
    cut: bool = False,
    title: str = "Jobs",
) -> Iterator[str]:
    """The page in pieces. `jobs`: the newest first; `cut`: there may be more.

    `now`: seconds since the epoch. `covers`: a job's first pictures, up to `COVERS`.
    """
    known = list(jobs)
    runs = any(job.state is JobState.RUNNING for job in known)
    return page(
        "overview.html",
        style="gallery.css",
        script="overview.js",
        title=shown(title, _LONG),
        now=iso(now),
        refresh=_REFRESH if runs else _QUIET,
        cut=f"{len(known):,}" if cut else "",
        jobs=[(head(job, now, 0), _addresses(job, covers(job))) for job in known],
    )


def _addresses(job: JobResult, pictures: Iterable[Picture]) -> list[str]:
    thumbnails = filter(None, map(thumbnail_of, pictures))
    return [relative(f"{job.folder}/{thumbnail}") for thumbnail in thumbnails]
