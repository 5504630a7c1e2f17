"""The note beside a drop, `<name>.STATUS.txt`: one short text that says where it is and what to do.

The first line is the state at a glance; what follows is for those who want to know more.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, tzinfo

from watcher.core.jobs import JobState, RowState
from watcher.core.report.times import counted, dollars, lasted, one_line, spoken
from watcher.core.results import JobResult

_ENDS = {
    JobState.DONE: "done",
    JobState.PARTIAL: "done with errors",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "cancelled",
}
_ORDERS = {"cancel": "cancel", "approved": "approve"}
_MOST_NOTES = 5


def status_note(job: JobResult, now: float, *, outbox: str = "", zone: tzinfo = UTC) -> str:
    """How a job stands. `now`: seconds since the epoch; `outbox`: as people reach it, if known."""
    if job.problem:
        return refused_note(job.name, job.problem.what, job.problem.hint)
    lines = _open(job) if job.state is JobState.RUNNING else _ended(job)
    where = "/".join(part for part in (outbox.rstrip("/\\"), job.folder) if part)
    return _text([*lines, "", f"Results: {where}", *_foot(job, now, zone)])


def waiting_note(name: str, why: str) -> str:
    """A drop that is not ours yet. `why`: one sentence, as "It is still being written."."""
    return _text(
        [f"waiting: {one_line(name)}", why, "It is taken by itself as soon as it is whole."]
    )


def no_room_note(name: str, why: str) -> str:
    """A drop that no disk has room for. `why`: one sentence, which names the disk."""
    return _text(
        [f"waiting: {one_line(name)}", why,
         "Tell who runs the service. Nothing is lost: it is taken by itself as soon as there is room."]
    )  # fmt: skip


def refused_note(name: str, what: str, hint: str = "") -> str:
    """A drop that cannot be read as a whole. `what`, `hint`: the two sentences of its problem."""
    moved = "The file was moved to the folder failed. Nothing was asked for and nothing was paid."
    return _text([f"refused: {one_line(name)}", *filter(None, (what, hint)), moved])


def order_in_vain_note(name: str, order: str) -> str:
    """`<name>.CANCEL` or `.APPROVED` where nothing is running."""
    return _text(
        [f"nothing to do: {one_line(name)}",
         f"No job of {one_line(name)} is running, so that there is nothing to {_ORDERS[order]}.",
         "What was made of it before stays in the outbox; its index.html names all jobs."]
    )  # fmt: skip


def unknown_note(names: Iterable[str], kinds: Iterable[str]) -> str:
    """The inbox's own note: which files are of no kind that it takes."""
    return _text(
        ["Left where they are, because they are of no kind that this inbox takes:", *names, "",
         f"It takes: {', '.join(sorted(kinds))}",
         "Pictures are taken along by the file whose rows name them."]
    )  # fmt: skip


def duplicate_note(name: str, earlier: JobResult, *, outbox: str = "") -> str:
    """The same bytes as those of an earlier job: what that one did, and what happens now."""
    where = "/".join(part for part in (outbox.rstrip("/\\"), earlier.folder) if part)
    first = f"the same file again: {one_line(name)}"
    redo = "To make everything anew, put the file into the inbox's folder named: again"
    if earlier.state is JobState.RUNNING:
        return _text([first, f"It is being worked on: {_so_far(earlier)}.", f"Results: {where}"])
    if undone := earlier.rows - earlier.counts.get(RowState.DONE, 0):
        again = f"{counted(undone, 'row')} of {earlier.rows:,} did not end well last time: "
        return _text([first, again + "only those run again.", f"Earlier results: {where}", redo])
    paid = "It is done already; nothing is made and nothing is paid."
    return _text([first, paid, f"Results: {where}", redo])


def _open(job: JobResult) -> list[str]:
    if job.paused:
        stays = "Nothing is lost: what is open stays queued and goes on by itself."
        return [f"paused {job.ended:,}/{job.rows:,}: {one_line(job.paused)}", stays]
    if not job.ended and not job.attempts:
        return [f"accepted: {', '.join(_with_estimate([counted(job.rows, 'row')], job))}"]
    return [f"running {_so_far(job)}", *_waiting(job)]


def _so_far(job: JobResult) -> str:
    failed = job.counts.get(RowState.FAILED, 0) + job.counts.get(RowState.PARTIAL, 0)
    parts = [f"{job.ended:,}/{job.rows:,}", *([f"{failed:,} failed"] if failed else [])]
    return ", ".join(_with_estimate(parts, job))


def _with_estimate(parts: list[str], job: JobResult) -> list[str]:
    return parts if job.estimate_usd is None else [*parts, f"est. {dollars(job.estimate_usd)}"]


def _waiting(job: JobResult) -> list[str]:
    waiting = job.counts.get(RowState.WAITING, 0)
    verb = "waits" if waiting == 1 else "wait"
    return [f"{counted(waiting, 'row')} {verb} before the next try."] if waiting else []


def _ended(job: JobResult) -> list[str]:
    done = job.counts.get(RowState.DONE, 0)
    parts = [f"{done:,} of {counted(job.rows, 'row')}"]
    parts += [
        f"{number:,} {state}"
        for state in (RowState.PARTIAL, RowState.FAILED, RowState.CANCELLED)
        if (number := job.counts.get(state, 0))
    ]
    return [f"{_ENDS[job.state]}: {', '.join([*parts, *_cost(job)])}", *_what_to_do(job)]


def _cost(job: JobResult) -> Iterable[str]:
    """What was paid; nothing is said of an unknown cost as if it were none."""
    if job.cost_usd is not None:
        yield dollars(job.cost_usd)
    if job.unpriced:
        yield f"{counted(job.unpriced, 'call')} of unknown cost"
    if job.possibly_charged:
        most = f" (up to {dollars(job.possibly_usd)})" if job.possibly_usd else ""
        yield f"{counted(job.possibly_charged, 'call')} possibly charged without a result{most}"


def _what_to_do(job: JobResult) -> list[str]:
    if job.counts.get(RowState.FAILED, 0) or job.counts.get(RowState.PARTIAL, 0):
        return [
            "failed.csv, beside the results, says why each row failed and what to do.",
            "Correct it there and drop it here: only those rows run.",
        ]
    return []


def _foot(job: JobResult, now: float, zone: tzinfo) -> Iterable[str]:
    if job.ended_at is None and (spent := ", ".join(_cost(job))):
        yield f"Spent so far: {spent}"
    yield from map(one_line, job.notes[:_MOST_NOTES])
    took = "" if job.ended_at is None else f", took {lasted(job.ended_at - job.created_at)}"
    yield f"Job {job.id}, as of {spoken(now, zone)}{took}"


def _text(lines: Iterable[str]) -> str:
    return "\n".join(lines).strip() + "\n"
