"""What the pages say of a job as a whole, in words and figures; nothing is left for the template."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from watcher.core.jobs import JobState, RowState
from watcher.core.report.page import relative, shown
from watcher.core.report.spreadsheet import NEEDS_A_PERSON
from watcher.core.report.times import counted, dollars, iso, lasted
from watcher.core.results import JobResult

_LONG = 1000  # characters
_REFRESH = 5  # seconds; a page of 5,000 rows less often, since it is larger than what a share likes
_ROWS_A_SECOND = 250
_MEND = "Correct them in failed.csv, beside this page, and drop that file into the inbox: only those rows run again."
_MEND_LATER = "When the job is done, failed.csv will hold them: correct them there and drop that file into the inbox."
_HEADLINES = {
    JobState.RUNNING: "Running",
    JobState.DONE: "Done",
    JobState.PARTIAL: "Done with errors",
    JobState.FAILED: "Failed",
    JobState.CANCELLED: "Cancelled",
}
_BAR = (
    RowState.DONE,
    RowState.PARTIAL,
    RowState.FAILED,
    RowState.CANCELLED,
    RowState.WAITING,
    RowState.RUNNING,
    RowState.QUEUED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """`bar`: state, where its part begins, how wide it is, in rows. `refresh`: seconds, 0 at the end."""

    id: str
    inbox: str
    name: str
    state: str
    headline: str
    rows: int
    ended: int
    refresh: int
    begun: str | None
    over: str | None
    bar: list[tuple[RowState, int, int]]
    bar_width: int
    banners: list[tuple[str, str]]
    figures: list[tuple[str, str, str]]
    files: list[tuple[str, str]]
    states: list[tuple[RowState, int]]
    troubles: int
    troubles_title: str
    mend: str
    left_out: str
    href: str
    pictures: str
    cost: str


def head(job: JobResult, now: float, most: int, *, workbook: bool = False) -> Head:
    """`now`: seconds since the epoch; `most`: how many rows the page shows; `workbook`: there is a
    results.xlsx.
    """
    troubles = sum(job.counts.get(state, 0) for state in NEEDS_A_PERSON)
    running = job.state is JobState.RUNNING
    return Head(
        id=job.id,
        inbox=shown(job.inbox, _LONG),
        name=shown(job.name, _LONG),
        state="paused" if running and job.paused else job.state,
        headline=_headline(job),
        rows=job.rows,
        ended=job.ended,
        refresh=max(_REFRESH, min(job.rows, most) // _ROWS_A_SECOND) if running else 0,
        begun=iso(job.created_at),
        over=iso(job.ended_at),
        bar=_bar(job),
        bar_width=max(job.rows, 1),
        banners=_banners(job),
        figures=list(_figures(job, now)),
        files=_files(troubles, workbook=workbook, over=not running),
        mend=_MEND_LATER if running else _MEND,
        states=[(state, job.counts[state]) for state in _BAR if job.counts.get(state)],
        troubles=troubles,
        troubles_title=f"{counted(troubles, 'row')} need{'s' if troubles == 1 else ''} you",
        left_out=_left_out(job.rows, most),
        href=relative(f"{job.folder}/index.html"),
        pictures=f"{job.pictures:,}",
        cost=dollars(job.cost_usd) or _no_cost(job),
    )


def _headline(job: JobResult) -> str:
    if job.state is JobState.RUNNING:
        return (
            f"{'Paused' if job.paused else 'Running'}, {job.ended:,} of {counted(job.rows, 'row')}"
        )
    return f"{_HEADLINES[job.state]}, {job.counts.get(RowState.DONE, 0):,} of {counted(job.rows, 'row')}"


def _bar(job: JobResult) -> list[tuple[RowState, int, int]]:
    widths = [job.counts.get(state, 0) for state in _BAR]
    parts = zip(_BAR, accumulate(widths, initial=0), widths, strict=False)
    return [(state, start, width) for state, start, width in parts if width]


def _banners(job: JobResult) -> list[tuple[str, str]]:
    problem = job.problem
    said = [
        ("failed", f"{problem.what} {problem.hint}".strip() if problem else ""),
        ("paused", f"Paused: {job.paused} What is open stays queued." if job.paused else ""),
        *(("note", note) for note in job.notes),
    ]
    return [(kind, shown(words, _LONG)) for kind, words in said if words]


def _no_cost(job: JobResult) -> str:
    if job.attempts:
        return "unknown"
    return "nothing yet" if job.state is JobState.RUNNING else "nothing"


def _figures(job: JobResult, now: float) -> Iterator[tuple[str, str, str]]:
    yield "Pictures", f"{job.pictures:,}", ""
    cost = dollars(job.cost_usd) or _no_cost(job)
    yield "Cost", cost, ", ".join(_cost_remarks(job))
    over = job.ended_at
    yield ("Time" if over else "Time so far"), lasted(max(0, (over or now) - job.created_at)), ""


def _cost_remarks(job: JobResult) -> Iterator[str]:
    if job.ended_at is None and job.estimate_usd is not None:
        yield f"of about {dollars(job.estimate_usd)}"
    if job.unpriced and job.cost_usd is not None:
        yield f"and {counted(job.unpriced, 'call')} of unknown cost"
    if job.possibly_charged:
        yield f"and {counted(job.possibly_charged, 'call')} possibly charged without a result"


def _files(troubles: int, *, workbook: bool, over: bool) -> list[tuple[str, str]]:
    """Those that are there: failed.csv is written once no row can be added to it."""
    known = (
        ("failed.csv", "what to correct", troubles and over),
        ("results.xlsx", "every row, with its thumbnail", workbook),
        ("results.csv", "every row, for a spreadsheet", True),
        ("job.json", "the summary", True),
    )
    return [(name, what) for name, what, there in known if there]


def _left_out(rows: int, most: int) -> str:
    if rows <= most:
        return ""
    return f"{most:,} of {rows:,} rows are shown here. All of them are in results.csv."
