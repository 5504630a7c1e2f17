"""`index.html` of the outbox: every job with its state, linked to its gallery."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from watcher.core.report.head import head
from watcher.core.report.page import page, shown
from watcher.core.report.times import iso
from watcher.core.results import JobResult

_LONG = 200  # characters


def overview_html(jobs: Iterable[JobResult], *, now: float, title: str = "Jobs") -> Iterator[str]:
    """The page in pieces. `jobs`: the newest first; `now`: seconds since the epoch."""
    return page(
        "overview.html",
        style="gallery.css",
        script="overview.js",
        title=shown(title, _LONG),
        now=iso(now),
        jobs=(head(job, now, 0) for job in jobs),
    )
