"""From slice to outcomes: an item is asked for once, its answer kept, its pictures put into the outbox.

The order is the promise: attempt committed → call → raw reply on disk → pictures whole in the
outbox → outcome committed → reply removed. A crash between any two of these repeats only what
follows; a reply that is on disk is never asked for again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from watcher.api import ImageApi, RetryRules, load_reply, wait_before
from watcher.core.catalogue import Catalogue
from watcher.core.errors import DiskError
from watcher.core.jobs import (
    Answer,
    LaneKey,
    No,
    OpenItem,
    Picture,
    Problem,
    Refusal,
    RowState,
    Settlement,
)
from watcher.core.log import Log
from watcher.core.policy import Defer, Fail, Halt, Patience, as_problem, decide
from watcher.core.pricing import cost_usd
from watcher.core.wire import call_for, read_reply
from watcher.ledger import HaltedLane, Ledger
from watcher.outbox import BadPicture, Outbox, look_at_picture

_DISK_WAIT = 10.0  # seconds between looks at a disk that refused a write


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One provider and key. `name` tells them apart without telling the key."""

    name: str
    api: ImageApi
    has_key: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an inbox's pictures go, and the threads that may hang there without holding up others."""

    outbox: Outbox
    disk: Executor


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An attempt whose call has ended: its reply lies at `reply`, or there is a `refusal`."""

    item: OpenItem
    lane: LaneKey
    attempt: int
    n: int
    reply: Path
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """The row is done, or partial; `job_over`: it was the last of its job."""

    item: OpenItem
    state: RowState
    job_over: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferred:
    """Due again at `item.due_at`; the whole lane rests for `rest` seconds first."""

    item: OpenItem
    problem: Problem
    rest: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """This row never. `by_server`: its attempts are used up, the row itself is not to blame."""

    item: OpenItem
    problem: Problem
    job_over: bool
    by_server: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Halted:
    """The row is queued again; its lane is closed, `scope` is "provider" or "model"."""

    item: OpenItem
    problem: Problem
    scope: str


Outcome: TypeAlias = Delivered | Deferred | Failed | Halted


@dataclass(slots=True, kw_only=True)
class Work:
    """One item at a time: `ask`, then `settle`. Many of these run together."""

    ledger: Ledger
    account: Account
    places: Mapping[str, Place]
    catalogue: Catalogue
    patience: Patience
    retry: RetryRules
    replies: Path
    clock: Callable[[], float]
    random: random.Random
    log: Log
    sleep: Callable[[float], Awaitable[None]] = field(default=asyncio.sleep)

    def lane(self, item: OpenItem) -> LaneKey:
        return LaneKey(account=self.account.name, model=item.item.model)

    def found_reply(self, item: OpenItem) -> Asked | None:
        """The reply to an attempt of an earlier process, paid for and on disk."""
        if item.pending is None or not (reply := self._reply_file(item.pending)).exists():
            return None
        n = item.item.n - item.delivered
        return Asked(item=item, lane=self.lane(item), attempt=item.pending, n=n, reply=reply)

    async def ask(self, item: OpenItem, lane: LaneKey) -> Asked:
        """Commit an attempt, send it, leave the raw reply on disk."""
        if item.pending is not None:
            item = await self._forget_interrupted(item)
        n = max(1, item.item.n - item.delivered)
        attempt = await self._on_disk(
            lambda: self.ledger.call(
                self.ledger.items.begin_attempt, item, lane=lane, n=n, now=self.clock()
            )
        )
        reply = self._reply_file(attempt)
        asked = Asked(item=item, lane=lane, attempt=attempt, n=n, reply=reply)
        refusal = await self._send(item, n, reply)
        return replace(asked, refusal=refusal)

    async def settle(self, asked: Asked, *, outage: bool) -> Outcome:
        """Read the reply, keep what it brought, commit what it means. Waits while a disk refuses."""
        answer, refusal = await self._understand(asked)
        if answer is not None:
            kept = await self._keep(asked, answer)
            if isinstance(kept, Refusal):
                refusal = replace(kept, request_id=kept.request_id or answer.request_id)
            else:
                return await self._deliver(asked, answer, kept)
        assert refusal is not None  # noqa: S101 - one of the two is there, by construction
        return await self._refuse(asked, refusal, answer, outage=outage)

    def lane_halted(self, lane: HaltedLane, *, fresh: bool) -> None:
        say = self.log.warning if fresh else self.log.info
        say("lane.halted", lane=lane.key, code=lane.problem.code, what=lane.problem.what,
            what_to_do=lane.problem.hint, probe_at=lane.probe_at)  # fmt: skip

    def lane_reopened(self, key: str) -> None:
        self.log.info("lane.reopened", lane=key)

    def broken(self, item: OpenItem) -> None:
        self.log.exception("item.broken", job=item.job_id, row=item.number)

    def _reply_file(self, attempt: int) -> Path:
        return self.replies / f"{attempt}.reply"

    async def _send(self, item: OpenItem, n: int, reply: Path) -> Refusal | None:
        if not self.account.has_key:
            return _NO_KEY
        wanted = {k: v for k, v in item.item.parameters.items() if k not in item.dropped}
        extra = {k: v for k, v in item.item.extra.items() if k not in item.dropped}
        asked_for = replace(item.item, parameters=wanted, extra=extra)
        profile = self.account.api.endpoint.profile
        call = call_for(asked_for, profile, n=n)
        try:
            return await self.account.api.send(call, reply)
        except DiskError as error:
            return _reply_lost(error)

    async def _understand(self, asked: Asked) -> tuple[Answer | None, Refusal | None]:
        if asked.refusal is not None:
            return None, asked.refusal
        read = await self._in_thread(asked, lambda: _read(asked))
        return (read, None) if isinstance(read, Answer) else (None, read)

    async def _keep(self, asked: Asked, answer: Answer) -> tuple[Picture, ...] | Refusal:
        """Every picture of the answer, whole in the outbox; the first that is none ends it."""
        kept: list[Picture] = []
        for given in answer.pictures[: asked.n]:
            content: bytes | Refusal = given.content
            if given.url:
                content = await self.account.api.fetch(
                    given.url, asked.reply.with_suffix(".picture")
                )
            if isinstance(content, Refusal):
                return content
            index = asked.item.delivered + len(kept) + 1
            saved = await self._save(asked, index, content)
            if isinstance(saved, Refusal):
                return saved
            kept.append(saved)
        return tuple(kept)

    async def _save(self, asked: Asked, index: int, content: bytes) -> Picture | Refusal:
        place, item = self.places[asked.item.inbox], asked.item

        def look_and_save() -> Picture | Refusal:
            try:
                facts = look_at_picture(content)
            except BadPicture as error:
                return _not_a_picture(error)
            return place.outbox.save_picture(item.folder, item.stem, index, content, facts)

        return await self._on_disk(lambda: self._in_thread(asked, look_and_save))

    async def _deliver(
        self, asked: Asked, answer: Answer, pictures: tuple[Picture, ...]
    ) -> Delivered | Deferred:
        item = asked.item
        missing = asked.n - len(pictures) if item.item.operation != "analyze" else 0
        if missing > 0 and not item.asked_again:
            return await self._ask_for_the_rest(asked, answer, pictures)
        state = RowState.PARTIAL if missing > 0 else RowState.DONE
        problem = _missing(item, missing) if missing > 0 else None
        settlement = self._settlement(asked, answer, pictures, state=state, problem=problem)
        over = await self._commit(asked, settlement)
        files = [picture.file for picture in pictures]
        self.log.info("item.delivered", job=item.job_id, row=item.number, files=files,
                      request_id=answer.request_id)  # fmt: skip
        return Delivered(item=item, state=state, job_over=over)

    async def _ask_for_the_rest(
        self, asked: Asked, answer: Answer, pictures: tuple[Picture, ...]
    ) -> Deferred:
        problem = _missing(asked.item, asked.n - len(pictures))
        settlement = self._settlement(
            asked, answer, pictures, state=RowState.WAITING, problem=problem
        )
        settlement = replace(settlement, asked_again=True, due_at=self.clock())
        await self._commit(asked, settlement)
        delivered = asked.item.delivered + len(pictures)
        item = replace(asked.item, delivered=delivered, asked_again=True, pending=None)
        return Deferred(item=item, problem=problem)

    async def _refuse(
        self, asked: Asked, refusal: Refusal, answer: Answer | None, *, outage: bool
    ) -> Outcome:
        verdict = decide(refusal, asked.item, self.patience, now=self.clock())
        by_server = refusal.no is No.LATER
        if isinstance(verdict, Fail) and by_server and outage:
            verdict = Halt(problem=replace(verdict.problem, code="outage"), scope="provider")
        settlement = self._refused(asked, refusal, answer)
        match verdict:
            case Fail(problem=problem):
                state = RowState.PARTIAL if asked.item.delivered else RowState.FAILED
                failed = replace(settlement, state=state, problem=problem)
                over = await self._commit(asked, failed)
                self._say("item.failed", asked, problem)
                return Failed(item=asked.item, problem=problem, job_over=over, by_server=by_server)
            case Halt(problem=problem, scope=scope):
                await self._commit(asked, settlement)
                return Halted(item=asked.item, problem=problem, scope=scope)
            case Defer():
                return await self._defer(asked, refusal, settlement, verdict)

    async def _defer(
        self, asked: Asked, refusal: Refusal, settlement: Settlement, verdict: Defer
    ) -> Deferred:
        count = max(1, verdict.tries + verdict.doubts, self._tried(asked.item))
        wait = 0.0 if verdict.at_once else wait_before(count, refusal, self.retry, self.random)
        due_at = self.clock() + wait
        problem = as_problem(refusal)
        counts = {"tries": verdict.tries, "doubts": verdict.doubts, "dropped": verdict.dropped}
        await self._commit(
            asked,
            replace(settlement, state=RowState.WAITING, problem=problem, due_at=due_at,
                    tries=verdict.tries, doubts=verdict.doubts, dropped=verdict.dropped),
        )  # fmt: skip
        self._say("item.deferred", asked, problem, wait=round(wait, 2))
        rest = wait if refusal.retry_after is not None else 0.0
        item = replace(asked.item, **counts, due_at=due_at, pending=None, rate_tries=count + 1)
        return Deferred(
            item=replace(item, since=item.since or self.clock()), problem=problem, rest=rest
        )
