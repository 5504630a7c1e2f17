"""`results.xlsx` as values: the cells of `results.csv`, with numbers as numbers, and a summary.

What the format itself allows: https://support.microsoft.com/office/1672b34d-7043-467e-8e27-269d656771c3
(1,048,576 rows, 32,767 characters a cell).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from watcher.core.jobs import Json, Picture, RowState
from watcher.core.links import NO_LINKS, PublicLinks
from watcher.core.report.cells import cell, defused
from watcher.core.report.head import Head, head
from watcher.core.report.page import shown
from watcher.core.report.spreadsheet import RESULT_COLUMNS, own_columns, results_of
from watcher.core.results import JobResult, RowResult

Cell: TypeAlias = str | int | float

MOST_ROWS = 1_048_575  # and the header
PICTURE_COLUMN = "result_picture"  # begins as ours do, so that it is never read as input
_MOST_CHARACTERS = 32_000
_MOST_EXACT = 2**53
_FIGURES = frozenset({"result_attempts", "result_cost_usd", "result_seconds"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetRow:
    """One row: its `cells` in the order of `sheet_columns`, without the picture's, and what is shown there."""

    cells: tuple[Cell, ...]
    state: RowState
    pictures: tuple[Picture, ...]


def wants_workbook(job: JobResult, setting: str) -> bool:
    """`setting`: always, never, or auto: where the drop was a workbook itself."""
    return setting == "always" or (setting == "auto" and job.name.lower().endswith(".xlsx"))


def sheet_columns(job: JobResult) -> list[str]:
    """The header: the picture, the drop's own columns, ours."""
    own = (_text(job.columns[at]) for at in own_columns(job))
    return [PICTURE_COLUMN, *own, *RESULT_COLUMNS]


def sheet_rows(
    job: JobResult, rows: Iterable[RowResult], *, links: PublicLinks = NO_LINKS
) -> Iterator[SheetRow]:
    """In the order of `rows`; no cell runs as a formula, also when the sheet is saved as text."""
    own = own_columns(job)
    for row in rows:
        ours = results_of(row, job.folder, links)
        theirs = (_cell(row.values[at]) if at < len(row.values) else "" for at in own)
        results = (_figure(name, ours[name]) for name in RESULT_COLUMNS)
        yield SheetRow(cells=(*theirs, *results), state=row.state, pictures=row.live)


def summary_lines(job: JobResult, now: float, *, most: int) -> Iterator[tuple[str, Cell]]:
    """What the job is and how it stands, line by line. `now`: seconds since the epoch; `most`: rows
    with thumbnails and links.
    """
    about = head(job, now, MOST_ROWS)
    yield "Job", _text(job.name)
    yield "State", about.headline
    yield from _counts(job, about)
    for name, value, remark in about.figures:
        yield name, f"{value} {remark}".strip()
    yield "Begun", about.begun or ""
    yield "Ended", about.over or "not yet"
    yield "Inbox", about.inbox
    yield "Job id", job.id
    yield from (("Note", _text(words)) for _, words in about.banners)
    if about.troubles:
        yield "What to do", about.mend
    if job.rows > most:
        yield "Pictures here", f"of the first {most:,} rows; the files of all rows are in images/"
    if job.rows > MOST_ROWS:
        yield "Rows here", f"the first {MOST_ROWS:,}; all of them are in results.csv"


def _counts(job: JobResult, about: Head) -> Iterator[tuple[str, Cell]]:
    yield "Rows", job.rows
    yield from ((f"Rows {state}", number) for state, number in about.states)


def _cell(value: Json) -> Cell:
    if isinstance(value, int | float) and not isinstance(value, bool) and _is_exact(value):
        return value
    return _text(cell(value))


def _is_exact(value: float) -> bool:
    return math.isfinite(value) and abs(value) <= _MOST_EXACT


def _figure(name: str, text: str) -> Cell:
    return float(text) if text and name in _FIGURES else _text(text)


def _text(text: str) -> str:
    """Without what a workbook cannot hold: half surrogate pairs, controls, more than a cell takes."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return defused(
        shown(lines, _MOST_CHARACTERS).replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")
    )
