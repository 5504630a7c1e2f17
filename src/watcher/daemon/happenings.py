"""What people must know of, as it is now: from the rooms' memory and from the ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from watcher.core.alerting import (
    Happening,
    Told,
    approval_wanted,
    budget_reached,
    drop_unfinished,
    inbox_away,
    inbox_without_room,
    job_over,
    lane_halted,
    link_to,
    model_retiring,
)
from watcher.core.jobs import Problem
from watcher.core.lifecycle import Retiring
from watcher.inbox import InboxState, Waiting
from watcher.ledger import HaltedLane, Ledger

_DAY = 86400.0
_APPROVAL, _DAY_BUDGET = "approval", "budget_day"
_IN_FULL = 20  # jobs of one look that are told of with their failures
_FAILURES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the rooms know now. By inbox: how it is (None: not known yet), which account it uses, its outbox."""

    halted: Sequence[HaltedLane]
    inboxes: Mapping[str, InboxState | None]
    accounts: Mapping[str, str]
    retiring: Sequence[Retiring]
    unfinished: Sequence[tuple[str, Waiting]]
    public_url: str
    outboxes: Mapping[str, str]


def lasting(ledger: Ledger, facts: Facts, *, now: float, today: date) -> Iterator[Happening]:
    """What is the matter with lanes, inboxes, models and drops."""
    yield from (_lane(ledger, facts, lane) for lane in facts.halted)
    for name, state in facts.inboxes.items():
        if state and state.state in _AWAY:
            yield _AWAY[state.state](name, what=state.what, hint=state.hint, since=now)
    for model in facts.retiring:
        left = (model.shutdown - today).days if model.shutdown else None
        yield model_retiring(model, days_left=left)
    yield from _held(ledger, facts)
    for name, one in facts.unfinished:
        changed = one.drop.signature[3] / 1e9
        yield drop_unfinished(
            name, one.drop.name, why=f"{one.reason} {one.hint}".strip(), since=changed
        )


_AWAY: Mapping[str, Callable[..., Happening]] = {
    "offline": inbox_away,
    "paused": inbox_without_room,
}


def _lane(ledger: Ledger, facts: Facts, lane: HaltedLane) -> Happening:
    """By the server's name; by the inboxes too where they have several accounts, and not by its key:
    a new key that is refused as well is no news.
    """
    account, _, model = lane.key.partition("/")
    users = [name for name, used in facts.accounts.items() if used == account]
    names = [account.partition("#")[0], *([model] if model else [])]
    if lane.outbox:
        users = [name for name, outbox in facts.outboxes.items() if outbox == lane.outbox]
        names = [f"the outbox {lane.outbox}"]
    some = 0 < len(users) < len(facts.accounts)
    names[1:1] = [f"inbox{'es' if len(users) > 1 else ''} {', '.join(users)}"] if some else []
    return lane_halted(
        ", ".join(names),
        lane.problem,
        since=lane.since,
        waiting=ledger.alerts.waiting(users),
        inbox=users[0] if some and len(users) == 1 else "",
        link=facts.public_url,
    )


def _held(ledger: Ledger, facts: Facts) -> Iterator[Happening]:
    """One happening for each job that wants a person, and for each budget, however many jobs it holds."""
    budgets: dict[str, list[tuple[str, Problem]]] = defaultdict(list)
    for job_id, inbox, hold in ledger.alerts.held_jobs():
        if hold.code == _APPROVAL:
            job = ledger.views.job(job_id)
            if job is not None:
                yield approval_wanted(job, hold, link=facts.public_url)
        else:
            whole = hold.code == _DAY_BUDGET
            budgets[hold.column if whole else f"{hold.column} {job_id}"].append((inbox, hold))
    for of, held in budgets.items():
        inboxes = {inbox for inbox, _ in held}
        one = inboxes.pop() if len(inboxes) == 1 else ""
        yield budget_reached(held[0][1], of=of, jobs=len(held), inbox=one)


def unsure(facts: Facts, told: Sequence[Told]) -> set[str]:
    """Inboxes that did not say yet how they are, are served by others, or not at all any more."""
    sure = {
        f"inbox:{name}"
        for name, state in facts.inboxes.items()
        if state and state.state != "standby"
    }
    return {one.place for one in told if one.place.startswith("inbox:")} - sure


def ended_jobs(ledger: Ledger, facts: Facts, *, now: float) -> tuple[list[Happening], list[Told]]:
    """Jobs of the last day with errors that nobody was told of, and what was told of earlier runs of theirs."""
    found = ledger.alerts.ended_jobs(since=now - _DAY)
    happenings = [
        happening
        for at, one in enumerate(found)
        if (happening := _ended(ledger, facts, one.id, in_full=at < _IN_FULL))
    ]
    return happenings, [one.told for one in found if one.told]


def _ended(ledger: Ledger, facts: Facts, job_id: str, *, in_full: bool) -> Happening | None:
    job = ledger.views.job(job_id)
    if job is None or job.ended_at is None:
        return None
    if not in_full:
        return replace(job_over(job, (), link=""), lines=())
    link = link_to(job, public_url=facts.public_url, outbox=facts.outboxes.get(job.inbox, ""))
    failures = ledger.alerts.failures(job_id, most=_FAILURES)
    return job_over(job, failures, link="" if job.problem else link)
