"""What the status page says, as values: gathered from the ledger in one go, in a thread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from watcher.core.jobs import JobState, RowState
from watcher.core.naming import thumbnail_file
from watcher.core.report.head import Head, head
from watcher.core.report.page import shown
from watcher.core.report.times import counted, dollars, iso, lasted
from watcher.core.results import JobResult
from watcher.ledger import HaltedLane
from watcher.web.values import Behind, Said

_RUNNING, _ENDED = 20, 30  # jobs that the page shows
_STRIP = 8  # pictures of a running job
_WINDOW, _SHORT_WINDOW = 300.0, 20.0  # seconds that the rate is taken over
_DAY = 86400.0
_LONG = 600  # characters
_ENOUGH = 3  # rows from which the rest is guessed
_WORDS = {
    "online": "open", "starting": "starting", "paused": "paused", "offline": "away",
    "standby": "served by another",
}  # fmt: skip
_MODES = {"events": "sees new files at once", "polling": "looks every few seconds"}
_TONES = {"online": "done", "paused": "paused", "offline": "failed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """One job: its head, what may be ordered, why rows failed, its newest pictures."""

    head: Head
    orders: tuple[str, ...]
    left: str
    troubles: tuple[tuple[str, str, str], ...] = ()  # how many rows, what, what to do
    strip: tuple[tuple[str, str], ...] = ()  # address, thumbnail


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a list: a lane, an inbox, an error. `moment`: ISO 8601, None for none."""

    id: str
    tone: str
    name: str
    words: str
    hint: str = ""
    moment: str | None = None
    before: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The whole page. `headline` and `tone`: the state at a glance."""

    headline: str
    tone: str
    figures: tuple[tuple[str, str, str], ...]
    running: tuple[JobView, ...]
    ended: tuple[JobView, ...]
    lanes: tuple[Line, ...]
    inboxes: tuple[Line, ...]
    said: tuple[Line, ...]


class Gathering:
    """Looks again and again. Jobs that are over are looked at once: counting 100,000 rows takes its time."""

    def __init__(self, behind: Behind) -> None:
        self._behind = behind
        self._over: dict[tuple[str, float], JobView] = {}

    def look(self) -> Status:
        """Everything as it is now. Raises DiskError where the ledger cannot be read."""
        behind, now = self._behind, self._behind.clock()
        about: Mapping[str, Any] = behind.about()
        halted = behind.halted()
        running = behind.ledger.views.jobs(states=(JobState.RUNNING,), most=_RUNNING)
        open_rows = behind.ledger.figures.open_rows()
        headline, tone = _headline(about, halted, running, open_rows)
        return Status(
            headline=headline,
            tone=tone,
            figures=tuple(_figures(behind, about, open_rows, _window(running, now))),
            running=tuple(_running(behind, job, about, now) for job in running),
            ended=tuple(self._ended(now)),
            lanes=tuple(_lanes(halted, about)),
            inboxes=tuple(_inboxes(about)),
            said=tuple(map(_said, behind.said())),
        )

    def _ended(self, now: float) -> Iterator[JobView]:
        before, self._over = self._over, {}
        for job_id, published_at in self._behind.ledger.figures.newest_ended(_ENDED):
            key = (job_id, published_at or 0.0)
            view = before.get(key) if published_at else None
            if view is None and (job := self._behind.ledger.views.job(job_id)):
                view = _ended(self._behind, job, now)
            if view is not None:
                self._over[key] = view
                yield view


def _headline(
    about: Mapping[str, Any],
    halted: Sequence[HaltedLane],
    running: Sequence[JobResult],
    open_rows: Mapping[RowState, int],
) -> tuple[str, str]:
    accounts = {lane.key for lane in halted if "/" not in lane.key}
    outboxes = {lane.outbox for lane in halted if lane.outbox}
    of_all = {one["outbox"] for one in about["inboxes"].values()}
    if (accounts and accounts.issuperset(about["accounts"])) or (outboxes and outboxes >= of_all):
        return "Paused: nothing is asked for until the cause is gone", "paused"
    if accounts or outboxes:
        return "Partly paused: some inboxes wait until the cause is gone", "paused"
    if halted:
        return "Partly paused: one model is not asked for", "paused"
    for state, words, tone in (("offline", "away", "failed"), ("paused", "paused", "paused")):
        troubled = [name for name, one in about["inboxes"].items() if one["state"] == state]
        if troubled:
            return f"The inbox {troubled[0]} is {words}", tone
    if running and all(job.paused for job in running):
        return "Paused: every job waits, and says for what", "paused"
    left = sum(open_rows.values())
    return (f"Working, {counted(left, 'row')} to go", "running") if left else ("All done", "done")


def _figures(
    behind: Behind, about: Mapping[str, Any], open_rows: Mapping[RowState, int], window: float
) -> Iterator[tuple[str, str, str]]:
    now = behind.clock()
    lately = behind.ledger.figures.pace(now - window)
    day = behind.ledger.figures.pace(now - _DAY)
    rate = lately.pictures * 60 / window
    yield "Rate", f"{rate:.1f}" if 0 < rate < 10 else f"{rate:.0f}", "pictures a minute"  # noqa: PLR2004
    most = about.get("concurrency")
    yield "In flight", str(about.get("in_flight", 0)), f"of {most} calls" if most else "calls"
    yield "To do", f"{sum(open_rows.values()):,}", "rows"
    yield "Pictures", f"{day.pictures:,}", "in 24 hours"
    yield "Cost", dollars(day.cost_usd), "in 24 hours"


def _window(running: Sequence[JobResult], now: float) -> float:
    """Seconds that the rate is taken over: not longer than there was anything to do."""
    begun = min((job.created_at for job in running), default=0.0)
    return min(_WINDOW, max(_SHORT_WINDOW, now - begun))


def _running(behind: Behind, job: JobResult, about: Mapping[str, Any], now: float) -> JobView:
    first = "approve" if job.hold else "resume" if job.paused else "pause"
    newest = behind.ledger.figures.newest_pictures(job.id, _STRIP)
    waits = about["inboxes"].get(job.inbox, {}).get("waits", "")
    job = replace(job, paused=job.paused or waits)
    return JobView(
        head=head(job, now, 0),
        orders=(first, "cancel"),
        left=_left(job, now),
        troubles=_troubles(behind, job),
        strip=tuple(_strip(job.folder, newest)),
    )


def _ended(behind: Behind, job: JobResult, now: float) -> JobView:
    undone = job.counts.get(RowState.FAILED, 0) + job.counts.get(RowState.PARTIAL, 0)
    return JobView(
        head=head(job, now, 0),
        orders=("retry",) if undone and not job.problem else (),
        left="",
        troubles=_troubles(behind, job) if undone else (),
    )


def _troubles(behind: Behind, job: JobResult) -> tuple[tuple[str, str, str], ...]:
    return tuple(
        (counted(count, "row"), shown(problem.what, _LONG), shown(problem.hint, _LONG))
        for problem, count in behind.ledger.figures.troubles(job.id)
    )


def _strip(folder: str, newest: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    base = quote(folder, safe="")
    for file, made in newest:
        small = file if made == "svg" else thumbnail_file(file)
        yield f"./{base}/{quote(file)}", f"./{base}/{quote(small)}"


def _left(job: JobResult, now: float) -> str:
    """A guess by how it went so far; nothing while there is nothing to go by."""
    if job.paused or job.ended < _ENOUGH:
        return ""
    seconds = (now - job.created_at) / job.ended * (job.rows - job.ended)
    return f"about {lasted(seconds)} left"


def _lanes(halted: Sequence[HaltedLane], about: Mapping[str, Any]) -> Iterator[Line]:
    for at, lane in enumerate(halted):
        yield Line(
            id=f"lane-{at}", tone="paused", name=lane.key, words=lane.problem.what,
            hint=lane.problem.hint, before="Tried again", moment=iso(lane.probe_at),
        )  # fmt: skip
    if not halted:
        yield Line(id="lane-open", tone="done", name="Calls", words="Go out as they are due.")
    for at, model in enumerate(about.get("retiring_models", ())):
        what, hint = str(model["what"]), str(model["hint"])
        yield Line(id=f"model-{at}", tone="paused", name="Model", words=what, hint=hint)


def _inboxes(about: Mapping[str, Any]) -> Iterator[Line]:
    for name, one in about["inboxes"].items():
        state = str(one["state"])
        mode = _MODES.get(str(one.get("mode")), "")
        words = ", ".join(filter(None, (_WORDS.get(state, state), mode)))
        yield Line(
            id=f"inbox-{name}", tone=_TONES.get(state, "queued"), name=f"Inbox {name}",
            words=f"{words[:1].upper()}{words[1:]}: {one['path']}", hint=f"{one.get('what') or ''} {one.get('hint') or ''}".strip(),
        )  # fmt: skip


def _said(one: Said) -> Line:
    times = f" ({one.times} times)" if one.times > 1 else ""
    return Line(
        id=f"said-{abs(hash((one.event, one.what, one.at)))}", tone="paused", name="",
        words=shown(one.what, _LONG) + times, hint=shown(one.hint, _LONG), moment=iso(one.at),
    )  # fmt: skip
