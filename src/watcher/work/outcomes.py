"""What a reply means for its row, committed: delivered, deferred, failed, or a lane that halts."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from random import Random

from watcher.api import RetryRules, on_disk, wait_before
from watcher.core.catalogue import Catalogue
from watcher.core.jobs import (
    Answer,
    No,
    OpenItem,
    Operation,
    Problem,
    Refusal,
    RowState,
    Settlement,
)
from watcher.core.log import Log
from watcher.core.policy import ROW_DEADLINE, Defer, Fail, Halt, Patience, as_problem, decide
from watcher.core.pricing import cost_usd
from watcher.ledger import Ledger, Redo
from watcher.work.judging import Judge, heard, not_heard
from watcher.work.keeping import Kept, OnDisk
from watcher.work.learning import Learning
from watcher.work.purse import Purse
from watcher.work.settlements import (
    NOT_GOOD_ENOUGH,
    answered,
    counted,
    missing_pictures,
    refused,
)
from watcher.work.values import UNSENT, Asked, Deferred, Delivered, Failed, Halted, Outcome

_LINK_WAIT = 60.0  # seconds between looks for a picture at its address, at most
_OUTAGE_WAIT = 120.0  # seconds that a row waits which ran into an outage


@dataclass(slots=True, kw_only=True)
class Outcomes:
    """`patience` and `retry` may be replaced while calls are in flight: they count from the next outcome on."""

    ledger: Ledger
    purse: Purse
    judge: Judge
    learning: Learning
    catalogue: Catalogue
    patience: Patience
    retry: RetryRules
    replies: Path
    on_disk: OnDisk
    clock: Callable[[], float]
    random: Random
    log: Log

    async def deliver(self, asked: Asked, answer: Answer, kept: Kept) -> Delivered | Deferred:
        item, pictures = asked.item, kept.pictures
        if item.judging is not None:
            told = answered(item, answer, (), self.cost(asked, answer), state=RowState.DONE)
            return await self.judged(asked, heard(item, told, answer.text))
        missing = asked.n - len(pictures) if item.item.operation is not Operation.ANALYZE else 0
        if missing > 0 and not item.asked_again and kept.lost is None:
            return await self._ask_for_the_rest(asked, answer, kept)
        state = RowState.PARTIAL if missing > 0 else RowState.DONE
        problem = missing_pictures(item, missing, kept.lost) if missing > 0 else None
        settlement = answered(item, answer, pictures, self.cost(asked, answer), state=state)
        paid = item.fingerprint if state is RowState.DONE else ""
        settlement = replace(settlement, problem=problem, fingerprint=paid, found=kept.found)
        settlement = self.judge.begun(item, settlement)
        over = await self.commit(asked, settlement)
        files = [picture.file for picture in pictures]
        self.log.info("item.delivered", job=item.job_id, row=item.number, files=files,
                      request_id=answer.request_id)  # fmt: skip
        return Delivered(item=item, state=settlement.state, job_over=over)

    async def judged(self, asked: Asked, said: Settlement, *, sent: bool = True) -> Delivered:
        """A picture has its verdict, or will have none."""
        item = asked.item
        conclude = lambda: self.judge.concluded(item, said)  # noqa: E731
        settlement, redo = await self.on_disk(conclude, outbox=asked.lane.outbox)
        over = await self.commit(asked, settlement, redo)
        assert settlement.verdict is not None  # noqa: S101 - it was just concluded
        self.log.info("picture.judged", job=item.job_id, row=item.number,
                      index=settlement.verdict.index, unmet=len(settlement.verdict.unmet),
                      problem=settlement.verdict.problem, again=redo is not None)  # fmt: skip
        return Delivered(item=item, state=settlement.state, job_over=over, sent=sent)

    async def refuse(self, asked: Asked, refusal: Refusal, *, outage: bool) -> Outcome:
        decision = decide(refusal, asked.item, self.patience, now=self.clock())
        sent = asked.attempt != UNSENT
        by_server = sent and refusal.no is No.LATER
        settlement = refused(asked.item, refusal, self.cost(asked, refusal))
        if isinstance(decision, Fail) and by_server and outage and self._is_young(asked.item):
            decision = Halt(problem=replace(decision.problem, code="outage"), scope="provider")
            # Behind the others: a row that is refused always must not be every probe.
            due_at = self.clock() + _OUTAGE_WAIT
            settlement = replace(
                settlement, state=RowState.WAITING, due_at=due_at, problem=decision.problem
            )
        match decision:
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
                    await self.commit(asked, settlement)
                return Halted(item=asked.item, problem=problem, scope=scope)
            case Defer():
                await self.learning.learn(asked, refusal)
                return await self._defer(asked, refusal, settlement, decision)

    def fetch_later(self, asked: Asked, lost: Refusal) -> Deferred:
        """The attempt stays open and its reply on the disk, where the next look finds it, after a crash too."""
        wait, problem = min(self.retry.longest, _LINK_WAIT), as_problem(lost)
        item = replace(asked.item, pending=asked.attempt, due_at=self.clock() + wait)
        if asked.held is not None:
            item = replace(item, reserved_usd=asked.held.money.usd)
            self.purse.keep(asked.held)
        self._say("item.deferred", asked, problem, wait=wait)
        return Deferred(item=item, problem=problem)

    async def commit(self, asked: Asked, settlement: Settlement, redo: Redo | None = None) -> bool:
        """The outcome is durable when this returns, then the reply may go; True: the job is over."""
        over = await self.on_disk(
            lambda: self.ledger.call(
                self.ledger.items.settle, asked.item, asked.attempt, settlement, now=self.clock(),
                redo=redo,
            )
        )  # fmt: skip
        if asked.attempt != UNSENT:
            self.purse.book(asked.item, asked.held, settlement)
            await on_disk(self._forget_reply, asked.attempt)
        return over

    def cost(self, asked: Asked, said: Answer | Refusal) -> Decimal | None:
        return cost_usd(said.usage, asked.lane.model, self.catalogue)

    async def _ask_for_the_rest(self, asked: Asked, answer: Answer, kept: Kept) -> Deferred:
        pictures = kept.pictures
        problem = missing_pictures(asked.item, asked.n - len(pictures))
        if kept.put_aside:
            problem = NOT_GOOD_ENOUGH
        cost = self.cost(asked, answer)
        settlement = answered(asked.item, answer, pictures, cost, state=RowState.WAITING)
        await self.commit(
            asked,
            replace(
                settlement, problem=problem, due_at=self.clock(), asked_again=True, found=kept.found
            ),
        )
        delivered = asked.item.delivered + len(pictures)
        item = replace(asked.item, delivered=delivered, asked_again=True, pending=None)
        return Deferred(item=item, problem=problem)

    async def _fail(self, asked: Asked, settlement: Settlement, problem: Problem) -> bool:
        """Never: a row without its pictures has failed, a picture without a verdict is a picture."""
        if asked.item.judging is not None:
            none = not_heard(asked.item, settlement, problem)
            return (await self.judged(asked, none)).job_over
        state = RowState.PARTIAL if asked.item.delivered else RowState.FAILED
        failed = replace(settlement, state=state, problem=problem)
        over = await self.commit(asked, self.judge.begun(asked.item, failed))
        self._say("item.failed", asked, problem)
        return over

    async def _defer(
        self, asked: Asked, refusal: Refusal, settlement: Settlement, decision: Defer
    ) -> Deferred:
        wait = 0.0
        if not decision.at_once:
            wait = wait_before(max(1, asked.item.asked), refusal, self.retry, self.random)
        due_at, problem = self.clock() + wait, as_problem(refusal)
        item = replace(
            asked.item, tries=decision.tries, doubts=decision.doubts, dropped=decision.dropped,
            due_at=due_at, pending=None,
        )  # fmt: skip
        waiting = replace(settlement, state=RowState.WAITING, problem=problem, due_at=due_at)
        await self.commit(asked, counted(waiting, item))
        self._say("item.deferred", asked, problem, wait=round(wait, 2))
        rest = wait if refusal.retry_after is not None else 0.0
        unanswered = refusal.no is No.AMBIGUOUS
        return Deferred(
            item=item, problem=problem, rest=rest, status=refusal.status, unanswered=unanswered
        )

    def _is_young(self, item: OpenItem) -> bool:
        return self.clock() - (item.since or self.clock()) < ROW_DEADLINE

    def _forget_reply(self, attempt: int) -> None:
        for file in self.replies.glob(f"{attempt}.*"):
            with suppress(OSError):  # the outcome is safe; the next start clears what is left
                file.unlink()

    def _say(self, event: str, asked: Asked, problem: Problem, **more: object) -> None:
        self.log.warning(event, job=asked.item.job_id, row=asked.item.number, code=problem.code,
                         what=problem.what, what_to_do=problem.hint, **more)  # fmt: skip
