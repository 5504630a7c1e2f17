"""The nouns of the work: where it is done, what was asked, what came of it."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias

from watcher.api import ImageApi
from watcher.core.budgets import Money, Sum
from watcher.core.jobs import LaneKey, OpenItem, Problem, Refusal, RowState, Scope
from watcher.core.profiles import Profile
from watcher.outbox import Outbox


class Withdrawn(Exception):  # noqa: N818 - a state, not a fault
    """The job was paused, held or cancelled before the call, or its budgets are others: nothing was sent."""


class Space(Protocol):
    """Room on the disks."""

    def require(self, folder: Path, *, prove: bool = False) -> None:
        """Raises DiskError where too little is free; `prove` by making a file there."""


UNSENT = 0  # the id of no attempt
_SEATS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One provider and key. `name` tells them apart without telling the key; `server`: the provider alone."""

    name: str
    server: str
    api: ImageApi
    profile: Profile
    has_key: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an inbox's pictures go, and the threads that may hang there without holding up others.

    Whoever has an answer in memory sits at the `desk`, which has fewer seats than there are threads.
    """

    outbox: Outbox
    disk: Executor
    desk: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_SEATS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What one call may cost, in each sum that it counts in."""

    money: Money
    sums: tuple[Sum, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An attempt whose call has ended: its reply lies at `reply`, or there is a `refusal`. `held`: what
    it might cost; None where an earlier process began it. `asked_at`: seconds since the epoch, as None there.
    `attempt` 0: nothing was sent.
    """

    item: OpenItem
    lane: LaneKey
    attempt: int
    n: int
    reply: Path
    asked_at: float | None = None
    refusal: Refusal | None = None
    held: Held | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """The row is done, or partial; `job_over`: it was the last of its job. `sent` False: it asked for
    what an equal row was paid for, and the API was not asked.
    """

    item: OpenItem
    state: RowState
    job_over: bool
    sent: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferred:
    """Due again at `item.due_at`; the whole lane rests for `rest` seconds first.

    `status`: of the refusal, 0 where there was no reply or no refusal. `unanswered`: as of `Failed`.
    """

    item: OpenItem
    problem: Problem
    rest: float = 0.0
    status: int = 0
    unanswered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Never, for this row. `by_server`: its attempts are used up, the row itself is not to blame.

    `unanswered`: its call may have been charged and brought nothing. `sent` False: the API was not asked
    at all.
    """

    item: OpenItem
    problem: Problem
    job_over: bool
    by_server: bool
    unanswered: bool = False
    sent: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Halted:
    """The row is queued again; its lane is closed, with all that `scope` reaches."""

    item: OpenItem
    problem: Problem
    scope: Scope


Outcome: TypeAlias = Delivered | Deferred | Failed | Halted
