"""What each happening says: plain sentences with counts, cost, where to look and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias
from urllib.parse import quote

from watcher.core.alerting.values import Happening, Occasion
from watcher.core.jobs import JobState, Problem, RowState
from watcher.core.lifecycle import NOTICE_DAYS, Retiring
from watcher.core.report.times import counted, dollars, one_line
from watcher.core.results import JobResult

Failures: TypeAlias = Sequence[tuple[int, Problem | None]]  # by the numbers of their rows

_MOST_FAILURES = 3
_NAME = 60  # characters of a name in a title
_SENTENCE = 300
_DAYS = (0, 1, 7)  # before a model's end: told anew
_DISK_CODES = frozenset({"disk_full", "disk_away", "reply_lost"})
# How it begins and how it ends, in a title.
_LANES: Mapping[Occasion, tuple[str, str]] = {
    "paused": ("Paused", "Goes on"),
    "disk_full": ("No room on a disk", "There is room again"),
}
_AWAY = ("A disk is away", "The disk is back")
_GOES_ON = "Nothing is lost: what is open stays queued and goes on by itself."


def job_over(job: JobResult, failures: Failures, *, link: str) -> Happening:
    """A job that ended with rows that failed, or could not be read. `failures`: the first of them."""
    occasion: Occasion = "job_failed" if job.state is JobState.FAILED else "job_done_with_errors"
    lines = tuple(_refused(job) if job.problem else _counts(job, failures))
    return Happening(
        place=f"job:{job.id}",
        reason="over",
        occasion=occasion,
        since=job.ended_at or 0.0,
        title=_job_title(job),
        lines=(*lines, *([f"Results: {link}"] if link else [])),
        inbox=job.inbox,
    )


def lane_halted(
    lane: str, problem: Problem, *, since: float, waiting: tuple[int, int], inbox: str, link: str
) -> Happening:
    """A lane that is halted. `lane`: as people know it; `waiting`: how many jobs and rows of it are not done."""
    occasion = _occasion(problem)
    begins, ends = _AWAY if problem.code == "disk_away" else _LANES[occasion]
    jobs, rows = waiting
    held = f"{counted(rows, 'row')} of {counted(jobs, 'job')} not done yet. " if rows else ""
    return Happening(
        place=f"lane:{lane}",
        reason=problem.code,
        occasion=occasion,
        since=since,
        title=f"{begins}: {_cut(problem.what.rstrip('.'))}",
        lines=(
            f"{problem.what} {problem.hint}".strip(),
            f"{held}{_GOES_ON}",
            *filter(None, [link]),
        ),
        inbox=inbox,
        all_clear=f"{ends}: {lane}",
    )


def inbox_away(name: str, *, what: str, hint: str, since: float) -> Happening:
    return Happening(
        place=f"inbox:{name}",
        reason="offline",
        occasion="inbox_offline",
        since=since,
        title=f"The inbox {name} is offline",
        lines=(what, hint, "What is dropped there is taken when it is back; nothing is replayed."),
        inbox=name,
        all_clear=f"The inbox {name} is back",
    )


def inbox_without_room(name: str, *, what: str, hint: str, since: float) -> Happening:
    """Its disk is full, read-only or broken."""
    return Happening(
        place=f"inbox:{name}",
        reason="paused",
        occasion="disk_full",
        since=since,
        title=f"The inbox {name} is paused: no room on its disk, or it cannot be written",
        lines=(what, hint, "Drops stay where they are and are taken when that is mended."),
        inbox=name,
        all_clear=f"The inbox {name} goes on",
    )


def model_retiring(one: Retiring, *, days_left: int | None) -> Happening:
    """Told when it is first noticed, again a week and a day before, and when the model is gone."""
    left = NOTICE_DAYS if days_left is None else days_left
    stage = next((day for day in _DAYS if left <= day), NOTICE_DAYS)
    return Happening(
        place=f"model:{one.model}",
        reason=f"{stage} days",
        occasion="model_retiring",
        since=0.0,
        title=_cut(one.what.rstrip(".")),
        lines=(one.what, one.hint),
    )


def drop_unfinished(inbox: str, name: str, *, why: str, since: float) -> Happening:
    """A drop that has been waited for an hour and is not whole. `since`: its last change."""
    return Happening(
        place=f"drop:{inbox}/{name}",
        reason="unfinished",
        occasion="drop_unfinished",
        since=since,
        title=f"{_name(name)} is not whole after an hour",
        lines=(why, f"It lies in the inbox {inbox} and is taken as soon as it is whole."),
        inbox=inbox,
    )


def approval_wanted(job: JobResult, hold: Problem, *, link: str) -> Happening:
    """A job that would cost more than may be spent without a person."""
    return Happening(
        place=f"approval:{job.id}",
        reason=hold.code,
        occasion="job_waits_for_approval",
        since=job.created_at,
        title=f"{_name(job.name)} waits for approval",
        lines=(
            f"{counted(job.rows, 'row')}. {hold.what}",
            hold.hint.replace(" JOB", f" {job.id}"),
            f"Inbox {job.inbox}, job {job.id}.",
            *filter(None, [link]),
        ),
        inbox=job.inbox,
    )


def budget_reached(hold: Problem, *, of: str, jobs: int, inbox: str) -> Happening:
    """A budget that holds jobs; `of` tells it from other budgets, `jobs`: how many it holds."""
    return Happening(
        place=f"budget:{of}",
        reason=hold.code,
        occasion="budget",
        since=0.0,
        title="The budget is reached",
        lines=(f"{hold.what} {hold.hint}".strip(), f"{counted(jobs, 'job')} held. {_GOES_ON}"),
        inbox=inbox,
        all_clear="The budget allows calls again",
    )


def link_to(job: JobResult, *, public_url: str, outbox: str) -> str:
    """Where a person finds the results: an address where there is a public one, else the folder."""
    if public_url:
        return f"{public_url.rstrip('/')}/{quote(job.folder, safe='')}/index.html"
    return "/".join(filter(None, (outbox.rstrip("/\\"), job.folder)))


def _occasion(problem: Problem) -> Occasion:
    return "disk_full" if problem.code in _DISK_CODES else "paused"


def _job_title(job: JobResult) -> str:
    if job.problem:
        return f"{_name(job.name)} could not be read"
    bad = job.counts.get(RowState.FAILED, 0) + job.counts.get(RowState.PARTIAL, 0)
    if job.state is JobState.FAILED and bad == job.rows:
        return f"{_name(job.name)}: all {counted(job.rows, 'row')} failed"
    return f"{_name(job.name)}: {bad:,} of {counted(job.rows, 'row')} did not end well"


def _refused(job: JobResult) -> Iterator[str]:
    assert job.problem is not None  # noqa: S101 - told by the caller
    yield from filter(None, (job.problem.what, job.problem.hint))
    yield f"Inbox {job.inbox}. The file was moved to the folder failed; nothing was paid."


def _counts(job: JobResult, failures: Failures) -> Iterator[str]:
    states = [(RowState.DONE, "done"), (RowState.PARTIAL, "partial"), (RowState.FAILED, "failed")]
    parts = [f"{job.counts[state]:,} {word}" for state, word in states if job.counts.get(state)]
    cost = [dollars(job.cost_usd)] if job.cost_usd is not None else []
    unknown = [f"{counted(job.unpriced, 'call')} of unknown cost"] if job.unpriced else []
    yield f"{', '.join([*parts, *cost, *unknown])}. Inbox {job.inbox}, job {job.id}."
    shown = failures[:_MOST_FAILURES]
    yield from (_failure(number, problem) for number, problem in shown)
    bad = job.counts.get(RowState.FAILED, 0) + job.counts.get(RowState.PARTIAL, 0)
    if bad > len(shown) > 0:
        yield f"… and {bad - len(shown):,} more."
    yield "failed.csv holds the rows that failed: correct it and drop it again, only those rows run."


def _failure(number: int, problem: Problem | None) -> str:
    said = f"{problem.what} {problem.hint}".strip() if problem else "It failed."
    return f"Row {number}: {_cut(said, _SENTENCE)}"


def _name(name: str) -> str:
    return _cut(one_line(name))


def _cut(text: str, most: int = _NAME) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
