"""Pictures judged by the checklist of their row: a question about each, asked as every other item is.

A row that has its pictures is done only once they are judged. What cannot be judged is told, and the row
is done all the same: a picture that is paid for is lost to no verdict.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from watcher.core.catalogue import Catalogue
from watcher.core.checklist import not_again, note, read_answer, told, unjudged
from watcher.core.checks import Rule
from watcher.core.errors import DiskError, WatcherError
from watcher.core.jobs import (
    Item,
    Judging,
    No,
    OpenItem,
    Problem,
    Refusal,
    RowState,
    Settlement,
    Verdict,
)
from watcher.core.pictures import KeptPicture, Unfit, picture_rules
from watcher.core.planning import RowRules
from watcher.core.planning.judging import ask_about
from watcher.ledger import Ledger, Redo
from watcher.outbox import fit_picture
from watcher.work.pictures import Loaded
from watcher.work.settlements import BROKEN, JUDGED_NEXT, counted, given_up
from watcher.work.values import Account, Place

_OFF = Problem(code="judging_off", what="checks.vision is off now.")
# A folder, or the file, is not there, or is no longer ours to read: that is no disk that everybody waits for.
_GONE = ("disk_away", "disk_link", "disk_name_taken", "disk_forbidden")
_NOT_THERE = "The picture lies there no more, or cannot be read."
_UNCLEAR = "The model did not say yes or no to every point."


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeRules:
    """SETTINGS of one inbox: whether a redo follows, and how a question is planned."""

    vision: Rule
    rows: RowRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """`again`: how a row is asked for others in place of some pictures, by index, with a note; it may
    raise WatcherError and takes time.
    """

    ledger: Ledger
    places: Mapping[str, Place]
    catalogue: Catalogue
    rules: Callable[[str], JudgeRules]
    again: Callable[[OpenItem, Sequence[int], str], Redo]
    clock: Callable[[], float]

    def step(self, item: OpenItem) -> OpenItem:
        """What is to be asked for of a row now: itself, or what one of its pictures is worth."""
        judging = item.judging
        if judging is None:
            return item
        rules = self.rules(item.inbox)
        asked: Item | Problem = _OFF
        if rules.vision != "off":
            asked = ask_about(judging.item, _kept(judging), rules.rows, self.catalogue)
        if isinstance(asked, Problem):
            return replace(item, judging=replace(judging, problem=asked))
        return replace(item, item=asked, delivered=0, dropped=(), asked=0)

    async def next_step(self, item: OpenItem) -> OpenItem | None:
        """What is to be asked for of a row whose call brought something; None where it is over."""
        if item.judging is None and not item.item.checklist:
            return None
        found = await self.ledger.insist(self.ledger.items.again, item)
        return None if found is None else self.step(found)

    def begun(self, item: OpenItem, settlement: Settlement) -> Settlement:
        """A row that has its pictures is judged next, where it has a checklist."""
        wanted = item.item.checklist and self.rules(item.inbox).vision != "off"
        if not wanted or item.judging is not None:
            return settlement
        if settlement.state is RowState.PARTIAL:
            return replace(settlement, found=(*settlement.found, unjudged(item.item.checklist)))
        if settlement.state is not RowState.DONE:
            return settlement
        return replace(
            settlement, state=RowState.WAITING, judging=True, problem=JUDGED_NEXT,
            due_at=self.clock(),
        )  # fmt: skip

    async def known(self, item: OpenItem, since: float) -> Settlement | None:
        """What was said already of an equal picture by an equal question."""
        found = await self.ledger.call(self.ledger.verdicts.find, item.fingerprint, since=since)
        if found is None or item.judging is None:
            return None
        verdict = replace(found, index=item.judging.picture.index)
        return counted(Settlement(state=RowState.DONE, outcome="reused", verdict=verdict), item)

    def let_go(self, item: OpenItem, problem: Problem) -> Settlement:
        """Nobody can be asked: the row is done without."""
        return counted(
            Settlement(state=RowState.DONE, outcome="never", verdict=_none(item, problem)), item
        )

    async def load(self, item: OpenItem, account: Account) -> Loaded | Refusal:
        """The picture that is asked about, fit to be sent. Raises DiskError."""
        place, judging = self.places[item.inbox], _judging(item)
        rules = picture_rules(item.item, self.catalogue, account.profile)

        def read() -> Loaded | Refusal:
            try:
                content = place.outbox.read(item.folder, judging.picture.file)
                return Loaded(
                    images=(fit_picture(content, judging.picture.file, "image", rules).part,)
                )
            except Unfit as error:
                return _unseen(error.problem)
            except DiskError as error:
                if not _is_gone(error, place):
                    raise
                return _unseen(Problem(code="picture_gone", what=_NOT_THERE))

        return await asyncio.get_running_loop().run_in_executor(place.disk, read)

    async def concluded(
        self, item: OpenItem, settlement: Settlement
    ) -> tuple[Settlement, Redo | None]:
        """After a verdict: the next picture, another one in place of those that failed, or the row is done.
        Raises DiskError.
        """
        judging, verdict = _judging(item), settlement.verdict
        assert verdict is not None  # noqa: S101 - it is what came
        again = self.rules(item.inbox).vision == "redo" and not item.asked_again
        if judging.left:
            more = replace(settlement, state=RowState.WAITING, judging=True, problem=JUDGED_NEXT,
                           due_at=self.clock())  # fmt: skip
            return with_words(item, more, again=again), None
        done = replace(settlement, state=RowState.DONE, judging=False, problem=None, due_at=None)
        unmet = [one for one in (*judging.verdicts, verdict) if one.unmet]
        if not (again and unmet):
            return with_words(item, done), None
        redo = await self._redo(replace(item, item=judging.item), unmet)
        if isinstance(redo, WatcherError):
            told_of = with_words(item, done)
            return replace(told_of, found=(*told_of.found, not_again(redo.what))), None
        return with_words(item, done, again=True), redo

    async def _redo(self, item: OpenItem, unmet: Sequence[Verdict]) -> Redo | WatcherError:
        """Or why not. Raises DiskError."""
        indexes, place = [one.index for one in unmet], self.places[item.inbox]

        def ask() -> Redo | WatcherError:
            try:
                return self.again(item, indexes, note(unmet))
            except WatcherError as error:
                if isinstance(error, DiskError) and not _is_gone(error, place):
                    raise
                return error

        return await asyncio.get_running_loop().run_in_executor(place.disk, ask)


def with_words(item: OpenItem, settlement: Settlement, *, again: bool = False) -> Settlement:
    """With what is told of the verdict; `again`: another picture is asked for."""
    picture, verdict = _judging(item).picture, settlement.verdict
    words = told(picture, verdict, again=again) if verdict else ()
    return replace(settlement, found=(*settlement.found, *words))


def heard(item: OpenItem, settlement: Settlement, text: str) -> Settlement:
    """An answer, with what it says of the picture."""
    judging = _judging(item)
    index, unmet = judging.picture.index, read_answer(text, judging.item.checklist)
    if unmet is None:
        verdict = Verdict(index=index, problem=_UNCLEAR)
    else:
        verdict = Verdict(index=index, question=item.fingerprint, unmet=unmet)
    return replace(settlement, verdict=verdict)


def not_heard(item: OpenItem, settlement: Settlement, problem: Problem) -> Settlement:
    """No answer, for good."""
    return replace(settlement, verdict=_none(item, problem))


def lost(item: OpenItem) -> Settlement:
    """After faults of our own: a row that has its pictures is done without more ado."""
    settlement = given_up(item)
    if item.judging is None:
        return settlement
    done = replace(settlement, state=RowState.DONE, problem=None, judging=False)
    return with_words(item, not_heard(item, done, BROKEN))


def _is_gone(error: DiskError, place: Place) -> bool:
    """A picture that is not there for us, in an outbox that is."""
    return error.code in _GONE and place.outbox.is_here()


def _none(item: OpenItem, problem: Problem) -> Verdict:
    return Verdict(index=_judging(item).picture.index, problem=problem.what)


def _unseen(problem: Problem) -> Refusal:
    return Refusal(no=No.NEVER, code=problem.code, what=problem.what, hint=problem.hint)


def _kept(judging: Judging) -> KeptPicture:
    picture = judging.picture
    return KeptPicture(sha256=picture.sha256, format=picture.format, name=picture.file)


def _judging(item: OpenItem) -> Judging:
    assert item.judging is not None  # noqa: S101 - asked of such items alone
    return item.judging
