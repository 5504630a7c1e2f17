"""From slice to outcomes: an item is asked for once, its answer kept, its pictures put into the outbox.

The order is the promise: attempt committed → call → raw reply on disk → pictures whole in the
outbox → outcome committed → reply removed. A crash between any two of these repeats only what
follows; a reply that is on disk is never asked for again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import InitVar, dataclass, field, replace
from functools import partial
from pathlib import Path
from random import Random
from typing import TypeVar

from watcher.api import RetryRules
from watcher.core.catalogue import Catalogue
from watcher.core.checks import CheckRules
from watcher.core.errors import DiskError
from watcher.core.jobs import Call, LaneKey, OpenItem, Problem, Refusal, Settlement
from watcher.core.log import Log
from watcher.core.policy import Patience, idempotency_key
from watcher.core.wire import call_for
from watcher.ledger import HaltedLane, Ledger
from watcher.outbox import hangs
from watcher.work.checking import Checking
from watcher.work.faults import Faults
from watcher.work.judging import Judge
from watcher.work.keeping import Keeping, may_come_yet
from watcher.work.learning import Learning
from watcher.work.outcomes import Outcomes
from watcher.work.pictures import Inputs, Loaded
from watcher.work.purse import Purse
from watcher.work.reuse import Reuse
from watcher.work.room import GOOD_FOR, Room
from watcher.work.settlements import NO_KEY, disk_problem, reply_lost
from watcher.work.values import (
    UNSENT,
    Account,
    Asked,
    Delivered,
    Failed,
    Held,
    Outcome,
    Place,
    Space,
    Withdrawn,
)

_DISK_WAIT = 10.0  # seconds between looks at a disk that refused a write

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Work:
    """One item at a time: `ask`, then `settle`. Many of these run together."""

    ledger: Ledger
    accounts: Mapping[str, Account]
    places: Mapping[str, Place]
    catalogue: InitVar[Catalogue]
    patience: InitVar[Patience]
    purse: Purse
    retry: InitVar[RetryRules]
    replies: Path
    inputs: Inputs
    space: Space
    rules: Callable[[str], CheckRules]
    judge: Judge
    clock: Callable[[], float]
    random: InitVar[Random]
    log: Log
    sleep: Callable[[float], Awaitable[None]] = field(default=asyncio.sleep)
    reuse_days: Callable[[str], float] = lambda _inbox: 0.0
    on_disk_refused: Callable[[Problem, str], Awaitable[None]] | None = None
    on_disk_taken: Callable[[str], Awaitable[None]] | None = None
    _faults: Faults = field(init=False)
    _room: Room = field(init=False)
    _learning: Learning = field(init=False)
    _keeping: Keeping = field(init=False)
    reuse: Reuse = field(init=False)
    outcomes: Outcomes = field(init=False)

    def __post_init__(
        self, catalogue: Catalogue, patience: Patience, retry: RetryRules, random: Random
    ) -> None:
        self._room = Room(
            replies=self.replies, places=self.places, space=self.space, clock=self.clock
        )
        self._keeping = Keeping(
            places=self.places,
            account=self.account,
            checking=Checking(rules=self.rules, ledger=self.ledger),
            on_disk=self._on_disk,
            clock=self.clock,
            log=self.log,
        )
        self._learning = Learning(
            ledger=self.ledger, on_disk=self._on_disk, clock=self.clock, log=self.log
        )
        self.outcomes = Outcomes(
            ledger=self.ledger,
            purse=self.purse,
            judge=self.judge,
            learning=self._learning,
            catalogue=catalogue,
            patience=patience,
            retry=retry,
            replies=self.replies,
            on_disk=self._on_disk,
            clock=self.clock,
            random=random,
            log=self.log,
        )
        self._faults = Faults(
            ledger=self.ledger, on_disk=self._on_disk, clock=self.clock, log=self.log
        )
        self.reuse = Reuse(
            ledger=self.ledger,
            places=self.places,
            inputs=self.inputs,
            account=self.account,
            add_copy=self._keeping.add_copy,
            without_refused=lambda item: self._learning.without_refused(item, self.lane(item)),
            days=self.reuse_days,
            on_disk=self._on_disk,
            judge=self.judge,
            clock=self.clock,
        )

    def account(self, inbox: str) -> Account:
        """Who asks for the rows of an inbox."""
        return self.accounts[inbox]

    def lane(self, item: OpenItem) -> LaneKey:
        outbox = str(self.places[item.inbox].outbox.root)
        return LaneKey(account=self.account(item.inbox).name, model=item.item.model, outbox=outbox)

    def found_reply(self, item: OpenItem) -> Asked | None:
        """The reply to an attempt of an earlier process, paid for and on disk."""
        if item.pending is None or not (reply := self._reply_file(item.pending)).exists():
            return None
        n = item.item.n - item.delivered
        return Asked(item=item, lane=self.lane(item), attempt=item.pending, n=n, reply=reply)

    async def ask(
        self, item: OpenItem, lane: LaneKey, *, held: Held,
        on_end: Callable[[], object], on_head: Callable[[int, Mapping[str, str]], object],
    ) -> Asked:  # fmt: skip
        """Commit an attempt, send it, leave the raw reply on disk. Raises Withdrawn.

        `on_end` is called once a good answer is in, before the disk is waited for; `on_head` with
        the status and headers of any reply as it begins.
        """
        if not self.account(item.inbox).has_key:
            return self._unsent(item, lane, NO_KEY)
        if (full := await self._room.lacking(item.inbox)) is not None:
            return self._unsent(item, lane, full)
        item = await self._forget_interrupted(item)
        pictures = await self._pictures(item)
        if isinstance(pictures, Refusal):
            return self._unsent(item, lane, pictures)
        if not self.purse.counts(item, held):
            raise Withdrawn
        n = max(1, item.item.n - item.delivered)
        begun = await self._on_disk(lambda: self.ledger.call(self._begin, item, lane, held))
        if begun is None:
            raise Withdrawn
        item, attempt = begun
        reply, now = self._reply_file(attempt), self.clock()
        item = replace(item, asked=item.asked + 1, since=item.since or now)
        api, key = self.account(item.inbox).api, await self._idempotency_key(item)
        ended = partial(self._ended, reply, on_end)
        send = partial(api.send, into=reply, idempotency_key=key, on_end=ended, on_head=on_head)
        try:
            refusal = await self._send(item, n, pictures, send)
        except BaseException:
            self._keeping.arriving.discard(reply)
            raise
        return Asked(
            item=item,
            lane=lane,
            attempt=attempt,
            n=n,
            reply=reply,
            refusal=refusal,
            held=held,
            asked_at=now,
        )

    async def take_over(self, item: OpenItem, settlement: Settlement) -> Delivered:
        """Commit what a row has without a call: what an equal one was paid for."""
        lane = self.lane(item)
        if item.judging is not None:
            item = await self._forget_interrupted(item)
            return await self.outcomes.judged(
                self._unsent(item, lane, None), settlement, sent=False
            )
        settlement = self.judge.begun(item, settlement)
        over = await self.outcomes.commit(self._unsent(item, lane, None), settlement)
        self.log.info("item.reused", job=item.job_id, row=item.number,
                      files=[picture.file for picture in settlement.pictures])  # fmt: skip
        return Delivered(item=item, state=settlement.state, job_over=over, sent=False)

    async def settle(self, asked: Asked, *, outage: bool) -> Outcome:
        """Read the reply, keep what it brought, commit what it means. Waits while a disk refuses."""
        refused: Mapping[int, Refusal] = {}
        try:
            if asked.refusal is None:
                refused = await self._keeping.fetch_ahead(asked)
        finally:
            self._keeping.arriving.discard(asked.reply)
        if asked.refusal is None:  # so that no call waits for it
            await self._room.lacking(asked.item.inbox, good_for=GOOD_FOR / 2)
        said = await self._keeping.read_and_keep(asked, refused)
        if (lost := may_come_yet(asked, said, now=self.clock())) is not None:
            return self.outcomes.fetch_later(asked, lost)
        if isinstance(said, Refusal):
            return await self.outcomes.refuse(asked, said, outage=outage)
        answer, kept = said
        await self._keeping.trace(asked, answer, kept.pictures, self.outcomes.cost(asked, answer))
        return await self.outcomes.deliver(asked, answer, kept)

    @property
    def is_fetching(self) -> bool:
        """Pictures that are paid for are on their way, from addresses that end."""
        return bool(self._keeping.arriving)

    def lane_halted(self, lane: HaltedLane, *, fresh: bool) -> None:
        say = self.log.warning if fresh else self.log.info
        say("lane.halted", lane=lane.key, code=lane.problem.code, what=lane.problem.what,
            what_to_do=lane.problem.hint, probe_at=lane.probe_at)  # fmt: skip

    def lane_reopened(self, key: str) -> None:
        self.log.info("lane.reopened", lane=key)

    async def broken(self, item: OpenItem) -> Failed | None:
        """Called while a fault of our own is handled; what it means for the row."""
        return await self._faults.met(item)

    def _ended(self, reply: Path, on_end: Callable[[], object]) -> None:
        """A good answer is in: its turn is over before it is known what it names."""
        self._keeping.arriving.add(reply)
        on_end()

    def _reply_file(self, attempt: int) -> Path:
        return self.replies / f"{attempt}.reply"

    def _unsent(self, item: OpenItem, lane: LaneKey, refusal: Refusal | None) -> Asked:
        """Nothing may be sent, so nothing is noted as an attempt."""
        return Asked(item=item, lane=lane, attempt=UNSENT, n=0, reply=self._reply_file(UNSENT),
                     refusal=refusal)  # fmt: skip

    async def _pictures(self, item: OpenItem) -> Loaded | Refusal:
        if not item.item.images:
            return Loaded()
        if item.judging is not None:
            load = lambda: self.judge.load(item, self.account(item.inbox))  # noqa: E731
            return await self._on_disk(load, outbox=self.lane(item).outbox)
        disk = self.places[item.inbox].disk
        return await self._on_disk(lambda: self.inputs.load(item, self.account(item.inbox), disk))

    async def _send(
        self, item: OpenItem, n: int, pictures: Loaded,
        send: Callable[[Call], Awaitable[Refusal | None]],
    ) -> Refusal | None:  # fmt: skip
        profile = self.account(item.inbox).profile
        profile = replace(profile, drops=profile.drops | frozenset(item.dropped))
        call = call_for(
            item.item, profile, n=n,
            images=pictures.images, mask=pictures.mask, markup=pictures.markup,
        )  # fmt: skip
        try:
            return await send(call)
        except DiskError as error:
            return reply_lost(error)

    def _begin(self, item: OpenItem, lane: LaneKey, held: Held) -> tuple[OpenItem, int] | None:
        """Commit an attempt, in one go on the ledger's thread: a free place waits for it."""
        attempt = self.ledger.items.begin_attempt(
            item, lane=lane, n=held.money.images, now=self.clock(), reserved_usd=held.money.usd
        )
        return None if attempt is None else (self._learning.without_refused(item, lane), attempt)

    async def _idempotency_key(self, item: OpenItem) -> str:
        if not self.account(item.inbox).profile.honours_idempotency_key:
            return ""
        decided = self.ledger.items.decided
        return idempotency_key(item, await self._on_disk(lambda: self.ledger.call(decided, item)))

    async def _forget_interrupted(self, item: OpenItem) -> OpenItem:
        if item.pending is not None:
            attempt = item.pending
            await self._on_disk(
                lambda: self.ledger.call(self.ledger.items.interrupted, attempt, now=self.clock())
            )
            self.log.warning("attempt.interrupted", job=item.job_id, row=item.number,
                             what="The process ended during this call; it may have been charged.")  # fmt: skip
        return replace(item, pending=None)

    async def _on_disk(self, act: Callable[[], Awaitable[T]], *, outbox: str = "") -> T:
        """Do what a disk may refuse, until it does not: nothing that was paid for is given up.

        Meanwhile nobody pays for more: whoever needs that `outbox`, or all.
        """
        refused = False
        while True:
            try:
                found = await (self._waited_for(act(), outbox) if outbox else act())
            except DiskError as error:
                refused = True
                await self._disk_refused(error, outbox)
                await self.sleep(_DISK_WAIT)
                continue
            if refused and outbox and self.on_disk_taken is not None:
                await self.on_disk_taken(outbox)
            return found

    async def _waited_for(self, act: Awaitable[T], outbox: str) -> T:
        """For as long as it takes: it may be half done. An outbox that hangs counts as one that is away."""
        doing = asyncio.ensure_future(act)
        try:
            while not (await asyncio.wait({doing}, timeout=self._room.patience))[0]:
                await self._disk_refused(hangs(outbox), outbox)
                await self.sleep(0.0)  # no longer than that, once the daemon stops
        except BaseException:
            doing.cancel()
            raise
        return doing.result()

    async def _disk_refused(self, error: DiskError, outbox: str) -> None:
        self._room.forget()
        self.log.warning("disk.refused", what=error.what, what_to_do=error.hint)
        if self.on_disk_refused is not None:
            await self.on_disk_refused(disk_problem(error), outbox)
