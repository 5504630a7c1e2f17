"""Budgets while the work goes on: held before each call, settled by what it cost, never gone beyond."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Never

from watcher.core.budgets import Cap, Money, Sum, charged, spent_problem
from watcher.core.jobs import OpenItem, Problem, Settlement
from watcher.core.log import Log
from watcher.ledger import Ledger
from watcher.work.values import Held, Withdrawn


@dataclass(slots=True, kw_only=True)
class Purse:
    """`caps` of an item; `estimate`: what asking for it now will cost; `on_hold` is told of a job that waits.

    Sums are read from the ledger when they are first wanted, and kept up from there: this process
    is the only one that spends.
    """

    ledger: Ledger
    log: Log
    on_hold: Callable[[str], None]
    caps: Callable[[OpenItem], Sequence[Cap]]
    estimate: Callable[[OpenItem], Money]
    _sums: dict[str, Sum] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def afforded(self, item: OpenItem) -> AsyncIterator[Held]:
        """What a call may cost is held until it has ended. Raises Withdrawn where a budget is used up:
        then the job is held.
        """
        held = await self._hold(item)
        try:
            yield held
        finally:
            for one in held.sums:
                one.release(held.money)
            self._changed.set()

    async def _hold(self, item: OpenItem) -> Held:
        """Wait while calls in flight may leave room yet."""
        money = self.estimate(item)
        while True:
            caps = self.caps(item)
            for cap in caps:
                await self._load(cap, item)
            sums = {cap.scope: self._sums[cap.scope] for cap in caps}
            full = next((cap for cap in caps if not sums[cap.scope].has_room(cap, money)), None)
            if full is None:
                for one in sums.values():
                    one.hold(money)
                return Held(money=money, sums=tuple(sums.values()))
            if not sums[full.scope].calls:
                await self._give_up(item, full, spent_problem(full, sums[full.scope], money))
            self._changed.clear()
            await self._changed.wait()

    async def _give_up(self, item: OpenItem, cap: Cap, problem: Problem) -> Never:
        """Its rows stay queued; whoever asks first tells everybody."""
        hold = self.ledger.orders.hold
        if await self.ledger.insist(hold, item, problem, until=cap.until):
            self.log.warning("job.held", job=item.job_id, code=problem.code, what=problem.what,
                             what_to_do=problem.hint)  # fmt: skip
            self.on_hold(item.job_id)
        raise Withdrawn

    def counts(self, item: OpenItem, held: Held) -> bool:
        """Whether what is held is held in every budget that there is now: while a row waited for its turn
        a new day may have begun, or a budget been set.
        """
        now = (self._sums.get(cap.scope) for cap in self.caps(item))
        return all(any(one is mine for mine in held.sums) for one in now)

    def keep(self, held: Held) -> None:
        """A call has ended, and its outcome is still to come: what it may cost is spent until then."""
        for one in held.sums:
            one.spend(held.money)

    def book(self, item: OpenItem, held: Held | None, settlement: Settlement) -> None:
        """What an attempt did cost. Without `held` it is one of an earlier process, and what was reserved
        for it is in the sums already.
        """
        if held is not None:
            money = charged(settlement, held.money)
            sums = held.sums
        else:
            before = Money(usd=item.reserved_usd)
            after = charged(settlement, before)
            money = Money(usd=(after.usd or Decimal(0)) - (before.usd or Decimal(0)))
            sums = tuple(
                self._sums[cap.scope] for cap in self.caps(item) if cap.scope in self._sums
            )
        for one in sums:
            one.spend(money)

    async def _load(self, cap: Cap, item: OpenItem) -> None:
        if cap.scope in self._sums:
            return
        job = item.job_id if cap.scope.startswith("job ") else ""
        inbox = item.inbox if cap.scope.startswith("inbox ") else ""
        spent = self.ledger.costs.spent
        found = await self.ledger.insist(spent, since=cap.since, inbox=inbox, job=job)
        fresh = Sum()
        fresh.spend(found)
        self._sums.setdefault(cap.scope, fresh)  # somebody may have been quicker
