"""The gallery, `index.html` in a job's folder: every row at a glance, those that need a person first.

Opens from a share by a double click, without server or network; says all it says without script too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from watcher.core.jobs import Picture
from watcher.core.naming import thumbnail_file
from watcher.core.report.card import Card, card
from watcher.core.report.head import head
from watcher.core.report.page import page
from watcher.core.report.spreadsheet import NEEDS_A_PERSON
from watcher.core.results import JobResult, RowResult

Rows = Callable[[], Iterable[RowResult]]

_MOST_ROWS = 5000
_LARGE_DRAWING = 300_000  # bytes


def thumbnail_of(picture: Picture) -> str:
    """Where a picture's thumbnail stands, relative to the job's folder; drawings are their own,
    unless they are so large that a grid of them would not scroll ("").
    """
    if picture.format != "svg":
        return thumbnail_file(picture.file)
    return picture.file if picture.bytes <= _LARGE_DRAWING else ""


def gallery_html(
    job: JobResult,
    rows: Rows,
    *,
    now: float,
    thumbnail: Callable[[Picture], str] = thumbnail_of,
    workbook: bool = False,
    most: int = _MOST_ROWS,
) -> Iterator[str]:
    """The page in pieces. `rows` is asked twice for all rows in row order: first for those that need
    a person, then for the others; at most `most` are shown, and the page says so.

    `now`: seconds since the epoch. `thumbnail`: a picture's thumbnail relative to the job's folder,
    "" where there is none. `workbook`: there is a results.xlsx to name.
    """
    seen: set[int] = set()
    return page(
        "gallery.html",
        style="gallery.css",
        script="gallery.js",
        job=head(job, now, most, workbook=workbook),
        troubles=_cards(job, _troubles(rows(), seen, most), thumbnail),
        others=_cards(job, _others(rows, seen, most), thumbnail),
    )


def _troubles(rows: Iterable[RowResult], seen: set[int], most: int) -> Iterator[RowResult]:
    for row in islice((row for row in rows if row.state in NEEDS_A_PERSON), most):
        seen.add(row.number)
        yield row


def _others(rows: Rows, seen: set[int], most: int) -> Iterator[RowResult]:
    """By what was shown, not by state: a row that failed between the two passes is not lost."""
    yield from islice((row for row in rows() if row.number not in seen), most - len(seen))


def _cards(
    job: JobResult, rows: Iterable[RowResult], thumbnail: Callable[[Picture], str]
) -> Iterator[Card]:
    return (card(row, job.columns, thumbnail) for row in rows)
