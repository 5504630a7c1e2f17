"""`results.jsonl` and `job.json`: for programs. Times are ISO 8601 in UTC, the unknown is null."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from itertools import count

from watcher.core.headers import is_result_column
from watcher.core.jobs import Json, Picture, Problem, RowState, Usage
from watcher.core.links import NO_LINKS, PublicLinks
from watcher.core.report.spreadsheet import hint_of, urls_of
from watcher.core.report.times import iso
from watcher.core.results import AttemptRecord, JobResult, RowResult


def json_text(value: Json) -> str:
    """A whole JSON file, for programs and for eyes."""
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def results_jsonl(
    job: JobResult, rows: Iterable[RowResult], *, links: PublicLinks = NO_LINKS
) -> Iterator[str]:
    """The lines of `results.jsonl`, one object a row, in the order of `rows`.

    The drop's own fields stand at the top, untouched, so that this file can be dropped again; ours
    have the names of `results.csv`, and more of them.
    """
    names = _field_names(job.columns)
    for row in rows:
        own = {name: value for name, value in zip(names, row.values, strict=False) if name}
        yield json.dumps({**own, **_ours(row, job, links)}, ensure_ascii=False) + "\n"


def _field_names(columns: tuple[str, ...]) -> list[str]:
    """Each column under a name of its own ("" for an earlier results file's): no field is lost."""
    names: list[str] = []
    for column in columns:
        name = first = column or "(no name)"
        twins = count(2)
        while name in names:
            name = f"{first} ({next(twins)})"
        names.append("" if is_result_column(column) else name)
    return names


def _ours(row: RowResult, job: JobResult, links: PublicLinks) -> dict[str, Json]:
    problem = row.problem
    return {
        "result_row": row.number,
        "result_status": row.state,
        "result_files": [picture.file for picture in row.live],
        "result_urls": urls_of(row, job.folder, links),
        "result_text": row.text,
        "result_error_code": problem.code if problem else None,
        "result_error": problem.what if problem else None,
        "result_hint": hint_of(row) or None,
        "result_error_column": problem.column or None if problem else None,
        "result_due_at": iso(row.due_at),
        "result_adjustments": [asdict(adjustment) for adjustment in row.adjustments],
        "result_attempts": len(row.attempts),
        "result_cost_usd": None if row.cost_usd is None else float(row.cost_usd),
        "result_seconds": row.seconds,
        "result_model": row.model,
        "result_request_id": row.request_id,
        "result_source": row.source,
        "result_choices": [picture.choice or None for picture in row.live],
        "result_operation": row.operation,
        "result_prompt": row.prompt,
        "result_parameters": dict(row.parameters),
        "result_pictures": list(map(_picture, row.pictures)),
        "result_usage": _usage(row.usage),
        "result_attempt_log": list(map(_attempt, row.attempts)),
        "result_possibly_charged": sum(attempt.paid_maybe for attempt in row.attempts),
    }


def _picture(picture: Picture) -> dict[str, Json]:
    return asdict(picture)


def _usage(usage: Usage | None) -> dict[str, Json] | None:
    return None if usage is None else asdict(usage)


def _attempt(attempt: AttemptRecord) -> dict[str, Json]:
    return {**asdict(attempt), "started_at": iso(attempt.started_at)}


def job_json(job: JobResult, *, version: str) -> dict[str, Json]:
    """The summary of a job. `cost_usd` is what is known of it; `unpriced` attempts come on top."""
    return {
        "id": job.id,
        "inbox": job.inbox,
        "name": job.name,
        "folder": job.folder,
        "state": job.state,
        "paused": job.paused or None,
        "problem": _problem(job.problem),
        "created_at": iso(job.created_at),
        "ended_at": iso(job.ended_at),
        "seconds": None if job.ended_at is None else round(job.ended_at - job.created_at, 1),
        "rows": job.rows,
        "counts": _counts(job.counts),
        "pictures": job.pictures,
        "attempts": job.attempts,
        "cost_usd": None if job.cost_usd is None else float(job.cost_usd),
        "estimate_usd": None if job.estimate_usd is None else float(job.estimate_usd),
        "unpriced": job.unpriced,
        "possibly_charged": job.possibly_charged,
        "possibly_charged_usd": None if job.possibly_usd is None else float(job.possibly_usd),
        "columns": list(job.columns),
        "encoding": job.encoding or None,
        "notes": list(job.notes),
        "settings": dict(job.settings),
        "version": version,
    }


def _problem(problem: Problem | None) -> dict[str, Json] | None:
    return None if problem is None else asdict(problem)


def _counts(counts: Mapping[RowState, int]) -> dict[str, Json]:
    return {state.value: counts.get(state, 0) for state in RowState}
