"""Rows that ask for what is paid already: they take over its pictures, and pay nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from weakref import WeakValueDictionary

from watcher.core.errors import DiskError
from watcher.core.jobs import Json, OpenItem, Picture, Refusal, RowState, Settlement
from watcher.core.naming import metadata_file, stem_at
from watcher.core.report import json_text
from watcher.core.reuse import fingerprint
from watcher.ledger import Ledger, PaidRow
from watcher.outbox import BadPicture, look_at_picture
from watcher.work.judging import Judge
from watcher.work.keeping import OnDisk
from watcher.work.pictures import Inputs
from watcher.work.settlements import counted
from watcher.work.values import Account, Place, Withdrawn

_DAY = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reuse:
    """`days` of an inbox: how long what was paid for is used again; 0: not at all. `without_refused`: an
    item without what its server is known not to take, which is not asked for. `add_copy`: in the size that
    a row wants.
    """

    ledger: Ledger
    places: Mapping[str, Place]
    inputs: Inputs
    account: Callable[[str], Account]
    without_refused: Callable[[OpenItem], OpenItem]
    add_copy: Callable[[OpenItem, Picture, bytes], None]
    days: Callable[[str], float]
    on_disk: OnDisk
    judge: Judge
    clock: Callable[[], float]
    _asking: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    @asynccontextmanager
    async def sole(self, item: OpenItem) -> AsyncIterator[tuple[OpenItem, Settlement | None]]:
        """The item with its fingerprint, and how it is settled without a call where that can be.

        Of rows that ask for the same one at a time is in here, so that the others find what it got; one
        that has something of its own already, or may have, takes nothing over. Raises Withdrawn.
        """
        if item.judging is not None and item.judging.problem is not None:
            yield item, self.judge.let_go(item, item.judging.problem)
            return
        act = lambda: self.ledger.call(self.without_refused, item)  # noqa: E731
        item = await self.on_disk(act)
        print_ = await self._fingerprint(item)
        item = replace(item, fingerprint=print_)
        if not (print_ and item.item.reuse and self.days(item.inbox) > 0):
            yield item, None
            return
        lock = self._asking.setdefault(print_, asyncio.Lock())
        async with lock:
            begun = item.delivered or item.pending is not None
            yield item, None if begun else await self._taken_over(item)

    async def _fingerprint(self, item: OpenItem) -> str:
        account, disk = self.account(item.inbox), self.places[item.inbox].disk
        fetched = await self.on_disk(lambda: self.inputs.digests(item, account, disk))
        if isinstance(fetched, Refusal):
            return ""
        return fingerprint(item.item, account.server, fetched, item.dropped)

    async def _taken_over(self, item: OpenItem) -> Settlement | None:
        since = self.clock() - self.days(item.inbox) * _DAY
        if item.judging is not None:
            return await self.on_disk(lambda: self.judge.known(item, since))
        find = self.ledger.paid.find
        paid = await self.on_disk(lambda: self.ledger.call(find, item.fingerprint, since=since))
        if paid is None or (paid.job_id, paid.number) == (item.job_id, item.number):
            return None
        goes_on = self.ledger.orders.goes_on
        if not await self.on_disk(lambda: self.ledger.call(goes_on, item.job_id)):
            raise Withdrawn
        pictures = await self._linked(item, paid)
        if pictures is None:
            return None
        settlement = Settlement(
            state=RowState.DONE, outcome="reused", pictures=pictures, text=paid.text,
            cost_usd=Decimal(0), saved_usd=paid.cost_usd,
        )  # fmt: skip
        return counted(settlement, item)

    async def _linked(self, item: OpenItem, paid: PaidRow) -> tuple[Picture, ...] | None:
        """All its pictures as this row's; None where one is gone: then the row is asked for."""
        if paid.inbox not in self.places or (not paid.pictures and not paid.text):
            return None
        if paid.pictures and len(paid.pictures) != item.item.n:  # it was asked again since
            return None
        run = asyncio.get_running_loop().run_in_executor
        mine, theirs = self.places[item.inbox], self.places[paid.inbox]
        here = lambda: run(theirs.disk, theirs.outbox.require)  # noqa: E731
        act = lambda: run(mine.disk, self._link, item, paid)  # noqa: E731
        while True:
            await self.on_disk(here, outbox=str(theirs.outbox.root))
            taken = await self.on_disk(act, outbox=str(mine.outbox.root))
            # What is away is not gone: it would be paid again.
            if taken is not None or await run(theirs.disk, theirs.outbox.is_here):
                return taken

    def _link(self, item: OpenItem, paid: PaidRow) -> tuple[Picture, ...] | None:
        mine, theirs = self.places[item.inbox].outbox, self.places[paid.inbox].outbox
        taken: list[Picture] = []
        for index, picture in enumerate(paid.pictures, start=1):
            stem = stem_at(item.stem, index)
            found = mine.link_picture(theirs.root / paid.folder, picture, item.folder, stem, index)
            if found is None:
                return None
            linked, content = found
            taken.append(linked)
            self._add_thumbnail(item, linked, content)
            self.add_copy(item, linked, content)
            self._add_trace(item, linked, paid, picture)
        return tuple(taken)

    def _add_trace(self, item: OpenItem, mine: Picture, paid: PaidRow, theirs: Picture) -> None:
        """How the picture came to be is told again, and where it was taken from."""
        try:
            outbox = self.places[paid.inbox].outbox
            told = json.loads(outbox.read(paid.folder, metadata_file(theirs.file)))
        except (DiskError, ValueError):
            told = {}
        source: dict[str, Json] = {"job": paid.job_id, "row": paid.number, "file": theirs.file}
        here: dict[str, Json] = {
            "job": item.job_id,
            "row": item.number,
            "index": mine.index,
            "file": mine.file,
        }
        text = json_text({**told, **here, "reused_from": source})
        self.places[item.inbox].outbox.save_metadata(item.folder, mine.file, text)

    def _add_thumbnail(self, item: OpenItem, picture: Picture, content: bytes) -> None:
        try:
            facts = look_at_picture(content)
        except BadPicture:
            return
        if facts.thumbnail:
            outbox = self.places[item.inbox].outbox
            outbox.save_thumbnail(item.folder, picture.file, facts.thumbnail)
