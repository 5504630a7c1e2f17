"""A job and its rows as people and programs get to see them: what the ledger tells, what results show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from watcher.core.jobs import (
    Adjustment,
    JobState,
    Json,
    Operation,
    Picture,
    Problem,
    RowState,
    Usage,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """One try of an item. Times are seconds since the epoch; `seconds` is None while in flight.

    `outcome`: sent (in flight), answered, later, ambiguous, never, nobody, mend.
    """

    number: int
    started_at: float
    seconds: float | None
    outcome: str
    model: str = ""
    status: int = 0
    code: str = ""
    request_id: str = ""
    paid_maybe: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RowResult:
    """One row and what happened to it so far.

    `values` are the drop's own, in the order of the job's columns (may be fewer). `problem` says
    why it failed, or why it waits; `due_at` until when (seconds since the epoch). `cost_usd` None:
    unknown, which is not nothing. `source`: api, cache or bulk.
    """

    number: int
    values: tuple[Json, ...]
    state: RowState
    operation: Operation | None = None
    model: str = ""
    prompt: str = ""
    parameters: Mapping[str, Json] = field(default_factory=dict)
    problem: Problem | None = None
    due_at: float | None = None
    adjustments: tuple[Adjustment, ...] = ()
    pictures: tuple[Picture, ...] = ()
    text: str = ""
    attempts: tuple[AttemptRecord, ...] = ()
    cost_usd: Decimal | None = None
    usage: Usage | None = None
    seconds: float | None = None
    request_id: str = ""
    source: str = ""

    @property
    def live(self) -> tuple[Picture, ...]:
        """Its pictures but those that others were asked for, and came, in place of."""
        return tuple(one for one in self.pictures if one.choice != "replaced")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """One job: `counts` by row state (absent: 0), `problem` why the whole drop was refused.

    `paused`: why nothing moves now ("" when it does); `hold`: what somebody is to decide, or a budget
    that is used up. `folder` is the job's folder in the outbox, by name, `path` where its drop lay,
    relative to the inbox. `settings` are those of its inbox, secrets masked. Times are seconds since
    the epoch.
    `possibly_usd`: what the attempts that
    were possibly charged may have cost, at most, as estimated. `unpriced`: how many paid attempts have no known cost. `published_at`: its final results are out.
    `delimiter`: what the drop has between its values, "" where that means nothing.
    """

    id: str
    inbox: str
    name: str
    folder: str
    state: JobState
    columns: tuple[str, ...]
    created_at: float
    path: bytes = b""
    ended_at: float | None = None
    published_at: float | None = None
    encoding: str = ""
    delimiter: str = ""
    notes: tuple[str, ...] = ()
    problem: Problem | None = None
    paused: str = ""
    hold: Problem | None = None
    counts: Mapping[RowState, int] = field(default_factory=dict)
    attempts: int = 0
    pictures: int = 0
    cost_usd: Decimal | None = None
    unpriced: int = 0
    possibly_charged: int = 0
    possibly_usd: Decimal | None = None
    estimate_usd: Decimal | None = None
    settings: Mapping[str, Json] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return sum(self.counts.values())

    @property
    def ended(self) -> int:
        """How many rows are final."""
        final = (RowState.DONE, RowState.PARTIAL, RowState.FAILED, RowState.CANCELLED)
        return sum(self.counts.get(state, 0) for state in final)

    @property
    def is_settled(self) -> bool:
        """Nothing of it will be asked for any more, also not when the drop comes again."""
        failed = self.counts.get(RowState.FAILED, 0) + self.counts.get(RowState.PARTIAL, 0)
        return self.state is not JobState.RUNNING and not failed
