"""`results.csv` and `failed.csv`: the drop's own columns, then what happened to each row.

UTF-8 with BOM and CRLF, as Excel wants it; RFC 4180 quoting; a file can be dropped again as it is.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator

from watcher.core.headers import is_result_column
from watcher.core.jobs import RowState
from watcher.core.links import NO_LINKS, PublicLinks
from watcher.core.report.cells import cell, defused
from watcher.core.report.times import iso
from watcher.core.results import JobResult, RowResult

RESULT_COLUMNS = (
    "result_status",
    "result_files",
    "result_urls",
    "result_text",
    "result_error_code",
    "result_error",
    "result_hint",
    "result_adjustments",
    "result_attempts",
    "result_cost_usd",
    "result_seconds",
    "result_model",
    "result_request_id",
    "result_source",
    "result_choices",
)
_BOM = "\ufeff"
NEEDS_A_PERSON = (RowState.FAILED, RowState.PARTIAL)


class _Line:
    """What csv.writer takes for a file: each row comes back as the text it would have written."""

    def write(self, text: str) -> str:
        return text


def results_csv(
    job: JobResult,
    rows: Iterable[RowResult],
    *,
    delimiter: str = ",",
    links: PublicLinks = NO_LINKS,
) -> Iterator[str]:
    """The lines of `results.csv`, one a row, in the order of `rows` (row order is the caller's).

    `delimiter`: the drop's own, so that a spreadsheet of the same country opens both.
    `links`: where the outbox can be reached from outside, if it can; makes `result_urls`.
    """
    write = csv.writer(_Line(), delimiter=delimiter, lineterminator="\r\n").writerow
    own = own_columns(job)
    yield _BOM + write([*(defused(job.columns[at]) for at in own), *RESULT_COLUMNS])
    for row in rows:
        ours = results_of(row, job.folder, links)
        theirs = (cell(row.values[at]) if at < len(row.values) else "" for at in own)
        yield write([*map(defused, theirs), *(defused(ours[name]) for name in RESULT_COLUMNS)])


def failed_csv(
    job: JobResult,
    rows: Iterable[RowResult],
    *,
    delimiter: str = ",",
    links: PublicLinks = NO_LINKS,
) -> Iterator[str]:
    """As `results_csv`, with those rows only that failed or gave fewer pictures than asked for."""
    failed = (row for row in rows if row.state in NEEDS_A_PERSON)
    return results_csv(job, failed, delimiter=delimiter, links=links)


def own_columns(job: JobResult) -> list[int]:
    """Where the drop's own columns are: those that an earlier results file added would double."""
    return [at for at, name in enumerate(job.columns) if not is_result_column(name)]


def results_of(row: RowResult, folder: str, links: PublicLinks) -> dict[str, str]:
    """The cells that we add to a row, by column; `folder` is the job's, by name."""
    problem = row.problem
    return {
        "result_status": row.state,
        "result_files": ";".join(picture.file for picture in row.live),
        "result_urls": ";".join(urls_of(row, folder, links)),
        "result_text": row.text,
        "result_error_code": problem.code if problem else "",
        "result_error": problem.what if problem else "",
        "result_hint": hint_of(row),
        "result_adjustments": "; ".join(map(str, row.adjustments)),
        "result_attempts": str(len(row.attempts)),
        "result_cost_usd": "" if row.cost_usd is None else f"{row.cost_usd:f}",
        "result_seconds": "" if row.seconds is None else f"{row.seconds:.1f}",
        "result_model": row.model,
        "result_request_id": row.request_id,
        "result_source": row.source,
        "result_choices": _choices(row),
    }


def _choices(row: RowResult) -> str:
    """One for each of `result_files`, nothing where nobody chose."""
    chosen = [picture.choice for picture in row.live]
    return ";".join(chosen) if any(chosen) else ""


def hint_of(row: RowResult) -> str:
    """What to do now; a row that waits does it by itself, and says when."""
    hint = row.problem.hint if row.problem else ""
    if row.state is RowState.WAITING and row.due_at is not None:
        return f"{hint} It is tried again at {iso(row.due_at)}.".strip()
    return hint


def urls_of(row: RowResult, folder: str, links: PublicLinks) -> list[str]:
    """Public addresses of a row's pictures, none where the outbox has none."""
    return [links.to(folder, picture.file) for picture in row.live] if links.base else []
