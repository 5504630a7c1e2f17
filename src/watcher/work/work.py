"""From slice to outcomes: an item is asked for once, its answer kept, its pictures put into the outbox.

The order is the promise: attempt committed → call → raw reply on disk → pictures whole in the
outbox → outcome committed → reply removed. A crash between any two of these repeats only what
follows; a reply that is on disk is never asked for again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TypeVar

from watcher.api import RetryRules, wait_before
from watcher.core.catalogue import Catalogue
from watcher.core.checks import CheckRules
from watcher.core.errors import DiskError
from watcher.core.jobs import (
    Answer,
    Call,
    LaneKey,
    No,
    OpenItem,
    Operation,
    Problem,
    Refusal,
    RowState,
    Settlement,
)
from watcher.core.log import Log
from watcher.core.policy import (
    ROW_DEADLINE,
    Defer,
    Fail,
    Halt,
    Patience,
    as_problem,
    decide,
    idempotency_key,
)
from watcher.core.pricing import cost_usd
from watcher.core.wire import call_for
from watcher.ledger import HaltedLane, Ledger, Redo
from watcher.work.checking import Checking
from watcher.work.faults import Faults
from watcher.work.judging import Judge, heard, not_heard
from watcher.work.keeping import Keeping, Kept, may_come_yet
from watcher.work.learning import Learning
from watcher.work.pictures import Inputs, Loaded
from watcher.work.purse import Purse
from watcher.work.reuse import Reuse
from watcher.work.room import GOOD_FOR, Room
from watcher.work.settlements import (
    NO_KEY,
    NOT_GOOD_ENOUGH,
    answered,
    counted,
    missing_pictures,
    refused,
    reply_lost,
)
from watcher.work.values import (
    Account,
    Asked,
    Deferred,
    Delivered,
    Failed,
    Halted,
    Held,
    Outcome,
    Place,
    Space,
    Withdrawn,
)

_DISK_WAIT = 10.0  # seconds between looks at a disk that refused a write
_LINK_WAIT = 60.0  # seconds between looks for a picture at its address, at most
_OUTAGE_WAIT = 120.0  # seconds that a row waits which ran into an outage
_NONE = 0  # the id of no attempt

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Work:
    """One item at a time: `ask`, then `settle`. Many of these run together."""

    ledger: Ledger
    accounts: Mapping[str, Account]
    places: Mapping[str, Place]
    catalogue: Catalogue
    patience: Patience
    purse: Purse
    retry: RetryRules
    replies: Path
    inputs: Inputs
    space: Space
    rules: Callable[[str], CheckRules]
    judge: Judge
    clock: Callable[[], float]
    random: random.Random
    log: Log
    sleep: Callable[[float], Awaitable[None]] = field(default=asyncio.sleep)
    reuse_days: Callable[[str], float] = lambda _inbox: 0.0
    on_disk_refused: Callable[[LaneKey, Problem], Awaitable[None]] | None = None
    _faults: Faults = field(init=False)
    _room: Room = field(init=False)
    _learning: Learning = field(init=False)
    _keeping: Keeping = field(init=False)
    reuse: Reuse = field(init=False)

    def __post_init__(self) -> None:
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
        return LaneKey(account=self.account(item.inbox).name, model=item.item.model)

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
        send = partial(api.send, into=reply, idempotency_key=key, on_end=on_end, on_head=on_head)
        refusal = await self._send(item, n, pictures, send)
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
            return await self._judged(self._unsent(item, lane, None), settlement, sent=False)
        settlement = self.judge.begun(item, settlement)
        over = await self._commit(self._unsent(item, lane, None), settlement)
        self.log.info("item.reused", job=item.job_id, row=item.number,
                      files=[picture.file for picture in settlement.pictures])  # fmt: skip
        return Delivered(item=item, state=settlement.state, job_over=over, sent=False)

    async def settle(self, asked: Asked, *, outage: bool) -> Outcome:
        """Read the reply, keep what it brought, commit what it means. Waits while a disk refuses."""
        await self._room.lacking(
            asked.item.inbox, good_for=GOOD_FOR / 2
        )  # so that no call waits for it
        said = await self._keeping.read_and_keep(asked)
        if (lost := may_come_yet(asked, said, now=self.clock())) is not None:
            return self._fetch_later(asked, lost)
        if isinstance(said, Refusal):
            return await self._refuse(asked, said, outage=outage)
        answer, kept = said
        await self._keeping.trace(asked, answer, kept.pictures, self._cost(asked, answer))
        return await self._deliver(asked, answer, kept)

    def lane_halted(self, lane: HaltedLane, *, fresh: bool) -> None:
        say = self.log.warning if fresh else self.log.info
        say("lane.halted", lane=lane.key, code=lane.problem.code, what=lane.problem.what,
            what_to_do=lane.problem.hint, probe_at=lane.probe_at)  # fmt: skip

    def lane_reopened(self, key: str) -> None:
        self.log.info("lane.reopened", lane=key)

    async def broken(self, item: OpenItem) -> Failed | None:
        """Called while a fault of our own is handled; what it means for the row."""
        return await self._faults.met(item)

    def _reply_file(self, attempt: int) -> Path:
        return self.replies / f"{attempt}.reply"

    def _unsent(self, item: OpenItem, lane: LaneKey, refusal: Refusal | None) -> Asked:
        """Nothing may be sent, so nothing is noted as an attempt."""
        return Asked(item=item, lane=lane, attempt=_NONE, n=0, reply=self._reply_file(_NONE),
                     refusal=refusal)  # fmt: skip

    async def _pictures(self, item: OpenItem) -> Loaded | Refusal:
        if not item.item.images:
            return Loaded()
        if item.judging is not None:
            return await self._on_disk(lambda: self.judge.load(item, self.account(item.inbox)))
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

    async def _deliver(self, asked: Asked, answer: Answer, kept: Kept) -> Delivered | Deferred:
        item, pictures = asked.item, kept.pictures
        if item.judging is not None:
            told = answered(item, answer, (), self._cost(asked, answer), state=RowState.DONE)
            return await self._judged(asked, heard(item, told, answer.text))
        missing = asked.n - len(pictures) if item.item.operation is not Operation.ANALYZE else 0
        if missing > 0 and not item.asked_again and kept.lost is None:
            return await self._ask_for_the_rest(asked, answer, kept)
        state = RowState.PARTIAL if missing > 0 else RowState.DONE
        problem = missing_pictures(item, missing, kept.lost) if missing > 0 else None
        settlement = answered(item, answer, pictures, self._cost(asked, answer), state=state)
        paid = item.fingerprint if state is RowState.DONE else ""
        settlement = replace(settlement, problem=problem, fingerprint=paid, found=kept.found)
        settlement = self.judge.begun(item, settlement)
        over = await self._commit(asked, settlement)
        files = [picture.file for picture in pictures]
        self.log.info("item.delivered", job=item.job_id, row=item.number, files=files,
                      request_id=answer.request_id)  # fmt: skip
        return Delivered(item=item, state=settlement.state, job_over=over)

    async def _judged(self, asked: Asked, said: Settlement, *, sent: bool = True) -> Delivered:
        """A picture has its verdict, or will have none."""
        item = asked.item
        settlement, redo = await self._on_disk(lambda: self.judge.concluded(item, said))
        over = await self._commit(asked, settlement, redo)
        assert settlement.verdict is not None  # noqa: S101 - it was just concluded
        self.log.info("picture.judged", job=item.job_id, row=item.number,
                      index=settlement.verdict.index, unmet=len(settlement.verdict.unmet),
                      problem=settlement.verdict.problem, again=redo is not None)  # fmt: skip
        return Delivered(item=item, state=settlement.state, job_over=over, sent=sent)

    def _fetch_later(self, asked: Asked, lost: Refusal) -> Deferred:
        """The attempt stays open and its reply on the disk, where the next look finds it, after a crash too."""
        wait, problem = min(self.retry.longest, _LINK_WAIT), as_problem(lost)
        item = replace(asked.item, pending=asked.attempt, due_at=self.clock() + wait)
        if asked.held is not None:
            item = replace(item, reserved_usd=asked.held.money.usd)
            self.purse.keep(asked.held)
        self._say("item.deferred", asked, problem, wait=wait)
        return Deferred(item=item, problem=problem)

    async def _ask_for_the_rest(self, asked: Asked, answer: Answer, kept: Kept) -> Deferred:
        pictures = kept.pictures
        problem = missing_pictures(asked.item, asked.n - len(pictures))
        if kept.put_aside:
            problem = NOT_GOOD_ENOUGH
        cost = self._cost(asked, answer)
        settlement = answered(asked.item, answer, pictures, cost, state=RowState.WAITING)
        await self._commit(
            asked,
            replace(
                settlement, problem=problem, due_at=self.clock(), asked_again=True, found=kept.found
            ),
        )
        delivered = asked.item.delivered + len(pictures)
        item = replace(asked.item, delivered=delivered, asked_again=True, pending=None)
        return Deferred(item=item, problem=problem)

    async def _refuse(self, asked: Asked, refusal: Refusal, *, outage: bool) -> Outcome:
        verdict = decide(refusal, asked.item, self.patience, now=self.clock())
        sent = asked.attempt != _NONE
        by_server = sent and refusal.no is No.LATER
        settlement = refused(asked.item, refusal, self._cost(asked, refusal))
        if isinstance(verdict, Fail) and by_server and outage and self._is_young(asked.item):
            verdict = Halt(problem=replace(verdict.problem, code="outage"), scope="provider")
            # Behind the others: a row that is refused always must not be every probe.
            due_at = self.clock() + _OUTAGE_WAIT
            settlement = replace(
                settlement, state=RowState.WAITING, due_at=due_at, problem=verdict.problem
            )
        match verdict:
            case Fail(problem=problem):
                over = await self._fail(asked, settlement, problem)
                unanswered = refusal.no is No.AMBIGUOUS
                # A call without a known end says as little for the server as a refused one.
                return Failed(
                    item=asked.item, problem=problem, job_over=over, sent=sent,
                    by_server=by_server or unanswered, unanswered=unanswered,
                )  # fmt: skip
            case Halt(problem=problem, scope=scope):
                if sent:
                    await self._commit(asked, settlement)
                return Halted(item=asked.item, problem=problem, scope=scope)
            case Defer():
                await self._learning.learn(asked, refusal)
                return await self._defer(asked, refusal, settlement, verdict)

    async def _fail(self, asked: Asked, settlement: Settlement, problem: Problem) -> bool:
        """Never: a row without its pictures has failed, a picture without a verdict is a picture."""
        if asked.item.judging is not None:
            none = not_heard(asked.item, settlement, problem)
            return (await self._judged(asked, none)).job_over
        state = RowState.PARTIAL if asked.item.delivered else RowState.FAILED
        failed = replace(settlement, state=state, problem=problem)
        over = await self._commit(asked, self.judge.begun(asked.item, failed))
        self._say("item.failed", asked, problem)
        return over

    async def _defer(
        self, asked: Asked, refusal: Refusal, settlement: Settlement, verdict: Defer
    ) -> Deferred:
        wait = 0.0
        if not verdict.at_once:
            wait = wait_before(max(1, asked.item.asked), refusal, self.retry, self.random)
        due_at, problem = self.clock() + wait, as_problem(refusal)
        item = replace(
            asked.item, tries=verdict.tries, doubts=verdict.doubts, dropped=verdict.dropped,
            due_at=due_at, pending=None,
        )  # fmt: skip
        waiting = replace(settlement, state=RowState.WAITING, problem=problem, due_at=due_at)
        await self._commit(asked, counted(waiting, item))
        self._say("item.deferred", asked, problem, wait=round(wait, 2))
        rest = wait if refusal.retry_after is not None else 0.0
        unanswered = refusal.no is No.AMBIGUOUS
        return Deferred(
            item=item, problem=problem, rest=rest, status=refusal.status, unanswered=unanswered
        )

    def _is_young(self, item: OpenItem) -> bool:
        return self.clock() - (item.since or self.clock()) < ROW_DEADLINE

    def _cost(self, asked: Asked, said: Answer | Refusal) -> Decimal | None:
        return cost_usd(said.usage, asked.lane.model, self.catalogue)

    async def _commit(self, asked: Asked, settlement: Settlement, redo: Redo | None = None) -> bool:
        """The outcome is durable when this returns, then the reply may go; True: the job is over."""
        over = await self._on_disk(
            lambda: self.ledger.call(
                self.ledger.items.settle, asked.item, asked.attempt, settlement, now=self.clock(),
                redo=redo,
            )
        )  # fmt: skip
        if asked.attempt != _NONE:
            self.purse.book(asked.item, asked.held, settlement)
            await asyncio.to_thread(self._forget_reply, asked.attempt)
        return over

    def _forget_reply(self, attempt: int) -> None:
        for file in self.replies.glob(f"{attempt}.*"):
            with suppress(OSError):  # the outcome is safe; the next start clears what is left
                file.unlink()

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

    async def _on_disk(self, act: Callable[[], Awaitable[T]]) -> T:
        """Do what a disk may refuse, until it does not: nothing that was paid for is given up."""
        while True:
            try:
                return await act()
            except DiskError as error:
                self._room.forget()
                self.log.warning("disk.refused", what=error.what, what_to_do=error.hint)
                if self.on_disk_refused is not None:
                    problem = Problem(code="disk_full", what=error.what, hint=error.hint)
                    for name in {account.name for account in self.accounts.values()}:
                        await self.on_disk_refused(LaneKey(account=name, model=""), problem)
                await self.sleep(_DISK_WAIT)

    def _say(self, event: str, asked: Asked, problem: Problem, **more: object) -> None:
        self.log.warning(event, job=asked.item.job_id, row=asked.item.number, code=problem.code,
                         what=problem.what, what_to_do=problem.hint, **more)  # fmt: skip
