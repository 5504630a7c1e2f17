"""Settings of money → what the work holds to: budgets by day, inbox and job, and what a call will cost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from watcher.core.budgets import Cap, Money
from watcher.core.catalogue import Catalogue
from watcher.core.jobs import OpenItem, Operation
from watcher.core.pricing import estimate_usd
from watcher.ledger import Ledger
from watcher.settings import Budget, Settings

_LOOK = 20.0  # seconds between two looks for jobs whose day has come


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A day of this machine's time zone; `began` and `ends` in seconds since the epoch."""

    name: str
    began: float
    ends: float


def day_of(now: float) -> Day:
    """The day in which `now` (seconds since the epoch) falls; days of 23 and 25 hours are days too."""
    date = datetime.fromtimestamp(now).astimezone().date()
    began, ends = (
        datetime(each.year, each.month, each.day).astimezone().timestamp()
        for each in (date, date + timedelta(days=1))
    )
    return Day(name=date.isoformat(), began=began, ends=ends)


def caps(settings: Settings, item: OpenItem, day: Day) -> tuple[Cap, ...]:
    """Every budget that a call for this item counts against."""
    found = [*_caps(settings.budget, item, day)]
    if (own := settings.budget_for(item.inbox)) is not None:
        found += _caps(own, item, day, inbox=item.inbox)
    return tuple(found)


def _caps(budget: Budget, item: OpenItem, day: Day, *, inbox: str = "") -> Iterator[Cap]:
    key = f"inboxes.{inbox}.api.budget" if inbox else "budget"
    scope = f"inbox {inbox} {day.name}" if inbox else f"day {day.name}"
    span = f"a day of the inbox {inbox}" if inbox else "a day"
    if budget.usd_per_day is not None:
        yield Cap(scope=scope, setting=f"{key}.usd_per_day", span=span, usd=budget.usd_per_day,
                  since=day.began, until=day.ends, code="budget_day")  # fmt: skip
    if budget.images_per_day is not None:
        yield Cap(scope=scope, setting=f"{key}.images_per_day", span=span,
                  images=budget.images_per_day, since=day.began, until=day.ends,
                  code="budget_day")  # fmt: skip
    if item.approved:
        return
    # What was foreseen may turn out dearer: pictures that were to be reused are gone, calls were repeated.
    for name, usd in (
        ("usd_per_job", budget.usd_per_job),
        ("approve_above_usd", budget.approve_above_usd),
    ):
        if usd is not None:
            yield Cap(scope=f"job {item.job_id}", setting=f"{key}.{name}", span="a job", usd=usd,
                      code="budget_job")  # fmt: skip


def call_cost(item: OpenItem, catalogue: Catalogue) -> Money:
    """What asking for an item now will cost, by the catalogue's estimates."""
    images = max(1, item.item.n - item.delivered)
    usd = estimate_usd(replace(item.item, n=images), catalogue)
    return Money(usd=usd, images=0 if item.item.operation is Operation.ANALYZE else images)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holds:
    """Lets jobs go on when the day of their budget is over."""

    ledger: Ledger
    released: Callable[[], None]

    async def run(self) -> None:
        """Until cancelled. A start weighs everything anew: who raised a budget may not have reloaded."""
        await self.release(budgets=True)
        while True:
            await asyncio.sleep(_LOOK)
            await self.release()

    async def release(self, *, budgets: bool = False) -> None:
        """`budgets`: they have changed, so that everything they hold is weighed again."""
        release = self.ledger.orders.release_held
        if await self.ledger.insist(release, now=time.time(), budgets=budgets):
            self.released()
